"""Rows 16 to 19: the wanted content isn't the current entry's."""

import dataclasses

import pytest

from scm_operator.domain import account as accounts
from scm_operator.domain import actions, attempt, lookup, observation, upload
from scm_operator.domain.reasons import Reason
from tests.support import builders, observations
from tests.unit.domain.rows import table
from tests.unit.domain.rows.table import DONE, ENTRY, NEW, RIVAL, TWIN, WANTED, change, planned, report_of, shown

OLD = builders.make_replaced()
BACK = builders.make_wanted(builders.make_content(digest=builders.OTHER_DIGEST))
"""What is wanted again: the content of OLD."""
BEFORE = table.with_history(OLD)
MARKED = builders.make_replaced(deleting=True)
ADOPTING = builders.make_upload(adoption_policy=upload.AdoptionPolicy.IF_IDENTICAL)
SENT = actions.Journal(WANTED, table.TENANT)


# Row 14c again: a call is needed


@pytest.mark.parametrize("account", [table.AT_FAULT, table.MISSING], ids=["at fault", "missing"])
@pytest.mark.parametrize(
    "of",
    [DONE, change(DONE, adoption_policy=upload.AdoptionPolicy.IF_IDENTICAL), BEFORE, table.with_history(MARKED)],
    ids=["changed", "adopting", "in history", "marked"],
)
def test_row_14c_says_that_no_account_can_make_the_call(account: observation.AccountView, of: upload.Upload) -> None:
    """Row 14c: content that can't be sent, adopted or taken back says why; the record stays."""
    assert account.fault is not None
    assert planned(BACK, of=of, account=account) == actions.Report(account.fault, secrets=BACK.secrets)


def test_row_14c_names_an_account_that_is_not_there() -> None:
    """Row 14c: an upload that was moved to an account that doesn't exist says so, though its old entry is there."""
    elsewhere = accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "own")
    missing = dataclasses.replace(table.MISSING, key=elsewhere)
    of = change(DONE, account=elsewhere, generation=2)
    assert report_of(planned(WANTED, of=of, account=missing)) == missing.fault


# Row 16: back to what was there before


def test_row_16_looks_whether_the_old_entry_is_there() -> None:
    """Row 16, counterexample 6: going back to older content isn't sent again; its entry is looked at first."""
    assert planned(BACK, of=BEFORE) == actions.Show(OLD.record)


def test_row_16_takes_back_what_is_there() -> None:
    """Row 16: an entry that SCM still has becomes the current one again."""
    assert planned(BACK, of=BEFORE, answers=shown(old=ENTRY)) == actions.TakeBack(OLD, BACK, verified=True)


def test_row_16_takes_back_what_may_not_be_looked_at() -> None:
    """Row 16: without the permission to look, the record is believed, and the message will say so."""
    answers = observation.Answers(unverified=frozenset({builders.OTHER_SCM_ID}))
    assert planned(BACK, of=BEFORE, answers=answers) == actions.TakeBack(OLD, BACK, verified=False)


def test_row_16_forgets_what_is_gone() -> None:
    """Row 16: an entry that SCM doesn't have any more is taken out of the history, and then sent anew."""
    assert planned(BACK, of=BEFORE, answers=shown(old=None)) == actions.DropReplaced(OLD.record)


def test_row_16_holds_without_a_current_entry() -> None:
    """Row 16: the history counts as well where the current entry turned out to be gone."""
    status = builders.make_status(reason=Reason.ENTRY_MISSING, history=(OLD,))
    assert planned(BACK, of=change(NEW, status=status)) == actions.Show(OLD.record)


@pytest.mark.parametrize(
    "old",
    [
        builders.make_replaced(tenant=table.OTHER_TENANT),
        builders.make_replaced(content_hash=builders.make_content(digest=builders.OTHER_DIGEST, key=False).hash),
        builders.make_replaced(digest="ef" * 32),
    ],
    ids=["another tenant", "without key", "another CSR"],
)
@pytest.mark.parametrize("deleting", [False, True], ids=["16", "16a"])
def test_row_16_takes_back_nothing_else(old: upload.Replaced, deleting: bool) -> None:  # noqa: FBT001 - a column of the table
    """Rows 16 and 16a: only an entry of exactly the wanted content, in the wanted place, counts."""
    of = table.with_history(dataclasses.replace(old, deleting=deleting))
    assert planned(BACK, of=of) == actions.Journal(BACK, table.TENANT)


@pytest.mark.parametrize("policy", upload.DeletionPolicy)
def test_row_16a_finishes_a_deletion(policy: upload.DeletionPolicy) -> None:
    """Row 16a: an entry whose DELETE was begun isn't taken back: it may be gone at any moment."""
    of = table.with_history(MARKED, deletion_policy=policy)
    assert planned(BACK, of=of, answers=shown(old=ENTRY)) == actions.Delete(MARKED.record)


def test_row_16_goes_before_row_17() -> None:
    """Row 16: what the resource has itself isn't looked for among what others made."""
    of = change(BEFORE, adoption_policy=upload.AdoptionPolicy.IF_IDENTICAL)
    assert planned(BACK, of=of) == actions.Show(OLD.record)


# Row 17: adoption


def test_row_17_looks_for_an_entry_to_adopt() -> None:
    """Row 17: with policy IfIdentical an entry of the wanted name and content is looked for before anything is sent."""
    assert planned(WANTED, of=ADOPTING) == actions.LookForAdoption("shop-tls", WANTED.content.hash)


