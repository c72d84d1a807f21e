"""Where a crash run stops the operator: at a request that a proxy or the simulator holds, or at an instant."""

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from tests.support.api_proxy_rules import Asked, Hold, Rule
from tests.support.crash_plan import Plan
from tests.support.crash_replica import Replica
from tests.support.simulator import Simulator

JOURNAL: Final = "scm.certops.dev/journal"
_NAME: Final = "trap"
_WRITES: Final = frozenset({"POST", "PUT", "PATCH"})


class Trap(Protocol):
    """One moment."""

    def sprung(self) -> bool:
        """Tell whether it has come."""

    def holder(self) -> Replica | None:
        """Return the replica that was met, where that can be told."""

    def let_go(self, *, dropped: bool) -> None:
        """Let what is held arrive, or lose it, and hold nothing more."""


class Instant:
    """A moment by the clock."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def sprung(self) -> bool:
        """Tell whether it is later."""
        return time.monotonic() >= self._at

    def holder(self) -> Replica | None:
        """Return nobody: whoever leads is meant."""
        return None

    def let_go(self, *, dropped: bool) -> None:
        """Do nothing: nothing is held."""


class OnTheWay:
    """A request to the API server."""

    def __init__(self, replicas: Sequence[Replica], rules: Sequence[Rule]) -> None:
        self._rules = dict(zip(replicas, rules, strict=True))

    def sprung(self) -> bool:
        """Tell whether one is held."""
        return self.holder() is not None

    def holder(self) -> Replica | None:
        """Return the replica whose request is held."""
        return next((replica for replica, rule in self._rules.items() if rule.held), None)

    def let_go(self, *, dropped: bool) -> None:
        """Forward or drop it."""
        for replica, rule in self._rules.items():
            replica.proxy.remove(rule)
            (rule.drop if dropped else rule.release)()
        self._rules = {}  # a second call finds nothing


class AtTheService:
    """A request to SCM; what becomes of it after the release is in the rule, not in ``dropped``."""

    def __init__(self, simulator: Simulator, faults: Sequence[Mapping[str, Any]], *, seed: int) -> None:
        self._simulator = simulator
        self._faults = faults
        self._seed = seed

    def set(self, rule: Mapping[str, Any]) -> "AtTheService":
        """Put the holding rule in force before the others."""
        self._simulator.faults({"name": _NAME, **rule}, *map(dict, self._faults), seed=self._seed)
        return self

    def sprung(self) -> bool:
        """Tell whether one is held."""
        rules = self._simulator.admin.get("faults").raise_for_status().json()["rules"]
        return any(rule["name"] == _NAME and rule["held"] for rule in rules)

    def holder(self) -> Replica | None:
        """Return nobody: whoever leads has sent it."""
        return None

    def let_go(self, *, dropped: bool) -> None:  # noqa: ARG002 - see the class
        """Let the simulator go on."""
        self._simulator.faults(*map(dict, self._faults), seed=self._seed)
        self._simulator.release()


@dataclasses.dataclass(frozen=True, slots=True)
class Setter:
    """Sets the traps of one run."""

    plan: Plan
    replicas: Sequence[Replica]
    simulator: Simulator
    faults: Sequence[Mapping[str, Any]]

    def set(self) -> Trap:
        """Set the trap of the run's step."""
        name = self.plan.step.name
        if name == "random":
            return Instant(self.plan.instant)
        if name in _AT_THE_SERVICE:
            return self._at_the_service(name)
        if name == "finalizer patch":
            return self._on_the_way(writes_finalizers, answered=self.plan.late > 0)
        when = writes_an_id if name in {"answered", "status written"} else Journal().gains
        return self._on_the_way(when, answered=name not in {"answered", "journal write sent"})

    def _on_the_way(self, when: Callable[[Asked], bool], *, answered: bool) -> Trap:
        skip = self.plan.occurrence - 1
        rules = [
            replica.proxy.rule(Hold(answered=answered), when=when, skip=skip, times=1) for replica in self.replicas
        ]
        return OnTheWay(self.replicas, rules)

    def _at_the_service(self, name: str) -> Trap:
        operation, stage = _AT_THE_SERVICE[name]
        rule: dict[str, Any] = {
            "match": {"operation": operation, "calls": [self.plan.occurrence]},
            "hold": stage,
        }
        if name == "POST sent, lost":
            rule["do"] = {"reset": "before-store"}
        return AtTheService(self.simulator, self.faults, seed=self.plan.seed).set(rule)


