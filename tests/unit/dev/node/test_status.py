from typing import Any

import pytest

from dev.node import status
from dev.node.status import View

RUNNING = {"running": {"startedAt": "2030-01-01T00:00:00Z"}}
WAITING = {"waiting": {"reason": "ContainerCreating"}}


def ended(code: int) -> dict[str, Any]:
    """Return the state of a container that has ended."""
    return {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}


def view(state: dict[str, Any], **fields: Any) -> View:  # noqa: ANN401 - the fields of View
    """Return a view in a state."""
    return View("web", "image", state=state, **fields)


@pytest.mark.parametrize(
    ("inits", "containers", "phase"),
    [
        ([], [view(WAITING)], status.PENDING),
        ([], [view(RUNNING), view(WAITING)], status.PENDING),
        ([], [view(RUNNING)], status.RUNNING),
        ([], [view(WAITING, last=ended(1))], status.RUNNING),  # it waits for its restart
        ([], [view(ended(0), over=True), view(RUNNING)], status.RUNNING),
        ([], [view(ended(0), over=True)], status.SUCCEEDED),
        ([], [view(ended(0), over=True), view(ended(2), over=True)], status.FAILED),
        ([view(RUNNING)], [view(WAITING)], status.PENDING),
        ([view(ended(1), over=True)], [view(WAITING)], status.FAILED),
        ([view(RUNNING, sidecar=True)], [view(ended(0), over=True)], status.SUCCEEDED),
    ],
)
def test_the_phase_follows_from_the_containers(inits: list[View], containers: list[View], phase: str) -> None:
    """Pending until all were started, final when all have ended for good, else Running."""
    assert status.phase(containers, inits=inits) == phase


def conditions(*containers: View, inits: list[View] | None = None, **other: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401
    """Return the conditions by type."""
    found = status.conditions(containers, inits=inits or [], now="later", before=other.get("before", {}))
    return {each["type"]: each for each in found}


def test_a_pod_is_ready_when_all_its_containers_are() -> None:
    """One that isn't makes the Pod unready, and is named."""
    assert conditions(view(RUNNING, ready=True))["Ready"]["status"] == "True"
    other = View("log", "image", state=RUNNING)
    unready = conditions(view(RUNNING, ready=True), other)["Ready"]
    assert unready["status"] == "False"
    assert unready["message"] == "containers with unready status: [log]"


def test_a_finished_pod_is_unready_because_it_is_done() -> None:
    """Nothing is wrong with it, so the reason says so."""
    assert conditions(view(ended(0), over=True))["Ready"]["reason"] == "PodCompleted"


def test_a_pod_is_initialized_when_its_init_containers_have_ended_well() -> None:
    """One that runs beside the others (a sidecar) has to have started."""

    def state(*inits: View) -> str:
        return str(conditions(view(WAITING), inits=list(inits))["Initialized"]["status"])

    assert state() == "True"
    assert state(view(ended(0), over=True), view(RUNNING, sidecar=True, started=True)) == "True"
    assert state(view(RUNNING)) == "False"
    assert state(view(ended(1), over=True)) == "False"
    assert state(view(RUNNING, sidecar=True)) == "False"


def test_the_time_of_a_transition_stays_until_the_next() -> None:
    """A condition keeps its time while its status does, and loses its reason when there is none any more."""
    before = {
        "Ready": {"status": "False", "lastTransitionTime": "early", "reason": "ContainersNotReady"},
        "Initialized": {"status": "True", "lastTransitionTime": "early"},
    }
    found = conditions(view(RUNNING, ready=True), before=before)
    assert found["Initialized"]["lastTransitionTime"] == "early"
    assert found["Ready"]["lastTransitionTime"] == "later"
    assert found["Ready"]["reason"] is None


def test_a_container_that_restarts_shows_how_often_and_how_it_ended() -> None:
    """Its status has the restarts, the last end, and an identity of this run."""
    again = view(RUNNING, last=ended(3), restarts=2, ready=True, started=True)
    found = again.status(uid="u-1")
    assert found["restartCount"] == 2
    assert found["lastState"]["terminated"]["exitCode"] == 3
    assert found["containerID"] == "process://u-1/web/2"
    assert view(WAITING).status(uid="u-1")["containerID"] == ""


def test_the_api_is_told_addresses_that_it_takes() -> None:
    """In the status 198 stands for 127, since the API refuses loopback addresses as endpoints."""
    place = status.Place("u-1", address="127.18.0.2", host="127.18.0.1", began="early")
    found = status.pod_status([view(RUNNING)], inits=[], place=place, now="now", before={})
    assert found["podIP"] == "198.18.0.2"
    assert found["podIPs"][0] == {"ip": "198.18.0.2"}
    assert found["hostIP"] == "198.18.0.1"
