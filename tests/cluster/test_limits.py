"""How much one account may be asked, what a failing one is spared, and that others feel nothing of it."""

import datetime
import json
import pathlib
from collections.abc import Iterator

import pytest

from dev import processes
from tests.support import pem
from tests.support import simulator as simulators
from tests.support import world as worlds
from tests.support.accounts import account, make_user, put, secret, upload
from tests.support.simulator import Simulator
from tests.support.waiting import until
from tests.support.world import LIMITS, REQUESTED_AT, Namespace, Object, World, condition, password_spec

_CSR = pem.csr(pem.ec_key())
_WAITS = "Waits, because a call of its account failed: "
# What is held in SCM here must not run into the deadline of its call.
_FLAGS = {"--call-timeout": "20", "--shutdown-timeout": "30"}


@pytest.fixture(scope="module")
def own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which a call to SCM may take long."""
    with worlds.running(tmp_path_factory.mktemp("limits"), flags=_FLAGS) as world:
        yield world


@pytest.fixture
def other(tmp_path: pathlib.Path) -> Iterator[Simulator]:
    """Another SCM, for an account that is in trouble."""
    with simulators.running(tmp_path) as simulator:
        yield simulator


@pytest.fixture
def place(own_world: World, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace with an account and a CSR."""
    own_world.operator.check()
    namespace = own_world.namespace_for(request.node.name)
    namespace.account()
    namespace.secret("content", {"tls.csr": _CSR})
    yield namespace
    own_world.simulator.faults()
    own_world.simulator.release()
    namespace.kubectl("delete", "scmaccounts", "--all")


def _account(namespace: Namespace, name: str, url: str, **limits: int) -> None:
    """Create one more account, of the usual user."""
    put(namespace, account(name, password_spec(url) | {"limits": LIMITS | limits}))


def _uploads(namespace: Namespace, count: int, *, account: str) -> list[str]:
    """Create so many resources that use an account; return their names, which are their entries'."""
    names = [f"{namespace.name[:50]}-{number}" for number in range(count)]
    namespace.uploads(names, csrSecretRef={"name": "content"}, accountRef={"name": account})
    return names


def _held(simulator: Simulator, rule: str) -> int:
    """Return how many requests a rule holds."""
    rules = simulator.admin.get("faults").raise_for_status().json()["rules"]
    return sum(each["held"] for each in rules if each["name"] == rule)


def _all_ready(namespace: Namespace, count: int) -> None:
    until(lambda: namespace.count_ready() == count, what=f"{count} uploads to be Ready")


def _verdicts(namespace: Namespace) -> dict[str, Object]:
    """Return each upload's Ready condition, empty if it has none."""
    items: list[Object] = json.loads(namespace.kubectl("get", "cru", "-o", "json"))["items"]
    return {item["metadata"]["name"]: condition(item, "Ready") for item in items}


def _seconds(request: Object) -> float:
    return datetime.datetime.fromisoformat(request["time"]).timestamp()


def test_an_account_that_never_answers_delays_no_other(place: Namespace, other: Simulator) -> None:
    """With more POSTs held at one account than the operator has workers, another account's uploads become Ready."""
    _account(place, "slow", other.url, concurrency=100)
    other.faults({"name": "never", "match": {"operation": "UploadCsr"}, "hold": "before-store"})
    _uploads(place, 40, account="slow")
    until(lambda: _held(other, "never") == 40, what="40 POSTs to be held")

    place.upload("quick", csr="content", name=place.name)
    place.ready("quick")

    assert (place.count_ready(), _held(other, "never")) == (1, 40)
    other.faults()
    other.release()
    _all_ready(place, 41)


def test_an_account_that_is_not_there_delays_no_other(place: Namespace) -> None:
    """Forty uploads to an address where nobody listens, and another account's uploads become Ready."""
    _account(place, "closed", f"http://127.0.0.1:{processes.free_port()}")
    names = _uploads(place, 40, account="closed")
    place.reason(names[0], "Unreachable")

    place.upload("quick", csr="content", name=place.name)

    place.ready("quick")
    assert place.count_ready() == 1


