import asyncio

import pytest
from aiohttp import web

from scm_operator.domain import entry, errors, ports
from scm_operator.domain.reasons import AccountReason, Reason
from tests.unit.scm import service as fakes
from tests.unit.scm.service import Reply

DAY = 86400.0


async def send(store: ports.CsrStore) -> entry.Entry:
    """Upload the one content of these tests."""
    return await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)


async def refused(store: ports.CsrStore, *, seconds: float = 30) -> errors.RetryLater:
    """Return what an upload fails with; it may be tried again later."""
    with pytest.raises(errors.RetryLater) as caught:
        await store.upload(fakes.CONTENT, name="shop-tls", timeout=seconds)
    return caught.value


def tokens(service: fakes.FakeService) -> list[int]:
    """Return which login's token each upload carried."""
    return [int(seen.token.rpartition("-")[2]) for seen in service.uploads]


async def test_login_sends_user_password_domain_and_scope(
    service: fakes.FakeService, password_store: ports.CsrStore
) -> None:
    """A login is one POST to IAM without the catalogue, before the first upload."""
    await send(password_store)
    login = service.seen[0]
    assert (login.method, login.path) == ("POST", "/v3/auth/tokens?nocatalog=1")
    assert "X-Auth-Token" not in login.headers
    user = {"name": "cert-bot", "password": fakes.PASSWORD, "domain": {"name": "acme"}}
    assert login.body["auth"]["identity"] == {"methods": ["password"], "password": {"user": user}}
    assert login.body["auth"]["scope"] == {"project": {"name": "cn-north-4"}}


@pytest.mark.parametrize(
    ("kind", "scope"),
    [
        ("project", {"project": {"name": "x"}}),
        ("projectID", {"project": {"id": "x"}}),
        ("domain", {"domain": {"name": "x"}}),
        ("domainID", {"domain": {"id": "x"}}),
    ],
)
async def test_scope_is_asked_for_as_the_account_says(
    service: fakes.FakeService, clock: fakes.FakeClock, kind: str, scope: object
) -> None:
    """Each of the four kinds of scope has its place in the login."""
    store = fakes.store(fakes.password_account(service.endpoint, scope={kind: "x"}), clock=clock)
    await send(store)
    assert service.seen[0].body["auth"]["scope"] == scope
    await store.aclose()


async def test_longest_token_is_received_and_sent(service: fakes.FakeService, password_store: ports.CsrStore) -> None:
    """A token of 2,097,152 characters gets from X-Subject-Token to X-Auth-Token whole."""
    service.iam.append(fakes.login("t" * fakes.LONGEST_TOKEN))
    await send(password_store)
    assert len(service.uploads[0].token) == fakes.LONGEST_TOKEN


async def test_token_is_kept(service: fakes.FakeService, password_store: ports.CsrStore) -> None:
    """Uploads share one token."""
    for _ in range(5):
        await send(password_store)
    assert service.logins == 1


async def test_uploads_at_once_share_one_login(service: fakes.FakeService, password_store: ports.CsrStore) -> None:
    """Uploads that begin together wait for the same login."""
    await asyncio.gather(*(send(password_store) for _ in range(20)))
    assert (service.logins, len(service.uploads)) == (1, 20)


async def test_upload_that_gives_up_does_not_end_the_login_of_others(
    service: fakes.FakeService, password_store: ports.CsrStore
) -> None:
    """The upload that began a login may be cancelled; the one that waits for it too goes on."""
    released = asyncio.Event()

    async def late(request: web.Request) -> web.StreamResponse:
        service.hanging.set()
        await released.wait()
        return await fakes.login(service.token(1))(request)

    service.iam.append(late)
    first, second = asyncio.create_task(send(password_store)), asyncio.create_task(send(password_store))
    await service.hanging.wait()
    first.cancel()
    released.set()
    assert (await second).scm_id == fakes.SCM_ID
    assert (service.logins, len(service.uploads)) == (1, 1)


async def test_token_is_renewed_after_three_quarters_of_its_life(
    service: fakes.FakeService, password_store: ports.CsrStore, clock: fakes.FakeClock
) -> None:
    """Before, it is used; after, it is renewed on use, and uploads don't wait for that."""
    await send(password_store)
    clock.advance(DAY * 0.75 - 1)
    await send(password_store)
    assert service.logins == 1
    clock.advance(2)
    await send(password_store)
    assert tokens(service) == [1, 1, 1]
    while tokens(service)[-1] == 1:
        await send(password_store)
    assert (service.logins, tokens(service)[-1]) == (2, 2)


