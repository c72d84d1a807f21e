"""Starting the node from Python: a process of its own beside a control plane, and what a test may ask of it."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from dev import control_plane, processes
from dev.node import addresses
from dev.node.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]

_START_TIMEOUT = 30.0
_GRACE = 20.0


class NodeError(Exception):
    """The node has ended or did not start, or a Pod that was asked for isn't there."""


@dataclass(frozen=True, slots=True)
class Node:
    """A running node; leaving its ``with`` block ends it and all that it runs.

    A Pod is named by its namespace and its name. Its logs stay when it is gone.
    """

    plane: control_plane.ControlPlane
    settings: Settings
    child: processes.Child

    @classmethod
    def start(
        cls,
        plane: control_plane.ControlPlane,
        *,
        images: Mapping[str, Sequence[str]],
        folder: Path,
        **settings: object,
    ) -> Self:
        """Start a node, and return when Pods can be bound to it; call it in the main thread.

        ``images`` says which program stands for an image, by its repository (without tag and digest) or its whole
        reference. ``folder`` is for logs and for the Pods' folders. Other settings: see `Settings`.

        Raises:
            NodeError: It ended, or was not ready in time.

        """
        folder.mkdir(parents=True, exist_ok=True)
        chosen = Settings(kubeconfig=plane.kubeconfig, folder=folder, images=images, **settings)  # type: ignore[arg-type]
        child = processes.start(
            "node",
            command=[sys.executable, "-m", "dev.node", str(chosen.save(folder / "node.json"))],
            folder=CHECKOUT,
            log=folder / "node.log",
            environ={"PATH": os.defpath, "HOME": str(folder)},
        )
        node = cls(plane, chosen, child)
        try:
            node._wait_until_ready()
        except BaseException:
            node.stop()
            raise
        return node

    def _wait_until_ready(self) -> None:
        """Wait for the Node to be ready, and for the control plane to have taken notice: no taint is left."""
        deadline = time.monotonic() + _START_TIMEOUT
        template = '{.status.conditions[?(@.type=="Ready")].status}/{.spec.taints}'
        while (
            self.plane.kubectl("get", "node", self.settings.name, "-o", f"jsonpath={template}", check=False).stdout
        ) != "True/":
            self.check()
            if time.monotonic() > deadline:
                raise NodeError(f"the node was not ready in {_START_TIMEOUT:g} s\n\n{self.child.tail()}")
            time.sleep(0.1)

    def __enter__(self) -> Self:
        """Hand out the running node."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it, however the block was left."""
        self.stop()

    def stop(self) -> None:
        """End it and all that it runs; Pods stay in the API."""
        self.child.stop(grace=_GRACE)

    def check(self) -> None:
        """Look whether it runs.

        Raises:
            NodeError: It has ended.

        """
        if not self.child.running:
            raise NodeError(f"the node has ended with {self.child.process.returncode}\n\n{self.child.tail()}")

    def logs(self, namespace: str, name: str, *, container: str | None = None) -> str:
        """Return what a container has written in all of its runs, oldest first; by default the Pod's only one.

        Raises:
            NodeError: This node has run no such Pod or container.

        """
        runs = self._container(namespace, name, container=container).glob("*.log")
        return "".join(log.read_text(errors="replace") for log in sorted(runs, key=lambda log: int(log.stem)))

    def pid(self, namespace: str, name: str, *, container: str | None = None) -> int:
        """Return the process id of a container's last run.

        Raises: as `logs`.
        """
        return int((self._container(namespace, name, container=container) / "pid").read_text())

    def _container(self, namespace: str, name: str, *, container: str | None) -> Path:
        pods = self.settings.folder / "pods" / namespace / name
        # Of namesakes the last.
        uids = sorted(pods.glob("*"), key=lambda folder: folder.stat().st_ctime_ns)
        found = sorted(uids[-1].glob(f"logs/{container or '*'}")) if uids else []
        if len(found) != 1:
            names = ", ".join(folder.name for folder in found) or "nothing"
            raise NodeError(f"container {container or '(any)'} of Pod {namespace}/{name}: found {names}")
        return found[0]


def reached_at(pod_ip: str) -> str:
    """Return the address at which a Pod listens whose status says this podIP."""
    return addresses.loopback(pod_ip)
