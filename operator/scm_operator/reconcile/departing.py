"""What is left of an upload that is gone: its attempts, and an id that no status will ever name."""

from collections.abc import Collection

from scm_operator.domain import attempt, errors, observation, ports, upload
from scm_operator.reconcile import account, groups, memory
from scm_operator.reconcile.connection import Outside
from scm_operator.reconcile.report import Reporter


class Departing:
    """Lets go of what belonged to a resource (a uid) that no longer exists."""

    def __init__(  # noqa: PLR0913 - ports and rooms
        self,
        *,
        accounts: account.AccountReconciler,
        journal: ports.Journal,
        groups: groups.Groups,
        memory: memory.Memory,
        reporter: Reporter,
        outside: Outside,
        left_out: Collection[str] = (),
    ) -> None:
        """Take the rooms; ``left_out`` are namespaces of which nothing is known, so that nothing there is gone."""
        self._left_out = left_out
        self._accounts = accounts
        self._journal = journal
        self._groups = groups
        self._memory = memory
        self._reporter = reporter
        self._outside = outside

    async def let_go(self, key: upload.UploadKey, current: upload.Upload | None) -> float | None:
        """Conclude what is left of former resources of a name; return the seconds until there is more to do.

        Without the Lease nothing is: the next leader may have given their entries to others.
        """
        if not self._journal.holds() or key.namespace in self._left_out:
            return None
        await self._let_go_of_memory(key, current)
        waits = [self._conclude(one) for one in self._attempts(key) if current is None or one.uid != current.uid]
        if current is None:
            self._memory.forget(key)
            await self._accounts.upload_gone(key)
        return min((wait for wait in waits if wait), default=None)

    def _attempts(self, key: upload.UploadKey) -> list[attempt.Attempt]:
        return [one for one in self._journal.attempts() if one.key == key]

    def _conclude(self, one: attempt.Attempt) -> float:
        """Forget an unknown attempt once its group has settled: an entry that is stored late must not be mistaken."""
        if wait := self._groups.view(one.group).settled_in:
            return wait
        self._groups.conclude(one)
        if one.uid in self._memory.told:
            self._memory.told.discard(one.uid)
            return 0.0
        what = self._memory.notes.pop(one.id, None) or "the operator was stopped while it waited."
        message = (
            f"deleted while the outcome of its POST of {one.at} was unknown ({what.rstrip('.')}): SCM may have an "
            f"entry named {one.scm_name!r} that nobody names."
        )
        self._reporter.orphaned(one.key, uid=one.uid, message=message)
        return 0.0

    async def _let_go_of_memory(self, key: upload.UploadKey, current: upload.Upload | None) -> None:
        known = self._memory.remembered.get(key)
        if known is None or (current and current.uid == _uid_of(known)):
            return
        del self._memory.remembered[key]
        if isinstance(known, observation.Claimed):
            self._memory.reserve(known.record.scm_id, key)  # nobody may take what is being deleted
            self._memory.left_behind(known.record.scm_id)
            await self._orphan(known)
        if known.attempt:
            self._groups.conclude(known.attempt)

    async def _orphan(self, known: observation.Claimed) -> None:
        """Row 4: delete the entry if the resource's policy was so, else tell that it stays."""
        record, about = known.record, known.about
        what = f"entry {record.scm_id} ({record.scm_name!r})"
        if about.deletes_entries and known.attempt and await self._delete(known):
            return
        message = f"deleted before its upload was recorded; {what} stays in SCM."
        self._reporter.orphaned(about.key, uid=about.uid, message=message)

    async def _delete(self, known: observation.Claimed) -> bool:
        try:
            reached = await self._accounts.reach(known.record.tenant)
            if reached is None or reached[0].fault or reached[1] is None:
                return False
            if not self._journal.holds():
                return True  # the next leader's affair
            async with self._outside(), reached[1].calling() as store:
                await store.delete(known.record.scm_id)
        except (errors.Obstacle, errors.ApiServerError):
            return False
        return True


def _uid_of(known: observation.Remembered) -> str:
    return known.about.uid if isinstance(known, observation.Claimed) else known.attempt.uid
