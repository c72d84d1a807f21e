"""Whether the locked packages can be installed in the image that is released, on both machines it is made for."""

import re
import subprocess
import sys
import tempfile

from dev import locks
from dev.image import building

MACHINES = ("x86_64", "aarch64")
"""amd64 and arm64, as wheels call them."""

_GLIBC = ("2_28", "2_17")  # what wheels are built against; every Debian that the base may be has a newer one


def python_version() -> str:
    """Read the Python of the Dockerfile's own base out of its tag.

    Raises: ValueError when the base isn't a python image.
    """
    text = (building.CHECKOUT / "Dockerfile").read_text()
    found = re.search(r"^ARG BASE=\S+/python:(\d+\.\d+)", text, flags=re.MULTILINE)
    if not found:
        raise ValueError("the Dockerfile's `ARG BASE=` names no python image with a version")
    return found[1]


def missing(machine: str) -> list[str]:
    """Have pip look for a wheel of every locked package for the machine; return pip's complaint, if it has one."""
    version = python_version()
    platforms = [f"--platform=manylinux_{glibc}_{machine}" for glibc in _GLIBC] + [
        f"--platform=manylinux2014_{machine}"
    ]
    tags = [f"--abi={abi}" for abi in (f"cp{version.replace('.', '')}", "abi3", "none")]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run", "--no-deps",
            "--require-hashes", "--only-binary=:all:", "--implementation=cp", f"--python-version={version}",
            *platforms, *tags, f"--target={folder}", f"--requirement={locks.CHECKOUT / locks.RUNTIME}",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines() if done.returncode else []
