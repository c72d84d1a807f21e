"""Who may call SCM now: the limits of one account, its pauses, and the keys that wait for their turn.

Nobody waits in here with a worker: a key that can't go now stands in line, and is woken when it has a turn. A turn is
one of the account's ``concurrency`` slots; it is taken before anything is journaled, and given back after the last
call. In a pass over a key::

    match admission.admit(key, lane):
        case Waiting(verdict): ...          # report the verdict if there is one; the key is woken
        case Admitted(): ...                # journal, then each call: with admission.calling(key): ...
    admission.leave(key)                    # after the last call, and at the end of every pass
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from scm_operator.domain import account, conditions, errors, ports, reasons
from scm_operator.reconcile import lanes, queue, throttle

K = TypeVar("K", bound=Hashable)
# A wait for the limiter that is longer than this, in seconds, is told to the user.
_LONG_WAIT = 10.0
# Event loops round timers to a millisecond.
_TIMER_STEP = 0.001
# Whoever meets one of these meets the account, not the upload; every other answer shows that the service is there.
_OF_THE_ACCOUNT = {
    reasons.Reason.THROTTLED: reasons.Reason.THROTTLED,
    reasons.Reason.UNREACHABLE: reasons.Reason.UNREACHABLE,
    reasons.Reason.ENDPOINT_NOT_FOUND: reasons.Reason.ENDPOINT_NOT_FOUND,
    reasons.Reason.SERVER_ERROR: reasons.Reason.SERVER_ERROR,
    reasons.Reason.OUTCOME_UNKNOWN: reasons.Reason.SERVER_ERROR,  # unknown is that one POST alone
}


@dataclasses.dataclass(frozen=True, slots=True)
class Admitted:
    """The key has a turn until it leaves."""


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """The key stands in line and will be woken; ``verdict`` says why, unless the wait is short."""

    verdict: conditions.Verdict | None


@dataclasses.dataclass(slots=True)
class _Turn:
    """A slot, and a token for the first call: ``taken`` by a pass, ``used`` by a call."""

    era: int
    taken: bool = False
    used: bool = False


class Admission(Generic[K]):
    """One account's line. ``wake`` is called for a key that stood in line and has a turn; it must not call back."""

    def __init__(
        self, limits: account.Limits, *, clock: ports.Clock, wake: Callable[[K], None], backoff: queue.Backoff
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._wake = wake
        rate, burst = _bounds(limits)
        self._bucket = throttle.TokenBucket(rate=rate, burst=burst, now=clock.monotonic())
        self._breaker = throttle.Breaker(backoff)
        self._line: lanes.Lanes[K] = lanes.Lanes()
        self._turns: dict[K, _Turn] = {}
        self._asked: set[K] = set()  # whose pass was told to wait and has not ended
        self._timer: asyncio.TimerHandle | None = None
        self.on_turn: Callable[[float], None] = lambda _: None
        """Told of each turn that is given, with the seconds for which its key stood in line."""

    @property
    def paused(self) -> conditions.Verdict | None:
        """Return why the account is left alone, or None; one call may be trying it meanwhile."""
        return self._breaker.verdict

    @property
    def waiting(self) -> int:
        """Return how many keys stand in line."""
        return len(self._line)

    @property
    def under_way(self) -> int:
        """Return how many turns are given, of at most ``concurrency``."""
        return len(self._turns)

    def admit(self, key: K, lane: lanes.Lane) -> Admitted | Waiting:
        """Give the key a turn, or a place in line: once, however often it asks."""
        if key not in self._turns:
            self._line.add(key, lane, now=self._clock.monotonic())
            self._hand_out(asking=key)
        if turn := self._turns.get(key):
            if not turn.taken:
                turn.taken, turn.era = True, self._breaker.era
            self._asked.discard(key)
            return Admitted()
        self._asked.add(key)
        return Waiting(self._verdict(lane))

    @contextlib.contextmanager
    def calling(self, key: K) -> Iterator[None]:
        """Make one call in the key's turn; what it comes to, by the errors of domain, is taken in."""
        turn = self._turns[key]
        if turn.used:
            self.spend()
        turn.used = True
        try:
            yield
        except errors.Obstacle as obstacle:
            self._met(turn, obstacle)
            raise
        except BaseException:
            if self._tries(turn):
                self._breaker.reopen(now=self._clock.monotonic())
                self._take_back()
            raise
        self._succeeded(turn)

    def spend(self) -> None:
        """Count one more request of a call: it doesn't wait, whoever comes next waits longer."""
        self._bucket.take(self._clock.monotonic())

    def leave(self, key: K) -> None:
        """Give the turn back, if there is one. A place in line is kept.

        A turn that came while this pass, told to wait, was ending is for the next pass: the key was woken.
        """
        turn = self._turns.get(key)
        if key in self._asked:
            self._asked.discard(key)
        elif turn:
            self._end(key, turn)
            self._hand_out()

    def forget(self, key: K) -> None:
        """Take a key that wants nothing any more out of the line, with its turn."""
        self._asked.discard(key)
        self._line.remove(key)
        self.leave(key)

    def change_limits(self, limits: account.Limits) -> None:
        """Go on with other limits; who waits, and who has a turn, stays."""
        self._limits = limits
        rate, burst = _bounds(limits)
        self._bucket.change(rate=rate, burst=burst, now=self._clock.monotonic())
        self._hand_out()

    def reset(self) -> None:
        """End a pause: the account or its credential is another."""
        self._breaker.reset()
        self._hand_out()

    def _met(self, turn: _Turn, obstacle: errors.Obstacle) -> None:
        reason = _OF_THE_ACCOUNT.get(obstacle.reason)
        if reason is None:
            self._succeeded(turn)
            return
        retry_after = (obstacle.retry_after or 0.0) if isinstance(obstacle, errors.RetryLater) else 0.0
        cause, was_open = conditions.Verdict(reason, obstacle.message), self._breaker.is_open
        if self._breaker.failed(cause, era=turn.era, now=self._clock.monotonic(), retry_after=retry_after):
            self._take_back()
            if not was_open:
                self._tell_the_line()

    def _succeeded(self, turn: _Turn) -> None:
        if self._breaker.succeeded(era=turn.era):
            self._bucket.forgo(self._clock.monotonic())
            self._hand_out()

    def _tries(self, turn: _Turn) -> bool:
        """Say whether it is the one turn whose call decides about the pause."""
        return self._breaker.is_open and turn.era == self._breaker.era

    def _take_back(self) -> None:
        """Take back the turns that no pass has begun to use: their keys are the next in line, after the pause."""
        for key, turn in reversed(list(self._turns.items())):
            if not turn.taken:
                self._end(key, turn)
                self._line.put_back(key, now=self._clock.monotonic())
        self._hand_out()

    def _tell_the_line(self) -> None:
        """Wake all who wait, once a pause has begun: they have been told nothing, or something else, so far."""
        for key in self._line:
            self._wake(key)

    def _end(self, key: K, turn: _Turn) -> None:
        del self._turns[key]
        if not turn.used:
            self._bucket.give_back(self._clock.monotonic())

    def _hand_out(self, *, asking: K | None = None) -> None:
        """Give what turns there are, in the order of the line, and come back when there will be more."""
        now, woken = self._clock.monotonic(), []
        while self._line and self._wait(now) == 0.0:
            key, since = self._line.pop()
            self.on_turn(now - since)
            self._bucket.take(now)
            self._turns[key] = _Turn(self._breaker.era)
            if key != asking:
                woken.append(key)
        self._come_back(now)
        for key in woken:
            self._wake(key)

    def _wait(self, now: float) -> float | None:
        """Return in how many seconds a turn can be given; None if that takes somebody to leave, or to be answered."""
        if len(self._turns) >= self._limits.concurrency or any(map(self._tries, self._turns.values())):
            return None
        return max(self._breaker.wait(now), self._bucket.wait(now))

    def _come_back(self, now: float) -> None:
        wait = self._wait(now) if self._line else None
        if wait is None:
            return
        loop = asyncio.get_running_loop()
        wait = max(wait, _TIMER_STEP)
        if self._timer:
            if self._timer.when() <= loop.time() + wait:
                return
            self._timer.cancel()
        self._timer = loop.call_later(wait, self._due)

    def _due(self) -> None:
        self._timer = None
        self._hand_out()

    def _verdict(self, lane: lanes.Lane) -> conditions.Verdict | None:
        if self._breaker.verdict:
            return self._breaker.verdict
        wait = self._bucket.wait(self._clock.monotonic(), tokens=self._line.ahead_of(lane))
        return _crowded(self._limits) if wait > _LONG_WAIT else None


def _bounds(limits: account.Limits) -> tuple[float, float]:
    """Return the tokens a second, and how many can be saved up."""
    return float(limits.requests_per_second), float(max(limits.concurrency, limits.requests_per_second))


def _crowded(limits: account.Limits) -> conditions.Verdict:
    message = (
        "waits for its turn: many uploads use this account, whose limits.requestsPerSecond is "
        f"{limits.requests_per_second} and limits.concurrency {limits.concurrency}."
    )
    return conditions.Verdict(reasons.Reason.THROTTLED, message)
