"""Processes of an image, run as a Pod's container would be: its user, a read-only root, its own environment."""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from dev import processes
from dev.control_plane import ControlPlane
from tests.support import image_checks

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a Pod finds its ServiceAccount: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/."""

_SANDBOX = pathlib.Path(__file__).with_name("image_sandbox.py")
_TIMEOUT = 60.0


class Container:
    """An image's root, and the configuration by which a process of it starts."""

    def __init__(self, root: pathlib.Path, config: Mapping[str, Any]) -> None:
        """Take the root of a container that nobody else uses: folders for the volumes are made in it."""
        self._root = root
        self._entrypoint: list[str] = config["Entrypoint"]
        self._environ = dict(each.split("=", 1) for each in config["Env"])

    def run(
        self,
        *arguments: str,
        command: Sequence[str] | None = None,
        user: tuple[int, int] = (image_checks.UID, image_checks.GID),
        folder: str = "/",
        volumes: Mapping[str, pathlib.Path] | None = None,
    ) -> str:
        """Run its command, or another one, to its end; return what it printed.

        Raises: AssertionError when it fails.
        """
        line = self._line([*(command or self._entrypoint), *arguments], user=user, folder=folder, volumes=volumes or {})
        done = subprocess.run(line, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
        assert done.returncode == 0, f"exit code {done.returncode}: {(done.stdout + done.stderr).strip()[-1000:]}"
        return done.stdout

    def start(self, log: pathlib.Path, *, environ: Mapping[str, str], account: pathlib.Path) -> processes.Child:
        """Start its command as a Pod with this ServiceAccount; whoever calls stops it."""
        line = self._line(
            self._entrypoint,
            user=(image_checks.UID, image_checks.GID),
            folder="/",
            volumes={ACCOUNT: account},
            environ=environ,
        )
        return processes.start("operator", command=line, folder=log.parent, log=log)

    def _line(
        self,
        command: Sequence[str],
        *,
        user: tuple[int, int],
        folder: str,
        volumes: Mapping[str, pathlib.Path],
        environ: Mapping[str, str] | None = None,
    ) -> list[str]:
        specification = {
            "root": str(self._root),
            "uid": user[0],
            "gid": user[1],
            "folder": folder,
            "environ": {**self._environ, **(environ or {})},
            "command": list(command),
            "volumes": {self._inside(target): str(source) for target, source in volumes.items()},
        }
        return [sys.executable, "-I", "-S", str(_SANDBOX), json.dumps(specification)]

    def _inside(self, target: str) -> str:
        """Follow the image's links (/var/run is /run): outside of it, they would lead out of it."""
        path = pathlib.Path("/")
        for part in target.lstrip("/").split("/"):
            path /= part
            inside = self._root / path.relative_to("/")
            if inside.is_symlink():
                path = pathlib.Path("/", path.parent, inside.readlink())
        return str(path)


def service_account(plane: ControlPlane, name: str, *, namespace: str, folder: pathlib.Path) -> pathlib.Path:
    """Write what a Pod finds of its ServiceAccount, readable by the image's user alone; return the folder."""
    token = plane.kubectl("create", "token", name, "--namespace", namespace).stdout.strip()
    account = folder / "serviceaccount"
    account.mkdir()
    for file, text in {"token": token, "ca.crt": plane.authority.read_text(), "namespace": namespace}.items():
        path = account / file
        path.touch(mode=0o400)
        path.write_text(text)
        os.chown(path, image_checks.UID, image_checks.GID)
    return account
