"""Each reason of a Ready condition: what causes it, what it says, what is sent meanwhile, and how it ends.

What is wrong with a Secret has a module of its own (test_bad_input); so have accounts and tokens.
"""

import collections
import dataclasses
import datetime
import json
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from dev import processes
from tests.support import pem
from tests.support import simulator as simulators
from tests.support.waiting import until
from tests.support.world import (
    Namespace,
    Object,
    World,
    condition,
    password_spec,
    token_spec,
)

Fault = dict[str, Any]  # what the simulator does in place of its answer, or with it

_STALLED = {"Ready": "False", "Stalled": "True"}
_RECONCILING = {"Ready": "False", "Reconciling": "True"}
_PATH_OF_READY = ".status.conditions[?(@.type=='Ready')]"
_KEY = pem.ec_key()
_KEY_PEM = pem.private_key(_KEY)


@pytest.fixture(autouse=True)
def _no_faults_left(world: World) -> Iterator[None]:
    yield
    world.simulator.faults()


@pytest.fixture(scope="module")
def shop(world: World) -> Namespace:
    """A namespace with an account and with Secret shop: a CSR and its key."""
    namespace = world.namespace("shop")
    namespace.account()
    namespace.secret("shop", {"tls.csr": pem.csr(_KEY), "tls.key": _KEY_PEM})
    return namespace


def _fault(name: str, do: Fault, **match: object) -> Fault:
    """Return a rule for the requests that carry this CSR name."""
    return {"name": f"for-{name}", "match": {"name": name, **match}, "do": do}


def _status(code: int, **fields: object) -> Fault:
    return {"status": {"code": code, **fields}}


# --- Found here: nothing is sent -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "present", "field"),
    [
        ("waits-for-csr", {"waits-for-csr-key": {"tls.key": _KEY_PEM}}, "csrSecretRef"),
        ("waits-for-key", {"waits-for-key-csr": {"tls.csr": pem.csr(_KEY)}}, "privateKeySecretRef"),
    ],
    ids=["csr", "key"],
)
def test_waiting_for_secret(shop: Namespace, name: str, present: Mapping[str, Mapping[str, bytes]], field: str) -> None:
    """A Secret that isn't there yet is waited for: the message names it and the field, and its arrival is enough."""
    for secret, data in present.items():
        shop.secret(secret, data)
    shop.upload(name, csr=f"{name}-csr", key=f"{name}-key")
    missing = f"{name}-{'csr' if field == 'csrSecretRef' else 'key'}"

    message = _verdict(shop, name, "WaitingForSecret", _RECONCILING).message

    assert f"Secret '{missing}', which spec.{field} names, does not exist in this namespace" in message
    assert _sent(shop, name) == 0
    shop.secret(missing, {"tls.csr": pem.csr(_KEY), "tls.key": _KEY_PEM})
    assert _told_until_ready(shop, name) == {("WaitingForSecret", "Normal"): 1, ("Uploaded", "Normal"): 1}


def test_account_not_found_by_default(world: World) -> None:
    """Where there is no default account the message says which ones were looked for; creating one is enough."""
    namespace = world.namespace("no-account")
    namespace.secret("homeless", {"tls.csr": pem.csr(_KEY)})
    namespace.upload("homeless")

    message = _verdict(namespace, "homeless", "AccountNotFound", _RECONCILING).message

    assert f"neither ScmAccount/{namespace.name}/default nor ClusterScmAccount/default exists" in message
    namespace.account()
    assert _told_until_ready(namespace, "homeless") == {("AccountNotFound", "Warning"): 1, ("Uploaded", "Normal"): 1}


