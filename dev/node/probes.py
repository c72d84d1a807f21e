"""Probes as a Pod has them, and what their results in a row mean.

https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from dataclasses import dataclass
from typing import Self

from dev.node.api import Object

STARTUP, READINESS, LIVENESS = "startupProbe", "readinessProbe", "livenessProbe"


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe; times are in seconds."""

    action: Object
    initial_delay: float
    period: float
    timeout: float
    success_threshold: int
    failure_threshold: int
    grace: float | None
    """Between SIGTERM and SIGKILL when this probe fails, if that differs from the Pod's."""

    @classmethod
    def parse(cls, spec: Object) -> Self:
        """Read a probe; what is missing has the API's defaults."""
        return cls(
            action={kind: spec[kind] for kind in ("httpGet", "tcpSocket", "exec", "grpc") if kind in spec},
            initial_delay=float(spec.get("initialDelaySeconds", 0)),
            period=float(spec.get("periodSeconds", 10)),
            timeout=float(spec.get("timeoutSeconds", 1)),
            success_threshold=int(spec.get("successThreshold", 1)),
            failure_threshold=int(spec.get("failureThreshold", 3)),
            grace=spec.get("terminationGracePeriodSeconds"),
        )


def of(container: Object) -> dict[str, Probe]:
    """Return the container's probes by kind."""
    return {kind: Probe.parse(container[kind]) for kind in (STARTUP, READINESS, LIVENESS) if kind in container}


class Tally:
    """The results of a probe in a row, and the verdict that they have led to: True, False, or None at first."""

    def __init__(self, probe: Probe) -> None:
        self._thresholds = {True: probe.success_threshold, False: probe.failure_threshold}
        self._last: bool | None = None
        self.in_a_row = 0
        self.verdict: bool | None = None

    def add(self, *, success: bool) -> bool:
        """Count a result, and say whether the verdict has changed by it."""
        self.in_a_row = self.in_a_row + 1 if success == self._last else 1
        self._last = success
        if self.in_a_row < self._thresholds[success] or self.verdict == success:
            return False
        self.verdict = success
        return True
