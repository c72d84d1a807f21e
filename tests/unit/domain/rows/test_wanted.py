"""Rows 14a to 14d: what comes before the question whether the wanted content is recorded."""

import dataclasses
from typing import Any

import pytest

from scm_operator.domain import account as accounts
from scm_operator.domain import actions, observation, upload
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.reasons import Reason
from tests.support import builders
from tests.unit.domain.rows import table
from tests.unit.domain.rows.table import DELETE, DONE, GONE, NEW, RECORD, UPLOADED, WAITING, WANTED, change, planned

BARE = builders.make_upload(deletion_policy=DELETE, finalizers=("somebody-elses",))
LEFT_OVER = builders.make_upload(finalizers=(upload.FINALIZER,))


# Row 14a: the finalizer


@pytest.mark.parametrize("wanted", [table.NOT_READ, WANTED, GONE], ids=["unread", "read", "gone"])
@pytest.mark.parametrize(
    "more",
    [{}, {"account": table.MISSING}, {"missing": table.MISSING_ENTRY}, {"resync": True}],
    ids=["", "no account", "entry missing", "resync"],
)
@pytest.mark.parametrize("suspend", [False, True], ids=["", "suspended"])
def test_row_14a_puts_the_finalizer_where_the_policy_asks_for_it(
    wanted: observation.Reading,
    more: dict[str, Any],
    suspend: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Row 14a: with policy Delete nothing is sent before the finalizer is seen to stand."""
    assert planned(wanted, of=change(BARE, suspend=suspend), **more) == actions.AddFinalizer()


@pytest.mark.parametrize("suspend", [False, True], ids=["", "suspended"])
def test_row_14a_takes_the_finalizer_away_where_it_does_not(suspend: bool) -> None:  # noqa: FBT001 - a column of the table
    """Row 14a: with policy Retain no deletion waits for the operator."""
    assert planned(WANTED, of=change(LEFT_OVER, suspend=suspend)) == actions.RemoveFinalizer()


@pytest.mark.parametrize("of", [NEW, builders.make_upload(deletion_policy=DELETE)], ids=["Retain", "Delete"])
def test_row_14a_leaves_what_fits(of: upload.Upload) -> None:
    """Row 14a: a finalizer that fits the policy is no reason to write."""
    assert planned(of=of) == actions.ReadSecrets()


# Row 14b: suspended


@pytest.mark.parametrize("wanted", [table.NOT_READ, WANTED, GONE], ids=["unread", "read", "gone"])
def test_row_14b_says_that_a_new_resource_is_suspended(wanted: observation.Reading) -> None:
    """Row 14b: a resource that is suspended before its first upload says so, and nothing is read."""
    assert planned(wanted, of=change(NEW, suspend=True), account=table.AT_FAULT) == actions.Report(
        Verdict(Reason.SUSPENDED, "spec.suspend is true: nothing is uploaded until it is false.")
    )


@pytest.mark.parametrize(
    "changed",
    [{}, {"generation": 2, "scm_name": "renamed"}, {"reconcile_requested_at": "1"}],
    ids=["", "edited", "asked"],
)
@pytest.mark.parametrize("more", [{}, {"resync": True, "missing": table.MISSING_ENTRY}], ids=["", "entry missing"])
def test_row_14b_leaves_what_is_uploaded_ready(changed: dict[str, object], more: dict[str, Any]) -> None:
    """Row 14b: suspending takes back nothing, and nothing is uploaded, looked at or renamed meanwhile."""
    of = change(DONE, suspend=True, **changed)
    assert planned(table.OTHER_WANTED, of=of, account=table.ELSEWHERE, **more) == actions.Report(UPLOADED)


@pytest.mark.parametrize(
    "status",
    [upload.Status(record=RECORD), builders.make_status(record=RECORD, reason=Reason.THROTTLED)],
    ids=["just recorded", "new content not sent yet"],
)
def test_row_14b_says_which_entry_stays(status: upload.Status) -> None:
    """Row 14b: a resource that is suspended while other content is current says so, and names what is in SCM."""
    assert planned(of=change(NEW, suspend=True, status=status)) == actions.Report(
        Verdict(
            Reason.SUSPENDED,
            "spec.suspend is true: nothing is uploaded until it is false. "
            f"Entry {builders.SCM_ID} of earlier content stays in SCM.",
        )
    )


def test_row_14b_keeps_a_reason_that_it_does_not_know() -> None:
    """Row 14b: a status that another version of the operator wrote is no reason to fail."""
    (condition,) = builders.make_conditions()
    later = dataclasses.replace(condition, status="False", reason="ReasonOfALaterVersion")
    of = change(DONE, suspend=True, status=dataclasses.replace(DONE.status, conditions=(later,)))
    assert isinstance(planned(of=of), actions.Report)


# Row 14c: what is wanted can't be known


@pytest.mark.parametrize("account", [table.AT_FAULT, table.MISSING], ids=["at fault", "missing"])
def test_row_14c_reports_an_account_without_reading(account: observation.AccountView) -> None:
    """Row 14c: a first upload without usable account says so; its Secrets needn't be read for it."""
    assert account.fault is not None
    assert planned(account=account) == actions.Report(account.fault)


@pytest.mark.parametrize("of", [NEW, DONE], ids=["new", "uploaded"])
def test_row_14c_reports_what_is_invalid(of: upload.Upload) -> None:
    """Row 14c: a CSR or key that can't be used is told, and the versions that were read are noted."""
    assert planned(table.INVALID_READING, of=of) == actions.Report(table.INVALID, secrets=table.INVALID_READING.secrets)


def test_row_14c_waits_for_a_secret() -> None:
    """Row 14c: a first upload whose Secret isn't there says what it waits for."""
    assert planned(GONE) == actions.Report(WAITING, secrets=())


def test_row_14c_makes_no_call() -> None:
    """Row 14c: without knowing what is wanted nothing is adopted, taken back, renamed or deleted."""
    of = table.with_history(
        builders.make_replaced(deleting=True),
        deletion_policy=DELETE,
        adoption_policy=upload.AdoptionPolicy.IF_IDENTICAL,
        scm_name="renamed",
    )
    assert isinstance(planned(table.INVALID_READING, of=of, resync=True), actions.Report)


def test_a_secret_that_went_after_success_takes_nothing_back() -> None:
    """Row 15 goes on where only the Secret of an upload is gone: it stays Ready."""
    assert planned(GONE, of=DONE, seen=(None,)) == actions.Report(UPLOADED, record=RECORD)


def test_a_secret_that_went_after_success_is_not_needed_for_a_rename() -> None:
    """Row 15: a rename needs no Secret, and one that failed before needs none either."""
    of = change(DONE, scm_name="renamed", generation=2)
    status = builders.make_status(record=RECORD, reason=Reason.THROTTLED, message="wait", generation=2)
    assert planned(GONE, of=of, seen=(None,)) == actions.Rename(RECORD, "renamed")
    assert planned(GONE, of=change(of, status=status), seen=(None,)) == actions.Rename(RECORD, "renamed")


@pytest.mark.parametrize(
    ("of", "account"),
    [
        (change(DONE, csr=accounts.SecretKey("other", "tls.csr"), private_key=None, generation=2), table.USABLE),
        (change(DONE, generation=2), table.ELSEWHERE),
        (builders.make_upload(status=builders.make_status(record=RECORD, reason=Reason.KEY_MISMATCH)), table.USABLE),
        (builders.make_upload(status=builders.make_status(record=RECORD, reason=Reason.THROTTLED)), table.USABLE),
        (
            builders.make_upload(
                scm_name="renamed", status=builders.make_status(record=RECORD, reason=Reason.KEY_MISMATCH)
            ),
            table.USABLE,
        ),
    ],
    ids=["another Secret", "another tenant", "other content", "not sent yet", "renamed and other content"],
)
def test_row_14c_waits_for_what_was_never_uploaded(of: upload.Upload, account: observation.AccountView) -> None:
    """Row 14c: what asks for other content, or another place, waits for its Secret."""
    assert planned(GONE, of=of, account=account, seen=(None,)) == actions.Report(WAITING, secrets=())


def test_row_14c_reports_a_key_that_went_out_of_its_secret() -> None:
    """Row 14c: only a whole Secret that is gone takes nothing back; one that lacks its key was changed by somebody."""
    lacking = observation.Unreadable(Verdict(Reason.SECRET_KEY_MISSING, "m"), (builders.make_secret(),))
    assert planned(lacking, of=DONE) == actions.Report(lacking.verdict, secrets=lacking.secrets)


@pytest.mark.parametrize(("version", "kept"), [("1", True), ("2", False)], ids=["as it was", "changed"])
def test_one_of_two_secrets_may_go_if_the_other_is_as_it_was(version: str, kept: bool) -> None:  # noqa: FBT001 - a column of the table
    """Rows 14c and 15: where one Secret is gone and the other was changed, other content may be wanted."""
    of = builders.make_upload(
        private_key=accounts.SecretKey("shop-key", "tls.key"),
        status=builders.make_status(secrets=(builders.make_secret(), builders.make_secret("shop-key"))),
    )
    left = builders.make_secret(version=version)
    reading = observation.Unreadable(WAITING, (left,), secret_gone=True)
    expected = actions.Report(UPLOADED, record=RECORD) if kept else actions.Report(WAITING, secrets=(left,))
    assert planned(reading, of=of, seen=(left, None)) == expected


# Row 14d: the current entry is gone


@pytest.mark.parametrize("wanted", [table.NOT_READ, WANTED, table.OTHER_WANTED, table.INVALID_READING])
def test_row_14d_takes_a_missing_entry_out_of_the_status(wanted: observation.Reading) -> None:
    """Row 14d: an id that SCM doesn't know any more doesn't stay; what is wanted is sent after that is written."""
    assert planned(wanted, of=DONE, missing=table.MISSING_ENTRY) == actions.DropRecord(RECORD)


def test_row_14d_waits_until_it_is_known_how_many_are_gone() -> None:
    """Row 14d: an account that leads elsewhere by mistake loses many entries in a short time."""
    missing = observation.Missing(builders.SCM_ID, hold=2.0)
    assert planned(of=DONE, missing=missing) == actions.Wait(2.0)


@pytest.mark.parametrize("wanted", [table.NOT_READ, WANTED], ids=["unread", "read"])
def test_row_14d_uploads_nothing_again_when_many_are_gone(wanted: observation.Reading) -> None:
    """Row 14d: where many entries are gone at once, the record stays and nothing is sent for it."""
    missing = observation.Missing(builders.SCM_ID, many=True)
    assert isinstance(planned(wanted, of=DONE, missing=missing), actions.Nothing | actions.Report)


def test_row_14d_holds_back_no_new_content_when_many_are_gone() -> None:
    """Row 14d doesn't fit where many entries are gone: content that was never sent goes its way by the rows below."""
    missing = observation.Missing(builders.SCM_ID, many=True)
    action = planned(table.OTHER_WANTED, of=DONE, missing=missing)
    assert action == actions.Journal(table.OTHER_WANTED, table.TENANT)


@pytest.mark.parametrize(
    "of", [NEW, builders.make_upload(status=builders.make_status(record=builders.make_record(scm_id="3")))]
)
def test_row_14d_is_about_the_current_entry(of: upload.Upload) -> None:
    """Row 14d: an entry that is gone but isn't current any more is no concern."""
    assert not isinstance(planned(WANTED, of=of, missing=table.MISSING_ENTRY), actions.DropRecord)
