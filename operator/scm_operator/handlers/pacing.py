"""A pause before a list or a watch whose predecessor has ended at once.

kopf 1.45 opens a watch that was answered and closed again without a pause, thousands of times a second; and one that
says 410 each time it lists again, ten times a second.
"""

import asyncio

_AT_ONCE = 1.0  # seconds: what lasts longer needs no pause
_FIRST, _LONGEST = 0.5, 10.0  # seconds


class Pacer:
    """Knows when each kind of request was last granted; to be used in one event loop.

    ``first`` pause in seconds, twice as long each time, ``longest`` at most.
    """

    def __init__(self, *, first: float = _FIRST, longest: float = _LONGEST) -> None:
        self._first = first
        self._longest = longest
        self._granted: dict[str, float] = {}
        self._pauses: dict[str, float] = {}

    async def wait(self, what: str) -> None:
        """Return when it may be asked for: at once, unless what was granted last has ended at once."""
        granted = self._granted.pop(what, None)
        if granted is None:
            return  # the first, or a refusal came before: kopf pauses after these
        if asyncio.get_running_loop().time() - granted >= _AT_ONCE:
            self._pauses.pop(what, None)
            return
        self._pauses[what] = pause = min(self._pauses.get(what, self._first / 2) * 2, self._longest)
        await asyncio.sleep(pause)

    def granted(self, what: str) -> None:
        """Note that it has begun to be answered."""
        self._granted[what] = asyncio.get_running_loop().time()
