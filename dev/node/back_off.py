"""How long a container that ended waits for its restart."""

from collections.abc import Callable

QUIET = 600.0
"""Seconds of running after which a container is forgiven what was before."""


class BackOff:
    """No wait before the first restart, then waits that double; after a long run it begins anew.

    https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
    """

    def __init__(self, *, first: float, longest: float, clock: Callable[[], float]) -> None:
        self._first, self._longest, self._clock = first, longest, clock
        self._next = 0.0
        self._started = clock()

    def started(self) -> None:
        """Note that the container runs again."""
        self._started = self._clock()

    def after_end(self) -> float:
        """Return the seconds to wait before the container, which has just ended, is started again."""
        if self._clock() - self._started >= QUIET:
            self._next = 0.0
        wait = self._next
        self._next = min(max(2 * wait, self._first), self._longest)
        return wait
