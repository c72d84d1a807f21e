"""What a status says after a verdict."""

import dataclasses
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scm_operator.domain import account as accounts
from scm_operator.domain import report, upload
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.reasons import Reason
from tests.support import builders
from tests.unit.domain import strategies

LATER = builders.NOW + datetime.timedelta(hours=1)
THROTTLED = Verdict(Reason.THROTTLED, "SCM asks to wait.")


def reported(
    about: upload.Upload, verdict: Verdict = THROTTLED, *, secrets: tuple[upload.ObservedSecret, ...] | None = None
) -> upload.Status:
    """Return the status after a verdict."""
    return report.reported(about, verdict, secrets=secrets, now=LATER)


def ready_of(status: upload.Status) -> tuple[str, str, str]:
    """Return status, reason and message of the Ready condition."""
    assert status.ready is not None
    return status.ready.status, status.ready.reason, status.ready.message


# After a verdict


def test_a_verdict_becomes_the_conditions() -> None:
    """The verdict stands in the Ready condition."""
    assert ready_of(reported(builders.make_upload())) == ("False", "Throttled", "SCM asks to wait.")


def test_a_record_survives_a_failure() -> None:
    """The id of the last success stays in the status, whatever fails later."""
    uploaded = builders.make_upload(status=builders.make_status())
    assert reported(uploaded).record == builders.make_record()


def test_a_record_may_be_corrected() -> None:
    """The account that reaches an entry may be another one by now."""
    moved = builders.make_record(account=accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "own"))
    uploaded = builders.make_upload(status=builders.make_status())
    assert report.reported(uploaded, THROTTLED, secrets=None, record=moved, now=LATER).record == moved


def test_a_verdict_is_on_the_newest_generation() -> None:
    """The status tells which spec it is about, and so does each of its conditions."""
    status = reported(builders.make_upload(generation=7, status=builders.make_status(generation=6)))
    assert {status.observed_generation, *(each.observed_generation for each in status.conditions)} == {7}


@pytest.mark.parametrize("requested", ["2026-02-02", "", None], ids=["asked", "asked with nothing", "taken away"])
def test_a_request_is_echoed(requested: str | None) -> None:
    """A person sees in the status which request was handled; one that was taken away is forgotten."""
    asked = builders.make_upload(
        reconcile_requested_at=requested, status=builders.make_status(last_handled_reconcile_at="2026-01-01")
    )
    assert reported(asked).last_handled_reconcile_at == requested


def test_the_secrets_that_were_read_are_noted() -> None:
    """The versions that led to a verdict stand in the status, in place of those before."""
    about = builders.make_upload(status=builders.make_status())
    newer = (builders.make_secret(version="2"),)
    assert reported(about, secrets=newer).observed_secrets == newer
    assert reported(about, secrets=()).observed_secrets == ()


def test_secrets_that_were_not_read_stay_as_they_are_noted() -> None:
    """A verdict that was reached without reading keeps the versions of the last reading."""
    about = builders.make_upload(status=builders.make_status())
    assert reported(about).observed_secrets == (builders.make_secret(),)


@given(strategies.uploads(), st.sampled_from(Reason), st.sampled_from(strategies.MESSAGES))
def test_the_same_verdict_again_changes_nothing(about: upload.Upload, reason: Reason, message: str) -> None:
    """A verdict that is reported already is no write, however much later it comes again."""
    once = report.reported(about, Verdict(reason, message), secrets=None, now=builders.NOW)
    again = report.reported(dataclasses.replace(about, status=once), Verdict(reason, message), secrets=None, now=LATER)
    assert again == once


# What a verdict leaves alone


@given(strategies.uploads(), st.sampled_from(Reason))
def test_a_verdict_leaves_what_it_is_not_about(about: upload.Upload, reason: Reason) -> None:
    """History, term and concluded attempt survive whatever is reported."""
    before, after = about.status, reported(about, Verdict(reason, "m"))
    assert (after.record, after.history, after.term, after.concluded_attempt_id) == (
        before.record,
        before.history,
        before.term,
        before.concluded_attempt_id,
    )
