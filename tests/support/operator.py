"""The operator as a process, with a ServiceAccount's permissions and a log that a test can read."""

import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import httpx

from tests.support import metrics
from tests.support.waiting import until

# Short times, so that a test takes seconds; the ratios are those of the defaults.
FLAGS = {
    "--call-timeout": "3",
    "--retry-first": "0.1",
    "--retry-slow": "0.2",
    "--retry-longest": "2",
    "--lease-duration": "6",
    "--renew-deadline": "5.5",
    "--retry-period": "0.5",
    "--settle-time": "1",
    "--deletion-deadline": "6",
    "--shutdown-timeout": "15",
    "--listen": "127.0.0.1:0",
    "--log-level": "debug",
}


class Operator:
    """One run of ``python -m scm_operator`` after another, with the same settings and one log."""

    def __init__(self, kubeconfig: pathlib.Path, *, log: pathlib.Path, flags: Mapping[str, str] | None = None) -> None:
        self._kubeconfig = kubeconfig
        self._log = log
        self._flags = FLAGS | dict(flags or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = 0

    def replica(self, log: pathlib.Path, *, flags: Mapping[str, str] | None = None) -> "Operator":
        """Return another one with the same settings, or a few others, and a log of its own; it doesn't run yet."""
        return Operator(self._kubeconfig, log=log, flags=self._flags | dict(flags or {}))

    def start(self, *, wait: bool = True) -> None:
        """Start it and, unless told otherwise, return when it has listed everything and works."""
        flags = [part for flag, value in self._flags.items() for part in (flag, value) if part]
        before, self._heard = len(self.events("Started")), len(self.events("Listening"))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "scm_operator", "--allow-insecure-loopback", *flags],
                env={"PATH": os.defpath, "KUBECONFIG": str(self._kubeconfig)},
                stdout=log,
                stderr=log,
            )
        if wait:
            until(lambda: self._started_since(before), what="the operator to be ready")

    def _started_since(self, before: int) -> bool:
        self.check()
        return len(self.events("Started")) > before

    def check(self) -> None:
        """Fail with the last log lines if it has ended."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the operator ended with {self._process.returncode}:\n{self.log()[-3000:]}")

    @property
    def running(self) -> bool:
        """Say whether it runs."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return its exit code once it has ended."""
        assert self._process is not None
        return self._process.wait(timeout=30)

    def stop(self) -> int:
        """End it in order and return its exit code; one that doesn't run is none of its faults."""
        if self._process is None:
            return 0
        if self.running:
            self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it as a lost node would."""
        self.signal(signal.SIGKILL)
        self.wait()

    def log(self) -> str:
        """Return everything that it has logged."""
        return self._log.read_text() if self._log.exists() else ""

    def lines(self) -> list[dict[str, Any]]:
        """Return its log as objects; a line that isn't JSON is a failure."""
        return [json.loads(line) for line in self.log().splitlines()]

    def errors(self) -> list[dict[str, Any]]:
        """Return the log lines that are errors."""
        return [line for line in self.lines() if line["level"] == "ERROR"]

    @property
    def url(self) -> str:
        """Return where it answers probes and shows its metrics, as it has said in its log."""
        url: str = until(lambda: self.events("Listening")[self._heard :], what="the operator to listen")[-1]["url"]
        return url

    def get(self, path: str) -> tuple[int, str]:
        """Ask it over HTTP; return the status and the body."""
        answer = httpx.get(self.url + path, timeout=10)
        return answer.status_code, answer.text

    def probe(self, path: str, *, timeout: float) -> int | None:
        """Ask as a kubelet does; return the status, or None without an answer in so many seconds."""
        try:
            return httpx.get(self.url + path, timeout=timeout).status_code
        except httpx.TransportError:
            return None

    def metrics(self) -> metrics.Metrics:
        """Return what its metrics say now."""
        _, text = self.get("/metrics")
        return metrics.Metrics(text)

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one kind ("Started", "Uploaded", …)."""
        return [line for line in self.lines() if line.get("event") == event]
