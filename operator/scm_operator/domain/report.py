"""What a status says after a verdict or a success: pure, so that it can be compared with what is there already."""

import dataclasses
import datetime

from scm_operator.domain.account import AccountKey
from scm_operator.domain.conditions import Verdict, conditions_for
from scm_operator.domain.observation import Attempt, Wanted
from scm_operator.domain.plan import uploaded
from scm_operator.domain.reasons import Reason
from scm_operator.domain.upload import ObservedSecret, Record, Status, Upload


def reported(
    upload: Upload,
    verdict: Verdict,
    *,
    secrets: tuple[ObservedSecret, ...] | None,
    now: datetime.datetime,
    record: Record | None = None,
) -> Status:
    """Return the status that says a verdict on what the resource asks for now; its record survives."""
    return dataclasses.replace(
        upload.status,
        record=record or upload.status.record,
        observed_generation=upload.generation,
        observed_secrets=upload.status.observed_secrets if secrets is None else secrets,
        last_handled_reconcile_at=upload.reconcile_requested_at,
        conditions=conditions_for(verdict, previous=upload.status.conditions, generation=upload.generation, now=now),
    )


def recorded(  # noqa: PLR0913 - a record has that many sources
    upload: Upload,
    wanted: Wanted,
    attempt: Attempt,
    *,
    scm_id: str,
    create_time: str,
    account: AccountKey,
    now: datetime.datetime,
) -> Status:
    """Return the status that records the entry which an attempt has made."""
    record = Record(
        scm_id=scm_id,
        scm_name=attempt.scm_name,
        create_time=create_time,
        origin="Uploaded",
        account=account,
        tenant=attempt.tenant,
        content_hash=attempt.content_hash,
        csr=wanted.content.summary,
    )
    status = reported(upload, uploaded(record), secrets=wanted.secrets, now=now)
    return dataclasses.replace(status, record=record)


def renamed(upload: Upload, record: Record, *, now: datetime.datetime) -> Status:
    """Return the status after the entry took the name that the resource asks for."""
    status = reported(upload, uploaded(record), secrets=None, now=now)
    return dataclasses.replace(status, record=dataclasses.replace(record, scm_name=upload.scm_name))


def unrecorded(upload: Upload, verdict: Verdict, *, now: datetime.datetime) -> Status:
    """Return the status after the entry turned out to be gone from SCM."""
    return dataclasses.replace(reported(upload, verdict, secrets=None, now=now), record=None)


def outcome_unknown(attempt: Attempt, what_happened: str) -> Verdict:
    """Return the verdict on a POST that may have been stored."""
    return Verdict(
        Reason.OUTCOME_UNKNOWN,
        f"The POST of {attempt.at} may or may not have been stored: {what_happened} Nothing more is sent for this "
        f"resource. Look in SCM for the CSR named {attempt.scm_name!r} and delete it there if it exists; then delete "
        "and re-create this resource to upload again.",
    )
