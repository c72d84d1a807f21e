"""The counterexamples that made the rules, and what the search has found: well with the rule, and wrong without it."""

import pytest

from tests.model import cases
from tests.model.cases import Case
from tests.support import model_explorer, model_knock_outs


@pytest.mark.parametrize("case", cases.ALL, ids=lambda case: f"{case.name} ({case.rule})")
def test_with_the_rule_all_goes_well(case: Case) -> None:
    """This interleaving leaves one entry for each that wanted it, and each resource with its own."""
    _, trouble = model_explorer.replay(model_explorer.script(case.steps))
    assert trouble is None


@pytest.mark.parametrize("case", cases.ALL, ids=lambda case: f"{case.name} ({case.rule})")
def test_without_the_rule_it_goes_wrong(case: Case) -> None:
    """The rule is needed, and the model can see it: without it the same interleaving ends in trouble."""
    _, trouble = model_explorer.replay(model_explorer.script(case.steps), rules=model_knock_outs.ALL[case.rule])
    assert trouble is not None
