"""Rows 9 to 14: a POST that may have been stored is resolved before anything else is sent for its resource."""

import dataclasses
from typing import Any

import pytest

from scm_operator.domain import account as accounts
from scm_operator.domain import actions, attempt, conditions, lookup, observation, upload
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.reasons import Reason
from tests.support import builders, observations
from tests.unit.domain.rows import table
from tests.unit.domain.rows.table import ATTEMPT, ENTRY, NEW, RIVAL, TWIN, WANTED, change, looked_up, planned, report_of

EARLIER = builders.make_attempt(term=1)
FENCED = builders.make_upload(status=builders.make_status(reason=Reason.SERVER_ERROR, message="m", term=2))
FOUND, ABSENT = looked_up(lookup.Found(ENTRY)), looked_up(lookup.Absent())
CANT_TELL = looked_up(lookup.CantTell("the list is full"))
CONFIRMED = change(NEW, confirm_upload=ATTEMPT.id)
OUTCOME_UNKNOWN = builders.make_upload(
    status=builders.make_status(reason=Reason.OUTCOME_UNKNOWN, message="Look in SCM", secrets=())
)


# Row 9: the fence


@pytest.mark.parametrize(
    "of",
    [NEW, change(NEW, suspend=True), change(NEW, scm_name="renamed", generation=2), OUTCOME_UNKNOWN],
    ids=["new", "suspended", "renamed", "outcome unknown"],
)
def test_row_9_fences_before_it_looks(of: upload.Upload) -> None:
    """Row 9, counterexample 1: the own term is written before the entry of an earlier leader's POST is looked for.

    What that leader still writes conflicts then, and can't give the resource an entry that its twin has taken since.
    """
    assert planned(of=of, unknowns=(EARLIER,), term=2) == actions.Fence()


def test_row_9_fences_before_it_waits() -> None:
    """Row 9 goes before row 10: twins that wait for each other's fence would wait for ever."""
    groups = observations.make_groups(EARLIER, settled_in=20.0, unfenced=frozenset({NEW.uid, "uid-of-twin"}))
    assert planned(unknowns=(EARLIER,), term=2, groups=groups) == actions.Fence()


@pytest.mark.parametrize(
    ("attempt", "of", "term"),
    [(EARLIER, FENCED, 2), (ATTEMPT, NEW, 1), (builders.make_attempt(term=2), NEW, 2)],
    ids=["fenced", "own", "own of a later term"],
)
def test_row_9_fences_once_and_only_what_is_of_others(attempt: attempt.Attempt, of: upload.Upload, term: int) -> None:
    """Row 9: a status that has the own term needs no fence, nor does a POST of this very process."""
    assert planned(of=of, unknowns=(attempt,), term=term) == actions.LookUp(attempt)


# Row 10: the group isn't ready


def test_row_10_waits_until_the_group_has_settled() -> None:
    """Row 10: an entry may be stored until the settle time of each POST of its group is over."""
    groups = observations.make_groups(ATTEMPT, TWIN, settled_in=20.0)
    action = planned(unknowns=(ATTEMPT,), groups=groups)
    assert isinstance(action, actions.Wait)
    assert action.after == 20.0
    assert action.verdict is not None
    assert action.verdict.reason is Reason.RESOLVING_OUTCOME


@pytest.mark.parametrize(
    ("term", "status_term", "group", "earlier", "after"),
    [(1, 2, 5.0, 20.0, 20.0), (1, 2, 25.0, 20.0, 25.0), (1, 2, 0.0, 20.0, 20.0), (2, 0, 5.0, 20.0, 5.0)],
    ids=["earlier term", "a later twin", "earlier alone", "own term"],
)
def test_row_10_counts_an_earlier_term_from_taking_the_lease(
    term: int, status_term: int, group: float, earlier: float, after: float
) -> None:
    """Row 10: a POST of an earlier leader may be stored until a settle time after the Lease was taken."""
    attempt = builders.make_attempt(term=term)
    of = builders.make_upload(status=builders.make_status(reason=Reason.SERVER_ERROR, term=status_term))
    groups = observations.make_groups(attempt, settled_in=group)
    action = planned(of=of, unknowns=(attempt,), term=2, groups=groups, earlier_settled_in=earlier)
    assert isinstance(action, actions.Wait)
    assert action.after == after


