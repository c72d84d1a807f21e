"""How the workers of a queue get on: which key is at hand, and when something about it has moved last."""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
_Worker = asyncio.Task[object]


class Pace(Generic[K]):
    """The keys at hand, each with the worker that has it; moments are of the loop's clock."""

    def __init__(self) -> None:
        self._moved: dict[K, float] = {}
        self._at_hand: dict[_Worker | None, K] = {}
        self.taken = 0.0
        """When a key was taken last, or the work begun."""

    def __contains__(self, key: object) -> bool:
        return key in self._moved

    def __len__(self) -> int:
        return len(self._moved)

    def begin(self) -> None:
        """Note that the work begins."""
        self.taken = asyncio.get_running_loop().time()

    def take(self, key: K) -> None:
        """Note that the present task works on a key."""
        self.taken = self._moved[key] = asyncio.get_running_loop().time()
        self._at_hand[asyncio.current_task()] = key

    def move(self) -> None:
        """Note that the key which the present task works on has moved, if it works on one."""
        key = self._at_hand.get(asyncio.current_task())
        if key is not None:
            self._moved[key] = asyncio.get_running_loop().time()

    def put_down(self, key: K) -> None:
        """Note that the present task is done with a key."""
        del self._moved[key]
        del self._at_hand[asyncio.current_task()]

    def stuck(self, longest: float) -> list[K]:
        """Return the keys that haven't moved for longer than so many seconds."""
        now = asyncio.get_running_loop().time()
        return [key for key, moved in self._moved.items() if now - moved > longest]
