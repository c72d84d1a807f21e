"""Whether this process lives (a restart helps if it doesn't) and is ready: checks, each of which says what is wrong.

``live`` fails only for what a restart heals: a loop that doesn't turn (then nobody answers at all), a watch or a worker
that has stopped without a word. An API server or an SCM that can't be reached is no reason: both are tried again and
again, and the trying is what counts as moving.
"""

import dataclasses
import logging
from collections.abc import Callable, Mapping

from scm_operator.domain import ports

_log = logging.getLogger(__name__)
Check = Callable[[], str | None]
"""Returns what is wrong, None if nothing is."""


class Pulse:
    """When each watch has moved last: a request made, answered or failed, an event, a bookmark.

    A watch is looked at from its first beat on; a start that takes long is no stall. Beats come from any thread.
    """

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock
        self._beats: dict[str, float] = {}

    def beat(self, watch: str) -> None:
        """Note that a watch, named by its path, has moved."""
        self._beats[watch] = self._clock.monotonic()

    def silences(self) -> Mapping[str, float]:
        """Return for how many seconds each watch has not moved."""
        now = self._clock.monotonic()
        return {watch: max(0.0, now - beat) for watch, beat in self._beats.copy().items()}

    def stall(self, longest: float) -> str | None:
        """Say which watches have not moved for longer than so many seconds."""
        silent = {watch: seconds for watch, seconds in self.silences().items() if seconds > longest}
        return "; ".join(f"nothing of {watch} for {seconds:.0f} s" for watch, seconds in sorted(silent.items())) or None


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a probe answers: for each check what is wrong, None if nothing is."""

    probe: str
    checks: Mapping[str, str | None]

    @property
    def ok(self) -> bool:
        """Say whether all is well."""
        return not any(self.checks.values())

    def __str__(self) -> str:
        """Return it as a table for people, in the style of kube-apiserver's."""
        lines = [f"[-]{name} failed: {wrong}" if wrong else f"[+]{name} ok" for name, wrong in self.checks.items()]
        return "\n".join([*lines, f"{self.probe} check {'passed' if self.ok else 'failed'}", ""])


class Health:
    """What the probes ask; a change for the worse, or back, is logged once."""

    def __init__(self) -> None:
        self._live: dict[str, Check] = {"loop": lambda: None}  # whoever is answered has seen it turn
        self._starting: str | None = "the first lists are not complete"
        self._stopping: str | None = None
        self._hindrance: str | None = None
        self._failed: dict[str, bool] = {}

    def watch_over(self, name: str, check: Check) -> None:
        """Add a check to ``live``."""
        self._live[name] = check

    def synced(self) -> None:
        """All is known that a standby needs to know."""
        self._starting = None

    def stopping(self) -> None:
        """The process ends: nobody should count on it."""
        self._stopping = "the process is stopping"

    def hinder(self, reason: str | None) -> None:
        """Say what keeps this process from being ready, None when it is gone."""
        self._hindrance = reason

    def live(self) -> Report:
        """Look whether the process lives."""
        return self._told(Report("livez", {name: check() for name, check in self._live.items()}))

    def ready(self) -> Report:
        """Look whether the process is ready; a standby that knows everything is."""
        checks = {"caches": self._starting, "installation": self._hindrance, "shutdown": self._stopping}
        return self._told(Report("readyz", checks))

    def _told(self, report: Report) -> Report:
        before = self._failed.get(report.probe)
        self._failed[report.probe] = not report.ok
        if before is not None and before == report.ok:
            wrong = "; ".join(f"{name}: {wrong}" for name, wrong in report.checks.items() if wrong)
            text = f"{report.probe} fails: {wrong}" if wrong else f"{report.probe} passes again"
            _log.log(logging.WARNING if wrong else logging.INFO, "%s", text, extra={"event": "Health"})
        return report
