"""Being deleted: with policy Delete the entries go first, and nothing is ever wedged."""

from typing import Any

import pytest

from scm_operator.domain import actions, attempt, lookup, observation, upload
from scm_operator.domain.reasons import Reason
from tests.support import builders, observations
from tests.unit.domain.rows import table
from tests.unit.domain.rows.table import ATTEMPT, DELETE, WANTED, change, looked_up, planned, report_of

OLD = builders.make_replaced()
LEAVING = builders.make_upload(deleting=True, deletion_policy=DELETE)
DONE = change(LEAVING, status=builders.make_status(history=(OLD,)))
ADOPTED = builders.make_record(origin="Adopted", attempt_id=None)
LOST = attempt.JournalLost(1, builders.NOW)


def without(*scm_ids: str) -> observation.Answers:
    """Make the answers of a pass in which entries were deleted."""
    return observation.Answers(deleted=frozenset(scm_ids))


# Where there is nothing to wait for


@pytest.mark.parametrize("policy", upload.DeletionPolicy)
@pytest.mark.parametrize("finalizers", [(), ("somebody-elses",)], ids=["none", "another's"])
def test_a_deletion_that_does_not_wait_is_left_alone(
    policy: upload.DeletionPolicy, finalizers: tuple[str, ...]
) -> None:
    """Without the operator's finalizer nothing is read, sent or written."""
    of = change(DONE, deletion_policy=policy, finalizers=finalizers)
    assert planned(of=of, unknowns=(ATTEMPT,), term=2, overdue=True) == actions.Nothing()


@pytest.mark.parametrize("unknowns", [(), (ATTEMPT,)], ids=["", "unknown"])
def test_retain_makes_no_call(unknowns: tuple[attempt.Attempt, ...]) -> None:
    """A finalizer that is left over from policy Delete is taken away at once, and the entries stay."""
    of = change(DONE, deletion_policy=upload.DeletionPolicy.RETAIN)
    assert planned(of=of, unknowns=unknowns, term=2) == actions.RemoveFinalizer()


# What comes before


def test_an_attempt_that_was_not_sent_is_concluded_first() -> None:
    """Row 7: a resource that is being deleted sends nothing any more."""
    assert planned(of=LEAVING, memory=table.JOURNALED) == actions.Conclude(ATTEMPT)


def test_an_unknown_outcome_is_resolved_first() -> None:
    """Rows 9 to 13 hold: what a POST of unknown outcome made is to be deleted too."""
    bare = change(DONE, status=upload.Status())
    found = looked_up(lookup.Found(table.ENTRY))
    assert planned(of=bare, unknowns=(ATTEMPT,), term=2) == actions.Fence()
    assert isinstance(
        planned(of=bare, unknowns=(ATTEMPT,), groups=observations.make_groups(ATTEMPT, settled_in=9.0)), actions.Wait
    )
    assert planned(of=bare, unknowns=(ATTEMPT,)) == actions.LookUp(ATTEMPT)
    assert planned(of=bare, unknowns=(ATTEMPT,), answers=found) == actions.Claim(table.ENTRY, ATTEMPT)
    assert planned(of=bare, unknowns=(ATTEMPT,), answers=looked_up(lookup.Absent())) == actions.Conclude(ATTEMPT)


def test_what_is_known_is_deleted_before_what_is_unknown_is_resolved() -> None:
    """An outcome that can't be told keeps no entry from being deleted."""
    assert isinstance(planned(of=DONE, unknowns=(ATTEMPT,), term=2), actions.Delete)


@pytest.mark.parametrize(
    ("reach", "answers"),
    [
        ({}, observation.Answers()),
        ({table.TENANT: table.AT_FAULT}, observation.Answers()),
        ({table.TENANT: table.USABLE}, looked_up(lookup.CantTell("m"))),
    ],
    ids=["no account", "account at fault", "can't tell"],
)
def test_an_outcome_that_stays_unknown_is_what_blocks(reach: object, answers: observation.Answers) -> None:
    """Row 14: what stands in the way of a deletion is told as DeleteBlocked."""
    verdict = report_of(planned(of=LEAVING, unknowns=(ATTEMPT,), reach=reach, answers=answers))
    assert verdict.reason is Reason.DELETE_BLOCKED


def test_a_person_may_confirm_during_a_deletion() -> None:
    """Row 14: the annotation ends an unknown outcome here too."""
    of = change(LEAVING, confirm_upload=ATTEMPT.id)
    answers = looked_up(lookup.CantTell("m"))
    assert planned(of=of, unknowns=(ATTEMPT,), answers=answers) == actions.WriteConcluded(ATTEMPT)


# The entries


def test_the_entries_are_deleted_one_by_one() -> None:
    """The current entry and those of the history are deleted, then the resource may go."""
    assert planned(of=DONE) == actions.Delete(table.RECORD)
    assert planned(of=DONE, answers=without(builders.SCM_ID)) == actions.Delete(OLD.record)
    assert planned(of=DONE, answers=without(builders.SCM_ID, builders.OTHER_SCM_ID)) == actions.RemoveFinalizer()


