"""buildah with images of its own, in a folder that goes away with them: no engine, nothing of the machine's touched."""

import contextlib
import json
import os
import pathlib
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from dev import processes, progress
from dev.image import engines


class StoreError(Exception):
    """A command of buildah failed; the message has its last words."""


class Store:
    """Images in a folder."""

    def __init__(self, engine: engines.Engine, *, folder: pathlib.Path) -> None:
        """Keep everything in the folder; it must exist and be empty."""
        (folder / "tmp").mkdir()
        # vfs and chroot need neither an overlay file system nor a container runtime, and leave nothing mounted behind.
        options = ("--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs")
        self.engine = engines.Engine(engine.name, (*engine.command, *options), engine.version)
        self._isolation = {"BUILDAH_ISOLATION": "chroot", "TMPDIR": str(folder / "tmp")}

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment that its commands run in."""
        return {**os.environ, **self._isolation}

    def add_base(self, tar: pathlib.Path, *, name: str) -> None:
        """Make an image out of the tar file of a root."""
        container = self._run("from", "scratch")
        self._run("add", "--quiet", container, str(tar), "/")
        self._run("commit", "--quiet", "--rm", container, name)

    def build(self, line: list[str], *, log: pathlib.Path, show: progress.Progress) -> None:
        """Run buildah's command line that builds, with its words in the log."""
        with processes.start("buildah", command=line, folder=log.parent, log=log, environ=self.environ) as buildah:
            step = f"building with buildah {self.engine.version}"
            while (code := buildah.wait(seconds=0.5)) is None:
                steps = [each for each in buildah.tail().splitlines() if " STEP " in each]
                show.show(step, detail=steps[-1][:100] if steps else "")
        if code:
            show.stop()
            raise StoreError(f"{buildah.tail(lines=60)}\n\nbuildah build ended with exit code {code}")
        show.done("built")

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what the OCI image specification knows of an image: its config and its history."""
        found: dict[str, Any] = json.loads(self._run("inspect", "--type", "image", name))["OCIv1"]
        return found

    @contextlib.contextmanager
    def mounted(self, name: str) -> Iterator[pathlib.Path]:
        """Make a container of an image and hand out its root."""
        container = self._run("from", name)
        try:
            yield pathlib.Path(self._run("mount", container))
        finally:
            self._run("rm", container)

    def _run(self, *arguments: str) -> str:
        command = [*self.engine.command, *arguments]
        done = subprocess.run(command, env=dict(self.environ), capture_output=True, text=True, check=False)
        if done.returncode:
            raise StoreError(f"buildah {' '.join(arguments)}: {done.stderr.strip()[-2000:]}")
        return done.stdout.strip()
