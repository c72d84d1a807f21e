"""An account's admission under a test's hands: a clock that is the loop's, and calls that go as the test says."""

import asyncio
import contextlib
import datetime
from collections.abc import Callable

from scm_operator.domain import account, errors, reasons
from scm_operator.reconcile import admission, lanes, queue

FRESH, RETRY = lanes.Lane
# The longest pause there may be, each time.
LONGEST = queue.Backoff(uniform=lambda _, high: high)


class LoopClock:
    """The time of the running loop."""

    def now(self) -> datetime.datetime:
        """Return the time of day."""
        return datetime.datetime.fromtimestamp(self.monotonic(), tz=datetime.UTC)

    def monotonic(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()


class Door:
    """An admission that keeps whom it has woken, and when."""

    def __init__(
        self,
        *,
        rate: int = 1000,
        concurrency: int = 1,
        backoff: queue.Backoff = LONGEST,
        wake: Callable[[str], None] | None = None,
    ) -> None:
        self.woken: list[str] = []
        self.times: list[float] = []
        self._also = wake
        limits = account.Limits(requests_per_second=rate, concurrency=concurrency)
        self.admission: admission.Admission[str] = admission.Admission(
            limits, clock=LoopClock(), wake=self._wake, backoff=backoff
        )

    def _wake(self, key: str) -> None:
        self.woken.append(key)
        self.times.append(asyncio.get_running_loop().time())
        if self._also:
            self._also(key)

    def admits(self, key: str, lane: lanes.Lane = FRESH) -> bool:
        """Say whether a key may go now; else it waits, and its pass ends."""
        answer = self.admission.admit(key, lane)
        if isinstance(answer, admission.Waiting):
            self.admission.leave(key)
        return isinstance(answer, admission.Admitted)

    def told(self, key: str, lane: lanes.Lane = FRESH) -> tuple[str, str] | None:
        """Return the reason and the message that a key which must wait is told."""
        answer = self.admission.admit(key, lane)
        assert isinstance(answer, admission.Waiting)
        self.admission.leave(key)
        return (answer.verdict.reason.value, answer.verdict.message) if answer.verdict else None

    def call(self, key: str, obstacle: BaseException | None = None) -> None:
        """Make one call in the key's turn; it meets an obstacle, or nothing."""
        with contextlib.suppress(errors.Obstacle, RuntimeError), self.admission.calling(key):
            if obstacle:
                raise obstacle

    def visit(self, key: str, obstacle: BaseException | None = None, lane: lanes.Lane = FRESH) -> bool:
        """Make a whole pass over a key with one call, if it is admitted; say whether it was."""
        admitted = self.admits(key, lane)
        if admitted:
            self.call(key, obstacle)
            self.admission.leave(key)
        return admitted


def throttled(retry_after: float | None = None) -> errors.Obstacle:
    """Return a 429."""
    return errors.RetryLater(reasons.Reason.THROTTLED, "SCM answered 429.", retry_after=retry_after)


def unreachable() -> errors.Obstacle:
    """Return a refused connection."""
    return errors.RetryLater(reasons.Reason.UNREACHABLE, "SCM can't be reached.")