_AT_THE_SERVICE: Final = {
    "POST sent, lost": ("UploadCsr", "before-store"),
    "POST sent": ("UploadCsr", "before-store"),
    "stored": ("UploadCsr", "after-store"),
    "looking up": ("ListCsr", "before-store"),
    "adopting": ("ListCsr", "before-store"),
    "rename sent": ("UpdateCsr", "before-store"),
    "renamed": ("UpdateCsr", "after-store"),
    "replacing": ("UploadCsr", "before-store"),
    "replaced": ("UploadCsr", "after-store"),
    "delete sent": ("DeleteCsr", "before-store"),
    "deleted": ("DeleteCsr", "after-store"),
}


class Journal:
    """Tells a write of the Lease that adds an attempt from a renewal."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def gains(self, asked: Asked) -> bool:
        """Tell whether a request adds an attempt that no earlier one had."""
        if asked.method not in _WRITES or "/leases" not in asked.path:
            return False
        found = set(attempts(asked.body))
        gained = found - self._known
        self._known |= found
        return bool(gained)


def attempts(body: bytes) -> list[str]:
    """Return the attempts in a Lease that is written, each by its id if that can be told."""
    try:
        journal = json.loads(json.loads(body)["metadata"]["annotations"][JOURNAL])
    except (ValueError, KeyError, TypeError):
        return []
    found = journal.get("attempts", []) if isinstance(journal, dict) else []
    return [_id_of(attempt) for attempt in found]


def _id_of(attempt: object) -> str:
    if isinstance(attempt, dict) and isinstance(attempt.get("id"), str):
        return str(attempt["id"])
    if isinstance(attempt, list) and attempt and isinstance(attempt[0], str):
        return attempt[0]
    return json.dumps(attempt, sort_keys=True)


def writes_an_id(asked: Asked) -> bool:
    """Tell whether a request writes an SCM id into a status."""
    return (
        asked.method in _WRITES
        and "/certificaterequestuploads/" in asked.path
        and asked.path.endswith("/status")
        and b"scmID" in asked.body
    )


def writes_finalizers(asked: Asked) -> bool:
    """Tell whether a request adds or takes away a finalizer of an upload."""
    return (
        asked.method in _WRITES
        and "/certificaterequestuploads/" in asked.path
        and not asked.path.endswith("/status")
        and b"finalizers" in asked.body
    )


def faults(plan: Plan) -> list[dict[str, Any]]:
    """Return the simulator's rules for a run: bounded, so that a run comes to rest."""
    lost = [
        {"match": {"operation": "UploadCsr", "probability": 0.4, "times": 4}, "do": {"reset": "after-store"}},
        {"match": {"operation": "UpdateCsr", "times": 1}, "do": {"reset": "after-store"}},
        {"match": {"operation": "DeleteCsr", "times": 1}, "do": {"reset": "after-store"}},
    ]
    failing = {"status": {"code": 502, "form": "html", "afterStore": True}}
    return {
        "none": [],
        "reset after store": lost,
        "slow commit": [
            {"match": {"operation": "UploadCsr", "probability": 0.4, "times": 3}, "do": {"delay": {"seconds": 1.1}}}
        ],
        "5xx after store": [{"match": {"operation": "UploadCsr", "probability": 0.4, "times": 4}, "do": failing}],
        "throttling": [
            {
                "match": {"path": "/v3/scm/*"},
                "do": {"throttle": {"requests": 4, "windowSeconds": 1, "retryAfter": plan.seed % 2 == 0}},
            }
        ],
        "stale list": [
            {"match": {"operation": "ListCsr"}, "do": {"staleList": {"seconds": 0.4}}},
            *lost,
        ],
    }[plan.fault]
