"""One replica of the operator in a crash run: a process behind a proxy of its own that can be killed and frozen."""

import os
import pathlib
import signal
import sys
from collections.abc import Mapping

from dev import processes
from tests.support.api_proxy import ApiProxy
from tests.support.api_proxy_rules import Asked
from tests.support.world import ROOT

_LEASES = "/apis/coordination.k8s.io/*/leases*"
_WRITES = frozenset({"PUT", "PATCH", "POST"})


class Replica:
    """One process after another, each with a log of its own in the folder."""

    def __init__(self, proxy: ApiProxy, *, folder: pathlib.Path, environ: Mapping[str, str]) -> None:
        folder.mkdir()
        self.proxy = proxy
        self.starts = 0
        self.frozen = False
        self._folder = folder
        self._environ = {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT / "operator"),
            "KUBECONFIG": str(proxy.kubeconfig(folder / "kubeconfig")),
            **environ,
        }
        self._child: processes.Child | None = None

    def start(self) -> None:
        """Start it and wait for nothing."""
        self.starts += 1
        self._child = processes.start(
            "operator",
            command=[sys.executable, "-m", "scm_operator"],
            folder=self._folder,
            log=self._folder / f"{self.starts}.log",
            environ=self._environ,
        )

    @property
    def running(self) -> bool:
        """Whether it runs, frozen or not."""
        return self._child is not None and self._child.running

    @property
    def exit_code(self) -> int | None:
        """What it ended with, None if it runs."""
        return None if self._child is None else self._child.process.poll()

    def kill(self) -> None:
        """End it as a lost node would."""
        if self._child is not None:
            self._child.process.kill()
            self._child.process.wait()
        self.frozen = False

    def ask_to_end(self) -> None:
        """Ask it to end in order."""
        self._signal(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop it in its tracks."""
        self._signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """Let it go on as if nothing had been."""
        self._signal(signal.SIGCONT)
        self.frozen = False

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.process.send_signal(number)

    def led(self) -> float:
        """Return when it last wrote the Lease with success, in seconds of the monotonic clock; 0 if never."""
        writes = [asked for asked in self.proxy.asked(path=_LEASES) if _succeeded(asked)]
        return writes[-1].at if writes else 0.0

    def warnings(self) -> str:
        """Return the lines of its log that warn."""
        return "".join(line for line in self.log().splitlines(keepends=True) if '"level": "WARNING"' in line)

    def log(self) -> str:
        """Return what all its processes have logged."""
        return "".join(file.read_text(errors="replace") for file in sorted(self._folder.glob("*.log")))


def _succeeded(asked: Asked) -> bool:
    return asked.method in _WRITES and asked.status in {200, 201}
