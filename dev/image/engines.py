"""What can build an image here: docker, podman or buildah, the first one that answers."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

_TIMEOUT = 30.0

PROBES = {
    # Each asks whatever does the work: docker's client is often installed where no engine runs.
    "docker": ("version", "--format", "{{.Server.Version}}"),
    "podman": ("info", "--format", "{{.Version.Version}}"),
    "buildah": ("--version",),
}
"""The engines that are looked for, in this order, and the arguments that make each say its version."""


class NoEngineError(Exception):
    """No engine answers; the message says what was tried and what to install."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that builds images, with the arguments that go before every command."""

    name: str
    command: tuple[str, ...]
    version: str

    @classmethod
    def find(cls, *, environ: Mapping[str, str]) -> "Engine":
        """Take the first engine that answers.

        Raises:
            NoEngineError: None does.

        """
        refusals = []
        for name in PROBES:
            found = cls.probe(name, environ=environ)
            if isinstance(found, cls):
                return found
            refusals.append(f"  {name}: {found}")
        raise NoEngineError(
            "docker, podman or buildah builds the image, and none of them works here:\n"
            + "\n".join(refusals)
            + "\nInstall one, for example with `apt-get install podman`, or start docker's engine.",
        )

    @classmethod
    def probe(cls, name: str, *, environ: Mapping[str, str]) -> "Engine | str":
        """Ask the engine of this name for its version; return it, or what is the matter with it."""
        program = shutil.which(name, path=environ.get("PATH", os.defpath))
        if program is None:
            return "not installed"
        try:
            done = subprocess.run(
                [program, *PROBES[name]],
                env=dict(environ),
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{program} doesn't answer: {error}"
        version = re.search(r"\d+(\.\w+)+", done.stdout)
        if done.returncode or not version:
            said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
            return f"{program} doesn't answer: {said[-1]}"
        return cls(name=name, command=(program,), version=version[0])
