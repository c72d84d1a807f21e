"""Processes of containers: bound to the node's own, and ended with all that they have started."""

import asyncio
import contextlib
import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev import bound

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent, a child of ours, has ended: so `sweep` finds them."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1)


async def start(
    command: Sequence[str], *, environ: Mapping[str, str], folder: Path, log: Path
) -> asyncio.subprocess.Process:
    """Start a program in a session of its own, its output in the log; the kernel kills it when this process dies.

    Raises:
        OSError: There is no such program.

    """
    with log.open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *_bound(command, environ=environ),
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


async def run(command: Sequence[str], *, environ: Mapping[str, str], folder: Path) -> tuple[int, str]:
    """Run a program to its end, and return its exit code and what it said; it is killed when nobody waits any more.

    Raises:
        OSError: There is no such program.

    """
    process = await asyncio.create_subprocess_exec(
        *_bound(command, environ=environ),
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate()
    finally:
        kill(process)
        sweep(process.pid)
    return process.returncode or 0, said.decode(errors="replace").strip()


def _bound(command: Sequence[str], *, environ: Mapping[str, str]) -> list[str]:
    program = shutil.which(command[0], path=environ.get("PATH", os.defpath))
    if program is None:
        raise OSError(errno.ENOENT, "no such program", command[0])
    return [sys.executable, "-I", "-S", str(bound.__file__), str(os.getpid()), program, *command[1:]]


def kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process with its whole session, if it has not ended."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def sweep(session: int) -> None:
    """Kill what a process that has ended has left of its session: orphans, which are children of ours now."""
    while orphans := [pid for pid in _children() if pid != session and _session(pid) == session]:
        for pid in orphans:  # whose own children come to us next
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:  # it was reaped meanwhile
        return None


def _children() -> list[int]:
    found = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(pid) for pid in found.read_text().split()] if found.exists() else []
