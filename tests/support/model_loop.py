"""Time of the model: one clock for all processes, and for each process an event loop that waits for nothing.

A loop runs until all of its tasks wait for the model (an operation, a timer), and then returns: whatever happens next,
and to which process, is the explorer's to choose. No wall clock plays a part, so a run is its list of steps.
"""

import asyncio
import datetime
import selectors

_MOST_ROUNDS = 5_000
START = datetime.datetime(2026, 1, 2, 12, 0, 0, tzinfo=datetime.UTC)


class Clock:
    """Seconds that only the model moves; implements domain.ports.Clock."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime.datetime:
        """Return the time of day."""
        return START + datetime.timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.seconds


class _Selector(selectors.SelectSelector):
    """Never waits: where a loop would, it is idle."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: VirtualLoop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Stop the loop if it has nothing to do but to wait, or never will."""
        if self.loop is None:
            return []
        self.loop.rounds += 1
        if timeout is None or timeout > 0 or self.loop.rounds > _MOST_ROUNDS:
            self.loop.due_in = timeout
            self.loop.stop()
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on the model's clock; ``due_in`` seconds its next timer is due, None without one.

    ``rounds`` are those since it was last at rest.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.due_in: float | None = None
        self.rounds = 0
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self

    def time(self) -> float:
        """Return the model's time."""
        return self._clock.monotonic()

    def settle(self) -> None:
        """Run until all tasks wait."""
        self.rounds = 0
        self.run_forever()

    @property
    def is_busy(self) -> bool:
        """Say whether it had to be stopped."""
        return self.rounds > _MOST_ROUNDS