def test_row_10_waits_for_the_fence_of_a_twin() -> None:
    """Row 10, counterexample 1: no look-up while a late write could still give the entry to a twin."""
    groups = observations.make_groups(EARLIER, TWIN, unfenced=frozenset({"uid-of-twin"}))
    action = planned(of=FENCED, unknowns=(EARLIER,), term=2, groups=groups)
    assert isinstance(action, actions.Wait)
    assert 0 < action.after <= 1


def test_row_10_waits_for_no_fence_of_its_own() -> None:
    """Row 10: what the group says of the resource itself is answered by its own status."""
    groups = observations.make_groups(EARLIER, unfenced=frozenset({FENCED.uid}))
    assert planned(of=FENCED, unknowns=(EARLIER,), term=2, groups=groups) == actions.LookUp(EARLIER)


def test_row_10_waits_for_the_look_up_of_a_twin() -> None:
    """Row 10, counterexample 8: two look-ups of a group would find the same entry."""
    groups = observations.make_groups(ATTEMPT, TWIN, looking_up=True)
    assert isinstance(planned(unknowns=(ATTEMPT,), groups=groups), actions.Wait)


def test_row_10_is_over_once_it_is_looked_up() -> None:
    """Row 10: what was found stands, though a twin has been sent since."""
    groups = observations.make_groups(ATTEMPT, TWIN, settled_in=60.0, looking_up=True)
    assert planned(unknowns=(ATTEMPT,), groups=groups, answers=FOUND) == actions.Claim(ENTRY, ATTEMPT)


def test_row_10_waits_before_it_says_that_no_account_is_left() -> None:
    """Row 10 goes before row 14: nobody is asked to confirm what may still be stored."""
    groups = observations.make_groups(ATTEMPT, settled_in=20.0)
    assert isinstance(planned(of=CONFIRMED, unknowns=(ATTEMPT,), groups=groups, reach={}), actions.Wait)


def waiting_verdict(of: upload.Upload = NEW, **more: Any) -> Verdict | None:  # noqa: ANN401 - the fields of Observed
    """Return what is said while row 10 waits."""
    action = planned(of=of, unknowns=(ATTEMPT,), groups=observations.make_groups(ATTEMPT, settled_in=9.0), **more)
    assert isinstance(action, actions.Wait)
    return action.verdict


def test_row_10_says_what_happened_to_a_post_of_this_process() -> None:
    """Row 10: ServerError says what became of the POST, and that it is looked for first."""
    verdict = waiting_verdict(notes={ATTEMPT.id: "the connection broke."})
    assert verdict == Verdict(
        Reason.SERVER_ERROR,
        "the POST of 2026-02-03T04:05:06Z may or may not have been stored: the connection broke. It is looked for in "
        "SCM before anything is sent again.",
    )


@pytest.mark.parametrize(
    "of", [NEW, builders.make_upload(status=builders.make_status(reason=Reason.THROTTLED))], ids=["new", "throttled"]
)
def test_row_10_says_what_an_earlier_process_left(of: upload.Upload) -> None:
    """Row 10: ResolvingOutcome says which POST is looked for."""
    verdict = waiting_verdict(of)
    assert verdict is not None
    assert verdict.reason is Reason.RESOLVING_OUTCOME
    assert verdict.message.startswith("The POST of 2026-02-03T04:05:06Z")
    assert "was begun by an earlier operator process may have" not in verdict.message  # no sentence


def test_row_10_leaves_a_person_what_to_do() -> None:
    """Row 10: a status that tells a person what to do keeps saying so after a restart."""
    assert waiting_verdict(OUTCOME_UNKNOWN) is None


# Rows 10a and 14: to look it up, and with what


