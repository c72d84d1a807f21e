"""Which rules no interleaving needs, and why; those that one needs are in cases, and test_rules plays them."""

from tests.model import cases
from tests.support import model_knock_outs

_NEVER_NEEDED_HERE = {
    "memory.in_flight",  # the queue visits a key once at a time, and a visit waits for its POST
    "wanted.no_account_yet",  # saves the read of a Secret, and nothing else
    "wanted.no_account",  # accounts of the model neither fail nor go
    "wanted.unreadable",  # nor do its Secrets
    "row 11 (with or without a key can't be told)",  # row 18 keeps two such attempts from being open at once
    "lease check before a status write",  # row 1 looks in the same moment: see the rule that takes out both
}
_BY_ROW_9_OF_TWINS = {"unknown.unfenced"}  # alone it is made up for by other status writes; it is taken out with these


def test_each_rule_is_missed_by_some_interleaving() -> None:
    """No rule is left without an interleaving that needs it, but for those of which it is said why."""
    assert set(model_knock_outs.ALL) - {case.rule for case in cases.ALL} == _NEVER_NEEDED_HERE | _BY_ROW_9_OF_TWINS