def test_account_not_ready(world: World) -> None:
    """An account whose credential isn't there stops its uploads: they name account and Secret, which is enough."""
    namespace = world.namespace("no-credential")
    namespace.apply("ScmAccount", "default", spec=token_spec(world.simulator.url))
    namespace.secret("locked-out", {"tls.csr": pem.csr(_KEY)})
    namespace.upload("locked-out")

    message = _verdict(namespace, "locked-out", "AccountNotReady", _RECONCILING).message

    assert f"ScmAccount/{namespace.name}/default is not ready (CredentialNotFound)" in message
    assert f"Secret {namespace.name}/scm-token, which spec.auth names, does not exist" in message
    namespace.look_again("locked-out")
    assert _sent(namespace, "locked-out") == 0
    namespace.secret("scm-token", {"token": simulators.STATIC_TOKEN.encode()})
    assert _told_until_ready(namespace, "locked-out") == {("AccountNotReady", "Warning"): 1, ("Uploaded", "Normal"): 1}


def test_suspended(shop: Namespace) -> None:
    """A suspended upload says so, is not sent even when asked to, and goes through once it isn't suspended any more."""
    shop.upload("suspended", csr="shop", suspend=True)

    message = _verdict(shop, "suspended", "Suspended", _RECONCILING).message

    assert "nothing is uploaded until it is false" in message
    shop.look_again("suspended")
    assert _sent(shop, "suspended") == 0
    shop.upload("suspended", csr="shop", suspend=False)
    assert _told_until_ready(shop, "suspended") == {("Suspended", "Normal"): 1, ("Uploaded", "Normal"): 1}
    assert shop.status("suspended")["observedGeneration"] == 2


# --- Refused: surely not stored --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer to the upload that ends by itself, the reason that it must get, and what the message must say."""

    do: Fault
    reason: str
    says: tuple[str, ...]
    account: str = "Ready"


