"""Two replicas, one Lease: who works, who takes over, and what is left of the journal if somebody deletes it."""

import json
import pathlib
import signal
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support import pem
from tests.support import world as worlds
from tests.support.operator import Operator
from tests.support.waiting import until
from tests.support.world import (
    OPERATOR_NAMESPACE,
    Namespace,
    Object,
    World,
    add_by_hand,
    api_requests,
    condition,
)

_CSR = pem.csr(pem.ec_key())
_LEASE = "scm-csr-operator"
_ANYBODYS = {"Listening", "Health", "Standby", "Stopping", "ApiServerError"}  # events that are no leader's
_LOST = "scm.certops.dev/journal-lost"
# Shorter than the other tests', for two takeovers here wait for it.
_FLAGS = {"--lease-duration": "4", "--renew-deadline": "3.5", "--retry-period": "0.4"}


@pytest.fixture(scope="module")
def own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose operator these tests stop, freeze and kill."""
    with worlds.running(tmp_path_factory.mktemp("replicas"), flags=_FLAGS) as world:
        yield world


@pytest.fixture
def place(own_world: World, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace with an account and a CSR; one operator runs before and after."""
    namespace = own_world.namespace_for(request.node.name)
    namespace.account()
    namespace.secret("content", {"tls.csr": _CSR})
    if not own_world.operator.running:
        own_world.operator.start()
    yield namespace
    own_world.simulator.faults()
    own_world.simulator.release()
    own_world.operator.check()


class Pair(NamedTuple):
    """Two replicas: one that leads, and one that stands by."""

    leader: Operator
    standby: Operator


@pytest.fixture
def pair(own_world: World, place: Namespace, tmp_path: pathlib.Path) -> Iterator[Pair]:
    """The world's operator, which leads, and a second one; the first is alone again afterwards."""
    name = _upload(place, "before")
    place.ready(name)
    place.events(name, reason="Uploaded")
    second = own_world.operator.replica(tmp_path / "second.log")
    second.start(wait=False)
    try:
        until(lambda: second.events("Standby"), what="the second replica to stand by")
        yield Pair(own_world.operator, second)
    finally:
        if own_world.operator.running:
            own_world.operator.signal(signal.SIGCONT)
        second.stop()
        if not own_world.operator.running:
            own_world.operator.start()


def _upload(namespace: Namespace, name: str) -> str:
    """Create a resource, named like its entry and as no other test's; return the name."""
    name = f"{namespace.name[:50]}-{name}"
    namespace.upload(name, csr="content")
    return name


def _lease(world: World) -> Object:
    command = ("get", "lease", _LEASE, "-n", OPERATOR_NAMESPACE, "-o", "json")
    found: Object = json.loads(world.plane.kubectl(*command).stdout)
    return found


def _term(world: World) -> int:
    return int(_lease(world)["spec"]["leaseTransitions"])


def _delete_lease(world: World) -> None:
    world.plane.kubectl("delete", "lease", _LEASE, "-n", OPERATOR_NAMESPACE)


def _worked(operator: Operator) -> set[str]:
    """Return which kinds of log lines say that a process did more than wait."""
    return {line["event"] for line in operator.lines() if "event" in line} - _ANYBODYS


def _took_over(operator: Operator) -> None:
    until(lambda: operator.events("Started"), what="the standby to lead")


def test_a_standby_only_waits(own_world: World, place: Namespace, pair: Pair) -> None:
    """While one leads, the other does nothing: an upload costs one POST, one status write and one Event as before."""
    before = api_requests(own_world.plane)

    name = _upload(place, "once")
    place.ready(name)

    place.events(name, reason="Uploaded")
    cost = api_requests(own_world.plane) - before
    assert cost["PATCH", "certificaterequestuploads/status"] == 1
    assert cost["POST", "events"] == 1
    assert len(place.simulator.requests(name=name)) == 1
    assert _worked(pair.standby) == set()
    assert "is the leader" in pair.standby.events("Standby")[0]["message"]


def test_a_leader_that_stops_is_followed_at_once(own_world: World, place: Namespace, pair: Pair) -> None:
    """SIGTERM: the standby takes the free Lease, in a higher term, and uploads go on with one POST each."""
    term = _term(own_world)

    assert pair.leader.stop() == 0

    name = _upload(place, "after")
    assert (place.ready(name)["term"], _term(own_world)) == (term + 1, term + 1)
    assert (pair.standby.events("LeaseTakenOver"), bool(pair.leader.events("LeaseReleased"))) == ([], True)
    assert len(place.simulator.requests(name=name)) == 1


