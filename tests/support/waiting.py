"""Waiting for what another process does: look, and look again, until it holds or the time is up."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
TIMEOUT = 20.0
"""Seconds after which a test gives up; far more than anything takes on a slow machine."""
_PAUSE = 0.02


def until(look: Callable[[], T | None], *, what: str, timeout: float = TIMEOUT) -> T:
    """Return the first answer that is true (not None, not empty).

    Raises: AssertionError when there is none in time; ``what`` says what was waited for.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(_PAUSE)