_NO_ACCESS = "Allow the account's user the action scm::uploadCsr"
REFUSALS = {
    "denied-403": _Refusal(
        _status(403, errorCode="SCM.0002", errorMsg="tenant id error"),
        "AccessDenied",
        ("403 SCM.0002: tenant id error", _NO_ACCESS),
        "AccessDenied",
    ),
    "denied-400": _Refusal(
        _status(400, errorCode="SCM.0003"), "AccessDenied", ("400 SCM.0003", _NO_ACCESS), "AccessDenied"
    ),
    "denied-401": _Refusal(
        _status(401, errorCode="SCM.4002"), "AccessDenied", ("401 SCM.4002", _NO_ACCESS), "AccessDenied"
    ),
    "nowhere-page": _Refusal(
        _status(404, form="html"), "EndpointNotFound", ("answered 404", "Check the account's endpoint or region")
    ),
    "nowhere-gateway": _Refusal(
        _status(404, form="gateway", errorCode="APIGW.0101"),
        "EndpointNotFound",
        ("404 APIGW.0101", "Check the account's endpoint or region"),
    ),
    "throttled": _Refusal(
        _status(429, form="gateway", errorCode="APIGW.0308", errorMsg="over ratelimit"),
        "Throttled",
        ("429 APIGW.0308: over ratelimit", "It is tried again later"),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_that_may_pass(shop: Namespace, name: str) -> None:
    """What SCM surely didn't store is tried again without an Event for each try, and succeeds when it is let."""
    refusal = REFUSALS[name]
    shop.simulator.faults(_fault(name, refusal.do))
    shop.upload(name, csr="shop", key="shop")

    message = _verdict(shop, name, refusal.reason, _RECONCILING).message

    assert [part for part in refusal.says if part not in message] == []
    _wait_for_account(shop, refusal.account)
    until(lambda: _sent(shop, name) >= 2, what="one more try")
    shop.simulator.faults()
    assert _told_until_ready(shop, name) == {(refusal.reason, "Warning"): 1, ("Uploaded", "Normal"): 1}
    assert len(shop.simulator.entries(name=name)) == 1
    _wait_for_account(shop, "Ready")


def test_retry_after_is_obeyed(shop: Namespace) -> None:
    """An upload that SCM asks to wait is not sent again before the time that SCM named."""
    throttle = {"throttle": {"requests": 0, "windowSeconds": 1, "retryAfter": True}}
    shop.simulator.faults(_fault("retry-after", throttle, times=1))
    shop.upload("retry-after", csr="shop")

    shop.ready("retry-after")

    first, second = shop.simulator.requests(name="retry-after")
    assert (first["status"], second["status"]) == (429, 200)
    assert _seconds(second) - _seconds(first) >= 1  # by the simulator's clock, which the wait can only be longer by


@pytest.mark.parametrize(
    ("name", "do", "says"),
    [
        (
            "rejected-name",
            _status(400, errorCode="SCM.0032", errorMsg="Incorrect certificate name"),
            "400 SCM.0032: Inc",
        ),
        ("rejected-404", _status(404, errorCode="SCM.0707"), "404 SCM.0707"),
        ("rejected-422", _status(422, form="gateway", errorCode="APIGW.0106"), "422 APIGW.0106"),
    ],
    ids=["400", "404-with-a-code", "422-of-the-gateway"],
)
def test_rejected(shop: Namespace, name: str, do: Fault, says: str) -> None:
    """An upload that SCM finds wrong is not sent again by itself; asked to, it is, once, without another Event."""
    shop.simulator.faults(_fault(name, do))
    shop.upload(name, csr="shop")

    message = _verdict(shop, name, "Rejected", _STALLED).message

    assert says in message
    assert "Correct the CSR, its key or the name" in message
    assert _sent(shop, name) == 1
    shop.look_again(name)
    assert _sent(shop, name) == 2
    assert _verdict(shop, name, "Rejected", _STALLED).message == message
    shop.simulator.faults()
    shop.look_again(name)
    assert _told_until_ready(shop, name) == {("Rejected", "Warning"): 1, ("Uploaded", "Normal"): 1}


def test_rejected_until_the_secret_changes(shop: Namespace) -> None:
    """An upload that SCM has rejected is sent again when its Secret changes, and not when another upload comes."""
    shop.simulator.faults(_fault("rejected-csr", _status(400, errorCode="SCM.0005")))
    shop.secret("rejected-csr", {"tls.csr": pem.csr(_KEY)})
    shop.upload("rejected-csr")
    _verdict(shop, "rejected-csr", "Rejected", _STALLED)
    shop.simulator.faults()
    shop.upload("another-one", csr="shop")
    shop.ready("another-one")
    before = _sent(shop, "rejected-csr")

    shop.secret("rejected-csr", {"tls.csr": pem.csr(_KEY)})

    shop.ready("rejected-csr")
    assert (before, _sent(shop, "rejected-csr")) == (1, 2)


def test_rejected_until_the_spec_changes(shop: Namespace) -> None:
    """An upload whose name SCM has rejected is sent again under another name."""
    shop.simulator.faults(_fault("rejected-before", _status(400, errorCode="SCM.0032")))
    shop.upload("respecified", csr="shop", name="rejected-before")
    _verdict(shop, "respecified", "Rejected", _STALLED)

    shop.upload("respecified", csr="shop", name="accepted-after")

    status = shop.ready("respecified")
    assert (status["scmName"], status["observedGeneration"]) == ("accepted-after", 2)
    assert (_sent(shop, "rejected-before"), _sent(shop, "accepted-after")) == (1, 1)


# --- Refused: the credential -----------------------------------------------------------------------------------------


def test_authentication_failed_at_login(world: World) -> None:
    """A wrong password is told on account and upload, nothing goes to SCM, and the right one is enough."""
    namespace = world.namespace("wrong-password")
    namespace.account()
    namespace.secret("scm-iam", {"password": b"yesterday's"})
    namespace.secret("wrong-password", {"tls.csr": pem.csr(_KEY)})
    namespace.upload("wrong-password")

    message = _verdict(namespace, "wrong-password", "AuthenticationFailed", _RECONCILING).message

    assert "IAM login at" in message
    assert "Check domain, user and scope in spec.auth.password, and the password in its Secret" in message
    _wait_for_account(namespace, "LoginFailed")
    namespace.look_again("wrong-password")
    assert _sent(namespace, "wrong-password") == 0
    namespace.secret("scm-iam", {"password": simulators.PASSWORD.encode()})
    told = _told_until_ready(namespace, "wrong-password")
    assert told == {("AuthenticationFailed", "Warning"): 1, ("Uploaded", "Normal"): 1}
    _wait_for_account(namespace, "Ready")


def test_authentication_failed_with_fresh_tokens(world: World) -> None:
    """SCM refuses a token and the fresh one too: no third try until the credential changes, however often asked."""
    namespace = world.namespace("fresh-refused")
    _password(namespace, "before")
    _account_of_its_own(namespace)
    namespace.simulator.faults(_fault("fresh-refused", _status(401, errorCode="SCM.1000")))
    namespace.secret("fresh-refused", {"tls.csr": pem.csr(_KEY)})
    namespace.upload("fresh-refused")

    message = _verdict(namespace, "fresh-refused", "AuthenticationFailed", _RECONCILING).message

    assert "belong to spec.endpoint" in message
    _wait_for_account(namespace, "LoginFailed")
    namespace.look_again("fresh-refused")
    assert _sent(namespace, "fresh-refused") == 2
    namespace.simulator.faults()
    _password(namespace, "after")
    told = _told_until_ready(namespace, "fresh-refused")
    assert told == {("AuthenticationFailed", "Warning"): 1, ("Uploaded", "Normal"): 1}
    assert _sent(namespace, "fresh-refused") == 3


@pytest.mark.parametrize(
    ("code", "form", "reason", "says"),
    [
        (403, "keystone", "AccessDenied", "Allow the user of spec.auth.password to log in by API"),
        (404, "html", "EndpointNotFound", "Check spec.auth.password.iamEndpoint"),
        (503, "html", "ServerError", "nothing was sent to SCM"),
    ],
    ids=["403", "404", "503"],
)
def test_a_login_that_fails(world: World, code: int, form: str, reason: str, says: str) -> None:
    """A login that IAM doesn't grant has the reason of its answer, nothing goes to SCM, and a later one ends it."""
    namespace = world.namespace(f"login-{code}")
    namespace.simulator.faults({"match": {"operation": "CreateToken"}, "do": _status(code, form=form)})
    _password(namespace, "before")
    _account_of_its_own(namespace)
    namespace.secret("login", {"tls.csr": pem.csr(_KEY)})
    namespace.upload("login", name=namespace.name)

    message = _verdict(namespace, "login", reason, _RECONCILING).message

    assert f"IAM login at {world.simulator.url} was answered with {code}" in message
    assert says in message
    assert _sent(namespace, namespace.name) == 0
    namespace.simulator.faults()
    if code == 403:  # repeated refusals may lock a user, so only a change of the credential is tried at once
        _password(namespace, "after")
    assert _told_until_ready(namespace, "login") == {(reason, "Warning"): 1, ("Uploaded", "Normal"): 1}


# --- Nothing reached the service -------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", ["token", "password"])
def test_unreachable(world: World, tmp_path: pathlib.Path, auth: str) -> None:
    """An endpoint at which nobody listens is tried until somebody does, without an Event for each try."""
    namespace, port = world.namespace(f"closed-{auth}"), processes.free_port()
    endpoint = f"http://127.0.0.1:{port}"
    if auth == "token":
        namespace.secret("scm-token", {"token": simulators.STATIC_TOKEN.encode()})
        namespace.apply("ScmAccount", "default", spec=token_spec(endpoint))
    else:
        namespace.account(endpoint=endpoint)
    namespace.secret("closed", {"tls.csr": pem.csr(_KEY)})
    namespace.upload("closed")

    message = _verdict(namespace, "closed", "Unreachable", _RECONCILING).message

    assert f"at {endpoint}" in message
    assert "nothing was sent. Check the address, DNS" in message
    namespace.look_again("closed")
    namespace.look_again("closed")
    # After five failures in a row the account pauses, and then its uploads say that, with the same cause.
    why, until_when = "Waits, because a call of its account failed", r"The account is tried again in about \d+ s\."
    paused = f"{why}: {re.escape(message)} {until_when}"
    again = _verdict(namespace, "closed", "Unreachable", _RECONCILING).message
    assert again == message or re.fullmatch(paused, again)
    with simulators.running(tmp_path, "--listen", f"127.0.0.1:{port}") as simulator:
        told = _told_until_ready(namespace, "closed")
        assert len(simulator.requests(name="closed")) == 1
    assert told == {("Unreachable", "Warning"): 1, ("Uploaded", "Normal"): 1}


def test_unreachable_by_tls(shop: Namespace) -> None:
    """A server without TLS at an https endpoint gets no token; an accountRef to another account ends it."""
    shop.secret("scm-token", {"token": simulators.STATIC_TOKEN.encode()})
    shop.apply("ScmAccount", "tls", spec=token_spec(shop.simulator.url.replace("http://", "https://")))
    shop.upload("by-tls", csr="shop", accountRef={"name": "tls"})

    message = _verdict(shop, "by-tls", "Unreachable", _RECONCILING).message

    assert "the TLS handshake failed; nothing was sent" in message
    assert _sent(shop, "by-tls") == 0
    shop.upload("by-tls", csr="shop", accountRef={"name": "default"})
    assert shop.ready("by-tls")["observedGeneration"] == 2


# --- Answers --------------------------------------------------------------------------------------------------------


def test_a_long_answer_is_read(shop: Namespace) -> None:
    """An answer of nearly 1 MiB is still a success."""
    shop.simulator.faults(_fault("long-answer", {"hugeAnswer": {"bytes": (1 << 20) - 1000}}))
    shop.upload("long-answer", csr="shop")

    status = shop.ready("long-answer")

    assert status["scmID"] == shop.simulator.entries(name="long-answer")[0]["id"]


# --- Renames, which may be repeated ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "do", "says"),
    [
        ("rename-500", _status(500, errorCode="SCM.4001"), "answered 500 SCM.4001"),
        ("rename-503", _status(503, form="html"), "answered 503"),
        ("rename-reset", {"reset": "after-store"}, "gave no answer: the connection"),
    ],
    ids=["500", "503", "reset"],
)
def test_server_error(shop: Namespace, name: str, do: Fault, says: str) -> None:
    """A rename that fails is tried again without an Event for each try, loses nothing, and succeeds when it is let."""
    shop.upload(name, csr="shop")
    before = shop.ready(name)
    shop.simulator.faults(_fault(f"{name}-after", do))
    shop.upload(name, csr="shop", name=f"{name}-after")

    message, during = _verdict(shop, name, "ServerError", _RECONCILING)

    assert says in message
    assert (during["scmID"], during["scmName"]) == (before["scmID"], name)
    until(lambda: len(shop.simulator.requests(operation="UpdateCsr", name=f"{name}-after")) >= 2, what="one more try")
    shop.simulator.faults()
    assert _told_until_ready(shop, name, uploads=2) == {("Uploaded", "Normal"): 2, ("ServerError", "Warning"): 1}
    after = shop.status(name)
    assert (after["scmID"], after["scmName"], after["observedGeneration"]) == (before["scmID"], f"{name}-after", 2)
    assert [entry["id"] for entry in shop.simulator.entries(name=f"{name}-after")] == [before["scmID"]]


@pytest.mark.parametrize("how", ["deleted", "not-found"])
def test_entry_missing(shop: Namespace, how: str) -> None:
    """A rename of an entry that is gone from SCM ends in a new entry under the new name, and an Event says why."""
    name, url = f"missing-{how}", shop.simulator.url
    shop.upload(name, csr="shop")
    before = shop.ready(name)["scmID"]
    if how == "deleted":
        headers = {"X-Auth-Token": simulators.STATIC_TOKEN}
        shop.simulator.admin.delete(f"{url}/v3/scm/csr/{before}", headers=headers).raise_for_status()
    else:
        shop.simulator.faults(_fault(f"{name}-after", _status(404, errorCode="SCM.0707"), operation="UpdateCsr"))

    shop.upload(name, csr="shop", name=f"{name}-after")

    status = shop.new_entry(name, after=before)
    (entry,) = shop.simulator.entries(name=f"{name}-after")
    assert (status["scmID"], status["scmName"]) == (entry["id"], f"{name}-after")
    assert condition({"status": status}, "Ready")["status"] == "True"
    (event,) = shop.events(name, reason="EntryMissing")
    assert f"{before} ('{name}') is not in SCM any more" in event["message"]


# --- Helpers ---------------------------------------------------------------------------------------------------------


def _password(namespace: Namespace, value: str) -> None:
    """Give a user of the namespace's own that password, and the account's Secret too."""
    namespace.simulator.credentials(user=namespace.name, password=value)
    namespace.secret("scm-iam", {"password": value.encode()})


def _account_of_its_own(namespace: Namespace) -> None:
    """Create the default account, for the user of the namespace's own."""
    spec = password_spec(namespace.simulator.url)
    spec["auth"]["password"]["user"] = namespace.name
    namespace.apply("ScmAccount", "default", spec=spec)


def _sent(namespace: Namespace, name: str) -> int:
    """Return how many uploads with that CSR name have reached SCM."""
    return len(namespace.simulator.requests(name=name))


def _seconds(request: Object) -> float:
    return datetime.datetime.fromisoformat(request["time"]).timestamp()


class _Verdict(NamedTuple):
    """The message of an upload's conditions, and its whole status."""

    message: str
    status: Object


def _verdict(namespace: Namespace, name: str, reason: str, conditions: Mapping[str, str]) -> _Verdict:
    """Wait until an upload has that reason; return what it says once everything about its conditions is right."""
    command = ("wait", f"--for=jsonpath={{{_PATH_OF_READY}.reason}}={reason}", f"cru/{name}", "--timeout=20s")
    found = json.loads(namespace.kubectl(*command, "-o", "json"))
    generation, status = found["metadata"]["generation"], found["status"]
    assert {each["type"]: each["status"] for each in status["conditions"]} == conditions
    assert {each["reason"] for each in status["conditions"]} == {reason}
    assert {each["observedGeneration"] for each in status["conditions"]} == {status["observedGeneration"], generation}
    return _Verdict(status["conditions"][0]["message"], status)


def _wait_for_account(namespace: Namespace, reason: str) -> None:
    """Wait until the namespace's default account has that reason."""
    path = f"{{{_PATH_OF_READY}.reason}}"
    namespace.kubectl("wait", f"--for=jsonpath={path}={reason}", "scmaccount/default", "--timeout=20s")


def _told_until_ready(namespace: Namespace, name: str, *, uploads: int = 1) -> Mapping[tuple[str, str], int]:
    """Wait until an upload is Ready; return how often which reason and type of Event was told about it until then."""
    namespace.kubectl("wait", "--for=condition=Ready", f"cru/{name}", "--timeout=20s")
    command = ("get", "events", "--field-selector", f"involvedObject.name={name}", "-o", "json")

    def look() -> Mapping[tuple[str, str], int] | None:
        items = json.loads(namespace.kubectl(*command))["items"]
        told = collections.Counter((event["reason"], event["type"]) for event in items)
        return told if told["Uploaded", "Normal"] >= uploads else None  # they are written one after the other

    return until(look, what=f"{uploads} Events Uploaded about {name}")
