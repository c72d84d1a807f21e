"""Reporting on an upload: one status write if the status changes, one Event and one log line on a transition."""

import dataclasses
import logging
from collections.abc import Callable

from scm_operator.domain import conditions, errors, ports, reasons, upload
from scm_operator.domain.rows import wanted as rows
from scm_operator.reconcile import cache

_log = logging.getLogger(__name__)
OnUpload = Callable[[upload.Upload], None]
UploadCache = cache.Cache[upload.UploadKey, upload.Upload]
_NORMAL = frozenset(
    {
        reasons.Reason.UPLOADED,
        reasons.Reason.SUSPENDED,
        reasons.Reason.WAITING_FOR_SECRET,
        reasons.Reason.RESOLVING_OUTCOME,
        reasons.Reason.DELETING,
    }
)


class Reporter:
    """Writes statuses and tells transitions."""

    def __init__(
        self, *, known: UploadCache, status: ports.StatusWriter, events: ports.EventSink, journal: ports.Journal
    ) -> None:
        self._known = known
        self._status = status
        self._events = events
        self._journal = journal
        self.unsure: set[upload.UploadKey] = set()
        """Uploads with a write whose answer was lost: it may still come, and then somebody has to look again."""
        self.on_first_ready: OnUpload = lambda _: None
        """Told of each upload that is Ready for the first time, as it was before."""
        self._firsts = _Firsts()
        self.orphans = 0
        """How many times it was told that something is left in SCM."""

    async def write(self, about: upload.Upload, status: upload.Status) -> None:
        """Write a status unless it is there already. Raises: ApiServerError (Conflict, Gone)."""
        if status != about.status:
            await self._write(about, status)

    async def fence(self, about: upload.Upload) -> None:
        """Write the term, so that what an earlier leader still writes conflicts. Raises: ApiServerError."""
        await self._write(about, about.status)

    async def write_finalizers(self, about: upload.Upload, finalizers: tuple[str, ...]) -> None:
        """Replace the finalizers. Raises: ApiServerError (Conflict, Gone)."""
        self._check_lease()
        self._known.refresh(await self._status.write_finalizers(about, finalizers))

    async def _write(self, about: upload.Upload, status: upload.Status) -> None:
        # The resourceVersion was taken first (it is in `about`), then the Lease is looked at, then it is written: what
        # was read after the next leader's fence is never written by this one (docs/guarantees.md).
        self._check_lease()
        status = dataclasses.replace(status, term=self._journal.term)
        try:
            written = await self._status.write_upload(about, status)
        except (errors.Conflict, errors.Gone):
            raise
        except errors.ApiServerError:
            self.unsure.add(about.key)
            raise
        self.unsure.discard(about.key)
        self._known.refresh(written)
        if self._firsts.is_first(about, status):
            self.on_first_ready(about)
        if status.ready and _told(about.status) != _told(status):
            self._tell(about, status, status.ready)

    def _check_lease(self) -> None:
        if not self._journal.holds():
            raise errors.ApiServerError("the Lease is lost: nothing more is written")

    def orphaned(self, about: upload.UploadKey, *, uid: str, message: str) -> None:
        """Tell that an entry is (or may be) in SCM and no resource says so."""
        self.orphans += 1
        _log.warning("%s: %s", about, message, extra={"event": "Orphaned", "upload": str(about)})
        self._events.publish_orphan(about, uid=uid, message=message)

    def _tell(self, about: upload.Upload, status: upload.Status, ready: conditions.Condition) -> None:
        message = ready.message + _replacement(about, status)
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


class _Firsts:
    """Tells the first time that an upload is Ready from later ones; a status alone doesn't, after an entry was lost."""

    def __init__(self) -> None:
        self._recorded: set[str] = set()  # uids of those that have their first entry, and aren't Ready yet
        self._lost: set[str] = set()  # uids of those whose entry is gone

    def is_first(self, about: upload.Upload, status: upload.Status) -> bool:
        """Take in a status that was written, and say whether it is the first that is Ready."""
        before = about.status
        if before.record and not status.record:
            self._lost.add(about.uid)
        if status.record and not (before.record or before.history):
            if about.uid in self._lost:
                self._lost.discard(about.uid)
            else:
                self._recorded.add(about.uid)
        if about.uid not in self._recorded or status.ready is None or status.ready.status != conditions.TRUE:
            return False
        self._recorded.discard(about.uid)
        return True


def _told(status: upload.Status) -> tuple[str | None, ...]:
    ready, record = status.ready, status.record
    return (
        ready.status if ready else None,
        ready.reason if ready else None,
        record.scm_id if record else None,
        record.scm_name if record else None,
    )


def _replacement(about: upload.Upload, after: upload.Status) -> str:
    before = about.status
    if before.record and after.record and before.record.scm_id != after.record.scm_id:
        fate = "is deleted there next" if rows.is_deleted_when_replaced(about, before.record) else "stays in SCM"
        return f" It replaces {before.record.scm_id}, which {fate}."
    if before.record and after.record and before.record.scm_name != after.record.scm_name:
        return f" Renamed from {before.record.scm_name!r} to {after.record.scm_name!r}."
    return ""
