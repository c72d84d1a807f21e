"""Rows 1 to 8: what this process has begun comes before anything else."""

import dataclasses

import pytest

from scm_operator.domain import account as accounts
from scm_operator.domain import actions, observation, upload
from scm_operator.domain.reasons import Reason
from tests.support import builders, observations
from tests.unit.domain.rows import table
from tests.unit.domain.rows.table import ATTEMPT, CLAIMED, DONE, IN_FLIGHT, JOURNALED, NEW, WANTED, change, planned

NEWER = (builders.make_secret(version="2"),)
FOUND = observations.make_claimed()
KEPT_ID = observations.make_claimed(wanted=WANTED, scm_id=builders.SCM_ID)

whatever_it_is = pytest.mark.parametrize(
    "of",
    [
        change(NEW, suspend=True),
        change(NEW, scm_name="renamed"),
        builders.make_upload(deletion_policy=table.DELETE, finalizers=()),
        builders.make_upload(status=builders.make_status(reason=Reason.OUTCOME_UNKNOWN, secrets=())),
    ],
    ids=["suspended", "renamed", "without finalizer", "outcome unknown"],
)


# Row 1: not leading


@pytest.mark.parametrize("memory", [None, JOURNALED, IN_FLIGHT, CLAIMED], ids=["none", "journaled", "sent", "claimed"])
@pytest.mark.parametrize("of", [NEW, DONE, change(DONE, deleting=True)], ids=["new", "done", "deleting"])
def test_row_1_stops_all_that_is_not_leading(memory: observation.Remembered | None, of: upload.Upload) -> None:
    """Row 1: a process that doesn't hold the Lease does nothing at all, not even write an id."""
    assert planned(WANTED, of=of, memory=memory, leads=False) == actions.Stop()


# Row 3: a POST is under way


@pytest.mark.parametrize("of", [NEW, DONE, change(NEW, deleting=True), change(NEW, suspend=True)])
def test_row_3_waits_for_the_end_of_a_post(of: upload.Upload) -> None:
    """Row 3: while a POST of the resource is under way nothing else is done for it."""
    assert planned(table.OTHER_WANTED, of=of, memory=IN_FLIGHT) == actions.Nothing()


# Row 5: it is written already


@pytest.mark.parametrize(
    "of",
    [
        builders.make_upload(status=builders.make_status(record=CLAIMED.record)),
        table.with_history(builders.make_replaced(scm_id=CLAIMED.record.scm_id)),
        builders.make_upload(status=builders.make_status(record=CLAIMED.record), deleting=True),
    ],
    ids=["current", "history", "deleting"],
)
def test_row_5_concludes_an_id_that_is_recorded(of: upload.Upload) -> None:
    """Row 5: once the id is in the status, the attempt is over."""
    assert planned(of=of, memory=CLAIMED) == actions.Conclude(ATTEMPT)


def test_row_5_forgets_an_adopted_id_that_is_recorded() -> None:
    """Row 5: an adopted entry has no attempt that could be concluded; only memory lets it go."""
    memory = observation.Claimed(NEW, builders.make_record(origin="Adopted", attempt_id=None), None, WANTED)
    assert planned(of=DONE, memory=memory) == actions.Conclude(None)


@pytest.mark.parametrize(
    "status",
    [
        builders.make_status(record=builders.make_record(attempt_id=ATTEMPT.id)),
        builders.make_status(history=(builders.make_replaced(attempt_id=ATTEMPT.id),)),
        builders.make_status(concluded_attempt_id=ATTEMPT.id),
    ],
    ids=["current", "history", "confirmed"],
)
def test_row_5_concludes_an_attempt_whose_end_is_written(status: upload.Status) -> None:
    """Row 5, counterexample 3: an attempt whose id a status has isn't unknown, though a crash left it in the journal.

    Were it looked up, it would take the entry of its twin.
    """
    of = builders.make_upload(status=status)
    assert planned(of=of, unknowns=(ATTEMPT,), term=2) == actions.Conclude(ATTEMPT)


def test_row_5_concludes_none_but_what_is_written() -> None:
    """Row 5: of two attempts in the journal only the one that is recorded is over."""
    of = builders.make_upload(status=builders.make_status(concluded_attempt_id=ATTEMPT.id))
    other = builders.make_attempt(id="6a1b")
    assert planned(of=of, unknowns=(other, ATTEMPT)) == actions.Conclude(ATTEMPT)
    assert planned(of=of, unknowns=(other,)) == actions.LookUp(other)


# Row 6: an id in memory


