"""Child processes that end with us: started into a log file, stopped in bounded time, never left behind."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

GRACE = 5.0
"""Seconds between asking a process to end and killing it."""

_TAIL_BYTES = 16_384
_BOUND = Path(__file__).with_name("bound.py")


@dataclass(frozen=True, slots=True)
class Child:
    """A running process; leaving its ``with`` block stops it."""

    name: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def __enter__(self) -> Self:
        """Hand out the running process."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the process, however the block was left."""
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def wait(self, *, seconds: float) -> int | None:
        """Return the exit code, or None if the process still runs after so many seconds."""
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, *, grace: float = GRACE) -> None:
        """Terminate, wait, and kill after the grace (seconds); do nothing to a process that has ended."""
        self.process.terminate()
        if self.wait(seconds=grace) is None:
            self.process.kill()
            self.process.wait()

    def tail(self, *, lines: int = 20) -> str:
        """Return the last lines of the log."""
        return tail(self.log, lines=lines)


def start(
    name: str,
    *,
    command: Sequence[str],
    folder: Path,
    log: Path,
    environ: Mapping[str, str] | None = None,
) -> Child:
    """Start a program in a folder, its output in the log; the kernel kills it when this process dies.

    It has a session of its own: Ctrl-C reaches us alone, and we stop it in order. Where there is no such order to the
    kernel (elsewhere than on Linux), it outlives a parent that is killed.

    Raises:
        RuntimeError: Called from another thread than the main one: to the kernel, the parent is the thread that
            started the child, see PR_SET_PDEATHSIG in prctl(2).

    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("start child processes in the main thread: they end with the thread that started them")
    bound = [sys.executable, "-I", "-S", str(_BOUND), str(os.getpid()), *command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            bound,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Child(name=name, log=log, process=process)


def tail(path: Path, *, lines: int = 20) -> str:
    """Return the last lines of a log."""
    with path.open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
        text = log.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def free_port() -> int:
    """Find a port of the loopback interface that nobody listens on; another process may still take it first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