@pytest.mark.parametrize(
    "of",
    [
        change(NEW, scm_name="renamed", generation=2),
        change(NEW, account=accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "own"), generation=2),
        change(NEW, suspend=True),
        change(NEW, adoption_policy=upload.AdoptionPolicy.IF_IDENTICAL),
        builders.make_upload(deletion_policy=table.DELETE, finalizers=()),
        OUTCOME_UNKNOWN,
        builders.make_upload(status=builders.make_status(reason=Reason.REJECTED)),
    ],
    ids=["renamed", "moved", "suspended", "adopting", "without finalizer", "outcome unknown", "rejected"],
)
@pytest.mark.parametrize("account", [table.USABLE, table.ELSEWHERE, table.AT_FAULT, table.MISSING])
def test_an_unknown_is_looked_up_as_it_was_sent(of: upload.Upload, account: observation.AccountView) -> None:
    """Row 10a, counterexample 7: by the attempt's own name and tenant, whatever the resource asks for by now."""
    assert planned(of=of, unknowns=(ATTEMPT,), account=account) == actions.LookUp(ATTEMPT)


def test_row_10a_says_what_is_wrong_with_the_account() -> None:
    """Row 10a: an account that can't be used now is no unknown outcome, even when a person has confirmed."""
    reach = {table.TENANT: table.AT_FAULT}
    assert planned(of=CONFIRMED, unknowns=(ATTEMPT,), reach=reach) == actions.Report(table.FAULT)


def test_row_14_has_no_account_to_look_with() -> None:
    """Row 14: without an account of the attempt's tenant it can't be told; another tenant's doesn't help."""
    verdict = report_of(planned(unknowns=(ATTEMPT,), reach={table.OTHER_TENANT: table.USABLE}))
    assert verdict.reason is Reason.OUTCOME_UNKNOWN
    assert "ClusterScmAccount/default, with which it was sent, is gone or leads elsewhere" in verdict.message


def test_row_14_without_account_is_ended_by_a_person() -> None:
    """Row 14: a person may know it where no account can."""
    assert planned(of=CONFIRMED, unknowns=(ATTEMPT,), reach={}) == actions.WriteConcluded(ATTEMPT)


# Rows 11 to 13: what the look-up answers


@pytest.mark.parametrize("found", [FOUND, looked_up(lookup.Found(ENTRY), of=RIVAL)], ids=["with key", "without"])
def test_row_11_takes_no_entry_that_may_be_a_rivals(found: observation.Answers) -> None:
    """Row 11, counterexample 5: an entry of this name and CSR may be that of a POST with, or without, a key."""
    own = ATTEMPT if ATTEMPT in found.lookups else RIVAL
    groups = observations.make_groups(ATTEMPT, RIVAL)
    verdict = report_of(planned(unknowns=(own,), groups=groups, answers=found))
    assert verdict.reason is Reason.OUTCOME_UNKNOWN
    assert f"entry {ENTRY.scm_id} has that name and CSR, and may hold a private key or not" in verdict.message


def test_row_11_is_ended_by_a_person() -> None:
    """Row 11 is ended as row 14 is: by the annotation, which is written to the status first."""
    groups = observations.make_groups(ATTEMPT, RIVAL)
    action = planned(of=CONFIRMED, unknowns=(ATTEMPT,), groups=groups, answers=FOUND)
    assert action == actions.WriteConcluded(ATTEMPT)


@pytest.mark.parametrize(
    "other",
    [
        TWIN,
        dataclasses.replace(RIVAL, scm_name="another"),
        dataclasses.replace(RIVAL, content_hash=table.OTHER_WANTED.content.hash),
        dataclasses.replace(RIVAL, tenant=builders.make_tenant(endpoint="https://scm.example.com")),
    ],
    ids=["same content", "another name", "another CSR", "another endpoint"],
)
def test_row_12_claims_what_is_found(other: attempt.Attempt) -> None:
    """Row 12: an entry that no rival can have made is claimed, in memory first."""
    groups = observations.make_groups(ATTEMPT, other)
    assert planned(unknowns=(ATTEMPT,), groups=groups, answers=FOUND) == actions.Claim(ENTRY, ATTEMPT)