async def test_lifetime_is_told_by_iams_clock_alone(
    service: fakes.FakeService, password_store: ports.CsrStore, clock: fakes.FakeClock
) -> None:
    """expires_at less issued_at is the lifetime, whatever the time is here: an ended token isn't sent."""
    service.iam.append(fakes.login(service.token(1), lifetime=100))
    await send(password_store)
    clock.advance(101)
    await send(password_store)
    assert tokens(service) == [1, 2]


@pytest.mark.parametrize("body", [b"", {"token": {"expires_at": "soon"}}, {"token": 1}], ids=["none", "words", "odd"])
async def test_token_without_a_lifetime_is_used_for_an_hour(
    service: fakes.FakeService, password_store: ports.CsrStore, clock: fakes.FakeClock, body: object
) -> None:
    """A token is good even if IAM's body can't be read."""
    service.iam.append(Reply(201, body, {"X-Subject-Token": service.token(1)}))
    await send(password_store)
    clock.advance(3601)
    await send(password_store)
    assert tokens(service) == [1, 2]


async def test_old_token_serves_while_it_cannot_be_renewed(
    service: fakes.FakeService, password_store: ports.CsrStore, clock: fakes.FakeClock
) -> None:
    """As long as the old token is valid, an outage of IAM stops nothing and isn't hammered."""
    await send(password_store)
    clock.advance(DAY * 0.8)
    service.iam.append(Reply(500))
    while service.logins < 2:
        await send(password_store)
    for _ in range(5):
        await send(password_store)
    assert service.logins == 2
    assert set(tokens(service)) == {1}


async def test_uploads_whose_token_is_refused_share_one_new_login(
    service: fakes.FakeService, password_store: ports.CsrStore
) -> None:
    """Of many uploads that met a 401 with the same token, one logs in anew for all."""
    await send(password_store)
    service.scm.extend([Reply(401)] * 8)
    await asyncio.gather(*(send(password_store) for _ in range(8)))
    assert service.logins == 2
    assert sorted(tokens(service)) == [1] * 9 + [2] * 8


REFUSED_LOGINS = {
    "401": (
        Reply(401, {"error": {"message": "wrong", "title": "Unauthorized", "code": 401}}),
        AccountReason.LOGIN_FAILED,
    ),
    "403": (Reply(403, {"error": {"message": "locked", "code": 403}}), AccountReason.ACCESS_DENIED),
}


@pytest.mark.parametrize(("reply", "reason"), REFUSED_LOGINS.values(), ids=REFUSED_LOGINS)
async def test_refused_login_is_the_accounts(
    service: fakes.FakeService, password_store: ports.CsrStore, reply: Reply, reason: AccountReason
) -> None:
    """401 and 403 of IAM are about the account; the message names IAM, and nothing is sent to SCM."""
    service.iam.append(reply)
    obstacle = await refused(password_store)
    assert isinstance(obstacle, errors.AccountObstacle)
    assert obstacle.account_reason == reason
    assert f"IAM login at {service.endpoint} was answered with {reply.status}: " in obstacle.message
    assert service.uploads == []


