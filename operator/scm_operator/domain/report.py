"""What a status says after a verdict or a success: pure, so that it can be compared with what is there already."""

import dataclasses
import datetime

from scm_operator.domain import actions, conditions, upload
from scm_operator.domain.account import AccountKey, Tenant
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.reasons import Reason
from scm_operator.domain.rows import wanted as rows
from scm_operator.domain.status import HISTORY_LENGTH, ObservedSecret, Origin, Record, Replaced, Status


def reported(  # noqa: PLR0913 - a status has that many parts
    about: upload.Upload,
    verdict: Verdict,
    *,
    secrets: tuple[ObservedSecret, ...] | None,
    now: datetime.datetime,
    record: Record | None = None,
    handled: bool = True,
) -> Status:
    """Return the status that says a verdict on what the resource asks for now; its record survives.

    ``handled`` is False while a request for a fresh look is still to be met.
    """
    return dataclasses.replace(
        about.status,
        record=record or about.status.record,
        observed_generation=about.generation,
        observed_secrets=about.status.observed_secrets if secrets is None else secrets,
        last_handled_reconcile_at=about.reconcile_requested_at if handled else about.status.last_handled_reconcile_at,
        conditions=conditions.conditions_for(
            verdict, previous=about.status.conditions, generation=about.generation, now=now
        ),
    )


def recorded(about: upload.Upload, action: actions.WriteRecord, *, now: datetime.datetime) -> Status:
    """Return the status that has a claimed entry: as the current one, before the old one, or in the history."""
    if not action.current:
        return _with_history(about, (Replaced(_plain(action.record), conditions.timestamp(now)),))
    wanted, record = action.wanted, action.record
    moved = _with_history(about, _replaced_by(about, now=now))
    if wanted is None:
        return dataclasses.replace(moved, record=record)
    record = dataclasses.replace(record, csr=wanted.content.summary)
    return _as_wanted(about, rows.uploaded(record), record, wanted.secrets, history=moved.history, now=now)


def taken_back(about: upload.Upload, action: actions.TakeBack, *, now: datetime.datetime) -> Status:
    """Return the status in which an entry of the history is the current one again."""
    record = dataclasses.replace(action.replaced.record, csr=action.wanted.content.summary)
    verdict = rows.uploaded(record, unverified=not action.verified)
    left = tuple(old for old in about.status.history if old.record.scm_id != record.scm_id)
    moved = _with_history(about, _replaced_by(about, now=now), history=left)
    return _as_wanted(about, verdict, record, action.wanted.secrets, history=moved.history, now=now)


def renamed(about: upload.Upload, record: Record, *, now: datetime.datetime) -> Status:
    """Return the status after the entry took the name that the resource asks for."""
    record = dataclasses.replace(record, scm_name=about.scm_name)
    return reported(about, rows.uploaded(record), secrets=None, now=now, record=record)


def without_record(about: upload.Upload, record: Record, *, now: datetime.datetime) -> Status:
    """Return the status after the current entry turned out to be gone from SCM."""
    verdict = Verdict(
        Reason.ENTRY_MISSING,
        f"entry {record.scm_id} ({record.scm_name!r}) is not in SCM any more; what is wanted is uploaded anew.",
    )
    return dataclasses.replace(reported(about, verdict, secrets=None, now=now), record=None)


def without_replaced(about: upload.Upload, scm_id: str) -> Status:
    """Return the status without an entry of the history."""
    left = tuple(old for old in about.status.history if old.record.scm_id != scm_id)
    return dataclasses.replace(about.status, history=left)


def marked_deleting(about: upload.Upload, scm_id: str) -> Status:
    """Return the status that says that an entry of the history is going to be deleted."""
    marked = (
        dataclasses.replace(old, deleting=True) if old.record.scm_id == scm_id else old for old in about.status.history
    )
    return dataclasses.replace(about.status, history=tuple(marked))


def concluded(about: upload.Upload, attempt_id: str) -> Status:
    """Return the status that says that an attempt has ended."""
    return dataclasses.replace(about.status, concluded_attempt_id=attempt_id)


def _as_wanted(  # noqa: PLR0913 - a status has that many parts
    about: upload.Upload,
    verdict: Verdict,
    record: Record,
    secrets: tuple[ObservedSecret, ...],
    *,
    history: tuple[Replaced, ...],
    now: datetime.datetime,
) -> Status:
    """Return the status with the wanted content; one that has yet to be renamed isn't Ready by that alone."""
    if record.scm_name != about.scm_name:
        return dataclasses.replace(about.status, record=record, history=history, observed_secrets=secrets)
    status = reported(about, verdict, secrets=secrets, now=now, record=record)
    return dataclasses.replace(status, history=history)


def _replaced_by(about: upload.Upload, *, now: datetime.datetime) -> tuple[Replaced, ...]:
    current = about.status.record
    return (Replaced(_plain(current), conditions.timestamp(now)),) if current else ()


def _with_history(
    about: upload.Upload, newest: tuple[Replaced, ...], *, history: tuple[Replaced, ...] | None = None
) -> Status:
    """Put entries in front of the history, and drop the oldest beyond its length, but for those to be deleted."""
    whole = newest + (about.status.history if history is None else history)
    kept = [
        old
        for number, old in enumerate(whole)
        if number < HISTORY_LENGTH or old.deleting or rows.is_deleted_when_replaced(about, old.record)
    ]
    return dataclasses.replace(about.status, history=tuple(kept))


def _plain(record: Record) -> Record:
    return dataclasses.replace(record, csr=None)


def claimed_record(
    claim: actions.Claim, *, scm_name: str, content_hash: str, account: AccountKey, tenant: Tenant
) -> Record:
    """Return the record of an entry that a look-up has found."""
    return Record(
        scm_id=claim.entry.scm_id,
        scm_name=scm_name,
        create_time=claim.entry.create_time,
        origin=Origin.RECOVERED if claim.attempt else Origin.ADOPTED,
        account=account,
        tenant=tenant,
        content_hash=content_hash,
        attempt_id=claim.attempt.id if claim.attempt else None,
    )
