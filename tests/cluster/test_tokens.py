"""Tokens: of every length that the contract allows, expiring, revoked, replaced; and how few are asked for."""

import datetime
import itertools
from collections.abc import Iterator

import pytest

from tests.support import pem
from tests.support import simulator as simulators
from tests.support.accounts import (
    User,
    account,
    event_reasons,
    make_user,
    put,
    secret,
    statuses,
    until_events,
    upload,
)
from tests.support.simulator import Simulator
from tests.support.waiting import until
from tests.support.world import Namespace, World, condition, password_spec, token_spec

_CSR = secret("csr", {"tls.csr": pem.csr(pem.ec_key())})
_PASSWORD = secret("scm-iam", {"password": simulators.PASSWORD})
_LIFETIME = 2.0  # seconds; long enough that a token is renewed (after three quarters of it) before it ends
_LONGEST = 2_097_152
_FOREVER = itertools.count(1)


@pytest.fixture
def namespace(world: World, request: pytest.FixtureRequest) -> Namespace:
    """A namespace of the test's own with a CSR in a Secret, and without any account."""
    world.operator.check()
    namespace = world.namespace_for(request.node.name)
    put(namespace, _CSR)
    return namespace


@pytest.fixture
def user(namespace: Namespace) -> User:
    """A user whose account is the namespace's default."""
    user = make_user(namespace.simulator, namespace.name)
    put(namespace, secret("iam", {"password": user.password}), account("default", user.spec()))
    return user


@pytest.fixture
def token(namespace: Namespace) -> str:
    """A ready token of 32 characters, the fewest allowed, that is the credential of the namespace's default account."""
    token = _token("first", namespace)
    make_user(namespace.simulator, namespace.name).change(staticToken=token)
    spec = token_spec(namespace.simulator.url)
    put(namespace, secret("scm-token", {"token": token}), account("default", spec))
    return token


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator whose tokens expire soon."""
    with simulators.running(tmp_path_factory.mktemp("brief"), "--token-ttl", str(_LIFETIME)) as simulator:
        yield simulator


def _token(hint: str, namespace: Namespace) -> str:
    return f"{hint}-{namespace.name[::-1]}".ljust(32, "x")[:32]  # a namespace's name ends with its number


def _replace_token(namespace: Namespace, token: str) -> None:
    """Make the simulator take another ready token, and no longer the one before."""
    namespace.simulator.credentials(domain=f"domain-of-{namespace.name}", user=namespace.name, staticToken=token)


def _send(namespace: Namespace, name: str) -> None:
    """Upload a CSR and return when it is Ready."""
    put(namespace, upload(name))
    namespace.ready(name)


def _outcomes(simulator: Simulator, operation: str) -> list[int]:
    return [request["status"] for request in simulator.requests(operation=operation)]


@pytest.mark.parametrize("length", [32, _LONGEST])
def test_a_token_of_any_length_that_the_contract_allows_is_used(
    tmp_path_factory: pytest.TempPathFactory, namespace: Namespace, length: int
) -> None:
    """IAM's tokens of the fewest and of the most characters are taken from the one header and sent in the other."""
    with simulators.running(tmp_path_factory.mktemp("length"), "--token-length", str(length)) as simulator:
        put(namespace, _PASSWORD, account("default", password_spec(simulator.url)))
        _send(namespace, f"token-of-{length}")
        _send(namespace, f"again-token-of-{length}")

        assert _outcomes(simulator, "UploadCsr") == [200, 200]
        assert _outcomes(simulator, "CreateToken") == [201]


def test_uploads_go_on_across_the_end_of_tokens(namespace: Namespace, brief: Simulator) -> None:
    """A token in use is renewed before it ends: each upload is Ready at its first POST."""
    put(namespace, _PASSWORD, account("default", password_spec(brief.url)))
    logins = len(_outcomes(brief, "CreateToken"))
    names = (f"across-{n}" for n in _FOREVER)

    def renewed_twice() -> bool:
        _send(namespace, next(names))
        return len(_outcomes(brief, "CreateToken")) >= logins + 3

    until(renewed_twice, what="three tokens")

    assert set(_outcomes(brief, "UploadCsr")) == {200}
    assert event_reasons(namespace, "default") == ["Ready"]


def test_a_token_that_ended_unused_is_not_sent(namespace: Namespace, brief: Simulator) -> None:
    """After a rest that is longer than a token's life the next upload logs in first and is not refused once."""
    put(namespace, _PASSWORD, account("default", password_spec(brief.url)))
    _send(namespace, "before-the-rest")
    *_, login = brief.requests(operation="CreateToken")
    end = datetime.datetime.fromisoformat(login["time"]) + datetime.timedelta(seconds=_LIFETIME)
    until(lambda: datetime.datetime.now(datetime.UTC) > end, what="the token to end")

    _send(namespace, "after-the-rest")

    assert statuses(brief, "after-the-rest") == [200]
    assert brief.requests(operation="CreateToken")[-1]["n"] > login["n"]


