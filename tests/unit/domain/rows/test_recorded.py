"""Row 15, and what is settled: the wanted content is recorded."""

import dataclasses
from typing import Any

import pytest

from scm_operator.domain import account as accounts
from scm_operator.domain import actions, observation, upload
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.reasons import Reason
from tests.support import builders
from tests.unit.domain.rows import table
from tests.unit.domain.rows.table import (
    DELETE,
    DONE,
    NEW,
    RECORD,
    UPLOADED,
    WANTED,
    change,
    planned,
    shown,
    with_history,
)

OLD = builders.make_replaced()
MARKED = builders.make_replaced(deleting=True)
ADOPTED = builders.make_replaced(origin="Adopted", attempt_id=None)
DELETING = with_history(OLD, deletion_policy=DELETE)
ADOPTED_MESSAGE = (
    f"adopted entry {builders.SCM_ID} of SCM, which has this name and CSR; whether it has a private key can't be seen."
)
SAYS_UPLOADED = actions.Report(UPLOADED, secrets=WANTED.secrets, record=RECORD)


# Settled: reported before, and nothing has changed


@pytest.mark.parametrize("account", [table.USABLE, table.AT_FAULT, table.MISSING], ids=["usable", "at fault", "gone"])
@pytest.mark.parametrize("seen", [None, (None,)], ids=["there", "gone"])
def test_settled_needs_nothing(
    account: observation.AccountView, seen: tuple[upload.ObservedSecret | None, ...] | None
) -> None:
    """An upload that is done needs no read, call or write: after a restart, without its Secret, without account."""
    assert planned(of=DONE, account=account, seen=seen) == actions.Nothing()


def test_settled_through_another_account_of_the_tenant() -> None:
    """An account that reaches the same tenant is no reason to send anything."""
    through = builders.make_account(kind=accounts.AccountKind.NAMESPACED, name="own")
    assert planned(of=DONE, account=builders.make_view(account=through)) == actions.Nothing()


def test_settled_when_rejected() -> None:
    """What SCM rejected isn't sent again while spec and Secret are the same."""
    of = builders.make_upload(status=builders.make_status(reason=Reason.REJECTED, message="no"))
    assert planned(of=of) == actions.Nothing()


def test_settled_when_rejected_though_an_old_entry_is_to_be_deleted() -> None:
    """What SCM rejected isn't sent again because something of the history is left to do."""
    status = builders.make_status(record=RECORD, reason=Reason.REJECTED, message="no", history=(OLD,))
    assert planned(of=builders.make_upload(deletion_policy=DELETE, status=status)) == actions.Nothing()


@pytest.mark.parametrize(
    ("of", "reach"),
    [
        (with_history(OLD), {table.TENANT: table.USABLE}),
        (with_history(ADOPTED, deletion_policy=DELETE), {table.TENANT: table.USABLE}),
        (DELETING, {}),
        (DELETING, {table.TENANT: table.AT_FAULT}),
    ],
    ids=["kept", "adopted", "out of reach", "account at fault"],
)
def test_settled_with_a_history_that_stays(of: upload.Upload, reach: object) -> None:
    """Entries that aren't to be deleted, or can't be, are no reason to look again."""
    assert planned(of=of, reach=reach) == actions.Nothing()


@pytest.mark.parametrize(
    ("of", "more"),
    [
        (NEW, {}),
        (change(DONE, generation=2), {}),
        (change(DONE, reconcile_requested_at="2026-02-02"), {}),
        (DONE, {"seen": (builders.make_secret(version="2"),)}),
        (DONE, {"seen": (builders.make_secret(uid="another"),)}),
        (DONE, {"resync": True}),
        (DONE, {"account": table.ELSEWHERE}),
        (DELETING, {}),
        (builders.make_upload(status=builders.make_status(secrets=())), {}),
        (builders.make_upload(status=builders.make_status(secrets=())), {"seen": (None,)}),
        (builders.make_upload(status=builders.make_status(record=RECORD, reason=Reason.THROTTLED)), {}),
        (builders.make_upload(status=builders.make_status(reason=Reason.INVALID_CSR)), {}),
        (builders.make_upload(status=builders.make_status(reason=Reason.OUTCOME_UNKNOWN)), {}),
    ],
    ids=[
        "new",
        "edited",
        "asked",
        "Secret changed",
        "Secret re-created",
        "resync",
        "another tenant",
        "an entry to delete",
        "never read",
        "never read and gone",
        "throttled",
        "invalid",
        "resolved",
    ],
)
def test_unsettled_reads_the_secrets(of: upload.Upload, more: dict[str, Any]) -> None:
    """Whatever isn't final, or has changed since it was reported, is looked at again."""
    assert planned(of=of, **more) == actions.ReadSecrets()


