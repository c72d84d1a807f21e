"""The whole decision table: what holds whatever is observed; each row has its own tests in rows/."""

import dataclasses
import datetime

import pytest
from hypothesis import given, settings

from scm_operator.domain import actions, attempt, lookup, observation, plan, report, status
from scm_operator.domain.conditions import TRUE
from scm_operator.domain.reasons import Reason
from scm_operator.domain.rows import unknown
from tests.support import builders, observations
from tests.unit.domain import situations

whatever_is_observed = given(situations.situations())
often = settings(max_examples=100)


def open_unknowns(observed: observation.Observed) -> list[attempt.Attempt]:
    """Return the attempts whose end isn't written."""
    return [one for one in observed.unknowns if one.id not in observed.upload.status.concluded_attempts]


@whatever_is_observed
@often
def test_the_table_has_an_answer_to_everything(observed: observation.Observed) -> None:
    """Whatever is observed, something has to be done, and it is always the same."""
    assert isinstance(plan.plan(observed), actions.Action)
    assert plan.plan(observed) == plan.plan(observed)


@whatever_is_observed
@often
def test_only_the_leader_does_anything(observed: observation.Observed) -> None:
    """A process stops exactly where it doesn't hold the Lease."""
    assert (plan.plan(observed) == actions.Stop()) is not observed.leads


@whatever_is_observed
@often
def test_only_a_journaled_attempt_that_is_still_wanted_is_sent(observed: observation.Observed) -> None:
    """A POST is the attempt in the journal, for the name, account and content that the resource asks for now."""
    action, wanting = plan.plan(observed), observed.upload
    if not isinstance(action, actions.Post):
        return
    assert isinstance(observed.memory, observation.Journaled)
    assert (action.attempt, action.wanted) == (observed.memory.attempt, observed.memory.wanted)
    assert (wanting.deleting, wanting.suspend, observed.account.fault) == (False, False, None)
    assert (observed.memory.generation, action.attempt.tenant) == (wanting.generation, observed.account.tenant)
    assert action.wanted.secrets == observed.seen
    assert not observed.group(action.attempt.group).looking_up


@whatever_is_observed
@often
def test_a_call_is_begun_only_where_it_may_be(observed: observation.Observed) -> None:
    """Nothing is begun in the dark: no memory, nothing unknown, not suspended, not deleting, a usable account."""
    action, wanting = plan.plan(observed), observed.upload
    if isinstance(action, actions.Journal | actions.Rename | actions.LookForAdoption | actions.TakeBack):
        assert observed.memory is None
        assert open_unknowns(observed) == []
        assert (wanting.deleting, wanting.suspend, observed.account.fault) == (False, False, None)
        assert wanting.has_finalizer == wanting.deletes_entries


@whatever_is_observed
@often
def test_nothing_is_sent_before_what_was_lost_is_resolved(observed: observation.Observed) -> None:
    """While a lost journal's attempt stands open nothing is journaled, whatever the adoption policy."""
    if isinstance(plan.plan(observed), actions.Journal):
        assert unknown.unknown_of(observed) is None


@whatever_is_observed
@often
def test_what_is_recorded_is_never_sent_again(observed: observation.Observed) -> None:
    """An attempt is journaled for the content that was read, and only if no record is of it in this tenant."""
    action = plan.plan(observed)
    if isinstance(action, actions.Journal):
        assert (action.wanted, action.tenant) == (observed.wanted, observed.account.tenant)
        for record in observed.upload.status.records:
            assert record.content_hash != action.wanted.content.hash or not record.tenant.same_as(action.tenant)


@whatever_is_observed
@often
def test_nothing_is_sent_beside_a_rival(observed: observation.Observed) -> None:
    """While a POST of the same name and CSR with other content is unresolved, none is journaled."""
    action = plan.plan(observed)
    if isinstance(action, actions.Journal):
        group = observed.group(attempt.group_of(action.tenant, action.wanted.content.hash))
        same_name = [one for one in group.attempts if one.scm_name == observed.upload.scm_name]
        assert {one.content_hash for one in same_name} <= {action.wanted.content.hash}


@whatever_is_observed
@often
def test_only_its_own_entries_are_deleted(observed: observation.Observed) -> None:
    """A DELETE is of an entry that the resource has and made, and that it doesn't want to keep."""
    action, wanting = plan.plan(observed), observed.upload
    if isinstance(action, actions.Delete | actions.MarkDeleting):
        assert action.record in wanting.status.records
        marked = [old.record for old in wanting.status.history if old.deleting]
        assert action.record.origin != status.Origin.ADOPTED
        assert wanting.deletes_entries or action.record in marked
        assert wanting.deleting or action.record != wanting.status.record


@whatever_is_observed
@often
def test_an_id_is_never_forgotten(observed: observation.Observed) -> None:
    """An id in memory is written until the status has it; nothing that takes time comes first."""
    memory, action = observed.memory, plan.plan(observed)
    if not isinstance(memory, observation.Claimed) or not observed.leads:
        return
    known = {record.scm_id for record in observed.upload.status.records}
    if memory.record.scm_id in known:
        assert action == actions.Conclude(memory.attempt)
    else:
        assert isinstance(action, actions.WriteRecord | actions.ReadSecrets)
        assert not isinstance(action, actions.WriteRecord) or action.record == memory.record


