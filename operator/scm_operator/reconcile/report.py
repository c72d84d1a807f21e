"""Reporting on an upload: one status write if the status changes, one Event and one log line on a transition."""

import logging

from scm_operator.domain import conditions, ports, reasons, upload
from scm_operator.reconcile import cache

_log = logging.getLogger(__name__)
UploadCache = cache.Cache[upload.UploadKey, upload.Upload]
_NORMAL = frozenset({reasons.Reason.UPLOADED, reasons.Reason.SUSPENDED, reasons.Reason.WAITING_FOR_SECRET})


class Reporter:
    """Writes statuses and tells transitions."""

    def __init__(self, *, known: UploadCache, status: ports.StatusWriter, events: ports.EventSink) -> None:
        self._known = known
        self._status = status
        self._events = events

    async def write(self, about: upload.Upload, status: upload.Status) -> None:
        """Write a status unless it is there already. Raises: ApiServerError (Conflict, Gone)."""
        if status == about.status:
            return
        written = await self._status.write_upload(about, status)
        self._known.refresh(written)
        ready = status.ready
        if ready and _transition(about.status, status):
            self._tell(about, status, ready)

    def orphaned(self, key: upload.UploadKey, *, message: str) -> None:
        """Tell that an entry is (or may be) in SCM and no resource says so: there is none to tell an Event about."""
        _log.warning("%s: %s", key, message, extra={"event": "Orphaned", "upload": str(key)})

    def _tell(self, about: upload.Upload, status: upload.Status, ready: conditions.Condition) -> None:
        message = ready.message + _replacement(about.status, status)
        normal = ready.reason in _NORMAL
        _log.log(
            logging.INFO if normal else logging.WARNING,
            "%s: %s: %s",
            about.key,
            ready.reason,
            message,
            extra={"event": ready.reason, "upload": str(about.key), "generation": about.generation},
        )
        self._events.publish(about, reason=ready.reason, message=message, warning=not normal)


def _transition(before: upload.Status, after: upload.Status) -> bool:
    return _told(before) != _told(after)


def _told(status: upload.Status) -> tuple[str | None, ...]:
    ready, record = status.ready, status.record
    return (
        ready.status if ready else None,
        ready.reason if ready else None,
        record.scm_id if record else None,
        record.scm_name if record else None,
    )


def _replacement(before: upload.Status, after: upload.Status) -> str:
    if before.record and after.record and before.record.scm_id != after.record.scm_id:
        return f" It replaces {before.record.scm_id}, which stays in SCM."
    if before.record and after.record and before.record.scm_name != after.record.scm_name:
        return f" Renamed from {before.record.scm_name!r} to {after.record.scm_name!r}."
    return ""
