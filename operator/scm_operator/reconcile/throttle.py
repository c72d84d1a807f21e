"""How much a service may be asked: a token bucket and a circuit breaker, which are told the time in seconds."""

import math

from scm_operator.domain import conditions, reasons
from scm_operator.reconcile import queue

# Below this a wait is none: sums of floats never hit a moment exactly.
_NOW = 1e-6
_FAILURES_IN_A_ROW = 5


class TokenBucket:
    """So many calls a second, and so many at once after a quiet time; debts are paid before anything else."""

    def __init__(self, *, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def change(self, *, rate: float, burst: float, now: float) -> None:
        """Go on with other bounds; what was saved up or is owed stays."""
        self._settle(now)
        self._rate, self._burst, self._tokens = rate, burst, min(self._tokens, burst)

    def take(self, now: float) -> None:
        """Take a token, also one that isn't there yet."""
        self._settle(now)
        self._tokens -= 1.0

    def give_back(self, now: float) -> None:
        """Return a token that wasn't used."""
        self._tokens += 1.0
        self._settle(now)

    def forgo(self, now: float) -> None:
        """Let go of what was saved up, but for one token: whoever has been away begins slowly."""
        self._settle(now)
        self._tokens = min(self._tokens, 1.0)

    def wait(self, now: float, *, tokens: float = 1.0) -> float:
        """Return in how many seconds so many tokens will have come."""
        self._settle(now)
        seconds = (tokens - self._tokens) / self._rate
        return seconds if seconds > _NOW else 0.0

    def _settle(self, now: float) -> None:
        self._tokens = min(self._tokens + (now - self._at) * self._rate, self._burst)
        self._at = now


class Breaker:
    """Closed: calls go out. Open: none does for a while, and then one, whose outcome decides.

    ``era`` tells calls apart: the outcome of one that began in an earlier era says nothing about this one.
    ``verdict`` says to whoever waits why, as long as it isn't closed.
    """

    def __init__(self, backoff: queue.Backoff) -> None:
        self._backoff = backoff
        self._failures = 0
        self._pauses = 0
        self._until = 0.0
        self._cause: conditions.Verdict | None = None
        self.verdict: conditions.Verdict | None = None
        self.era = 0

    @property
    def is_open(self) -> bool:
        """Say whether calls are held back, but for the one that tries."""
        return self.verdict is not None

    def wait(self, now: float) -> float:
        """Return in how many seconds the one call that tries may go; 0 as well if all may."""
        seconds = self._until - now
        return seconds if self.is_open and seconds > _NOW else 0.0

    def succeeded(self, *, era: int) -> bool:
        """Take in that the service has answered; return whether that closes it."""
        if era != self.era:
            return False
        was_open = self.is_open
        self._close()
        return was_open

    def failed(self, verdict: conditions.Verdict, *, era: int, now: float, retry_after: float = 0.0) -> bool:
        """Take in that a call came to nothing, whoever it was for; return whether that begins a pause.

        A call from before the pause changes nothing, but what the service itself asks for is kept to.
        """
        throttled = verdict.reason is reasons.Reason.THROTTLED
        if era != self.era:
            if throttled and self.wait(now):
                self._until = max(self._until, now + retry_after)
            return False
        self._failures += 1
        if not (throttled or self.is_open) and self._failures < _FAILURES_IN_A_ROW:
            return False
        self._pause(verdict, now=now, at_least=retry_after)
        return True

    def reopen(self, *, now: float) -> None:
        """Take in that the one call that tried has ended without saying anything about the service."""
        if self._cause:
            self._pause(self._cause, now=now, at_least=0.0)

    def reset(self) -> None:
        """Close it: what has failed was something else."""
        self.era += 1
        self._close()

    def _close(self) -> None:
        self.verdict = self._cause = None
        self._failures = self._pauses = 0

    def _pause(self, cause: conditions.Verdict, *, now: float, at_least: float) -> None:
        self._pauses += 1
        shortest = max(at_least, self._backoff.first)
        seconds = self._backoff.uniform(shortest, max(shortest, self._backoff.step(self._pauses)))
        self._until = now + seconds
        self._cause = cause
        self.verdict = conditions.Verdict(cause.reason, _told(cause.message, seconds))
        self.era += 1


def _told(message: str, seconds: float) -> str:
    """Say it once for the whole pause: what counts down would be written to every status that waits."""
    about = f"{math.ceil(seconds)} s" if seconds < 120 else f"{math.ceil(seconds / 60)} min"
    return f"waits, because a call of its account failed: {message} The account is tried again in about {about}."
