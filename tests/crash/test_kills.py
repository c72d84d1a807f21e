"""A few crash runs, one for each step: killed there, nothing is doubled and nothing lost. `make crash` plays more."""

import itertools
from collections.abc import Iterator

import pytest

from tests.support import crash_plan, crash_stage
from tests.support.crash_plan import Plan
from tests.support.crash_run import Stage

_LONG = frozenset({"throttling", "slow commit"})


def _plans() -> Iterator[Plan]:
    """Return the first short plan of each step, and two in which a leader is frozen and another takes over."""
    plans = [crash_plan.make(seed) for seed in range(1, 1_000)]
    plans = [plan for plan in plans if not plan.pause and not plan.again and plan.fault not in _LONG]
    plans = [plan for plan in plans if plan.occurrence == 1]  # one write may take all attempts along
    for name in dict.fromkeys(step.name for step in crash_plan.STEPS):
        yield next(plan for plan in plans if plan.step.name == name and plan.how == "kill")
    yield from itertools.islice((plan for plan in plans if plan.how == "freeze"), 2)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One control plane and one simulator for all runs."""
    with crash_stage.opened(tmp_path_factory.mktemp("crash")) as stage:
        yield stage


@pytest.mark.parametrize("plan", list(_plans()), ids=lambda plan: f"{plan.seed}-{plan.how}-{plan.step.name}")
def test_nothing_is_doubled_or_lost(stage: Stage, plan: Plan) -> None:
    """However the operator ends at this step, each resource and content has exactly one entry afterwards."""
    outcome = crash_stage.play(plan, stage)

    assert outcome.verdict.problems == ()
    assert outcome.reached