def test_unsettled_under_another_name() -> None:
    """An id that was written while its rename was still to come is renamed by whoever sees it next.

    The record has the name that was sent, the status the generation that asks for another one.
    """
    of = builders.make_upload(scm_name="renamed", generation=2, status=builders.make_status(generation=2))
    assert planned(of=of) == actions.ReadSecrets()


def test_unsettled_when_one_of_two_secrets_changed() -> None:
    """Each Secret counts, not the first alone."""
    key = accounts.SecretKey("shop-key", "tls.key")
    secrets = (builders.make_secret(), builders.make_secret("shop-key"))
    of = builders.make_upload(private_key=key, status=builders.make_status(secrets=secrets))
    changed = (builders.make_secret(), builders.make_secret("shop-key", version="2"))
    assert (planned(of=of), planned(of=of, seen=changed)) == (actions.Nothing(), actions.ReadSecrets())


# Row 15: what is recorded


def test_row_15_says_uploaded() -> None:
    """Row 15: content that is recorded isn't sent again; the versions that were read are noted."""
    newer = builders.make_wanted(secrets=(builders.make_secret(version="2"),))
    assert planned(newer, of=DONE) == actions.Report(UPLOADED, secrets=newer.secrets, record=RECORD)


@pytest.mark.parametrize("reason", [Reason.THROTTLED, Reason.KEY_MISMATCH, Reason.SUSPENDED, Reason.OUTCOME_UNKNOWN])
def test_row_15_is_ready_again_after_a_failure(reason: Reason) -> None:
    """Row 15: a Secret that holds the recorded content again makes the upload Ready without a call."""
    of = builders.make_upload(status=builders.make_status(record=RECORD, reason=reason))
    assert planned(WANTED, of=of) == SAYS_UPLOADED


@pytest.mark.parametrize("account", [table.AT_FAULT, table.MISSING], ids=["at fault", "missing"])
@pytest.mark.parametrize("resync", [False, True], ids=["", "resync"])
def test_row_15_needs_no_account(account: observation.AccountView, resync: bool) -> None:  # noqa: FBT001 - a column of the table
    """Row 15: an upload that needs no call is Ready whatever has become of its account."""
    assert planned(WANTED, of=DONE, account=account, resync=resync) == SAYS_UPLOADED


def test_row_15_records_the_account_that_reaches_it() -> None:
    """Row 15: an upload that was moved to another account of the tenant sends nothing, and names that account."""
    own = builders.make_view(account=builders.make_account(kind=accounts.AccountKind.NAMESPACED, name="own"))
    assert own.key is not None
    assert own.tenant is not None
    moved = builders.make_record(account=own.key, tenant=own.tenant)
    assert planned(WANTED, of=change(DONE, account=own.key, generation=2), account=own) == actions.Report(
        UPLOADED, secrets=WANTED.secrets, record=moved
    )


def test_row_15_goes_before_row_16() -> None:
    """Row 15: what is current isn't looked for in the history."""
    assert planned(WANTED, of=with_history(builders.make_replaced(digest=builders.DIGEST))) == SAYS_UPLOADED


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        ("Uploaded", f"uploaded to SCM as {builders.SCM_ID}."),
        ("Recovered", f"uploaded to SCM as {builders.SCM_ID}, found there after its answer was lost."),
        (
            "Adopted",
            ADOPTED_MESSAGE,
        ),
    ],
)
def test_row_15_says_how_the_entry_came(origin: str, message: str) -> None:
    """Row 15: the message of an upload tells its origin."""
    of = builders.make_upload(status=builders.make_status(record=builders.make_record(origin=origin)))
    assert table.report_of(planned(WANTED, of=of)) == Verdict(Reason.UPLOADED, message)


# Row 15: the resync


def test_row_15_looks_at_the_entry_at_resync() -> None:
    """Row 15: a resync looks whether the entry is still there, before anything else is done with it."""
    assert planned(WANTED, of=change(DONE, scm_name="renamed"), resync=True) == actions.Show(RECORD)
    assert planned(table.GONE, of=DONE, seen=(None,), resync=True) == actions.Show(RECORD)


