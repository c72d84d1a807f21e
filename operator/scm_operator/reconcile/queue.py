"""A keyed work queue: one worker a key, two lanes, delays, backoff.

The rules of client-go's workqueue: a key is handled by one worker at a time; a key added while it waits is handled
once; a key added while it is handled is handled again afterwards.
"""

import asyncio
import contextlib
import dataclasses
import logging
import random
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Generic, TypeAlias, TypeVar

from scm_operator.reconcile import lanes, pace

_log = logging.getLogger(__name__)
K = TypeVar("K", bound=Hashable)
Lane = lanes.Lane


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """A handler's answer "not finished": come back after the backoff, not before ``at_least`` seconds."""

    at_least: float = 0.0
    slow: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Again:
    """A handler's answer "nothing failed": come back in just so many seconds; failures in a row stay counted."""

    after: float


Answer: TypeAlias = Retry | Again | None


@dataclasses.dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter, in seconds; ``slow`` is the first step where only a person can help."""

    first: float = 1.0
    slow: float = 30.0
    longest: float = 300.0
    uniform: Callable[[float, float], float] = dataclasses.field(default=random.uniform, repr=False)

    def delay(self, failures: int, *, slow: bool) -> float:
        """Return how long to wait after that many failures in a row (1 and up)."""
        return self.uniform(0, self.step(failures, slow=slow))

    def step(self, failures: int, *, slow: bool = False) -> float:
        """Return the longest that it may be after that many failures in a row (1 and up)."""
        return min((self.slow if slow else self.first) * 2.0 ** min(failures - 1, 30), self.longest)


class WorkQueue(Generic[K]):
    """Keys that wait for a worker."""

    def __init__(self, *, workers: int, backoff: Backoff) -> None:
        self._most = workers
        self._backoff = backoff
        self._waiting: lanes.Lanes[K] = lanes.Lanes()
        self._handled: pace.Pace[K] = pace.Pace()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._workers = 0
        self._outside = 0
        self._hire: Callable[[], object] | None = None
        self._stopping = False
        self._wakeup = asyncio.Event()
        self._told: set[K] = set()
        self.retries = 0
        """How many passes have ended with a `Retry`."""

    def add(self, key: K, *, lane: Lane = Lane.FRESH) -> None:
        """Queue a key, at once; a delay that it waits for is over."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key in self._handled:
            self._again.add(key)
            return
        self._waiting.add(key, lane, now=asyncio.get_running_loop().time())
        self._wakeup.set()

    def drop(self, key: K) -> None:
        """Take a key out that waits for a worker; for where nobody works yet."""
        self._waiting.remove(key)

    def add_later(self, key: K, *, delay: float) -> None:
        """Queue a key after so many seconds, unless it is queued before; of many such calls the soonest counts."""
        if self._stopping:
            return
        loop = asyncio.get_running_loop()
        if timer := self._timers.get(key):
            if timer.when() <= loop.time() + delay:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(delay, self._due, key)

    def __len__(self) -> int:
        """Return how many keys wait for a worker now, delayed ones left out."""
        return len(self._waiting)

    def waiting(self, lane: Lane) -> int:
        """Return how many keys of a lane wait for a worker now."""
        return self._waiting.count(lane)

    @property
    def delayed(self) -> int:
        """Return how many keys wait for their delay to be over."""
        return len(self._timers)

    @property
    def busy(self) -> int:
        """Return how many keys are handled."""
        return len(self._handled)

    @property
    def oldest(self) -> float:
        """Return the seconds for which the key waits that waits for a worker the longest."""
        since = self._waiting.oldest
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    def moved(self) -> None:
        """Note that the handler which calls this gets on: its key isn't stuck. For a step that may take long."""
        self._handled.move()

    def stall(self, longest: float) -> str | None:
        """Say what hasn't moved for longer than so many seconds, None if nothing should have.

        A key at hand without a step, or keys that wait although there are workers for them. A long line before workers
        that are all busy is none; nor is a key that waits for its delay, or for its turn in an account's line.
        """
        stuck = self._handled.stuck(longest)
        for key in stuck:
            if key not in self._told:
                _log.error("%s: at hand for longer than %g s without a step", key, longest, extra={"event": "Stuck"})
        self._told = set(stuck)
        if stuck:
            return f"{len(stuck)} of {self.busy} keys at hand have made no step for more than {longest:g} s"
        if self._hire is None or self._stopping or self.busy - self._outside >= self._most:
            return None
        idle = min(self.oldest, asyncio.get_running_loop().time() - self._handled.taken)
        return f"{len(self)} keys wait, and none was taken for {idle:.0f} s" if idle > longest else None

    @contextlib.asynccontextmanager
    async def outside(self) -> AsyncIterator[None]:
        """Wait for somebody else's service: meanwhile another worker takes this one's place.

        For handlers, and not nested. Whoever is one too many when the handler comes back ends after its key.
        """
        self._outside += 1
        if self._hire and not self._stopping and self._workers - self._outside < self._most:
            self._hire()
        self.moved()
        try:
            yield
        finally:
            self._outside -= 1
            self.moved()

    async def run(self, handle: Callable[[K], Awaitable[Answer]]) -> None:
        """Handle keys until `stop`; return when those being handled then are done. No handler is ever cancelled."""
        async with asyncio.TaskGroup() as group:

            def hire() -> None:
                self._workers += 1
                group.create_task(self._work(handle))

            self._handled.begin()
            for _ in range(self._most):
                hire()
            self._hire = hire

    def stop(self) -> None:
        """Begin no further key; what waits, waits for the next process."""
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        self._wakeup.set()

    async def _work(self, handle: Callable[[K], Awaitable[Answer]]) -> None:
        while await self._is_next():
            key, _ = self._waiting.pop()
            self._handled.take(key)
            answer = await _guarded(handle, key)
            self._handled.put_down(key)
            self._finish(key, answer)
            await asyncio.sleep(0)  # of many keys with nothing to wait for, each lets the others get on
        self._workers -= 1

    async def _is_next(self) -> bool:
        """Wait for a key; return False if this worker is to end: on a stop, or when it is one too many."""
        while not self._stopping and self._workers - self._outside <= self._most:
            if self._waiting:
                return True
            self._wakeup.clear()
            await self._wakeup.wait()
        return False

    def _finish(self, key: K, answer: Answer) -> None:
        if answer is None:
            self._failures.pop(key, None)
        elif isinstance(answer, Retry):
            self.retries += 1
            self._failures[key] = self._failures.get(key, 0) + 1
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        elif answer is not None:
            self.add_later(key, delay=self._delay(key, answer))

    def _delay(self, key: K, answer: Retry | Again) -> float:
        if isinstance(answer, Again):
            return answer.after
        return answer.at_least + self._backoff.delay(self._failures[key], slow=answer.slow)

    def _due(self, key: K) -> None:
        del self._timers[key]
        self.add(key, lane=Lane.RETRY)


async def _guarded(handle: Callable[[K], Awaitable[Answer]], key: K) -> Answer:
    """Turn a bug into a retry: one broken key must not stop a worker, let alone the process."""
    try:
        return await handle(key)
    except asyncio.CancelledError as error:
        if (worker := asyncio.current_task()) and worker.cancelling():
            raise
        return _bug(key, error)  # a task that the handler waited for was cancelled, not the worker
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - the last line of defence; a panic of a library is no Exception
        return _bug(key, error)


def _bug(key: Hashable, error: BaseException) -> Retry:
    # The message may quote data; the type and the place are what finds a bug.
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("bug while handling %s: %s\n%s", key, type(error).__name__, frames)
    return Retry()
