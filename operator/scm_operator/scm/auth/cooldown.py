"""How long not to ask again: a wait that doubles with each failure, on an injected clock."""

from scm_operator.domain import ports

REFUSED = (30.0, 300.0)
"""First and longest wait in seconds after a refusal: repeated ones may lock an IAM user."""

FAILED = (1.0, 60.0)
"""First and longest wait in seconds after any other failure."""


class Cooldown:
    """One wait at a time."""

    def __init__(self, clock: ports.Clock) -> None:
        """Begin without a wait."""
        self._clock = clock
        self._length = 0.0
        self._until = 0.0

    def start(self, bounds: tuple[float, float], *, at_least: float = 0.0) -> None:
        """Wait, twice as long as last time within ``bounds``, or ``at_least`` as long as a service asked for."""
        first, longest = bounds
        self._length = min(max(self._length * 2, first), longest)
        self._until = self._clock.monotonic() + max(self._length, at_least)

    def hold(self) -> None:
        """Wait as long again, from now."""
        self._until = self._clock.monotonic() + self._length

    def reset(self) -> None:
        """End the wait, and begin with a short one next time."""
        self._length = self._until = 0.0

    def remaining(self) -> float:
        """Return what is left in seconds."""
        return max(0.0, self._until - self._clock.monotonic()) if self._length else 0.0
