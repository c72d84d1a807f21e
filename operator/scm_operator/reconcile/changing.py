"""Changing what is recorded: in SCM (rename, delete) and in the resource (status, finalizer)."""

from scm_operator.domain import actions, errors, ports, report, status, upload
from scm_operator.reconcile import account, memory, standing, visit
from scm_operator.reconcile.connection import Outside
from scm_operator.reconcile.observing import Observation
from scm_operator.reconcile.report import Reporter


class Changing:
    """Takes the steps that change an entry that is recorded, or the record of one."""

    def __init__(  # noqa: PLR0913 - ports and rooms
        self,
        *,
        accounts: account.AccountReconciler,
        memory: memory.Memory,
        standing: standing.Standing,
        reporter: Reporter,
        clock: ports.Clock,
        outside: Outside,
    ) -> None:
        self._accounts = accounts
        self._memory = memory
        self._standing = standing
        self._reporter = reporter
        self._clock = clock
        self._outside = outside

    async def take(self, action: actions.Action, at: Observation, seen: visit.Visit) -> None:
        """Take a step of this room. Raises: Obstacle, ApiServerError."""
        current = at.observed.upload
        match action:
            case actions.Rename():
                await self.rename(action, at, seen)
            case actions.Delete():
                await self.delete(action, at, seen)
            case actions.AddFinalizer():
                await self._reporter.write_finalizers(current, (*current.finalizers, upload.FINALIZER))
            case actions.RemoveFinalizer():
                await self.remove_finalizer(action, current)
            case _:
                await self._reporter.write(current, self._status_after(action, current))
                if isinstance(action, actions.DropRecord):
                    self._memory.missing.pop(current.key, None)
                    self._standing.replaced(action.record.account, action.record.scm_id)

    def _status_after(self, action: actions.Action, current: upload.Upload) -> status.Status:
        """Return the status that a step writes, and which is all that it does."""
        now = self._clock.now()
        match action:
            case actions.WriteRecord():
                return report.recorded(current, action, now=now)
            case actions.DropRecord(record):
                return report.without_record(current, record, now=now)
            case actions.TakeBack():
                return report.taken_back(current, action, now=now)
            case actions.DropReplaced(record):
                return report.without_replaced(current, record.scm_id)
            case actions.MarkDeleting(record):
                return report.marked_deleting(current, record.scm_id)
            case actions.WriteConcluded(attempt):
                return report.concluded(current, attempt.id)
            case _:
                raise AssertionError(f"no step writes a status for {type(action).__name__}")

    async def rename(self, action: actions.Rename, at: Observation, seen: visit.Visit) -> None:
        """Rename the entry in SCM and report it; note one that is gone. Raises: Obstacle, ApiServerError."""
        connection, current = at.own(), at.observed.upload
        self._memory.renaming[action.record.scm_id] = ""  # until it is answered it may have either name
        try:
            async with connection.calling_in_turn(current.key, outside=self._outside) as store:
                await store.rename(action.record.scm_id, name=action.scm_name)
        except errors.Blocked:
            self._memory.renaming.pop(action.record.scm_id, None)
            self._memory.missing[current.key] = action.record.scm_id, connection.version
            return
        except errors.AccountObstacle as obstacle:
            self._accounts.met(connection, obstacle)
            raise
        self._memory.renaming[action.record.scm_id] = action.scm_name
        self._accounts.met(connection, None)
        seen.shown.pop(action.record.scm_id, None)
        seen.resync = False
        await self._reporter.write(current, report.renamed(current, action.record, now=self._clock.now()))
        self._memory.renaming.pop(action.record.scm_id, None)

    async def delete(self, action: actions.Delete, at: Observation, seen: visit.Visit) -> None:
        """Delete an entry in SCM, and take it out of the history. Raises: Obstacle, ApiServerError."""
        connection, current = at.reached.get(action.record.tenant) or at.own(), at.observed.upload
        async with connection.calling_in_turn(current.key, outside=self._outside) as store:
            await store.delete(action.record.scm_id)
        seen.deleted.add(action.record.scm_id)
        self._memory.renaming.pop(action.record.scm_id, None)
        if not current.deleting:
            await self._reporter.write(current, report.without_replaced(current, action.record.scm_id))

    async def remove_finalizer(self, action: actions.RemoveFinalizer, current: upload.Upload) -> None:
        """Let the resource go, and tell what is left behind. Raises: ApiServerError."""
        if action.left:
            message = (
                f"deleted, although this is left in SCM, where nobody names it any more: {'; '.join(action.left)}."
            )
            self._reporter.orphaned(current.key, uid=current.uid, message=message)
            self._memory.told.add(current.uid)
        others = tuple(name for name in current.finalizers if name != upload.FINALIZER)
        await self._reporter.write_finalizers(current, others)
        self._memory.deleting_since.pop(current.uid, None)