def test_no_more_requests_than_allowed_are_under_way(place: Namespace, other: Simulator) -> None:
    """With limits.concurrency 3, ten uploads never have more than three requests in SCM at one time."""
    _account(place, "narrow", other.url, concurrency=3)
    other.faults({"name": "slow", "match": {"operation": "UploadCsr"}, "hold": "before-store"})
    _uploads(place, 10, account="narrow")
    until(lambda: _held(other, "slow") == 3, what="three POSTs to be held")
    place.upload("barrier", csr="content", name=place.name)
    place.ready("barrier")  # whatever else could have been sent has been by now
    peaks = [_held(other, "slow")]

    def look() -> bool:
        peaks.append(_held(other, "slow"))
        other.release()
        return place.count_ready() == 11

    until(look, what="all uploads to be Ready")

    assert max(peaks) == 3
    assert len(other.requests()) == 10


def test_retry_after_is_for_the_whole_account(place: Namespace) -> None:
    """After a 429 no upload of that account is sent before Retry-After is over, and each says why it waits."""
    first, second = f"{place.name}-first", f"{place.name}-second"
    throttled = {"status": {"code": 429, "form": "gateway", "errorCode": "APIGW.0308", "headers": {"Retry-After": "4"}}}
    place.simulator.faults({"match": {"operation": "UploadCsr", "name": first, "times": 1}, "do": throttled})
    place.upload("first", csr="content", name=first)
    place.reason("first", "Throttled")
    place.upload("second", csr="content", name=second)

    waiting = place.reason("second", "Throttled")

    _all_ready(place, 2)
    refused, again = place.simulator.requests(name=first)
    (sent,) = place.simulator.requests(name=second)
    assert waiting["message"].startswith(_WAITS)
    assert refused["status"] == 429
    assert min(_seconds(again), _seconds(sent)) - _seconds(refused) >= 4  # by the simulator's clock


def _paused(place: Namespace, other: Simulator) -> list[str]:
    """Create uploads of an account whose first five calls fail, and hold the sixth; return their names."""
    _account(place, "failing", other.url, concurrency=1)
    gone = {"status": {"code": 404, "form": "html"}}
    wrong = {"match": {"operation": "UploadCsr", "calls": [1, 2, 3, 4, 5]}, "do": gone}
    probe = {"name": "probe", "match": {"operation": "UploadCsr", "calls": [6]}, "hold": "before-store"}
    other.faults(wrong, probe)
    names = _uploads(place, 12, account="failing")
    other.held(rule="probe")
    return names


def test_five_failures_in_a_row_pause_the_account(place: Namespace, other: Simulator) -> None:
    """After the fifth nothing is sent but one call that tries, and its success ends the pause."""
    names = _paused(place, other)

    def look() -> list[str]:
        found = (verdict.get("message", "") for verdict in _verdicts(place).values())
        return [message for message in found if message.startswith(_WAITS)]

    messages = until(look, what="an upload to say why it waits")

    sent = [request["status"] for request in other.requests()]
    other.release()
    _all_ready(place, len(names))
    assert sent == [404] * 5 + [None]
    assert "The account is tried again in about" in messages[0]
    assert [request["status"] for request in other.requests()] == [404] * 5 + [200] * len(names)


def test_all_that_wait_for_a_paused_account_say_why(place: Namespace, other: Simulator) -> None:
    """Those that stood in line already when the pause began say why they wait, too."""
    _paused(place, other)

    def look() -> bool:
        return {verdict.get("reason") for verdict in _verdicts(place).values()} == {"EndpointNotFound"}

    until(look, what="each upload to say why it waits")


@pytest.mark.parametrize("what", ["credential", "account", "request"])
def test_a_change_ends_the_pause_at_once(place: Namespace, what: str) -> None:
    """A long Retry-After is over when the credential or the account changes, or when somebody asks at the account."""
    user = make_user(place.simulator, place.name)
    put(place, account("own", user.spec()), secret("iam", {"password": user.password}))
    throttled = {"status": {"code": 429, "errorCode": "SCM.0429", "headers": {"Retry-After": "60"}}}
    place.simulator.faults({"match": {"operation": "UploadCsr", "name": place.name, "times": 1}, "do": throttled})
    put(place, upload("paused", account="own", csr="content", name=place.name))
    place.reason("paused", "Throttled")

    if what == "credential":
        user.change(password="another")  # noqa: S106 - the simulator's
        put(place, secret("iam", {"password": "another"}))
    elif what == "account":
        put(place, account("own", user.spec() | {"limits": LIMITS | {"concurrency": 2}}))
    else:
        place.kubectl("annotate", "scmaccount", "own", f"{REQUESTED_AT}=now")

    place.ready("paused")
    assert [request["status"] for request in place.simulator.requests(name=place.name)] == [429, 200]
