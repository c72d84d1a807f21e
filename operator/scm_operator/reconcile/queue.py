"""A keyed work queue: one worker a key, two lanes, delays, backoff.

The rules of client-go's workqueue: a key is handled by one worker at a time; a key added while it waits is handled
once; a key added while it is handled is handled again afterwards.
"""

import asyncio
import collections
import dataclasses
import enum
import logging
import random
import traceback
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)
K = TypeVar("K", bound=Hashable)
# Of this many keys taken one comes from the later lane, whatever waits in the first: no starvation.
_FAIRNESS = 8


class Lane(enum.IntEnum):
    """New and changed resources go ahead of retries."""

    FRESH = 0
    RETRY = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """A handler's answer "not finished": come back after the backoff, not before ``at_least`` seconds."""

    at_least: float = 0.0
    slow: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter, in seconds; ``slow`` is the first step where only a person can help."""

    first: float = 1.0
    slow: float = 30.0
    longest: float = 300.0

    def delay(self, failures: int, *, slow: bool) -> float:
        """Return how long to wait after that many failures in a row (1 and up)."""
        step = (self.slow if slow else self.first) * 2.0 ** min(failures - 1, 30)
        return random.uniform(0, min(step, self.longest))  # noqa: S311 - jitter is no secret


class WorkQueue(Generic[K]):
    """Keys that wait for a worker."""

    def __init__(self, *, workers: int, backoff: Backoff) -> None:
        self._workers = workers
        self._backoff = backoff
        self._lanes: tuple[collections.OrderedDict[K, None], ...] = (
            collections.OrderedDict(),
            collections.OrderedDict(),
        )
        self._handled: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._taken = 0
        self._stopping = False
        self._wakeup = asyncio.Event()

    def add(self, key: K, *, lane: Lane = Lane.FRESH) -> None:
        """Queue a key, at once; a delay that it waits for is over."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key in self._handled:
            self._again.add(key)
            return
        if lane is Lane.FRESH:
            self._lanes[Lane.RETRY].pop(key, None)
        elif key in self._lanes[Lane.FRESH]:
            return
        self._lanes[lane][key] = None
        self._wakeup.set()

    def add_later(self, key: K, *, delay: float) -> None:
        """Queue a key after so many seconds, unless it is queued before; many calls in that time are one."""
        if key not in self._timers and not self._stopping:
            self._timers[key] = asyncio.get_running_loop().call_later(delay, self._due, key)

    def __len__(self) -> int:
        """Return how many keys wait for a worker now, delayed ones left out."""
        return sum(len(lane) for lane in self._lanes)

    async def run(self, handle: Callable[[K], Awaitable[Retry | None]]) -> None:
        """Handle keys until `stop`; return when those being handled then are done. No handler is ever cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._workers):
                workers.create_task(self._work(handle))

    def stop(self) -> None:
        """Begin no further key; what waits, waits for the next process."""
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        self._wakeup.set()

    async def _work(self, handle: Callable[[K], Awaitable[Retry | None]]) -> None:
        while (key := await self._next()) is not None:
            self._handled.add(key)
            retry = await _guarded(handle, key)
            self._handled.discard(key)
            self._finish(key, retry)

    async def _next(self) -> K | None:
        while not self._stopping:
            for lane in self._order():
                if lane:
                    self._taken += 1
                    return lane.popitem(last=False)[0]
            self._wakeup.clear()
            await self._wakeup.wait()
        return None

    def _order(self) -> tuple[collections.OrderedDict[K, None], ...]:
        return self._lanes[::-1] if self._taken % _FAIRNESS == _FAIRNESS - 1 else self._lanes

    def _finish(self, key: K, retry: Retry | None) -> None:
        if retry is None:
            self._failures.pop(key, None)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        elif retry is not None and key not in self._timers and not self._stopping:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            delay = retry.at_least + self._backoff.delay(failures, slow=retry.slow)
            self._timers[key] = asyncio.get_running_loop().call_later(delay, self._due, key)

    def _due(self, key: K) -> None:
        del self._timers[key]
        self.add(key, lane=Lane.RETRY)


async def _guarded(handle: Callable[[K], Awaitable[Retry | None]], key: K) -> Retry | None:
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
