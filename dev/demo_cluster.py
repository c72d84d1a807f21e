"""What the demo runs: a control plane, a node whose Pods are processes, and the SCM simulator.

All of them end with the demo, in order when it ends by itself or is interrupted, and by the kernel when it is killed.
"""

import contextlib
import os
import re
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from dev import control_plane, demo_manifests, demo_screen, helm, processes, servers, toolchain
from dev.node import launch

IMAGES = {"ghcr.io/certops/scm-csr-operator": (sys.executable, "-m", "scm_operator")}
"""The program that stands for the operator's image."""

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end the demo in order."""

_START_TIMEOUT = 30.0
_GRACE = 10.0


class DemoError(Exception):
    """A program of the demo has ended, or did not start."""


class NewLines:
    """The lines that a program adds to its log."""

    def __init__(self, log: BinaryIO) -> None:
        self._log = log
        self._rest = b""

    def read(self) -> list[str]:
        """Return the lines that are complete now and were not at the last call."""
        *lines, self._rest = (self._rest + self._log.read()).split(b"\n")
        return [line.decode(errors="replace") for line in lines]


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """A running control plane, and what was started beside it."""

    plane: control_plane.ControlPlane
    node: launch.Node
    folder: Path
    """For logs, and for files that the demo makes; it goes with the cluster."""
    children: list[processes.Child] = field(default_factory=list)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    @property
    def password(self) -> Path:
        """A file, for its owner alone, with the password that the simulator knows; made when first asked for."""
        path = self.folder / "password"
        return path if path.exists() else self.write(path.name, secrets.token_urlsafe(24))

    def operator_logs(self) -> list[Path]:
        """Return the logs of the operator's Pods, those of earlier runs too."""
        return sorted(self.node.settings.folder.glob(f"pods/{helm.NAMESPACE}/*/*/logs/operator/*.log"))

    def last_words(self) -> dict[str, str]:
        """Return the last lines of the operator's logs, and of the log of what has ended, by name."""
        ended = {child.name: child.tail() for child in [*self.children, self.node.child] if not child.running}
        return ended | {log.parents[3].name: processes.tail(log) for log in self.operator_logs()}

    @property
    def simulator(self) -> tuple[str | Path, ...]:
        """The simulator's command."""
        known = ("--domain", demo_manifests.DOMAIN, "--user", demo_manifests.USER, "--project", demo_manifests.PROJECT)
        return ("scm-simulator", *known, "--password-file", self.password)

    def start_simulator(self) -> str:
        """Start the SCM simulator on a free port, and return its URL.

        Raises:
            DemoError: It ended, or did not say where it listens.

        """
        child = self._launch("simulator", command=[sys.executable, "-m", "scm_simulator", *self.simulator[1:]])
        deadline = time.monotonic() + _START_TIMEOUT
        while not (found := re.search(r"listening on (\S+)", child.tail())):
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"the simulator did not start in {_START_TIMEOUT:g} s")
            time.sleep(0.02)
        return found[1]

    def start_watch(self, *arguments: str) -> NewLines:
        """Start a kubectl that runs until the cluster is stopped, and return what it will write."""
        command: list[str | Path] = [self.plane.programs["kubectl"], *arguments]
        child = self._launch("watch", command=command, kubeconfig=self.plane.kubeconfig)
        return NewLines(self._stack.enter_context(child.log.open("rb")))

    def start_tool(self, tool: str, *arguments: str | Path) -> processes.Child:
        """Start kubectl or helm as the administrator, in the checkout's folder; whoever calls leaves its block."""
        program = toolchain.obtain([tool])[tool]
        return processes.start(
            tool,
            command=[str(program), *map(str, arguments)],
            folder=demo_screen.CHECKOUT,
            log=self.folder / f"{tool}.log",
            environ=self._environ(self.plane.kubeconfig),
        )

    def _launch(self, name: str, *, command: list[str | Path], kubeconfig: Path | None = None) -> processes.Child:
        child = processes.start(
            name,
            command=[str(word) for word in command],
            folder=self.folder,
            log=self.folder / f"{name}.log",
            environ=self._environ(kubeconfig),
        )
        self._stack.callback(child.stop, grace=_GRACE)
        self.children.append(child)
        return child

    def _environ(self, kubeconfig: Path | None) -> dict[str, str]:
        # Neither the user's proxies nor SCM_OPERATOR_... variables: the demo is the same everywhere.
        environ = {"PATH": os.defpath, "HOME": str(self.folder)}
        return environ | ({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {})

    def write(self, name: str, text: str) -> Path:
        """Write a file in the cluster's folder, for its owner alone, and return its path."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def check(self) -> None:
        """Look whether everything runs that was started.

        Raises:
            DemoError: The simulator or the watch has ended.
            launch.NodeError: The node has.
            control_plane.ControlPlaneError: A server of the control plane has.

        """
        self.plane.check()
        self.node.check()
        for child in self.children:
            if not child.running:
                raise DemoError(f"the {child.name} has ended with exit code {child.process.returncode}")


@contextlib.contextmanager
def start() -> Iterator[Cluster]:
    """Start a control plane and a node; at the end stop what was started, the newest first.

    Raises:
        control_plane.ControlPlaneError: The control plane did not start.
        launch.NodeError: The node did not.

    """
    with contextlib.ExitStack() as stack:
        plane = stack.enter_context(control_plane.ControlPlane.start(controllers=servers.WORKLOADS, scheduler=True))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scm-")))
        node = stack.enter_context(launch.Node.start(plane, images=IMAGES, folder=folder / "node"))
        try:
            yield Cluster(plane=plane, node=node, folder=folder, _stack=stack)
        finally:
            for each in ENDINGS:  # from here on, it ends anyway: let nothing disturb the stopping
                signal.signal(each, signal.SIG_IGN)
