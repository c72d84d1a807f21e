import dataclasses
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scm_operator.domain import account as accounts
from scm_operator.domain import observation, ports, report, upload
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.reasons import Reason
from tests.support import builders
from tests.unit.domain import schemas, strategies

LATER = builders.NOW + datetime.timedelta(hours=1)
THROTTLED = Verdict(Reason.THROTTLED, "SCM asks to wait.")


def reported(
    about: upload.Upload, verdict: Verdict = THROTTLED, *, secrets: tuple[upload.ObservedSecret, ...] | None = None
) -> upload.Status:
    """Return the status after a verdict."""
    return report.reported(about, verdict, secrets=secrets, now=LATER)


def recorded(about: upload.Upload, wanted: observation.Wanted | None = None) -> upload.Status:
    """Return the status after a POST of the default attempt that made the entry OTHER_SCM_ID."""
    return report.recorded(
        about,
        wanted or builders.make_wanted(),
        builders.make_attempt(),
        scm_id=builders.OTHER_SCM_ID,
        create_time="2026-02-03T04:05:06.007Z",
        account=builders.CLUSTER_DEFAULT,
        now=LATER,
    )


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


# After a success


def test_a_success_is_recorded() -> None:
    """The record says which entry there is, of what content, and where."""
    assert recorded(builders.make_upload()).record == builders.make_record(
        scm_id=builders.OTHER_SCM_ID, create_time="2026-02-03T04:05:06.007Z"
    )


def test_a_success_is_ready() -> None:
    """An upload that is recorded is Ready, and the message has the id."""
    assert ready_of(recorded(builders.make_upload())) == (
        "True",
        "Uploaded",
        f"Uploaded to SCM as {builders.OTHER_SCM_ID}.",
    )


def test_a_success_takes_the_place_of_the_one_before() -> None:
    """The record is that of the newest entry, and the versions are those that it was made from."""
    wanted = builders.make_wanted(secrets=(builders.make_secret(version="2"),))
    status = recorded(builders.make_upload(status=builders.make_status()), wanted)
    assert status.record is not None
    assert (status.record.scm_id, status.observed_secrets) == (builders.OTHER_SCM_ID, wanted.secrets)


def test_a_success_records_what_was_sent() -> None:
    """Name, tenant and content are those of the attempt, even if the resource asks for others by now."""
    status = recorded(builders.make_upload(scm_name="renamed"))
    assert status.record is not None
    assert (status.record.scm_name, status.record.tenant, status.record.content_hash) == (
        "shop-tls",
        builders.make_tenant(),
        builders.make_content().hash,
    )


def test_a_success_echoes_generation_and_request() -> None:
    """A status that records an entry says which spec and which request led to it."""
    status = recorded(builders.make_upload(generation=4, reconcile_requested_at="2026-02-02"))
    assert (status.observed_generation, status.last_handled_reconcile_at) == (4, "2026-02-02")


def test_the_origin_is_one_of_the_crd() -> None:
    """What a record says of its origin is what the CRD allows."""
    status = schemas.schema_of("certificaterequestuploads")["properties"]["status"]["properties"]
    assert recorded(builders.make_upload()).to_json()["origin"] in status["origin"]["enum"]


# After a rename, and after a loss


def test_a_rename_changes_the_name_alone() -> None:
    """The entry is the same under its new name, and the upload is Ready."""
    about = builders.make_upload(scm_name="renamed", generation=2, status=builders.make_status())
    status = report.renamed(about, builders.make_record(), now=LATER)
    assert status.record == builders.make_record(scm_name="renamed")
    assert (ready_of(status)[:2], status.observed_generation) == (("True", "Uploaded"), 2)
    assert status.observed_secrets == (builders.make_secret(),)


def test_a_lost_entry_is_taken_out() -> None:
    """The id of an entry that is gone doesn't stay in the status; the verdict says so."""
    about = builders.make_upload(generation=2, status=builders.make_status())
    status = report.unrecorded(about, Verdict(Reason.ENTRY_MISSING, "Gone"), now=LATER)
    assert (status.record, status.observed_generation) == (None, 2)
    assert ready_of(status) == ("False", "EntryMissing", "Gone")
    assert "scmID" not in status.to_json()


# After an unknown outcome


def test_an_unknown_outcome_says_what_to_do() -> None:
    """The message says when, what happened, which name to look for in SCM, and how to go on."""
    attempt = builders.make_attempt(scm_name="my-csr", at="2026-02-03T04:05:06Z")
    verdict = report.outcome_unknown(attempt, "the connection broke.")
    assert verdict.reason == Reason.OUTCOME_UNKNOWN
    assert verdict.message == (
        "The POST of 2026-02-03T04:05:06Z may or may not have been stored: the connection broke. Nothing more is sent "
        "for this resource. Look in SCM for the CSR named 'my-csr' and delete it there if it exists; then delete and "
        "re-create this resource to upload again."
    )


def test_an_unknown_outcome_keeps_the_record_before() -> None:
    """An entry that is known stays in the status while the outcome of its successor isn't known."""
    about = builders.make_upload(status=builders.make_status())
    status = reported(about, report.outcome_unknown(builders.make_attempt(), "m."))
    assert (status.record, ready_of(status)[0]) == (builders.make_record(), "Unknown")


def test_what_to_do_is_never_cut_off() -> None:
    """The longest name and the longest text of a service leave room for what a person is to do."""
    verdict = report.outcome_unknown(builders.make_attempt(scm_name="n" * 63), "x" * 256)
    assert ready_of(reported(builders.make_upload(), verdict))[2] == verdict.message


# What is never told


def test_no_content_is_in_a_status() -> None:
    """Neither the CSR nor the key is in what is written after a success or an unknown outcome."""
    wanted = builders.make_wanted(builders.make_content(csr_pem="a-canary-csr", private_key_pem="a-canary-key"))
    about = builders.make_upload()
    unknown = reported(about, report.outcome_unknown(builders.make_attempt(), "m."))
    assert "canary" not in f"{recorded(about, wanted).to_json()} {unknown.to_json()}"


def test_no_content_is_in_a_repr() -> None:
    """What is logged of an observation by mistake holds neither a Secret's bytes nor a CSR or key."""
    wanted = builders.make_wanted(builders.make_content(csr_pem="a-canary-csr", private_key_pem="a-canary-key"))
    journaled = observation.Journaled(builders.make_attempt(), wanted, generation=1)
    secret = ports.Secret(builders.make_secret(), {"tls.key": b"a-canary-key"})
    assert "canary" not in repr((builders.make_observed(wanted, memory=journaled), secret))