@whatever_is_observed
@often
def test_an_unknown_outcome_is_never_forgotten(observed: observation.Observed) -> None:
    """An attempt of unknown outcome is over only by an answer, a record, or a person's word."""
    action = plan.plan(observed)
    if not isinstance(action, actions.Conclude) or action.attempt not in observed.unknowns:
        return
    answer = observed.answers.lookups.get(action.attempt)
    assert action.attempt not in open_unknowns(observed) or isinstance(answer, lookup.Absent)


@whatever_is_observed
@often
def test_a_person_confirms_only_what_was_asked(observed: observation.Observed) -> None:
    """What is written as concluded was confirmed by its id, or stood for a lost journal's attempt."""
    action = plan.plan(observed)
    if isinstance(action, actions.WriteConcluded):
        assert action.attempt.id in {observed.upload.confirm_upload, situations.LOST.attempt_id}


@whatever_is_observed
@often
def test_nothing_is_done_only_when_all_is_done(observed: observation.Observed) -> None:
    """Nothing left to do means: sent, deleted, many gone, or Ready or rejected for this very spec."""
    wanting, ready = observed.upload, observed.upload.status.ready
    if plan.plan(observed) != actions.Nothing() or isinstance(observed.memory, observation.InFlight):
        return
    assert observed.memory is None
    if not wanting.deleting and observed.missing is None:
        assert ready is not None
        assert ready.status == TRUE or ready.reason == Reason.REJECTED
        assert (wanting.status.observed_generation, wanting.reconcile_requested) == (wanting.generation, False)


@whatever_is_observed
@often
def test_ready_is_said_only_of_what_is_recorded(observed: observation.Observed) -> None:
    """Uploaded is the verdict only with a record, and no report exchanges the entry that is recorded."""
    action, record = plan.plan(observed), observed.upload.status.record
    if isinstance(action, actions.Report):
        assert record is not None or action.verdict.reason != Reason.UPLOADED
        assert action.record is None or action.record.scm_id == (record and record.scm_id)


@whatever_is_observed
@often
def test_what_was_asked_is_not_asked_again(observed: observation.Observed) -> None:
    """What was read or looked up in this pass isn't again, so a pass comes to an end."""
    match plan.plan(observed):
        case actions.ReadSecrets():
            assert isinstance(observed.wanted, observation.NotRead)
        case actions.LookUp(one):
            assert one not in observed.answers.lookups
        case actions.LookForAdoption():
            assert observed.answers.adoption is None
        case actions.Delete(record) if observed.upload.deleting:
            assert record.scm_id not in observed.answers.deleted
        case actions.Fence():
            assert observed.upload.status.term < observed.term


@whatever_is_observed
@often
def test_a_report_stands_when_it_is_written(observed: observation.Observed) -> None:
    """After a report, the same observation leads to no second write."""
    action = plan.plan(observed)
    if not isinstance(action, actions.Report):
        return
    written = reported(observed, action, now=builders.NOW)
    after = dataclasses.replace(observed, upload=dataclasses.replace(observed.upload, status=written))
    again = plan.plan(after)
    if again != actions.Nothing():
        assert isinstance(again, actions.Report)
        assert reported(after, again, now=builders.NOW + datetime.timedelta(hours=1)) == written


def reported(observed: observation.Observed, action: actions.Report, *, now: datetime.datetime) -> status.Status:
    """Return the status that a report leads to."""
    return report.reported(observed.upload, action.verdict, secrets=action.secrets, record=action.record, now=now)


def test_the_last_row_answers_everything() -> None:
    """A table without its last row is no table."""
    with pytest.raises(AssertionError, match="the last row answers everything"):
        plan.plan(observations.make_observed(), rows=())


# What is left of a step when the process ends

CLAIMED = observations.make_claimed()
ATTEMPT = builders.make_attempt()


@pytest.mark.parametrize(
    "action",
    [
        actions.Conclude(ATTEMPT),
        actions.WriteRecord(CLAIMED.record, current=True, wanted=None),
        actions.Report(situations.FAULTS[0]),
        actions.Stop(),
        actions.Nothing(),
    ],
    ids=lambda action: type(action).__name__,
)
def test_what_was_begun_is_written_at_the_end(action: actions.Action) -> None:
    """A process that ends still writes what it knows."""
    assert plan.ending(action, memory=None) == action


def test_what_was_not_sent_is_concluded_at_the_end() -> None:
    """An attempt that wasn't sent leaves the journal, so that the next leader needn't look for it."""
    assert plan.ending(actions.Post(ATTEMPT, builders.make_wanted()), memory=None) == actions.Conclude(ATTEMPT)


def test_secrets_are_read_at_the_end_for_an_id_only() -> None:
    """A process that ends reads only to know where an id belongs."""
    assert plan.ending(actions.ReadSecrets(), memory=CLAIMED) == actions.ReadSecrets()
    assert plan.ending(actions.ReadSecrets(), memory=None) == actions.Nothing()


@whatever_is_observed
@often
def test_nothing_is_begun_at_the_end(observed: observation.Observed) -> None:
    """A process that ends makes no call to SCM any more, and unknown attempts stay for the next leader."""
    ended = plan.ending(plan.plan(observed), memory=observed.memory)
    assert isinstance(
        ended,
        actions.Conclude | actions.WriteRecord | actions.Report | actions.ReadSecrets | actions.Stop | actions.Nothing,
    )
