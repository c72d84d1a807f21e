"""The journal of POSTs in flight, kept in this process's memory.

It has the shape of the durable one (domain.ports.Journal), so that no path to a POST goes around a journal.
"""

from scm_operator.domain import observation


class MemoryJournal:
    """Attempts of this process; a crash forgets them."""

    def __init__(self) -> None:
        self._attempts: dict[str, observation.Attempt] = {}

    def __len__(self) -> int:
        """Return how many attempts are not concluded."""
        return len(self._attempts)

    async def add(self, attempt: observation.Attempt) -> None:
        """Take an attempt in."""
        self._attempts[attempt.id] = attempt

    async def conclude(self, attempt: observation.Attempt) -> None:
        """Take an attempt out; one that isn't there any more is no fault."""
        self._attempts.pop(attempt.id, None)
