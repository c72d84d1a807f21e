"""The Lease in the model, and the journal that a process keeps in it."""

import asyncio
import dataclasses
from collections.abc import Collection

from scm_operator.domain import errors
from scm_operator.domain.attempt import Attempt, JournalLost
from tests.support import model_ops
from tests.support.model_loop import Clock

DURATION = 15.0
RENEW_DEADLINE = 10.0
RETRY_PERIOD = 2.0


@dataclasses.dataclass(slots=True)
class Lease:
    """One object, written by compare-and-swap; ``journal`` is its annotation."""

    holder: int = 0
    term: int = 0
    version: int = 0
    written: float = -1_000.0
    journal: tuple[Attempt, ...] = ()

    def write(self, journal: tuple[Attempt, ...], *, holder: int, version: int, now: float) -> int:
        """Replace it. Raises: Conflict if ``version`` isn't the newest."""
        if version != self.version or holder != self.holder:
            raise errors.Conflict("update Lease: 409")
        self.journal, self.written = journal, now
        self.version += 1
        return self.version


class FakeJournal:
    """The journal of one process; implements domain.ports.Journal.

    ``keeps_concluded`` takes a rule away: the write that adds an attempt leaves concluded ones in.
    """

    def __init__(
        self,
        lease: Lease,
        *,
        caller: model_ops.Caller,
        wire: model_ops.Wire,
        clock: Clock,
        highest_term: int,
        keeps_concluded: bool = False,
    ) -> None:
        self._lease = lease
        self._caller = caller
        self._wire = wire
        self._clock = clock
        self._keeps_concluded = keeps_concluded
        self.lost: JournalLost | None = None
        self.renews = True
        self.since = self._renewed = clock.monotonic()
        self.term = max(lease.term, highest_term) + 1
        lease.holder, lease.term, lease.written = caller.number, self.term, self.since
        lease.version += 1
        self._version = lease.version
        self._attempts = {one.id: one for one in lease.journal}
        self._added_at: dict[str, float] = {}
        self._waiting: list[tuple[Attempt, asyncio.Future[None]]] = []
        self._work = asyncio.Event()
        self._busy = False

    def holds(self) -> bool:
        """Say whether this process is the leader, by its own clock."""
        return self._caller.alive and self._clock.monotonic() < self._renewed + RENEW_DEADLINE

    def attempts(self) -> Collection[Attempt]:
        """Return all."""
        return tuple(self._attempts.values())

    def of(self, uid: str) -> tuple[Attempt, ...]:
        """Return a resource's."""
        return tuple(one for one in self._attempts.values() if one.uid == uid)

    def added_at(self, attempt: Attempt) -> float:
        """Return from when its times count."""
        return self._added_at.get(attempt.id, self.since)

    async def add(self, attempt: Attempt) -> None:
        """Return when it stands in the Lease."""
        if not self.holds():
            raise errors.ApiServerError("this process does not hold the Lease")
        self._attempts[attempt.id] = attempt
        self._added_at[attempt.id] = self._clock.monotonic()
        known: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((attempt, known))
        self._work.set()
        try:
            await known
        except BaseException:
            self.conclude(attempt)
            raise

    def conclude(self, attempt: Attempt) -> None:
        """Take it out."""
        self._attempts.pop(attempt.id, None)
        self._added_at.pop(attempt.id, None)

    async def run(self) -> None:
        """Write what waits, one write at a time."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting:
                await self._write()

    def renew(self) -> None:
        """Write for a renewal, if this process still can."""
        if not (self.renews and self.holds() and not self._busy and self._lease.holder == self._caller.number):
            return
        self._version = self._lease.write(
            self._snapshot(), holder=self._caller.number, version=self._version, now=self._clock.monotonic()
        )
        self._renewed = self._clock.monotonic()

    def release(self) -> None:
        """Give the Lease back, with what isn't concluded in it, if this process holds it."""
        if self.holds() and self._lease.holder == self._caller.number:
            self._lease.journal, self._lease.holder, self._lease.written = self._snapshot(), 0, -1_000.0
            self._lease.version += 1

    async def _write(self) -> None:
        batch, self._waiting = self._waiting, []
        left = {one.id: one for one in self._lease.journal} if self._keeps_concluded else {}
        journal = tuple((left | self._attempts).values())
        version, sent = self._version, self._clock.monotonic()
        done: list[int] = []

        def apply() -> None:
            now = self._clock.monotonic()
            done.append(self._lease.write(journal, holder=self._caller.number, version=version, now=now))

        self._busy = True
        error: errors.ApiServerError | None = None
        try:
            await self._wire.call(
                model_ops.Op(
                    "lease",
                    "",
                    self._caller,
                    apply,
                    lambda: errors.ApiServerError("update Lease: no answer"),
                    lambda: errors.ApiServerError("update Lease: 503"),
                    late=False,
                ),
                timeout=1.5,
            )
        except errors.ApiServerError as failure:
            error = failure
        finally:
            self._busy = False
        if done:  # read back, if the answer was lost
            self._version, self._renewed, error = done[0], max(sent, self._renewed), None
        elif not self.holds() or self._lease.holder != self._caller.number:
            self._renewed = -1_000.0
        for _, known in batch:
            if not known.done():
                known.set_exception(error) if error else known.set_result(None)

    def _snapshot(self) -> tuple[Attempt, ...]:
        return tuple(self._attempts.values())
