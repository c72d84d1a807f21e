"""A Pod's status, made from what is known of its containers.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dev.node import addresses
from dev.node.api import Object

_ALL = {"$patch": "replace"}
"""That these are all entries of a list: else a strategic merge adds them to what is there from before."""

PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"


@dataclass(slots=True)
class View:
    """What is to be said of one container; whoever runs it keeps it up to date."""

    name: str
    image: str
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: Object = field(default_factory=dict)
    ready: bool = False
    started: bool = False
    restarts: int = 0
    over: bool = False
    """Whether it has ended for good."""
    sidecar: bool = False
    """Whether it is an init container that runs beside the others (restartPolicy Always)."""

    @property
    def exit_code(self) -> int | None:
        """The exit code of a container that has ended."""
        code: int | None = self.state.get("terminated", {}).get("exitCode")
        return code

    @property
    def has_begun(self) -> bool:
        """Whether it runs or has run."""
        return "waiting" not in self.state or bool(self.last)

    def status(self, *, uid: str) -> Object:
        """Return its container status."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": "",
            "containerID": f"process://{uid}/{self.name}/{self.restarts}" if self.has_begun else "",
            "state": self.state,
            "lastState": self.last,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
        }


def phase(containers: Sequence[View], *, inits: Sequence[View]) -> str:
    """Return the phase: Pending until all containers were started once, and final when all have ended for good."""
    if any(view.over and view.exit_code for view in inits if not view.sidecar):
        return FAILED
    if containers and all(view.over for view in containers):
        return FAILED if any(view.exit_code for view in containers) else SUCCEEDED
    return RUNNING if all(view.has_begun for view in containers) else PENDING


def initialized(inits: Sequence[View]) -> bool:
    """Say whether all init containers are done, and those that go on beside the others have started."""
    return all(view.started if view.sidecar else view.over and view.exit_code == 0 for view in inits)


def conditions(
    containers: Sequence[View], *, inits: Sequence[View], now: str, before: Mapping[str, Object]
) -> list[Object]:
    """Return the node's conditions of the Pod; one whose status is as before keeps the time of its transition."""
    final = phase(containers, inits=inits)
    beside = [view for view in inits if view.sidecar]
    unready = [view.name for view in (*beside, *containers) if not view.ready]
    uninitialized = [view.name for view in inits if not initialized([view])]
    if final in {SUCCEEDED, FAILED}:
        why = {"reason": "PodCompleted" if final == SUCCEEDED else "PodFailed"}
    else:
        why = _why("ContainersNotReady", "containers with unready status", unready)
    found = [
        _condition("PodReadyToStartContainers", state=True),
        _condition("Initialized", state=not uninitialized)
        | _why("ContainersNotInitialized", "containers with incomplete status", uninitialized),
        _condition("ContainersReady", state=not unready) | why,
        _condition("Ready", state=not unready) | why,
    ]
    return [_with_time(each, now=now, before=before.get(each["type"])) for each in found]


def pod_status(
    containers: Sequence[View], *, inits: Sequence[View], place: "Place", now: str, before: Mapping[str, Object]
) -> Object:
    """Return the whole status as this node reports it; ``before`` has the conditions that were reported last."""
    return {
        "phase": phase(containers, inits=inits),
        "conditions": conditions(containers, inits=inits, now=now, before=before),
        "containerStatuses": [view.status(uid=place.uid) for view in containers],
        "initContainerStatuses": [view.status(uid=place.uid) for view in inits],
        "startTime": place.began,
        "hostIP": addresses.public(place.host),
        "hostIPs": [{"ip": addresses.public(place.host)}, _ALL],
        "podIP": addresses.public(place.address),
        "podIPs": [{"ip": addresses.public(place.address)}, _ALL],
    }


@dataclass(frozen=True, slots=True)
class Place:
    """Which Pod it is, where it runs, and since when."""

    uid: str
    address: str
    host: str
    began: str


def _condition(kind: str, *, state: bool) -> Object:
    return {"type": kind, "status": str(state)}


def _why(reason: str, message: str, names: Sequence[str]) -> Object:
    return {"reason": reason, "message": f"{message}: [{' '.join(names)}]"} if names else {}


def _with_time(condition: Object, *, now: str, before: Object | None) -> Object:
    same = before is not None and before["status"] == condition["status"]
    moment = before["lastTransitionTime"] if before is not None and same else now
    # A patch that merges leaves what isn't named, so what is no longer so is named as nothing.
    return {"reason": None, "message": None} | condition | {"lastTransitionTime": moment}
