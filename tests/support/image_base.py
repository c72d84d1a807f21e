"""A base image made on the spot, where none can be pulled: a minimal Debian with Python, as a tar file of its root.

It is kept in the user's cache folder, and made anew when what it is made of changes or somebody deletes it.
"""

import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
from collections.abc import Callable

from dev import toolchain

SUITE = "bookworm"
"""The oldest Debian whose Python is new enough."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_OPTIONS = (
    "--variant=minbase",
    "--include=python3,python3-venv,ca-certificates",
    # What slim images leave out.
    *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "info", "locale", "man")),
)


class BaseError(Exception):
    """The Debian could not be made; the message has mmdebstrap's last words."""


def obtain(suite: str, *, say: Callable[[str], None]) -> pathlib.Path:
    """Return the tar file of a Debian of this suite; make it, in about half a minute, where the cache has none.

    Raises:
        BaseError: mmdebstrap failed.

    """
    path = _path(suite)
    if path.exists():
        say(f"base: Debian {suite} from the cache, {path}")
        return path
    say(f"base: making a Debian {suite} with mmdebstrap ...")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        _make(suite, unfinished)
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    say(f"base: made, {path.stat().st_size >> 20} MiB, kept as {path}")
    return path


def _path(suite: str) -> pathlib.Path:
    digest = hashlib.sha256(" ".join(_OPTIONS).encode()).hexdigest()[:8]
    machine = _ARCHITECTURES.get(platform.machine(), platform.machine())
    cache = toolchain.cache_folder(toolchain.Pins.read(), environ=os.environ).parent
    return cache / f"debian-{suite}-{machine}-{digest}.tar"


def _make(suite: str, path: pathlib.Path) -> None:
    program = shutil.which("mmdebstrap") or "mmdebstrap"
    # Told by the name's ending, mmdebstrap would compress it, or make a folder.
    command = [program, "--format=tar", "--quiet", *_OPTIONS, suite, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BaseError(f"mmdebstrap could not make a Debian {suite}:\n{done.stderr.strip()[-2000:]}")
