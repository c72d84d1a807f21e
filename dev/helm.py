"""Helm, as it was built: run against a cluster or none, never with the user's own settings, plugins or caches."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHART = Path(__file__).resolve().parents[1] / "deploy" / "chart"

RELEASE = NAMESPACE = "scm-csr-operator"
"""What the operator's release and its namespace are called, unless somebody has another idea."""

_TIMEOUT = 120.0


class HelmError(Exception):
    """Helm failed; the message has what it said."""


@dataclass(frozen=True, slots=True)
class Helm:
    """A Helm program, and the cluster that it works on."""

    program: Path
    home: Path
    """A folder for its caches."""
    kubeconfig: Path | None = None
    """Nothing but `template` and `lint` works without."""

    def run(
        self, *args: str | Path, values: Mapping[str, Any] | None = None, check: bool = True, timeout: float = _TIMEOUT
    ) -> "subprocess.CompletedProcess[str]":
        """Run it to its end; values are handed over as a file would be. The timeout is in seconds.

        Raises:
            HelmError: It failed and check is true, or it did not end in time.

        """
        command: Sequence[str] = [str(self.program), *map(str, args)]
        if values is not None:
            command = [*command, "--values=-"]
        environ = {"PATH": os.defpath, "HOME": str(self.home)}
        if self.kubeconfig:
            environ["KUBECONFIG"] = str(self.kubeconfig)
        try:
            done = subprocess.run(
                command,
                env=environ,
                input=json.dumps(values) if values is not None else "",
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise HelmError(f"helm {' '.join(command[1:])} did not end in {timeout:g} s") from error
        if check and done.returncode:
            raise HelmError(f"helm {' '.join(command[1:])}: {done.stderr.strip()}")
        return done

    def template(
        self,
        values: Mapping[str, Any],
        *args: str,
        chart: Path = CHART,
        release: str = RELEASE,
        namespace: str = NAMESPACE,
    ) -> str:
        """Render a chart with these values and return the manifests.

        Raises:
            HelmError: The values are refused, or a template fails.

        """
        return self.run("template", release, chart, "--namespace", namespace, *args, values=values).stdout
