"""What stands for the attempts of a journal that was lost: as an unknown of an earlier term, one a resource."""

import dataclasses
import datetime

import pytest

from scm_operator.domain import actions, attempt, lookup, upload
from scm_operator.domain.reasons import Reason
from tests.support import builders
from tests.unit.domain.rows import table
from tests.unit.domain.rows.table import ENTRY, NEW, WANTED, change, looked_up, planned, report_of

LOST = attempt.JournalLost(4, builders.NOW)
STAND_IN = builders.make_attempt(id="lost-4", at=NEW.created, term=3)
FENCED = change(NEW, status=upload.Status(term=4))


def test_the_secrets_are_read_first() -> None:
    """What the lost journal may have held is told by what is wanted, which has to be read."""
    assert planned(lost=LOST, term=4) == actions.ReadSecrets()


def test_row_9_fences_for_a_stand_in() -> None:
    """Row 9: the leader that lost the journal may have left a late write as well."""
    assert planned(WANTED, lost=LOST, term=4) == actions.Fence()


def test_row_10_waits_for_an_earlier_leaders_posts() -> None:
    """Row 10: until nothing of an earlier term can be stored any more, nothing is looked up."""
    action = planned(WANTED, of=FENCED, lost=LOST, term=4, earlier_settled_in=20.0)
    assert isinstance(action, actions.Wait)
    assert action.after == 20.0
    assert action.verdict is not None
    assert action.verdict.reason is Reason.RESOLVING_OUTCOME
    assert action.verdict.message.startswith("CSR 'shop-tls' may have been sent before the journal was lost.")


def test_a_stand_in_is_looked_up_under_the_wanted_name() -> None:
    """A stand-in has the wanted name and content, and the time when the resource was created."""
    reach = {table.TENANT: table.USABLE}
    assert planned(WANTED, of=FENCED, lost=LOST, term=4, reach=reach) == actions.LookUp(STAND_IN)


def test_a_stand_in_is_looked_up_in_later_terms_too() -> None:
    """That the journal was lost is known until each resource has an answer, over any number of restarts."""
    of = change(NEW, status=upload.Status(term=7))
    assert planned(WANTED, of=of, lost=LOST, term=7) == actions.LookUp(STAND_IN)


def test_row_12_claims_the_entry_of_a_stand_in() -> None:
    """Row 12: an entry that is found is the resource's, and its record says so."""
    answers = looked_up(lookup.Found(ENTRY), of=STAND_IN)
    assert planned(WANTED, of=FENCED, lost=LOST, term=4, answers=answers) == actions.Claim(ENTRY, STAND_IN)


def test_row_13_writes_that_there_is_none() -> None:
    """Row 13: that nothing was stored is written to the status before anything is sent."""
    answers = looked_up(lookup.Absent(), of=STAND_IN)
    assert planned(WANTED, of=FENCED, lost=LOST, term=4, answers=answers) == actions.WriteConcluded(STAND_IN)


def test_row_14_asks_a_person() -> None:
    """Row 14: what can't be told is for a person to confirm, by the stand-in's id."""
    answers = looked_up(lookup.CantTell("m"), of=STAND_IN)
    verdict = report_of(planned(WANTED, of=FENCED, lost=LOST, term=4, answers=answers))
    assert verdict.reason is Reason.OUTCOME_UNKNOWN
    assert verdict.message.endswith("confirm-upload=lost-4")
    confirmed = change(FENCED, confirm_upload="lost-4")
    assert planned(WANTED, of=confirmed, lost=LOST, term=4, answers=answers) == actions.WriteConcluded(STAND_IN)


def _doubted(*, adoption: lookup.Answer | None = None, only_age: bool = True, **fields: object) -> actions.Action:
    """Plan where a stand-in's look-up couldn't tell, by default because of an entry's age, and IfIdentical is set."""
    answers = looked_up(lookup.CantTell("m", only_age=only_age), of=STAND_IN)
    answers = dataclasses.replace(answers, adoption=adoption)
    of = change(FENCED, **{"adoption_policy": upload.AdoptionPolicy.IF_IDENTICAL} | fields)
    return planned(WANTED, of=of, lost=LOST, term=4, answers=answers)


def test_row_14_leaves_an_entry_of_doubtful_age_to_the_adoption_policy() -> None:
    """Row 14: whoever made it, IfIdentical takes it over; it is asked for anew, of any age."""
    expected = actions.LookForAdoption(NEW.scm_name, WANTED.content.hash)
    assert _doubted() == expected
    assert _doubted(adoption=lookup.Found(ENTRY)) == actions.Claim(ENTRY, None)


@pytest.mark.parametrize(
    "action",
    [
        _doubted(adoption=lookup.Absent()),
        _doubted(only_age=False),
        _doubted(adoption_policy=upload.AdoptionPolicy.NEVER),
    ],
    ids=["gone since", "another doubt", "policy Never"],
)
def test_row_14_asks_a_person_where_the_policy_does_not_help(action: actions.Action) -> None:
    """Row 14: an entry that went meanwhile, that can't be read or mustn't be taken over is for a person."""
    assert report_of(action).reason is Reason.OUTCOME_UNKNOWN


@pytest.mark.parametrize(
    "of",
    [
        change(FENCED, status=upload.Status(term=4, concluded_attempt_id="lost-4")),
        change(FENCED, created="2026-02-03T04:05:07Z"),
        change(FENCED, created="2026-02-04T00:00:00Z"),
    ],
    ids=["looked up before", "created a second later", "created a day later"],
)
def test_no_stand_in_is_where_nothing_can_have_been_sent(of: upload.Upload) -> None:
    """A resource that has its answer, or was created after the loss, is sent without a look-up."""
    assert planned(WANTED, of=of, lost=LOST, term=4) == actions.Journal(WANTED, table.TENANT)


@pytest.mark.parametrize(
    "status",
    [
        builders.make_status(term=4),
        builders.make_status(
            record=builders.make_record(content_hash=table.OTHER_WANTED.content.hash),
            history=(builders.make_replaced(digest=builders.DIGEST),),
            term=4,
        ),
    ],
    ids=["current", "history"],
)
def test_no_stand_in_is_for_what_is_recorded(status: upload.Status) -> None:
    """What a record has was not lost with the journal."""
    of = builders.make_upload(status=status)
    action = planned(WANTED, of=of, lost=LOST, term=4)
    assert isinstance(action, actions.Report | actions.Show)


def test_a_stand_in_is_for_new_content_of_an_uploaded_resource() -> None:
    """The lost journal may have held the POST of content that replaces what is recorded."""
    of = builders.make_upload(status=builders.make_status(term=4))
    action = planned(table.OTHER_WANTED, of=of, lost=LOST, term=4)
    expected = dataclasses.replace(STAND_IN, content_hash=table.OTHER_WANTED.content.hash)
    assert action == actions.LookUp(expected)


def test_a_known_attempt_goes_before_a_stand_in() -> None:
    """What stands in the journal is resolved first; nothing stands for it."""
    known = builders.make_attempt(id="6a1b", term=4)
    assert planned(WANTED, of=FENCED, unknowns=(known,), lost=LOST, term=4) == actions.LookUp(known)


def test_no_stand_in_where_no_journal_was_lost() -> None:
    """A first installation sends without a look-up."""
    assert planned(WANTED, term=1) == actions.Journal(WANTED, table.TENANT)


def test_what_was_lost_is_told_by_its_term() -> None:
    """A stand-in's id says when the journal was lost: another loss is another question."""
    assert attempt.JournalLost(9, builders.NOW + datetime.timedelta(days=1)).attempt_id == "lost-9"
