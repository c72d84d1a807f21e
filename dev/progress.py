"""What a long task is doing and for how long, so that nobody waits before a silent terminal."""

import shutil
import time
from collections.abc import Callable
from typing import TextIO

LINE_EVERY = 15.0
"""Seconds between two lines about the same step where the output is not a terminal."""

_ERASE_LINE = "\r\033[K"


class Progress:
    """One line, updated in place on a terminal; elsewhere a new line now and then.

    The clock gives seconds; each step counts its own.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._in_place = stream.isatty()
        self._step = ""
        self._began = 0.0
        self._shown = 0.0

    def show(self, step: str, *, detail: str = "") -> None:
        """Say that the step is going on; call it as often as there may be news."""
        now = self._clock()
        new = step != self._step
        if new:
            self._step, self._began = step, now
        if not (new or self._in_place or now - self._shown >= LINE_EVERY):
            return
        self._shown = now
        line = f"{step} … {elapsed(now - self._began)}" + (f", {detail}" if detail else "")
        if self._in_place:
            # A line longer than the terminal would wrap, and no longer be one line to erase.
            line = _ERASE_LINE + line[: shutil.get_terminal_size().columns - 1]
        self._write(line, end="" if self._in_place else "\n")

    def done(self, message: str) -> None:
        """End the step with a line that stays, and the time that the step took."""
        took = elapsed(self._clock() - self._began) if self._step else "0s"
        self._step = ""
        self._write(f"{_ERASE_LINE if self._in_place else ''}{message} in {took}")

    def stop(self) -> None:
        """Leave the cursor on a fresh line, for what is printed next."""
        if self._in_place and self._step:
            self._write(_ERASE_LINE, end="")
        self._step = ""

    def _write(self, line: str, *, end: str = "\n") -> None:
        print(line, end=end, file=self._stream, flush=True)


def elapsed(seconds: float) -> str:
    """Seconds as people write them: 8s, 2m31s, 1h02m."""
    minutes, rest = divmod(int(seconds), 60)
    if not minutes:
        return f"{rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"
