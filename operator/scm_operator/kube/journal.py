"""The journal in the Lease: one task writes it, and a write takes along all attempts that wait at that moment."""

import asyncio
import dataclasses
import logging
from collections.abc import Collection
from typing import Any

from scm_operator.domain import attempt, errors, ports
from scm_operator.kube import attempts, held_lease, journal_format, lease

_log = logging.getLogger(__name__)
_SOONEST = 0.25  # of the retry period, after a write that failed


@dataclasses.dataclass(frozen=True, slots=True)
class _Waiting:
    """An attempt whose `add` waits for a write."""

    attempt: attempt.Attempt
    known: "asyncio.Future[None]"


class LeaseJournal:
    """Implements domain.ports.Journal; `acquire` first, then `run` while it is used, and `release` at the end.

    Before it is acquired it holds nothing, in term 0. An attempt is among `attempts` from the moment that `add` is
    called: another upload that must not go with it sees it at once.
    """

    def __init__(self, elector: lease.Elector, *, clock: ports.Clock) -> None:
        self._elector = elector
        self._clock = clock
        self._held: held_lease.HeldLease | None = None
        self._attempts = attempts.Attempts()
        self._added_at: dict[str, float] = {}
        self._waiting: list[_Waiting] = []
        self._work = asyncio.Event()
        self._lost: attempt.JournalLost | None = None
        self._ended = False

    @property
    def term(self) -> int:
        """Return the term of this leader; every term before it is lower."""
        return self._held.term if self._held else 0

    @property
    def lost(self) -> attempt.JournalLost | None:
        """Say whether the journal of earlier terms is lost."""
        return self._lost

    @property
    def since(self) -> float:
        """Return when (monotonic clock) this process took the Lease."""
        return self._held.since if self._held else 0.0

    def holds(self) -> bool:
        """Say whether this process is the leader, by its own clock."""
        return self._held is not None and self._held.holds()

    def attempts(self) -> Collection[attempt.Attempt]:
        """Return the attempts that aren't concluded."""
        return self._attempts.all()

    @property
    def size(self) -> int:
        """Return how many bytes the attempts take in the Lease."""
        return self._attempts.size

    def of(self, uid: str) -> tuple[attempt.Attempt, ...]:
        """Return a resource's attempts that aren't concluded, oldest first."""
        return self._attempts.of(uid)

    def added_at(self, attempt: attempt.Attempt) -> float:
        """Return when (monotonic clock) an attempt was added, or `since` for an earlier term's."""
        return self._added_at.get(attempt.id, self.since)

    async def acquire(self) -> None:
        """Wait until this process is the leader, and read what was left. Raises: Unreadable."""
        held = await self._elector.acquire()
        self._lost = held.lease.lost
        for each in journal_format.decode(held.lease.journal or ""):
            self._attempts.put(each)
        self._held = held

    async def add(self, attempt: attempt.Attempt) -> None:
        """Return when the attempt stands in the journal by a write that is known to have succeeded.

        Raises: RetryLater (JournalFull), ApiServerError; then nothing may be sent, and nothing is left of it here.
        """
        if self._ended or not self.holds():
            raise held_lease.Lost("this process does not hold the Lease")
        self._attempts.check_room(attempt)
        waiting = _Waiting(attempt, asyncio.get_running_loop().create_future())
        self._attempts.put(attempt)
        self._added_at[attempt.id] = self._clock.monotonic()
        self._waiting.append(waiting)
        self._work.set()
        try:
            await waiting.known
        except BaseException:
            self.conclude(attempt)  # it was never sent
            raise

    def conclude(self, attempt: attempt.Attempt) -> None:
        """Take the attempt out, of the Lease by the next write."""
        self._attempts.remove(attempt)
        self._added_at.pop(attempt.id, None)

    async def run(self) -> str:
        """Renew and write until cancelled, or until the Lease is lost: then return why."""
        if self._held is None:
            raise RuntimeError("run before acquire")
        parts: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._write_on(self._held)),
            asyncio.create_task(self._held.until_lost()),
        ]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._ended = True
            for part in parts:
                part.cancel()
            ends = await asyncio.gather(*parts, return_exceptions=True)
            self._fail(held_lease.Lost("this process does not write the Lease any more"))
        if isinstance(ends[0], Exception):
            raise ends[0]
        return self._held.lost.result()

    async def release(self) -> None:
        """Give the Lease back if it is still held, with all in it that isn't concluded; to be called after `run`."""
        if self._held is not None:
            await self._held.give_back(self._attempts.text())

    async def _write_on(self, held: held_lease.HeldLease) -> None:
        """Write when there is something to add, and for a renewal; return when the Lease is lost."""
        due, said = held.renewed + self._elector.pause(), ""
        while True:
            await self._something_to_do(due)
            try:
                await self._write(held)
                due, said = held.renewed + self._elector.pause(), ""
            except held_lease.Lost:
                return
            except errors.ApiServerError as error:
                if str(error) != said:
                    said = str(error)
                    _log.warning("%s", error, extra={"event": "ApiServerError"})
                shortest = self._elector.times.retry_period * _SOONEST
                pause = max(shortest, min(error.retry_after, self._elector.times.retry_period))
                await asyncio.sleep(pause)
                due = self._clock.monotonic()

    async def _something_to_do(self, due: float) -> None:
        left = due - self._clock.monotonic()
        if left > 0 and not self._waiting:
            self._work.clear()
            try:
                async with asyncio.timeout(left):
                    await self._work.wait()
            except TimeoutError:
                pass

    async def _write(self, held: held_lease.HeldLease) -> None:
        """Write once. Raises: ApiServerError; those who wait go on waiting while the outcome is unknown."""
        batch = tuple(self._waiting)
        try:
            await held.write(self._attempts.text())
        except held_lease.Unknown:
            raise
        except errors.ApiServerError as error:
            self._fail(error, batch=batch)
            raise
        self._waiting = self._waiting[len(batch) :]
        for each in batch:
            if not each.known.done():
                each.known.set_result(None)

    def _fail(self, error: errors.ApiServerError, *, batch: tuple[_Waiting, ...] | None = None) -> None:
        for each in self._waiting if batch is None else batch:
            self.conclude(each.attempt)
            if not each.known.done():
                each.known.set_exception(errors.ApiServerError(str(error), retry_after=error.retry_after))
        self._waiting = [] if batch is None else self._waiting[len(batch) :]