def test_row_12_claims_what_a_person_said_was_not_there() -> None:
    """Row 12 goes before row 14: an entry that is found is not sent again because somebody overlooked it."""
    assert planned(of=CONFIRMED, unknowns=(ATTEMPT,), answers=FOUND) == actions.Claim(ENTRY, ATTEMPT)


@pytest.mark.parametrize("of", [NEW, change(NEW, suspend=True), OUTCOME_UNKNOWN], ids=["new", "suspended", "unknown"])
def test_row_13_concludes_what_is_surely_absent(of: upload.Upload) -> None:
    """Row 13: a POST that surely wasn't stored is over, and what is wanted is sent again."""
    assert planned(WANTED, of=of, unknowns=(ATTEMPT,), answers=ABSENT) == actions.Conclude(ATTEMPT)


# Row 14: it can't be told


def test_row_14_says_why_and_what_to_do() -> None:
    """Row 14: the message says when, why, which name to look for, and the command that goes on."""
    assert report_of(planned(unknowns=(ATTEMPT,), answers=CANT_TELL)) == Verdict(
        Reason.OUTCOME_UNKNOWN,
        "the POST of 2026-02-03T04:05:06Z may or may not have been stored, and that can't be told: the list is full. "
        "Nothing is sent until it is. Look in SCM for the CSR named 'shop-tls' and delete it there if it exists; then "
        "say so with: kubectl annotate --overwrite cru shop-tls -n shop scm.certops.dev/confirm-upload=5e0f",
    )


def test_row_14_never_cuts_off_what_to_do() -> None:
    """Row 14: the longest names and the longest text of a service leave room for the command."""
    attempt = builders.make_attempt(id="f" * 32, scm_name="n" * 63)
    of = builders.make_upload(namespace="s" * 63, name="r" * 253)
    answers = looked_up(lookup.CantTell("x" * 320), of=attempt)
    verdict = report_of(planned(of=of, unknowns=(attempt,), answers=answers))
    (ready, _) = conditions.conditions_for(verdict, previous=(), generation=1, now=builders.NOW)
    assert ready.message.endswith(attempt.id)


@pytest.mark.parametrize("wanted", [table.NOT_READ, WANTED, table.OTHER_WANTED, table.GONE])
@pytest.mark.parametrize("account", [table.USABLE, table.ELSEWHERE, table.AT_FAULT, table.MISSING])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"generation": 2, "scm_name": "renamed"},
        {"reconcile_requested_at": "2026-02-02"},
        {"suspend": True},
        {"private_key": None},
        {"confirm_upload": "6a1b"},
        {"adoption_policy": upload.AdoptionPolicy.IF_IDENTICAL},
    ],
    ids=["as it was", "renamed", "asked", "suspended", "without key", "another confirmed", "adopting"],
)
def test_row_14_sends_nothing_whatever_is_changed(
    wanted: observation.Reading, account: observation.AccountView, changed: dict[str, object]
) -> None:
    """Row 14: until it is told, nothing is sent for the resource."""
    of = change(NEW, **changed)
    verdict = report_of(planned(wanted, of=of, unknowns=(ATTEMPT,), account=account, answers=CANT_TELL))
    assert verdict.reason is Reason.OUTCOME_UNKNOWN


def test_row_14_writes_what_a_person_confirms_before_it_is_over() -> None:
    """Row 14: a confirmed attempt is concluded only when the status says so; a crash in between asks nobody again."""
    assert planned(of=CONFIRMED, unknowns=(ATTEMPT,), answers=CANT_TELL) == actions.WriteConcluded(ATTEMPT)
    written = change(CONFIRMED, status=upload.Status(concluded_attempt_id=ATTEMPT.id))
    assert planned(of=written, unknowns=(ATTEMPT,), term=2) == actions.Conclude(ATTEMPT)


def test_row_14_confirms_one_attempt_once() -> None:
    """Row 14: an annotation that still stands there confirms no later attempt."""
    later = builders.make_attempt(id="6a1b")
    answers = looked_up(lookup.CantTell("m"), of=later)
    assert report_of(planned(of=CONFIRMED, unknowns=(later,), answers=answers)).reason is Reason.OUTCOME_UNKNOWN
