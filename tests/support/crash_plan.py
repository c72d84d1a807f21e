"""What happens in a crash run: all of it follows from one number, so that a failing run can be had again."""

import dataclasses
import random
from typing import Final, Literal

from tests.support import crash_workload
from tests.support.crash_workload import Change, Resource

How = Literal["kill", "freeze", "stop"]
Phase = Literal["creating", "changing"]


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A moment that can be told on the wire, in which phase it is waited for, and which of them may be meant."""

    name: str
    phase: Phase
    most: int = 1
    adopts: bool | None = None
    """Whether a resource that adopts takes part, None if that doesn't matter."""


STEPS: Final = (
    Step("journal write sent", "creating", 2),
    Step("journal written", "creating", 2),
    Step("before the POST", "creating", 2),
    Step("POST sent, lost", "creating", 4),
    Step("POST sent", "creating", 4),
    Step("stored", "creating", 4),
    Step("answered", "creating", 4),
    Step("status written", "creating", 4),
    Step("looking up", "creating", 2, adopts=False),  # else an adoption's look-up could be the one that is met
    Step("adopting", "creating", adopts=True),
    Step("rename sent", "changing"),
    Step("renamed", "changing"),
    Step("replacing", "changing", 2),
    Step("replaced", "changing", 2),
    Step("delete sent", "changing"),
    Step("deleted", "changing"),
    Step("finalizer patch", "creating", 3),
    Step("finalizer patch", "changing", 2),
    Step("random", "creating"),
    Step("random", "changing"),
)
FAULTS: Final = ("none", "reset after store", "slow commit", "5xx after store", "throttling", "stale list")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. Times are in seconds; ``occurrence`` counts from 1 how often the step is reached before it is used."""

    seed: int
    step: Step
    occurrence: int
    how: How
    fault: str
    replicas: int
    both: bool
    """Whether the standby is killed as well."""
    starts_first: bool
    """Whether the operator runs before there is anything to do."""
    pause: float
    """Before what was killed is started again."""
    late: float
    """How long what was on the wire at the kill is late."""
    dropped: bool
    """Whether what was on the wire is lost instead."""
    instant: float
    """When the random step is."""
    again: tuple[float, ...]
    """Further kills, each so long after the last start."""
    resources: tuple[Resource, ...]
    changes: tuple[Change, ...]
    hurries: tuple[float, ...]
    """How long to wait after each change."""


def make(seed: int) -> Plan:
    """Return the run of a seed."""
    dice = random.Random(seed)  # noqa: S311 - the same number gives the same run; nothing here is a secret
    step = dice.choice(STEPS)
    how = _how(dice)
    rolled = dice.random() < 0.6
    work = crash_workload.make(dice, adopts=rolled if step.adopts is None else step.adopts)
    return Plan(
        seed=seed,
        step=step,
        occurrence=dice.randint(1, step.most),
        how=how,
        fault="reset after store" if step.name == "looking up" else dice.choice(FAULTS),
        replicas=2 if how == "freeze" else dice.choice((1, 1, 2)),
        both=dice.random() < 0.3,
        starts_first=dice.random() < 0.7,
        pause=dice.choice((0.0, 0.0, dice.uniform(0.2, 2.0))),
        late=dice.choice((0.0, dice.uniform(0.0, 0.2))),
        dropped=dice.random() < 0.5,
        instant=dice.uniform(0.0, 2.5),
        again=tuple(dice.uniform(0.0, 3.0) for _ in range(dice.choice((0, 0, 0, 1, 2)))),
        resources=work.resources,
        changes=work.changes,
        hurries=tuple(dice.choice((0.0, 0.0, dice.uniform(0.0, 0.6))) for _ in work.changes),
    )


def _how(dice: random.Random) -> How:
    luck = dice.random()
    return "kill" if luck < 0.75 else "freeze" if luck < 0.9 else "stop"
