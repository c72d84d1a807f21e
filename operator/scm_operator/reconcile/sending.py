"""Journal and Post: the two steps between which nothing may go wrong unnoticed."""

import secrets as random_ids

from scm_operator.domain import actions, conditions, entry, errors, observation, ports, reasons, status, upload
from scm_operator.domain.attempt import Attempt
from scm_operator.reconcile import account, groups, memory, standing
from scm_operator.reconcile.connection import Connection, Outside
from scm_operator.reconcile.observing import Observation


class Sending:
    """Sends what is wanted, once, after its attempt stands in the journal."""

    def __init__(  # noqa: PLR0913 - ports and rooms
        self,
        *,
        accounts: account.AccountReconciler,
        journal: ports.Journal,
        groups: groups.Groups,
        memory: memory.Memory,
        standing: standing.Standing,
        clock: ports.Clock,
        outside: Outside,
    ) -> None:
        self._accounts = accounts
        self._journal = journal
        self._groups = groups
        self._memory = memory
        self._standing = standing
        self._clock = clock
        self._outside = outside

    async def journal(self, action: actions.Journal, at: Observation) -> None:
        """Journal an attempt, with a token in hand. Raises: Obstacle (JournalFull among them), ApiServerError."""
        connection, current = at.own(), at.observed.upload
        await self._prepare(connection)
        begun = self._clock.monotonic()
        attempt = Attempt(
            id=random_ids.token_hex(8),
            uid=current.uid,
            key=current.key,
            scm_name=current.scm_name,
            tenant=action.tenant,
            content_hash=action.wanted.content.hash,
            at=conditions.timestamp(self._clock.now()),
            term=self._journal.term,
        )
        if any(attempt.rivals(other) for other in self._groups.view(attempt.group).attempts):
            return  # begun while the token was waited for: row 18 holds, planned again
        await self._add(attempt, connection)
        self._memory.remembered[current.key] = observation.Journaled(
            attempt,
            action.wanted,
            current.generation,
            begin_by=begun + connection.timeout / 2,
            end_by=begun + connection.timeout,
        )

    async def _prepare(self, connection: Connection) -> None:
        try:
            async with self._outside(), connection.calling() as store:
                await store.prepare()
        except errors.AccountObstacle as obstacle:
            self._accounts.met(connection, obstacle)
            raise

    async def _add(self, attempt: Attempt, connection: Connection) -> None:
        try:
            await self._journal.add(attempt)
        except errors.RetryLater as full:
            self._standing.degrade(connection.key, reasons.AccountReason.JOURNAL_FULL, full.message)
            raise
        except errors.ApiServerError:
            self._groups.changed(attempt.group)  # it was among the open ones while it was tried
            raise
        self._standing.recover(connection.key, reasons.AccountReason.JOURNAL_FULL)

    async def post(self, action: actions.Post, at: Observation) -> bool:
        """Send the POST, once; what it came to is in memory before anything else is awaited.

        Return False if its outcome is unknown. Raises: Obstacle when it surely was not stored.
        """
        connection, current, attempt = at.own(), at.observed.upload, action.attempt
        journaled = self._memory.remembered[current.key]
        assert isinstance(journaled, observation.Journaled)  # noqa: S101 - plan posts nothing else
        self._memory.remembered[current.key] = observation.InFlight(attempt)
        try:
            stored = await self._call(action, connection, current.key, end_by=journaled.end_by)
        except errors.OutcomeUnknown as obstacle:
            self._unknown(attempt, obstacle.message)
            return False
        except errors.Obstacle as obstacle:
            self._memory.remembered.pop(current.key, None)
            self._groups.conclude(attempt)
            self._note(connection, obstacle)
            raise
        except BaseException as error:
            # A bug or a cancellation: something may have been sent, so it counts as sent.
            self._unknown(attempt, f"the operator failed while it waited ({type(error).__name__}).")
            raise
        record = status.Record(
            scm_id=stored.scm_id,
            scm_name=attempt.scm_name,
            create_time=stored.create_time,
            origin=status.Origin.UPLOADED,
            account=connection.key,
            tenant=attempt.tenant,
            content_hash=attempt.content_hash,
            attempt_id=attempt.id,
        )
        self._memory.remembered[current.key] = observation.Claimed(current, record, attempt, action.wanted)
        self._note(connection, None)
        return True

    async def _call(
        self, action: actions.Post, connection: Connection, key: upload.UploadKey, *, end_by: float
    ) -> entry.Entry:
        with self._groups.posting(action.attempt.group):
            async with connection.calling_in_turn(key, outside=self._outside) as store:
                left = end_by - self._clock.monotonic()
                return await store.upload(action.wanted.content, name=action.attempt.scm_name, timeout=left)

    def _unknown(self, attempt: Attempt, what_happened: str) -> None:
        """Leave the attempt in the journal, where it counts as unknown from now on."""
        self._memory.remembered.pop(attempt.key, None)
        self._memory.notes[attempt.id] = what_happened

    def _note(self, connection: Connection, obstacle: errors.Obstacle | None) -> None:
        if obstacle is None or isinstance(obstacle, errors.AccountObstacle):
            self._accounts.met(connection, obstacle)