async def test_wrong_password_does_not_lock_the_user(
    service: fakes.FakeService, password_store: ports.CsrStore, clock: fakes.FakeClock
) -> None:
    """However many uploads wait, refused logins are 30 s apart, then twice as far up to 5 min."""
    service.iam.extend([Reply(401)] * 6)
    waits = []
    for number in range(1, 7):
        obstacles = await asyncio.gather(*(refused(password_store) for _ in range(50)))
        assert service.logins == number
        (wait,) = {obstacle.retry_after for obstacle in obstacles}
        assert wait is not None
        waits.append(wait)
        clock.advance(wait)
    assert waits == [30, 60, 120, 240, 300, 300]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        pytest.param(Reply(404), Reason.ENDPOINT_NOT_FOUND, id="404"),
        pytest.param(Reply(429), Reason.THROTTLED, id="429"),
        pytest.param(Reply(400), Reason.SERVER_ERROR, id="400"),
        pytest.param(Reply(500), Reason.SERVER_ERROR, id="500"),
        pytest.param(Reply(302, b"", {"Location": "/login"}), Reason.SERVER_ERROR, id="redirect"),
        pytest.param(Reply(200, b"", {"X-Subject-Token": fakes.TOKEN}), Reason.SERVER_ERROR, id="200"),
        pytest.param(Reply(201), Reason.SERVER_ERROR, id="no token"),
        pytest.param(fakes.login("t" * 31), Reason.SERVER_ERROR, id="token too short"),
        pytest.param(fakes.login("t" * 32 + " " + "t"), Reason.SERVER_ERROR, id="token with a space"),
        pytest.param(fakes.reset, Reason.SERVER_ERROR, id="reset"),
    ],
)
async def test_login_that_fails_otherwise_is_retried(
    service: fakes.FakeService, password_store: ports.CsrStore, clock: fakes.FakeClock, reply: Reply, reason: Reason
) -> None:
    """Any other failure of IAM is retried after 1 s, then twice as long; nothing is sent to SCM."""
    service.iam.extend([reply, reply])
    for wait in (1, 2):
        obstacle = await refused(password_store)
        assert (type(obstacle), obstacle.reason, obstacle.retry_after) == (errors.RetryLater, reason, wait)
        assert f"IAM login at {service.endpoint}" in obstacle.message or "for a login" in obstacle.message
        await refused(password_store)
        clock.advance(wait)
    assert (service.logins, service.uploads) == (2, [])
    await send(password_store)


async def test_iam_that_asks_for_a_longer_wait_gets_it(
    service: fakes.FakeService, password_store: ports.CsrStore
) -> None:
    """Retry-After of IAM is obeyed."""
    service.iam.append(Reply(429, b"", {"Retry-After": "90"}))
    assert (await refused(password_store)).retry_after == 90


async def test_unreachable_iam_is_named(service: fakes.FakeService, clock: fakes.FakeClock) -> None:
    """An IAM that isn't there is Unreachable, with its address."""
    account = fakes.password_account(service.endpoint, iam="http://127.0.0.1:1")
    store = fakes.store(account, clock=clock)
    obstacle = await refused(store)
    assert obstacle.reason == Reason.UNREACHABLE
    assert "IAM at http://127.0.0.1:1" in obstacle.message
    await store.aclose()


async def test_login_counts_against_the_calls_deadline(service: fakes.FakeService, clock: fakes.FakeClock) -> None:
    """An upload that spends its time waiting for a token is Unreachable: nothing was sent to SCM."""
    service.iam.append(service.hang)
    store = fakes.store(fakes.password_account(service.endpoint), clock=clock)
    obstacle = await refused(store, seconds=0.1)
    assert obstacle.reason == Reason.UNREACHABLE
    assert (obstacle.__cause__, obstacle.__context__) == (None, None)
    assert service.uploads == []
    await store.aclose()


async def test_fresh_tokens_that_scm_refuses_do_not_make_a_loop(
    service: fakes.FakeService, password_store: ports.CsrStore, clock: fakes.FakeClock
) -> None:
    """When SCM refuses token after fresh token, logins pause as after a refused one."""
    service.scm.extend([Reply(401)] * 100)
    for _ in range(20):
        await refused(password_store)
    assert service.logins == 2
    assert (await refused(password_store)).retry_after == 30
    clock.advance(30)
    for _ in range(20):
        await refused(password_store)
    assert service.logins == 3
    assert (await refused(password_store)).retry_after == 60


async def test_token_that_scm_takes_ends_the_pause(
    service: fakes.FakeService, password_store: ports.CsrStore, clock: fakes.FakeClock
) -> None:
    """After a token was taken, the next refusals count from the beginning."""
    service.scm.extend([Reply(401), Reply(401)])
    await refused(password_store)
    clock.advance(30)
    await send(password_store)
    service.scm.append(Reply(401))
    await send(password_store)
    assert service.logins == 4


async def test_closing_during_a_login_ends_it(service: fakes.FakeService, password_store: ports.CsrStore) -> None:
    """An upload that waits for a login when the client is closed is told to come back."""
    service.iam.append(service.hang)
    waiting = asyncio.create_task(refused(password_store))
    await service.hanging.wait()
    await password_store.aclose()
    assert (await waiting).reason == Reason.UNREACHABLE
