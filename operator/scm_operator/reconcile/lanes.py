"""Two lines of keys, one ahead of the other, and neither starving."""

import collections
import enum
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
# Of this many keys taken one comes from the later lane, whatever waits in the first: no starvation.
_FAIRNESS = 8


class Lane(enum.IntEnum):
    """New and changed resources go ahead of retries."""

    FRESH = 0
    RETRY = 1


class Lanes(Generic[K]):
    """Keys in two lanes, each key once with the moment since when it waits, each lane in the order of its adds."""

    def __init__(self) -> None:
        self._lanes: tuple[collections.OrderedDict[K, float], ...] = tuple(collections.OrderedDict() for _ in Lane)
        self._taken = 0

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes)

    def __contains__(self, key: object) -> bool:
        return any(key in lane for lane in self._lanes)

    def __iter__(self) -> Iterator[K]:
        return iter([key for lane in self._lanes for key in lane])

    @property
    def oldest(self) -> float | None:
        """Return since when the key waits that waits for the longest, None if none does; as slow as there are keys."""
        return min((since for lane in self._lanes for since in lane.values()), default=None)

    def count(self, lane: Lane) -> int:
        """Return how many keys wait in a lane."""
        return len(self._lanes[lane])

    def add(self, key: K, lane: Lane, *, now: float) -> None:
        """Put a key last in its lane; one that waits keeps its place, or moves to the fresh lane, never out of it."""
        if lane is Lane.FRESH:
            now = self._lanes[Lane.RETRY].pop(key, now)
            self._lanes[lane].setdefault(key, now)
        elif key not in self._lanes[Lane.FRESH]:
            self._lanes[lane].setdefault(key, now)

    def put_back(self, key: K, *, now: float) -> None:
        """Put a key that was taken and couldn't be used ahead of all."""
        self.remove(key)
        self._lanes[Lane.FRESH][key] = now
        self._lanes[Lane.FRESH].move_to_end(key, last=False)

    def pop(self) -> tuple[K, float]:
        """Take the key whose turn it is, and say since when it waits. Raises: KeyError when there is none."""
        later_first = self._taken % _FAIRNESS == _FAIRNESS - 1
        for lane in self._lanes[::-1] if later_first else self._lanes:
            if lane:
                self._taken += 1
                return lane.popitem(last=False)
        raise KeyError

    def remove(self, key: K) -> None:
        """Take a key out, if it waits."""
        for lane in self._lanes:
            lane.pop(key, None)

    def ahead_of(self, lane: Lane) -> int:
        """Return about how many keys go before one that is put last in a lane."""
        return len(self) if lane is Lane.RETRY else len(self._lanes[Lane.FRESH])