def test_row_17_needs_the_policy() -> None:
    """Row 17: without the policy nothing is looked for, even if it was asked before the policy changed."""
    assert planned(WANTED) == SENT
    assert planned(WANTED, answers=observation.Answers(adoption=lookup.Found(ENTRY))) == SENT


@pytest.mark.parametrize("state", [{"settled_in": 20.0}, {"looking_up": True}], ids=["unsettled", "looking up"])
def test_row_17_waits_until_the_group_has_settled(state: dict[str, object]) -> None:
    """Row 17: a POST of the same CSR that is still under way would be mistaken for somebody else's entry."""
    action = planned(WANTED, of=ADOPTING, groups=observations.make_groups(TWIN, **state))
    assert isinstance(action, actions.Wait)
    assert action.after == state.get("settled_in", action.after)
    assert action.verdict is not None
    assert action.verdict.reason is Reason.RESOLVING_OUTCOME


def test_row_17_waits_for_the_fence_of_a_twin() -> None:
    """Row 17, counterexample 1: nothing is adopted that an earlier leader's late write may still give to a twin."""
    twin = dataclasses.replace(TWIN, term=1)
    groups = observations.make_groups(twin, unfenced=frozenset({twin.uid}))
    assert isinstance(planned(WANTED, of=ADOPTING, term=2, groups=groups), actions.Wait)


def test_row_17_waits_for_no_other_group() -> None:
    """Row 17: a POST of another CSR is no reason to wait."""
    other = builders.make_attempt(id="9", content_hash=BACK.content.hash)
    groups = observations.make_groups(other, settled_in=20.0)
    assert isinstance(planned(WANTED, of=ADOPTING, groups=groups), actions.LookForAdoption)


def test_row_17_claims_what_is_found() -> None:
    """Row 17: an entry that is found is claimed; no attempt has made it."""
    answers = observation.Answers(adoption=lookup.Found(ENTRY))
    assert planned(WANTED, of=ADOPTING, answers=answers) == actions.Claim(ENTRY, None)


def test_row_17_goes_on_where_there_is_none() -> None:
    """Row 17: where nobody has made such an entry it is uploaded."""
    answers = observation.Answers(adoption=lookup.Absent())
    assert planned(WANTED, of=ADOPTING, answers=answers) == SENT


def test_row_17_sends_nothing_where_it_can_not_be_told() -> None:
    """Row 17: AdoptionUnknown says why, and what to do; nothing is sent."""
    answers = observation.Answers(adoption=lookup.CantTell("no permission"))
    verdict = report_of(planned(WANTED, of=ADOPTING, answers=answers))
    assert verdict.reason is Reason.ADOPTION_UNKNOWN
    assert "can't be told: no permission. Nothing is sent." in verdict.message


# Row 18: rivals


@pytest.mark.parametrize("adopting", [False, True], ids=["", "adopting"])
def test_row_18_waits_for_a_rival(adopting: bool) -> None:  # noqa: FBT001 - a column of the table
    """Row 18, counterexample 5: nothing is sent while a POST of the same name and CSR, without key, is unresolved.

    The late entry of a resource that is gone, recorded as one with a key, would be a key that never came.
    """
    of = ADOPTING if adopting else NEW
    answers = observation.Answers(adoption=lookup.Absent())
    action = planned(WANTED, of=of, answers=answers, groups=observations.make_groups(RIVAL))
    assert isinstance(action, actions.Wait)
    assert action.verdict is not None
    assert action.verdict.reason is Reason.RESOLVING_OUTCOME


@pytest.mark.parametrize(
    "other",
    [
        TWIN,
        dataclasses.replace(RIVAL, scm_name="another"),
        builders.make_attempt(id="9", content_hash=BACK.content.hash),
    ],
    ids=["same content", "another name", "another CSR"],
)
def test_row_18_waits_for_nobody_else(other: attempt.Attempt) -> None:
    """Row 18: what a look-up can tell from this upload, or needn't, is no reason to wait."""
    assert planned(WANTED, groups=observations.make_groups(other, settled_in=20.0)) == SENT


# Row 19: a new attempt


def test_row_19_journals_what_was_never_sent() -> None:
    """Row 19: a first upload is sent only after its attempt stands in the journal."""
    assert planned(WANTED) == SENT


@pytest.mark.parametrize(
    ("wanted", "account"),
    [
        (BACK, table.USABLE),
        (builders.make_wanted(table.WITHOUT_KEY), table.USABLE),
        (WANTED, table.ELSEWHERE),
    ],
    ids=["content", "key", "tenant"],
)
def test_row_19_journals_what_has_changed(wanted: observation.Wanted, account: observation.AccountView) -> None:
    """Row 19: another CSR, a key more or less, or another tenant is a new upload."""
    assert account.tenant is not None
    assert planned(wanted, of=DONE, account=account) == actions.Journal(wanted, account.tenant)


@pytest.mark.parametrize("reason", [Reason.REJECTED, Reason.THROTTLED, Reason.ENTRY_MISSING, Reason.OUTCOME_UNKNOWN])
def test_row_19_journals_again_what_was_not_stored(reason: Reason) -> None:
    """Row 19: what was surely not stored, or is known by now not to be, is tried again when its turn comes."""
    of = builders.make_upload(status=builders.make_status(reason=reason, message="m"))
    assert planned(WANTED, of=of) == SENT


def test_row_19_needs_no_event() -> None:
    """Row 19, counterexample 10: what is sent follows from the resource, never from how it came to be looked at.

    A relist that shows an old object as new finds it settled, or its attempt in the journal.
    """
    assert planned(of=DONE) == actions.Nothing()
    assert planned(WANTED, unknowns=(table.ATTEMPT,)) == actions.LookUp(table.ATTEMPT)