@whatever_it_is
@pytest.mark.parametrize("account", [table.USABLE, table.AT_FAULT, table.MISSING], ids=["usable", "fault", "gone"])
def test_row_6_writes_an_id_whatever_the_resource_is_by_now(
    of: upload.Upload, account: observation.AccountView
) -> None:
    """Row 6: no change of the resource and no trouble with the account loses an id."""
    assert planned(table.INVALID_READING, of=of, memory=CLAIMED, account=account) == actions.WriteRecord(
        CLAIMED.record, current=True, wanted=None
    )


def test_row_6_writes_what_is_wanted_as_the_current_record() -> None:
    """Row 6: the first entry of a resource becomes its current record."""
    assert planned(WANTED, memory=FOUND) == actions.WriteRecord(FOUND.record, current=True, wanted=WANTED)


def test_row_6_writes_what_is_wanted_in_place_of_older_content() -> None:
    """Row 6: an entry of the wanted content takes the place of one of other content."""
    older = builders.make_record(content_hash=table.OTHER_WANTED.content.hash)
    of = builders.make_upload(status=builders.make_status(record=older))
    assert planned(WANTED, of=of, memory=CLAIMED) == actions.WriteRecord(CLAIMED.record, current=True, wanted=WANTED)


def test_row_6_writes_what_is_wanted_in_place_of_another_tenants() -> None:
    """Row 6: the same content is not held where its entry is another tenant's."""
    elsewhere = builders.make_record(tenant=table.OTHER_TENANT)
    of = builders.make_upload(status=builders.make_status(record=elsewhere))
    assert planned(WANTED, of=of, memory=CLAIMED) == actions.WriteRecord(CLAIMED.record, current=True, wanted=WANTED)


def test_row_6_writes_into_the_history_what_is_held_already() -> None:
    """Row 6: a second entry of the content that is held is kept in the history, so that it isn't lost."""
    assert planned(WANTED, of=DONE, memory=CLAIMED) == actions.WriteRecord(CLAIMED.record, current=False, wanted=WANTED)


@pytest.mark.parametrize(
    ("wanted", "account"),
    [
        (table.OTHER_WANTED, table.USABLE),
        (builders.make_wanted(table.WITHOUT_KEY), table.USABLE),
        (WANTED, table.ELSEWHERE),
        (table.INVALID_READING, table.USABLE),
        (table.GONE, table.USABLE),
    ],
    ids=["content", "key", "tenant", "invalid", "gone"],
)
@pytest.mark.parametrize("of", [NEW, DONE], ids=["new", "done"])
def test_row_6_writes_what_is_not_wanted_where_there_is_room(
    wanted: observation.Reading, account: observation.AccountView, of: upload.Upload
) -> None:
    """Row 6: an entry that isn't wanted any more, or not known to be, is current only if nothing else is."""
    current = of.status.record is None
    assert planned(wanted, of=of, memory=CLAIMED, account=account) == actions.WriteRecord(
        CLAIMED.record, current=current, wanted=None
    )


@pytest.mark.parametrize("of", [NEW, DONE], ids=["new", "done"])
def test_row_6_reads_nothing_for_a_resource_that_is_being_deleted(of: upload.Upload) -> None:
    """Row 6: an id is written before the deletion goes on, and what is wanted doesn't matter for it any more."""
    of = change(of, deleting=True, deletion_policy=table.DELETE, finalizers=(upload.FINALIZER,))
    current = of.status.record is None
    expected = actions.WriteRecord(CLAIMED.record, current=current, wanted=None)
    assert planned(of=of, memory=CLAIMED, overdue=True) == expected


def test_row_6_reads_no_secret_again_that_is_as_it_was() -> None:
    """Row 6: an answer is written with what was sent, without another read."""
    assert planned(memory=CLAIMED) == actions.WriteRecord(CLAIMED.record, current=True, wanted=WANTED)


@pytest.mark.parametrize(
    ("of", "seen", "memory"),
    [
        (change(NEW, generation=2), None, CLAIMED),
        (NEW, NEWER, CLAIMED),
        (NEW, (None,), CLAIMED),
        (NEW, None, FOUND),
    ],
    ids=["edited", "Secret changed", "Secret gone", "found by look-up"],
)
def test_row_6_reads_what_may_have_changed(
    of: upload.Upload, seen: tuple[upload.ObservedSecret | None, ...] | None, memory: observation.Claimed
) -> None:
    """Row 6: whether an id is of the wanted content has to be read where the answer isn't known."""
    assert planned(of=of, seen=seen, memory=memory) == actions.ReadSecrets()


# Row 7: journaled, and not to be sent


