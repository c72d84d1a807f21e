import asyncio
import re

import pytest

from scm_operator.domain import errors, ports
from scm_operator.domain.reasons import AccountReason, Reason
from tests.unit.scm import service as fakes
from tests.unit.scm.service import Reply


async def refused(store: ports.CsrStore) -> errors.AccountObstacle:
    """Return what an upload fails with while the token is bad."""
    with pytest.raises(errors.AccountObstacle) as caught:
        await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)
    assert caught.value.reason == Reason.AUTHENTICATION_FAILED
    assert caught.value.account_reason == AccountReason.LOGIN_FAILED
    return caught.value


@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["bare", "newline", "Windows newline"])
async def test_final_newline_is_not_part_of_a_token(
    service: fakes.FakeService, clock: fakes.FakeClock, end: str
) -> None:
    """A Secret made from a file ends with a newline; the token doesn't."""
    store = fakes.store(fakes.token_account(service.endpoint), clock=clock, credential=fakes.TOKEN + end)
    await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)
    assert service.seen[0].token == fakes.TOKEN
    await store.aclose()


@pytest.mark.parametrize("length", [32, fakes.LONGEST_TOKEN], ids=["32", "2 MiB"])
async def test_tokens_of_the_contracts_range_are_sent(
    service: fakes.FakeService, clock: fakes.FakeClock, length: int
) -> None:
    """The shortest and the longest token that the contract allows reach the service whole."""
    store = fakes.store(fakes.token_account(service.endpoint), clock=clock, credential="t" * length)
    await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)
    assert len(service.seen[0].token) == length
    await store.aclose()


@pytest.mark.parametrize(
    "credential",
    ["t" * 31, "t" * (fakes.LONGEST_TOKEN + 1), "t" * 32 + "\n\n", "t" * 32 + " t", "tök" * 32, "t" * 32 + "\x00"],
    ids=["31", "over 2 MiB", "two newlines", "space", "umlaut", "NUL"],
)
def test_other_values_are_no_token(clock: fakes.FakeClock, credential: str) -> None:
    """A value that can't be a token is CredentialInvalid; the message has its length and not the value."""
    with pytest.raises(errors.AccountFault) as caught:
        fakes.store(fakes.token_account("https://scm.example.com"), clock=clock, credential=credential)
    assert caught.value.reason == AccountReason.CREDENTIAL_INVALID
    assert re.search(r"has \d+ characters", caught.value.message)
    assert "tt" not in caught.value.message


async def test_dead_token_is_sent_once(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """After one 401 the uploads that follow fail without a call."""
    service.scm.append(Reply(401))
    for _ in range(100):
        await refused(store)
    assert len(service.uploads) == 1


async def test_dead_token_is_probed_after_longer_and_longer_waits(
    service: fakes.FakeService, store: ports.CsrStore, clock: fakes.FakeClock
) -> None:
    """The wait begins with 30 s, doubles with each refused probe up to 5 min, and is told to callers."""
    service.scm.extend([Reply(401)] * 7)
    await refused(store)
    waits = []
    for _ in range(6):
        wait = (await refused(store)).retry_after
        assert wait is not None
        waits.append(wait)
        clock.advance(wait)
        await refused(store)  # the probe
    assert waits == [30, 60, 120, 240, 300, 300]
    assert len(service.uploads) == 7


async def test_only_one_caller_probes(
    service: fakes.FakeService, store: ports.CsrStore, clock: fakes.FakeClock
) -> None:
    """When the wait is over, one upload goes ahead and the others stay refused until its answer is there."""
    service.scm.extend([Reply(401), service.hang])
    await refused(store)
    clock.advance(30)
    probe = asyncio.create_task(store.upload(fakes.CONTENT, name="probe", timeout=30))
    await service.hanging.wait()
    for _ in range(10):
        await refused(store)
    service.over.set()
    assert (await probe).scm_id == fakes.SCM_ID
    assert len(service.uploads) == 2


async def test_probe_that_nothing_is_heard_of_is_followed_by_another(
    service: fakes.FakeService, store: ports.CsrStore, clock: fakes.FakeClock
) -> None:
    """An outage during the probe says nothing about the token: after the same wait another upload probes."""
    service.scm.extend([Reply(401), Reply(500)])
    await refused(store)
    clock.advance(30)
    with pytest.raises(errors.OutcomeUnknown):
        await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)
    assert (await refused(store)).retry_after == 30
    clock.advance(30)
    await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)


@pytest.mark.parametrize(
    "answer", [Reply(200, fakes.STORED), Reply(400, {"error_code": "SCM.0005"})], ids=["success", "refused by SCM"]
)
async def test_token_that_works_again_is_trusted(
    service: fakes.FakeService, store: ports.CsrStore, clock: fakes.FakeClock, answer: Reply
) -> None:
    """A probe that SCM takes ends the wait for all, and the next refusal begins with a short one again."""
    service.scm.extend([Reply(401), Reply(401), answer, Reply(200, fakes.STORED), Reply(401)])
    await refused(store)
    clock.advance(30)
    await refused(store)
    clock.advance(60)
    if answer.status == 200:
        await store.upload(fakes.CONTENT, name="probe", timeout=30)
    else:
        with pytest.raises(errors.NeedsChange):
            await store.upload(fakes.CONTENT, name="probe", timeout=30)
    await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)
    assert (await refused(store)).retry_after == 30


async def test_prepare_leaves_the_probe_to_the_call(
    service: fakes.FakeService, store: ports.CsrStore, clock: fakes.FakeClock
) -> None:
    """Whether there is a token can be asked any number of times, and the upload after it still probes."""
    service.scm.append(Reply(401))
    await refused(store)
    with pytest.raises(errors.AccountObstacle) as caught:
        await store.prepare()
    assert (caught.value.reason, caught.value.retry_after) == (Reason.AUTHENTICATION_FAILED, 30)
    clock.advance(30)
    for _ in range(3):
        await store.prepare()
    await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)
    assert len(service.seen) == 2
