"""What a status says of the entries: after a success, a rename, a loss, and of those that newer content replaced."""

import dataclasses
import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scm_operator.domain import actions, conditions, observation, ports, report, upload
from scm_operator.domain.attempt import Attempt
from scm_operator.domain.reasons import Reason
from tests.support import builders, observations
from tests.unit.domain import strategies

LATER = builders.NOW + datetime.timedelta(hours=1)
WANTED = builders.make_wanted()
CLAIMED = observations.make_claimed(wanted=WANTED)
NEW = builders.make_upload()
OLD, OLDER = builders.make_replaced(scm_id="2"), builders.make_replaced(scm_id="3")
DELETE, RETAIN = upload.DeletionPolicy.DELETE, upload.DeletionPolicy.RETAIN
DONE = builders.make_upload(
    generation=2, status=builders.make_status(history=(OLD,), term=3, concluded_attempt_id="5e0f")
)
REPLACED = upload.Replaced(dataclasses.replace(builders.make_record(), csr=None), "2026-02-03T05:05:06Z")


def recorded(
    about: upload.Upload,
    wanted: observation.Wanted | None = WANTED,
    *,
    record: upload.Record = CLAIMED.record,
    current: bool = True,
) -> upload.Status:
    """Return the status after a claimed entry was written."""
    return report.recorded(about, actions.WriteRecord(record, current=current, wanted=wanted), now=LATER)


def taken_back(about: upload.Upload, replaced: upload.Replaced, *, verified: bool = True) -> upload.Status:
    """Return the status after an entry of the history was taken back."""
    return report.taken_back(about, actions.TakeBack(replaced, WANTED, verified=verified), now=LATER)


def ready_of(status: upload.Status) -> tuple[str, str, str]:
    """Return status, reason and message of the Ready condition."""
    assert status.ready is not None
    return status.ready.status, status.ready.reason, status.ready.message


def many(count: int, **more: Any) -> tuple[upload.Replaced, ...]:  # noqa: ANN401 - what make_replaced takes
    """Make a history, newest first."""
    return tuple(builders.make_replaced(scm_id=f"old-{number}", **more) for number in range(count))


def ids_of(status: upload.Status) -> list[str]:
    """Return the ids of a status' history."""
    return [old.record.scm_id for old in status.history]


# An entry becomes the current one


def test_a_success_is_recorded_with_what_is_in_the_csr() -> None:
    """The record is what was claimed, and says for people what is in the CSR."""
    assert recorded(NEW).record == dataclasses.replace(CLAIMED.record, csr=builders.make_summary())


def test_a_success_is_ready() -> None:
    """An upload that is recorded is Ready, and the message has the id."""
    message = f"Uploaded to SCM as {builders.OTHER_SCM_ID}."
    assert ready_of(recorded(NEW)) == ("True", "Uploaded", message)


def test_a_success_says_which_attempt_made_it() -> None:
    """Counterexample 3: with the id, the attempt's id is written, so that after a crash it isn't unknown."""
    assert recorded(NEW).concluded_attempts == {builders.make_attempt().id}


def test_a_success_notes_the_versions_that_it_was_made_from() -> None:
    """The versions of the Secrets are those of the content."""
    wanted = builders.make_wanted(secrets=(builders.make_secret(version="2"),))
    assert recorded(DONE, wanted).observed_secrets == wanted.secrets


def test_a_success_echoes_generation_and_request() -> None:
    """A status that records an entry says which spec and which request led to it."""
    status = recorded(builders.make_upload(generation=4, reconcile_requested_at="2026-02-02"))
    assert (status.observed_generation, status.last_handled_reconcile_at) == (4, "2026-02-02")


def test_a_success_keeps_the_name_that_was_sent() -> None:
    """Name, tenant and content are those of the attempt, even if the resource asks for others by now."""
    status = recorded(builders.make_upload(scm_name="renamed"))
    assert status.record is not None
    assert status.record.scm_name == "shop-tls"


def test_the_entry_before_goes_to_the_history() -> None:
    """What newer content replaces is kept, newest first, with the time; people needn't know its CSR any more."""
    status = recorded(DONE)
    assert status.history == (REPLACED, OLD)
    assert "csr" not in status.to_json()["history"][0]


def test_an_entry_that_is_not_known_to_be_wanted_is_recorded_alone() -> None:
    """An id whose content can't be told to be wanted says nothing of Ready, Secrets or generation."""
    failed = builders.make_status(reason=Reason.INVALID_CSR, message="m", history=(OLD,), generation=1)
    about = builders.make_upload(generation=2, status=failed)
    assert recorded(about, None) == dataclasses.replace(failed, record=CLAIMED.record)


