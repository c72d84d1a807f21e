"""One deadline for a whole call: the account's limit, the operator's, or an upload's own; and the token before it."""

import asyncio

import httpx
import pytest

from scm_operator.domain import errors, ports
from scm_operator.domain.reasons import Reason
from scm_operator.scm import client, transport
from tests.unit.scm import service as fakes
from tests.unit.scm.service import Reply

CALLS = ("rename", "list_named", "show", "delete")


async def call(store: ports.CsrStore, *, way: str) -> None:
    """Make a call that has the client's own deadline."""
    match way:
        case "prepare":
            await store.prepare()
        case "rename":
            await store.rename(fakes.SCM_ID, name="shop-tls")
        case _:
            await getattr(store, way)(fakes.SCM_ID)


async def refused(store: ports.CsrStore, *, way: str) -> errors.RetryLater:
    """Return what a call fails with."""
    with pytest.raises(errors.RetryLater) as caught:
        await call(store, way=way)
    return caught.value


LIMITS = {"account": ("200ms", 30.0), "operator": ("30s", 0.2)}


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize(("limit", "cap"), LIMITS.values(), ids=LIMITS)
async def test_the_lower_limit_ends_a_call(
    service: fakes.FakeService, clock: fakes.FakeClock, way: str, limit: str, cap: float
) -> None:
    """A call ends at the account's spec.limits.timeout or at the operator's cap, and may be repeated then."""
    service.scm.append(service.hang)
    account = fakes.token_account(service.endpoint, limits={"timeout": limit})
    store = fakes.store(account, clock=clock, timeout=cap)
    obstacle = await refused(store, way=way)
    assert (type(obstacle), obstacle.reason) == (errors.RetryLater, Reason.SERVER_ERROR)
    said = "gave no answer: the deadline of 0.2 s passed before the answer."
    assert obstacle.message == f"SCM at {service.endpoint} {said}"
    await store.aclose()


async def test_an_upload_may_outlive_the_limit(service: fakes.FakeService, clock: fakes.FakeClock) -> None:
    """What an upload is given is its deadline, whatever the account's limit is."""
    service.scm.extend([service.hang, service.hang])
    store = fakes.store(fakes.token_account(service.endpoint, limits={"timeout": "200ms"}), clock=clock)
    upload = asyncio.create_task(store.upload(fakes.CONTENT, name="shop-tls", timeout=30))
    await service.hanging.wait()
    await refused(store, way="show")  # so the limit has passed for the upload, which began earlier
    service.over.set()
    assert (await upload).scm_id == fakes.SCM_ID
    await store.aclose()


class RefusingTransport(httpx.AsyncBaseTransport):
    """A transport that takes 20 s to refuse a token, and never answers the next request."""

    def __init__(self) -> None:
        """Begin with the refusal."""
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, or don't."""
        self.requests += 1
        await asyncio.sleep(20 if self.requests == 1 else 3600)
        return httpx.Response(401, request=request, stream=httpx.ByteStream(b""))


class FakeTokens:
    """Tokens without end."""

    life = None

    async def token(self) -> str:
        """Return one."""
        return fakes.TOKEN

    async def prepare(self) -> None:
        """Do nothing."""

    async def reject(self, token: str) -> None:
        """Do nothing."""

    async def accept(self, token: str) -> None:
        """Do nothing."""

    async def aclose(self) -> None:
        """Do nothing."""


@pytest.mark.looptime
async def test_the_repeat_after_a_refused_token_is_in_the_deadline(clock: fakes.FakeClock) -> None:
    """The second request of an upload gets what the first one has left of the time, not a deadline of its own."""
    slow = RefusingTransport()
    link = transport.Link("http://127.0.0.1:1", transport=slow, connect_timeout=1)
    store = client.ScmClient(link, tokens=FakeTokens(), clock=clock, timeout=5)
    began = asyncio.get_running_loop().time()
    with pytest.raises(errors.RetryLater):  # this transport makes no connection, so surely nothing was stored
        await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)
    assert (slow.requests, asyncio.get_running_loop().time() - began) == (2, 30)


async def test_prepared_call_needs_no_login(service: fakes.FakeService, password_store: ports.CsrStore) -> None:
    """After prepare the upload is the only request that is left to make."""
    await password_store.prepare()
    assert (service.logins, len(service.uploads)) == (1, 0)
    await password_store.upload(fakes.CONTENT, name="shop-tls", timeout=30)
    assert (service.logins, len(service.uploads)) == (1, 1)


async def test_prepare_with_a_ready_token_makes_no_request(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """A token out of a Secret is in hand already."""
    await store.prepare()
    assert service.seen == []


async def test_prepare_renews_a_refused_token(service: fakes.FakeService, password_store: ports.CsrStore) -> None:
    """A token that SCM refused twice is replaced before the next upload, not by it."""
    service.scm.extend([Reply(401), fakes.reset])
    with pytest.raises(errors.OutcomeUnknown):
        await password_store.upload(fakes.CONTENT, name="shop-tls", timeout=30)
    await password_store.prepare()
    assert service.logins == 2


async def test_prepare_fails_as_the_login_does(service: fakes.FakeService, password_store: ports.CsrStore) -> None:
    """A refused login is told before anything is written down for an upload."""
    service.iam.append(Reply(401))
    obstacle = await refused(password_store, way="prepare")
    assert isinstance(obstacle, errors.AccountObstacle)
    assert obstacle.reason == Reason.AUTHENTICATION_FAILED


async def test_prepare_waits_no_longer_than_a_call(service: fakes.FakeService, clock: fakes.FakeClock) -> None:
    """A login that takes longer than the account's limit is Unreachable."""
    service.iam.append(service.hang)
    store = fakes.store(fakes.password_account(service.endpoint), clock=clock, timeout=0.2)
    assert (await refused(store, way="prepare")).reason in {Reason.UNREACHABLE, Reason.SERVER_ERROR}
    assert service.uploads == []
    await store.aclose()