@pytest.mark.parametrize(
    "changed",
    [
        {"suspend": True},
        {"generation": 2, "scm_name": "renamed"},
        {"reconcile_requested_at": "1"},
        {"adoption_policy": upload.AdoptionPolicy.IF_IDENTICAL},
    ],
    ids=["suspended", "renamed", "asked", "adopting"],
)
@pytest.mark.parametrize("wanted", [table.NOT_READ, WANTED, table.OTHER_WANTED, table.INVALID_READING])
def test_the_entries_are_deleted_whatever_is_wanted(changed: dict[str, object], wanted: observation.Reading) -> None:
    """What a spec asks for doesn't matter any more: nothing is read, renamed or sent."""
    assert planned(wanted, of=change(DONE, **changed), resync=True) == actions.Delete(table.RECORD)


def test_adopted_entries_are_never_deleted() -> None:
    """What somebody else made stays, as the current entry and in the history."""
    old = builders.make_replaced(origin="Adopted", attempt_id=None)
    of = change(LEAVING, status=builders.make_status(record=ADOPTED, history=(old,)))
    assert planned(of=of) == actions.RemoveFinalizer()


def test_recovered_entries_are_deleted() -> None:
    """An entry that was found after its answer was lost is the resource's own."""
    record = builders.make_record(origin="Recovered")
    of = change(LEAVING, status=builders.make_status(record=record))
    assert planned(of=of) == actions.Delete(record)


def test_a_new_resource_goes_at_once() -> None:
    """A resource that never uploaded anything needs no call and no account."""
    assert planned(of=LEAVING, account=table.MISSING, reach={}) == actions.RemoveFinalizer()


def test_an_entry_is_deleted_with_the_account_of_its_tenant() -> None:
    """What the resource's account is by now doesn't matter, if its entry can be reached."""
    assert planned(of=DONE, account=table.MISSING) == actions.Delete(table.RECORD)


@pytest.mark.parametrize(
    ("reach", "why"),
    [
        ({}, "ClusterScmAccount/default, with which it was made, is gone"),
        ({table.TENANT: table.AT_FAULT}, "the token is empty"),
    ],
    ids=["gone", "at fault"],
)
def test_what_blocks_a_deletion_is_told(reach: object, why: str) -> None:
    """DeleteBlocked names the entry and what is in the way, and says how it ends."""
    verdict = report_of(planned(of=DONE, reach=reach))
    assert verdict.reason is Reason.DELETE_BLOCKED
    assert verdict.message == (
        f"entry {builders.SCM_ID} ('shop-tls') can't be deleted in SCM: {why}. If that stays so, this resource is let "
        "go in the end, and the entry stays in SCM."
    )


def test_an_entry_out_of_reach_keeps_no_other_from_being_deleted() -> None:
    """What can be deleted is: otherwise it would be left in SCM when the resource is let go."""
    elsewhere = builders.make_record(tenant=table.OTHER_TENANT)
    of = change(LEAVING, status=builders.make_status(record=elsewhere, history=(OLD,)))
    assert planned(of=of) == actions.Delete(OLD.record)


# What a lost journal may have held


def test_a_lost_journal_is_asked_before_the_resource_goes() -> None:
    """A POST that only the lost journal knew of may have made an entry of what is wanted."""
    assert planned(of=LEAVING, lost=LOST) == actions.ReadSecrets()
    assert isinstance(planned(WANTED, of=LEAVING, lost=LOST), actions.Fence)
    assert planned(table.GONE, of=LEAVING, lost=LOST) == actions.RemoveFinalizer()


# In the end


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"account": table.MISSING, "reach": {}},
        {"reach": {table.TENANT: table.AT_FAULT}},
        {"lost": LOST, "wanted": WANTED},
    ],
    ids=["usable", "no account", "at fault", "journal lost"],
)
def test_a_deletion_that_takes_too_long_is_let_go(more: dict[str, Any]) -> None:
    """Whatever is in the way, the finalizer is taken away in the end, and each id that is left is told."""
    left = (f"{builders.SCM_ID} ('shop-tls')", f"{builders.OTHER_SCM_ID} ('shop-tls')")
    assert planned(of=DONE, overdue=True, **more) == actions.RemoveFinalizer(left)


@pytest.mark.parametrize(
    "more",
    [{"term": 2}, {"groups": observations.make_groups(ATTEMPT, settled_in=9.0)}, {"reach": {}}],
    ids=["unfenced", "unsettled", "can't tell"],
)
def test_an_unknown_outcome_blocks_no_longer_than_that(more: dict[str, Any]) -> None:
    """A POST whose outcome is still unknown is told with its time and name."""
    left = ("whatever the POST of 2026-02-03T04:05:06Z made (named 'shop-tls')",)
    assert planned(of=LEAVING, unknowns=(ATTEMPT,), overdue=True, **more) == actions.RemoveFinalizer(left)


def test_what_was_deleted_or_adopted_is_not_left_behind() -> None:
    """Only the resource's own entries that are still in SCM are told."""
    of = change(LEAVING, status=builders.make_status(record=ADOPTED, history=(OLD,)))
    assert planned(of=of, overdue=True, answers=without(OLD.record.scm_id)) == actions.RemoveFinalizer()


def test_only_a_deletion_is_overdue() -> None:
    """Nothing is let go that nobody deletes."""
    of = change(DONE, deleting=False)
    assert planned(WANTED, of=of, overdue=True, reach={}) == actions.Report(
        table.UPLOADED, secrets=WANTED.secrets, record=table.RECORD
    )