def test_a_leader_that_is_killed_is_followed_after_its_lease(own_world: World, place: Namespace, pair: Pair) -> None:
    """SIGKILL with a POST in flight: the standby takes over, finds the entry and sends only what is new."""
    term = _term(own_world)
    name = f"{place.name[:50]}-flying"
    rule = {"name": "kill", "match": {"operation": "UploadCsr", "name": name}, "hold": "after-store"}
    own_world.simulator.faults(rule)
    _upload(place, "flying")
    own_world.simulator.held(rule="kill")

    pair.leader.kill()

    other = _upload(place, "after")
    found, new = place.ready(name), place.ready(other)
    (entry,) = place.simulator.entries(name=name)
    assert (found["scmID"], found["origin"], new["origin"]) == (entry["id"], "Recovered", "Uploaded")
    assert [len(place.simulator.requests(name=each)) for each in (name, other)] == [1, 1]
    assert pair.standby.events("LeaseTakenOver")
    assert (found["term"], new["term"], _term(own_world)) == (term + 1, term + 1, term + 1)


def test_a_leader_that_was_frozen_ends_without_a_write(own_world: World, place: Namespace, pair: Pair) -> None:
    """SIGSTOP past its Lease, then SIGCONT: the old leader ends with 1, and each resource has one entry and its id."""
    names = [f"{place.name[:50]}-{number}" for number in range(3)]
    rule = {"name": "freeze", "match": {"operation": "UploadCsr", "name": names[0]}, "hold": "after-store"}
    own_world.simulator.faults(rule)
    _upload(place, "0")
    own_world.simulator.held(rule="freeze")
    pair.leader.signal(signal.SIGSTOP)
    _upload(place, "1")  # the frozen one will find it in its watch
    _took_over(pair.standby)
    _upload(place, "2")
    during = {name: place.ready(name) for name in names}
    logged = len(pair.leader.lines())

    own_world.simulator.release()
    pair.leader.signal(signal.SIGCONT)

    assert pair.leader.wait() == 1
    after = {name: place.status(name) for name in names}
    assert after == during
    assert [status["origin"] for status in after.values()] == ["Recovered", "Uploaded", "Uploaded"]
    in_scm = {name: [entry["id"] for entry in place.simulator.entries(name=name)] for name in names}
    assert in_scm == {name: [status["scmID"]] for name, status in after.items()}
    assert not {"Uploaded", "LeaseReleased"} & {line.get("event") for line in pair.leader.lines()[logged:]}


def test_a_deleted_lease_ends_the_process(own_world: World, place: Namespace) -> None:
    """Without its Lease the leader ends with 1; the next one notes the loss, and what is Ready costs no call."""
    done = [place.ready(_upload(place, f"done-{number}"))["scmName"] for number in range(3)]
    term = _term(own_world)

    _delete_lease(own_world)

    assert own_world.operator.wait() == 1
    before = len(_requests(own_world))
    own_world.operator.start()
    place.ready(_upload(place, "barrier"))  # queued after all that was listed
    mark = json.loads(_lease(own_world)["metadata"]["annotations"][_LOST])
    assert (mark["term"], _term(own_world)) == (term + 1, term + 1)
    assert own_world.operator.events("JournalLost")[-1]["level"] == "WARNING"
    asked = _requests(own_world)[before:]
    assert [request for request in asked if request["operation"] in {"ShowCsr", "UpdateCsr", "DeleteCsr"}] == []
    assert not [request for request in asked for name in done if name in request["query"]]
    assert [len(place.simulator.requests(name=name)) for name in done] == [1, 1, 1]


def test_after_a_lost_journal_what_has_no_record_is_looked_up(own_world: World, place: Namespace) -> None:
    """Two resources from before the loss: the one whose POST was stored takes its entry, the other is uploaded."""
    place.ready(_upload(place, "old"))
    own_world.operator.stop()
    _delete_lease(own_world)
    stored, absent = _upload(place, "stored"), _upload(place, "absent")
    entry = add_by_hand(place.simulator, stored, _CSR)

    own_world.operator.start()

    found, sent = place.ready(stored), place.ready(absent)
    assert (found["scmID"], found["origin"], place.simulator.requests(name=stored)) == (entry, "Recovered", [])
    assert (sent["origin"], len(place.simulator.requests(name=absent))) == ("Uploaded", 1)
    assert sent["concludedAttemptID"] == f"lost-{_term(own_world)}"
    (event,) = place.events(stored, reason="ResolvingOutcome")
    assert "It is looked for in SCM before anything is sent" in event["message"]
    assert condition(place.get(absent), "Reconciling") == {}


def _requests(world: World) -> list[Object]:
    """Return all requests that have reached SCM, of whatever operation."""
    found: list[Object] = world.simulator.admin.get("requests").raise_for_status().json()["requests"]
    return found
