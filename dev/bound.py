"""Become another program, which the kernel kills when the parent dies: ``bound.py PARENT-PID PROGRAM ARGUMENT...``.

A step of its own between fork and exec, because a ``preexec_fn`` is not safe in a parent with threads. It imports
nothing of the project, so that it starts in milliseconds.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, *, command: list[str]) -> None:
    """Bind this process to its parent and replace it by the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel knew whom to watch
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - to become this program is the purpose


if __name__ == "__main__":
    main(int(sys.argv[1]), command=sys.argv[2:])