def test_row_15_says_uploaded_of_what_was_seen() -> None:
    """Row 15: an entry that is there is Ready, and isn't looked at twice."""
    seen = shown(current=builders.make_entry(scm_id=builders.SCM_ID))
    assert planned(WANTED, of=DONE, resync=True, answers=seen) == SAYS_UPLOADED


def test_row_15_tells_a_name_that_somebody_else_gave() -> None:
    """Row 15: an entry that was renamed in SCM stays as it is; the message says so."""
    seen = shown(current=builders.make_entry(scm_id=builders.SCM_ID, scm_name="theirs"))
    verdict = table.report_of(planned(WANTED, of=DONE, resync=True, answers=seen))
    assert verdict == Verdict(
        Reason.UPLOADED, f"{UPLOADED.message} Somebody has renamed it there to 'theirs'; it stays so."
    )


# Row 15: the rename


def test_row_15_renames() -> None:
    """Row 15: when only the name differs, the entry is renamed, not made anew."""
    assert planned(WANTED, of=change(DONE, scm_name="renamed")) == actions.Rename(RECORD, "renamed")


def test_row_15_renames_before_it_deletes() -> None:
    """Row 15: what is wanted comes before what is not wanted any more."""
    assert planned(WANTED, of=change(DELETING, scm_name="renamed")) == actions.Rename(RECORD, "renamed")


def test_row_15_renames_with_an_account_only() -> None:
    """Row 15: a rename without usable account says so."""
    of = change(DONE, scm_name="renamed")
    assert planned(WANTED, of=of, account=table.AT_FAULT) == actions.Report(table.FAULT, secrets=WANTED.secrets)


# Row 15: the history, with policy Delete


def test_row_15_marks_an_old_entry_before_it_is_deleted() -> None:
    """Row 15: that an entry is going to be deleted is in the status before the call: it is never taken back then."""
    assert planned(WANTED, of=DELETING) == actions.MarkDeleting(OLD.record)


def test_row_15_deletes_what_is_marked() -> None:
    """Row 15: an old entry is deleted once the newer id and the mark are in the status."""
    assert planned(WANTED, of=with_history(MARKED, deletion_policy=DELETE)) == actions.Delete(MARKED.record)


def test_row_15_deletes_one_after_the_other() -> None:
    """Row 15: adopted entries, and those that can't be reached now, are passed over."""
    elsewhere = builders.make_replaced(scm_id="2", tenant=table.OTHER_TENANT)
    last = builders.make_replaced(scm_id="3")
    of = with_history(ADOPTED, elsewhere, last, deletion_policy=DELETE)
    assert planned(WANTED, of=of) == actions.MarkDeleting(last.record)


@pytest.mark.parametrize(
    ("of", "reach"),
    [
        (with_history(OLD), {table.TENANT: table.USABLE}),
        (with_history(MARKED), {table.TENANT: table.USABLE}),
        (with_history(ADOPTED, deletion_policy=DELETE), {table.TENANT: table.USABLE}),
        (DELETING, {}),
        (DELETING, {table.TENANT: table.AT_FAULT}),
    ],
    ids=["policy Retain", "Retain again", "adopted", "out of reach", "account at fault"],
)
def test_row_15_keeps_the_history_otherwise(of: upload.Upload, reach: object) -> None:
    """Row 15: old entries stay with policy Retain, if others made them, and while they can't be reached."""
    assert planned(WANTED, of=of, reach=reach) == SAYS_UPLOADED


def test_row_15_deletes_nothing_before_the_new_entry_is_recorded() -> None:
    """Row 15: while newer content is still to be sent, nothing of the history is deleted."""
    assert planned(builders.make_wanted(table.WITHOUT_KEY), of=DELETING) == actions.Journal(
        builders.make_wanted(table.WITHOUT_KEY), table.TENANT
    )


def test_row_15_deletes_where_the_account_is_another_by_now() -> None:
    """Row 15: an old entry is deleted with the account of its own tenant."""
    elsewhere = builders.make_replaced(tenant=table.OTHER_TENANT)
    of = with_history(elsewhere, deletion_policy=DELETE)
    reach = {table.OTHER_TENANT: dataclasses.replace(table.USABLE, tenant=table.OTHER_TENANT)}
    assert planned(WANTED, of=of, reach=reach) == actions.MarkDeleting(elsewhere.record)