@pytest.mark.parametrize("wanted", [WANTED, None], ids=["wanted", "not wanted"])
def test_an_entry_may_go_straight_to_the_history(wanted: observation.Wanted | None) -> None:
    """An id that isn't to be current is kept in front of the history, and nothing else changes."""
    status = recorded(DONE, wanted, current=False)
    expected = upload.Replaced(CLAIMED.record, "2026-02-03T05:05:06Z")
    assert status == dataclasses.replace(DONE.status, history=(expected, OLD))


@pytest.mark.parametrize("current", [True, False], ids=["current", "history"])
def test_term_and_concluded_attempt_stay(current: bool) -> None:  # noqa: FBT001 - a column of the table
    """What isn't about the entries is left alone; the term is written by who writes."""
    for status in (recorded(DONE, current=current), taken_back(DONE, OLD)):
        assert (status.term, status.concluded_attempt_id) == (3, "5e0f")


# The history's length


def test_the_history_has_ten_entries() -> None:
    """With policy Retain the oldest beyond ten are forgotten; they stay in SCM."""
    about = builders.make_upload(status=builders.make_status(history=many(10)))
    assert ids_of(recorded(about)) == [builders.SCM_ID, *(f"old-{number}" for number in range(9))]
    assert ids_of(recorded(about, current=False)) == [builders.OTHER_SCM_ID, *(f"old-{number}" for number in range(9))]


def test_nine_entries_have_room_for_one_more() -> None:
    """Ten is ten."""
    about = builders.make_upload(status=builders.make_status(history=many(9)))
    assert len(recorded(about).history) == 10


def test_what_is_to_be_deleted_is_never_forgotten() -> None:
    """With policy Delete every entry is kept until it is deleted, however many there are."""
    about = builders.make_upload(deletion_policy=DELETE, status=builders.make_status(history=many(15)))
    assert len(recorded(about).history) == 16


def test_what_is_being_deleted_is_never_forgotten() -> None:
    """An entry whose DELETE was begun is kept, though the policy is Retain by now."""
    marked = builders.make_replaced(scm_id="marked", deleting=True)
    about = builders.make_upload(status=builders.make_status(history=(*many(12), marked)))
    assert ids_of(recorded(about))[9:] == ["old-8", "marked"]


def test_what_others_made_is_forgotten() -> None:
    """With policy Delete too, adopted entries beyond ten are forgotten: they are never deleted."""
    status = builders.make_status(history=many(12, origin="Adopted", attempt_id=None))
    assert len(recorded(builders.make_upload(deletion_policy=DELETE, status=status)).history) == 10


# Taken back


def test_an_entry_is_taken_back() -> None:
    """The entry of older content becomes the current one again, and changes places with the one before."""
    about = builders.make_upload(generation=2, status=builders.make_status(history=(OLD, OLDER)))
    status = taken_back(about, OLDER)
    assert status.record == dataclasses.replace(OLDER.record, csr=builders.make_summary())
    assert status.history == (REPLACED, OLD)
    assert (status.observed_generation, status.observed_secrets) == (2, WANTED.secrets)
    assert ready_of(status) == ("True", "Uploaded", "Uploaded to SCM as 3.")


def test_an_entry_that_may_not_be_looked_at_is_taken_back_and_says_so() -> None:
    """Without the permission to look, the message says that it wasn't verified."""
    message = "Uploaded to SCM as 2. That SCM still has it was not verified: no permission."
    assert ready_of(taken_back(DONE, OLD, verified=False)) == ("True", "Uploaded", message)


def test_an_entry_is_taken_back_where_none_is_current() -> None:
    """After the current entry was found gone, nothing goes to the history."""
    status = builders.make_status(reason=Reason.ENTRY_MISSING, history=(OLD, OLDER))
    assert taken_back(builders.make_upload(status=status), OLD).history == (OLDER,)


