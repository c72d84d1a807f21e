"""Become a process of an image, as a container runtime would start it: ``image_sandbox.py SPECIFICATION``.

A mount namespace of its own, the image as a read-only root, a numeric user without capabilities or a way to new ones;
network and processes are the machine's. It needs root, Linux and the standard library alone, and isn't imported. The
specification is JSON: ``root``, ``uid``, ``gid``, ``folder``, ``environ``, ``command``, and ``volumes``, folders of
this machine by the path at which they are shown, read-only. Before the command runs, it is tried whether anything can
be written, by root too: the exit code is 70 if so.
"""

import contextlib
import ctypes
import errno
import json
import os
import pathlib
import signal
import sys
from typing import Any, NoReturn

WRITABLE = 70
"""The exit code when something could be written."""

_TRIED = ("/", "/etc", "/home", "/opt/scm-csr-operator", "/run", "/tmp", "/var/tmp")  # noqa: S108 - not used, tried
_DEVICES = ("null", "zero", "full", "random", "urandom")

# sched.h, sys/mount.h, linux/prctl.h
_CLONE_NEWNS = 0x20000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 1, 2, 4, 8, 32
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_LAST_CAPABILITY = pathlib.Path("/proc/sys/kernel/cap_last_cap")

_libc = ctypes.CDLL(None, use_errno=True)


def main(specification: dict[str, Any]) -> NoReturn:
    """Enter the image, become its user, and be replaced by the command."""
    parent = os.getppid()
    root = pathlib.Path(specification["root"])
    capabilities = range(int(_LAST_CAPABILITY.read_text()) + 1)
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    _mount("none", pathlib.Path("/"), flags=_MS_REC | _MS_PRIVATE)
    _mount(root, root, flags=_MS_BIND)
    for target, source in specification["volumes"].items():
        _show(pathlib.Path(source), root / target.lstrip("/"))
    _mount("proc", root / "proc", kind="proc", flags=_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _devices(root / "dev")
    _mount("none", root, flags=_MS_REMOUNT | _MS_BIND | _MS_RDONLY)
    os.chroot(root)
    os.chdir("/")
    _nothing_is_writable("root")
    for each in capabilities:
        _check(_libc.prctl(_PR_CAPBSET_DROP, each, 0, 0, 0), "prctl")
    os.setgroups([])
    os.setgid(specification["gid"])
    os.setuid(specification["uid"])
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    _nothing_is_writable("the user")
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")  # the change of user has cleared it
    if os.getppid() != parent:
        sys.exit(1)
    os.chdir(specification["folder"])
    os.execve(specification["command"][0], specification["command"], specification["environ"])  # noqa: S606 - its purpose


def _show(source: pathlib.Path, target: pathlib.Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _mount(source, target, flags=_MS_BIND)
    _mount("none", target, flags=_MS_REMOUNT | _MS_BIND | _MS_RDONLY)


def _devices(target: pathlib.Path) -> None:
    """Give it those devices that every container has."""
    target.mkdir(exist_ok=True)
    _mount("tmpfs", target, kind="tmpfs", flags=_MS_NOSUID, data="mode=755,size=64k")
    for name in _DEVICES:
        (target / name).touch()
        _mount(pathlib.Path("/dev", name), target / name, flags=_MS_BIND)
    _mount("none", target, flags=_MS_REMOUNT | _MS_BIND | _MS_RDONLY)


def _nothing_is_writable(who: str) -> None:
    for folder in _TRIED:
        probe = pathlib.Path(folder, ".written")
        try:
            probe.touch()
        except OSError as error:
            if who == "root" and error.errno != errno.EROFS and pathlib.Path(folder).exists():
                sys.exit(f"{folder} should be read-only, but for root writing there failed otherwise: {error}")
            continue
        with contextlib.suppress(OSError):
            probe.unlink()
        sys.stderr.write(f"{who} could write to {folder}\n")
        sys.exit(WRITABLE)


def _mount(source: pathlib.Path | str, target: pathlib.Path, *, flags: int, kind: str = "none", data: str = "") -> None:
    arguments = (str(source).encode(), str(target).encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _check(_libc.mount(*arguments), f"mount {target}")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
