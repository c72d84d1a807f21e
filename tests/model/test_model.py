"""Interleavings by chance: whatever happens between two requests, a content has one entry for each that wants it.

What is searched: persons, crashes, freezes, cut Leases, lost, late and refused answers, stale watches, twins and
namesakes, by the real plan and reconciler on fakes whose requests wait until the search lets them go on.
``SCM_MODEL_EXAMPLES=5000 make unit`` searches for longer.
"""

import os

import pytest
from hypothesis import HealthCheck, settings, stateful
from hypothesis import strategies as st

from tests.support import model_explorer, model_truth, model_wiring
from tests.support.model_world import World

_EXAMPLES = int(os.environ.get("SCM_MODEL_EXAMPLES", "150"))


class Interleaving(stateful.RuleBasedStateMachine):
    """One run: hypothesis chooses each step, and makes a run that goes wrong shorter."""

    def __init__(self) -> None:
        """Begin with an operator that has just started."""
        super().__init__()
        self.world = World(model_wiring.ALL)
        self.world.do("start")

    @stateful.rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """Take one step of what can happen now."""
        step = model_explorer.a_step(self.world, lambda count: data.draw(st.integers(0, count - 1)))
        self.world.do(*step)

    @stateful.invariant()
    def nothing_is_wrong(self) -> None:
        """No id is in two records, no entry is too many, none has the wrong content."""
        assert model_truth.wrong(self.world) is None

    def teardown(self) -> None:
        """Let faults end and time pass: then each resource has what it wants, or says why a person is asked."""
        try:
            self.world.rest()
            assert model_truth.wrong_at_rest(self.world) is None
        finally:
            self.world.close()


test_whatever_happens = Interleaving.TestCase
test_whatever_happens.settings = settings(
    max_examples=_EXAMPLES,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("first", range(0, _EXAMPLES * 4, 100))
def test_long_runs_by_seed(first: int) -> None:
    """A hundred runs of eighty steps each, by their seeds, go well."""
    troubles = {seed: model_explorer.explore(seed)[1] for seed in range(first, first + 100)}
    assert {seed: trouble for seed, trouble in troubles.items() if trouble} == {}