@given(strategies.uploads(), st.booleans())
def test_no_entry_is_lost_or_doubled(about: upload.Upload, current: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever is written, each id that was in the status still is, once, and the new one is there."""
    before = [record.scm_id for record in about.status.records]
    after = recorded(about, record=builders.make_record(scm_id="new"), current=current)
    expected = ["new", *before] if current or not about.status.record else [before[0], "new", *before[1:]]
    assert [record.scm_id for record in after.records] == expected
    for old in about.status.history:
        back = [record.scm_id for record in taken_back(about, old).records]
        assert sorted(back) == sorted(before)
        assert back[0] == old.record.scm_id


# Renamed, gone, deleted


def test_a_rename_changes_the_name_alone() -> None:
    """The entry is the same under its new name, and the upload is Ready."""
    about = dataclasses.replace(DONE, scm_name="renamed")
    status = report.renamed(about, builders.make_record(), now=LATER)
    assert (status.record, status.history) == (builders.make_record(scm_name="renamed"), (OLD,))
    assert (ready_of(status)[:2], status.observed_generation) == (("True", "Uploaded"), 2)
    assert status.observed_secrets == (builders.make_secret(),)


def test_a_lost_entry_is_taken_out() -> None:
    """The id of an entry that is gone doesn't stay, not even in the history; EntryMissing names it."""
    status = report.without_record(DONE, builders.make_record(), now=LATER)
    assert (status.record, status.history, status.observed_generation) == (None, (OLD,), 2)
    assert ready_of(status) == (
        "False",
        "EntryMissing",
        f"Entry {builders.SCM_ID} ('shop-tls') is not in SCM any more; what is wanted is uploaded anew.",
    )
    assert "scmID" not in status.to_json()


def test_an_entry_is_taken_out_of_the_history() -> None:
    """An old entry that is gone, or was deleted, is forgotten; nothing else changes."""
    about = builders.make_upload(status=builders.make_status(history=(OLD, OLDER)))
    assert report.without_replaced(about, "2") == dataclasses.replace(about.status, history=(OLDER,))


def test_an_entry_is_marked_before_it_is_deleted() -> None:
    """Only the entry that is going to be deleted is marked; nothing else changes."""
    about = builders.make_upload(status=builders.make_status(history=(OLD, OLDER)))
    marked = dataclasses.replace(OLDER, deleting=True)
    assert report.marked_deleting(about, "3") == dataclasses.replace(about.status, history=(OLD, marked))


def test_that_an_attempt_is_over_is_written_alone() -> None:
    """A concluded attempt changes neither what is Ready nor which generation was looked at."""
    assert report.concluded(DONE, "6a1b") == dataclasses.replace(DONE.status, concluded_attempt_id="6a1b")


# Found by a look-up

ENTRY = builders.make_entry()


@pytest.mark.parametrize(
    ("attempt", "origin", "attempt_id"),
    [(builders.make_attempt(), "Recovered", "5e0f"), (None, "Adopted", None)],
    ids=["recovered", "adopted"],
)
def test_a_found_entry_says_where_it_comes_from(attempt: Attempt | None, origin: str, attempt_id: str | None) -> None:
    """An entry that is found for an attempt is recovered, by that attempt; any other one is adopted."""
    record = report.claimed_record(
        actions.Claim(ENTRY, attempt),
        scm_name="a-name",
        content_hash="sha256:ab",
        account=builders.CLUSTER_DEFAULT,
        tenant=builders.make_tenant(),
    )
    assert record == upload.Record(
        scm_id=ENTRY.scm_id,
        scm_name="a-name",
        create_time="2026-02-03T04:05:06.000Z",
        origin=origin,
        account=builders.CLUSTER_DEFAULT,
        tenant=builders.make_tenant(),
        content_hash="sha256:ab",
        attempt_id=attempt_id,
    )


# What is never told


def test_no_content_is_in_a_status() -> None:
    """Neither the CSR nor the key is in what is written after a success."""
    wanted = builders.make_wanted(builders.make_content(csr_pem="a-canary-csr", private_key_pem="a-canary-key"))
    back = report.taken_back(DONE, actions.TakeBack(OLD, wanted, verified=True), now=LATER)
    assert "canary" not in f"{recorded(NEW, wanted).to_json()} {back.to_json()}"


def test_no_content_is_in_a_repr() -> None:
    """What is logged of an observation or a step by mistake holds neither a Secret's bytes nor a CSR or key."""
    wanted = builders.make_wanted(builders.make_content(csr_pem="a-canary-csr", private_key_pem="a-canary-key"))
    journaled = observations.make_journaled(wanted=wanted)
    claimed = observations.make_claimed(wanted=wanted)
    secret = ports.Secret(builders.make_secret(), {"tls.key": b"a-canary-key"})
    steps = (actions.Post(builders.make_attempt(), wanted), actions.TakeBack(OLD, wanted, verified=True))
    seen = [observations.make_observed(wanted, memory=memory) for memory in (journaled, claimed)]
    assert "canary" not in repr((seen, secret, steps))


def test_what_was_taken_back_has_its_time() -> None:
    """Ready that was False is Ready since now."""
    failed = builders.make_status(reason=Reason.THROTTLED, record=builders.make_record(), history=(OLD,))
    status = taken_back(builders.make_upload(status=failed), OLD)
    assert status.ready is not None
    assert status.ready.last_transition_time == conditions.timestamp(LATER)