def test_a_revoked_token_is_replaced_once(namespace: Namespace, user: User) -> None:
    """A 401 to a token that was revoked in the cloud costs one login and one repeat, and nobody is told of it."""
    _send(namespace, "with-the-first-token")
    user.change(revokeTokens=True)

    _send(namespace, "with-the-second-token")

    assert statuses(namespace.simulator, "with-the-second-token") == [401, 200]
    assert user.logins() == [201, 201]
    assert event_reasons(namespace, "default") == ["Ready"]


def test_a_password_changed_in_the_cloud_is_tried_once(namespace: Namespace, user: User) -> None:
    """One 401 to the revoked token, one refused login for all uploads; a Secret with the new password ends it."""
    _send(namespace, "before-the-change")
    changed = f"new-{user.password}"
    user.change(password=changed, revokeTokens=True)
    put(namespace, upload("after-the-change"))
    refused = namespace.reason("after-the-change", "AuthenticationFailed")
    put(namespace, upload("after-the-change-too"))
    namespace.reason("after-the-change-too", "AuthenticationFailed")
    logins_meanwhile = user.logins()
    put(namespace, secret("iam", {"password": changed}))

    for name in ("after-the-change", "after-the-change-too"):
        namespace.ready(name)

    until_events(namespace, "default", ["Ready", "LoginFailed", "Ready"])
    assert (logins_meanwhile, user.logins()) == ([201, 401], [201, 401, 201])
    assert statuses(namespace.simulator, "after-the-change") == [401, 200]
    assert "the password in its Secret" in refused["message"]


def test_fresh_tokens_that_are_refused_are_not_asked_for_again(namespace: Namespace, user: User) -> None:
    """Where SCM refuses even a fresh token, two POSTs and two logins show it; a new password tries again."""
    namespace.simulator.faults(
        {"match": {"name": "refused-anyway"}, "do": {"status": {"code": 401, "errorCode": "SCM.1000"}}}
    )
    try:
        put(namespace, upload("refused-anyway"))
        namespace.reason("refused-anyway", "AuthenticationFailed")
        namespace.reason("default", "LoginFailed", kind="scma")
        namespace.look_again("refused-anyway")
    finally:
        namespace.simulator.faults()
    sent, logins = statuses(namespace.simulator, "refused-anyway"), user.logins()
    user.change(password="a-new-password")  # noqa: S106 - the simulator's
    put(namespace, secret("iam", {"password": "a-new-password"}))

    namespace.ready("refused-anyway")

    until_events(namespace, "default", ["Ready", "LoginFailed", "Ready"])
    assert (sent, logins) == ([401, 401], [201, 201])


@pytest.mark.usefixtures("token")
def test_a_ready_token_needs_no_login(namespace: Namespace) -> None:
    """A ready token of 32 characters is sent as it is, and the status names no domain that nobody knows."""
    logins = len(_outcomes(namespace.simulator, "CreateToken"))

    _send(namespace, "ready-token")

    assert len(_outcomes(namespace.simulator, "CreateToken")) == logins
    tenant = {"endpoint": namespace.simulator.url, "account": f"ScmAccount/{namespace.name}/default"}
    assert namespace.status("ready-token")["tenant"] == tenant
    assert namespace.simulator.entries(name="ready-token")[0]["domain"] == f"domain-of-{namespace.name}"


@pytest.mark.usefixtures("token")
def test_a_ready_token_replaced_in_the_cloud_is_sent_once(namespace: Namespace) -> None:
    """One POST finds out that a ready token has ended, for all uploads; a Secret with the new token ends it."""
    _send(namespace, "ready-token-works")
    successor = _token("second", namespace)
    _replace_token(namespace, successor)
    put(namespace, upload("dead-token"))
    refused = namespace.reason("dead-token", "AuthenticationFailed")
    put(namespace, upload("dead-token-too"))
    namespace.reason("dead-token-too", "AuthenticationFailed")
    namespace.look_again("dead-token")
    namespace.reason("default", "LoginFailed", kind="scma")
    put(namespace, secret("scm-token", {"token": successor}))

    for name in ("dead-token", "dead-token-too"):
        namespace.ready(name)

    until_events(namespace, "default", ["Ready", "LoginFailed", "Ready"])
    assert statuses(namespace.simulator, "dead-token") == [401, 200]
    assert statuses(namespace.simulator, "dead-token-too") == [200]
    assert "Put a new one into its Secret" in refused["message"]


@pytest.mark.usefixtures("token")
def test_a_token_rotated_in_time_is_taken_over(namespace: Namespace) -> None:
    """A Secret that got the next token before the old one ended costs nothing, and what is Ready is not sent again."""
    _send(namespace, "before-rotation")
    successor = _token("third", namespace)
    put(namespace, secret("scm-token", {"token": successor}))
    _replace_token(namespace, successor)

    _send(namespace, "after-rotation")

    kept = namespace.look_again("before-rotation")
    assert condition({"status": kept}, "Ready")["reason"] == "Uploaded"
    assert statuses(namespace.simulator, "before-rotation") == [200]
    assert statuses(namespace.simulator, "after-rotation")[-1] == 200
    assert event_reasons(namespace, "default") == ["Ready"]