@pytest.mark.parametrize(
    "of",
    [
        change(NEW, deleting=True),
        change(NEW, suspend=True),
        change(NEW, scm_name="renamed", generation=2),
        change(NEW, generation=2, private_key=None),
        change(NEW, generation=2, csr=accounts.SecretKey("other", "a"), private_key=accounts.SecretKey("other", "b")),
    ],
    ids=["deleting", "suspended", "renamed", "without key", "another Secret"],
)
def test_row_7_concludes_what_is_not_wanted_any_more(of: upload.Upload) -> None:
    """Row 7: a resource that changed meanwhile concludes the attempt as never sent."""
    assert planned(of=of, memory=JOURNALED) == actions.Conclude(ATTEMPT)


@pytest.mark.parametrize(
    "seen", [NEWER, (builders.make_secret(uid="another"),), (None,)], ids=["changed", "re-created", "gone"]
)
def test_row_7_concludes_what_is_of_an_older_secret(seen: tuple[upload.ObservedSecret | None, ...]) -> None:
    """Row 7: a Secret that changed meanwhile concludes the attempt as never sent."""
    assert planned(memory=JOURNALED, seen=seen) == actions.Conclude(ATTEMPT)


@pytest.mark.parametrize("account", [table.ELSEWHERE, table.AT_FAULT, table.MISSING], ids=["other", "fault", "gone"])
def test_row_7_concludes_what_is_for_another_account(account: observation.AccountView) -> None:
    """Row 7: an account that changed or fell away meanwhile concludes the attempt as never sent."""
    assert planned(memory=JOURNALED, account=account) == actions.Conclude(ATTEMPT)


@pytest.mark.parametrize(("now", "sent"), [(14.9, True), (15.0, False), (40.0, False)])
def test_row_7_concludes_what_would_be_sent_too_late(now: float, sent: bool) -> None:  # noqa: FBT001 - a column of the table
    """Row 7: a POST is only begun while half of its deadline is left, so that it ends when others count on it."""
    expected = actions.Post(ATTEMPT, WANTED) if sent else actions.Conclude(ATTEMPT)
    assert planned(memory=JOURNALED, now=now) == expected


# Row 8: journaled, and to be sent


@pytest.mark.parametrize("wanted", [table.NOT_READ, table.OTHER_WANTED, table.GONE], ids=["unread", "other", "gone"])
def test_row_8_sends_the_bytes_that_were_hashed(wanted: observation.Reading) -> None:
    """Row 8: an attempt that stands in the journal is sent with its own content, without another read."""
    assert planned(wanted, memory=JOURNALED) == actions.Post(ATTEMPT, WANTED)


def test_row_8_waits_while_its_group_is_looked_at() -> None:
    """Row 8, counterexample 8: nothing is sent while a look-up could take the new entry for a twin's."""
    groups = observations.make_groups(ATTEMPT, table.TWIN, looking_up=True)
    action = planned(memory=JOURNALED, groups=groups)
    assert isinstance(action, actions.Wait)
    assert (0 < action.after <= 1, action.verdict) == (True, None)


def test_row_8_waits_for_no_look_up_of_another_group() -> None:
    """Row 8: what another CSR's look-up finds can't be mistaken for this one."""
    other = builders.make_attempt(id="9", content_hash=table.OTHER_WANTED.content.hash)
    groups = observations.make_groups(other, looking_up=True)
    assert planned(memory=JOURNALED, groups=groups) == actions.Post(ATTEMPT, WANTED)


def test_row_8_waits_for_no_twin_to_settle() -> None:
    """Row 8: two resources with the same name and CSR are sent side by side; only look-ups wait."""
    groups = observations.make_groups(ATTEMPT, table.TWIN, settled_in=20.0)
    assert planned(memory=JOURNALED, groups=groups) == actions.Post(ATTEMPT, WANTED)


def test_row_7_goes_before_row_8() -> None:
    """Row 7: what isn't wanted any more is concluded at once, whatever is looked up meanwhile."""
    groups = observations.make_groups(ATTEMPT, looking_up=True)
    assert planned(of=change(NEW, suspend=True), memory=JOURNALED, groups=groups) == actions.Conclude(ATTEMPT)


def test_an_id_goes_before_all_that_is_unknown() -> None:
    """Row 6: an id is written before an unknown outcome of the same resource is looked at."""
    other = builders.make_attempt(id="6a1b", term=0)
    memory = dataclasses.replace(KEPT_ID, record=dataclasses.replace(KEPT_ID.record, scm_id="e" * 32))
    assert isinstance(planned(memory=memory, unknowns=(other,)), actions.WriteRecord)
