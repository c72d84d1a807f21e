"""What the process is seen by: its health and its metrics, and how they look at the parts that do the work.

Made before anything else, so that probes are answered from the start; `Instruments.connect` comes when the parts are
there. The parts know nothing of it but the callables that they are handed.
"""

import dataclasses
from collections.abc import Iterator

from scm_operator import state
from scm_operator.domain import account as accounts
from scm_operator.domain import conditions, ports, upload
from scm_operator.kube import asked, journal
from scm_operator.reconcile import account, census, lanes, queue, report
from scm_operator.reconcile import upload as uploads
from scm_operator.telemetry import gauges, health, metrics

UploadQueue = queue.WorkQueue[upload.UploadKey]
AccountQueue = queue.WorkQueue[accounts.AccountKey]


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a process that are looked at. Implements gauges.Source."""

    state: state.State
    upload_reconciler: uploads.UploadReconciler
    account_reconciler: account.AccountReconciler
    reporter: report.Reporter
    lease: journal.LeaseJournal
    left_out: tuple[str, ...] = ()

    def leads(self) -> bool:
        """Say whether this process is the leader."""
        return self.lease.holds()

    def queues(self) -> Iterator[gauges.Queue]:
        """Return the work queues."""
        yield _queue("uploads", self.state.upload_queue)
        yield _queue("accounts", self.state.account_queue)

    def accounts(self) -> Iterator[gauges.Account]:
        """Return all accounts that there are."""
        for each in self.state.known_accounts:
            line = self.account_reconciler.admission_of(each.key)
            ready = conditions.find(each.status.conditions, conditions.READY)
            degraded = conditions.find(each.status.conditions, conditions.DEGRADED)
            yield gauges.Account(
                each.key,
                ready=ready is not None and ready.status == conditions.TRUE,
                reason=census.reason_of_account(ready),
                degraded=census.reason_of_account(degraded) if degraded else None,
                paused=line is not None and line.paused is not None,
                waiting=line.waiting if line else 0,
                calls=line.under_way if line else 0,
                token=self.account_reconciler.token_of(each.key),
            )

    def uploads(self) -> gauges.Uploads:
        """Count the uploads."""
        taken = census.take(self.state.known_uploads, known=self.state.known_accounts, now=self.state.clock.now())
        return gauges.Uploads(taken.counts, taken.unready)

    def namespaces_left_out(self) -> int:
        """Return how many namespaces should be served and can't be listed."""
        return len(self.left_out)

    def journal(self) -> tuple[int, int]:
        """Return how many attempts the journal has, and how many bytes."""
        return len(self.lease.attempts()), self.lease.size

    def orphaned(self) -> int:
        """Return how many entries were left behind in SCM since the process began."""
        return self.reporter.orphans


class Instruments:
    """The health and the metrics of a process; ``stall`` in seconds is how long a watch or a worker may stand still."""

    def __init__(self, clock: ports.Clock, *, stall: float) -> None:
        self._stall = stall
        self._clock = clock
        self.pulse = health.Pulse(clock)
        self.health = health.Health()
        self.health.watch_over("watches", lambda: self.pulse.stall(stall))
        self.metrics = metrics.Metrics(clock)
        always = gauges.Always(
            state=self.health, pulse=self.pulse, resource_of=lambda path: asked.verb_and_resource("GET", path)[1]
        )
        gauges.install(self.metrics, always)

    def connect(self, parts: Parts) -> None:
        """Look at these parts from now on, and let them tell what has to be counted as it happens."""
        self.health.watch_over("uploads", lambda: parts.state.upload_queue.stall(self._stall))
        self.health.watch_over("accounts", lambda: parts.state.account_queue.stall(self._stall))
        parts.upload_reconciler.on_step = parts.state.upload_queue.moved
        parts.account_reconciler.on_wait = self.metrics.turn_came
        parts.reporter.on_first_ready = self._count_ready
        gauges.install(self.metrics, gauges.Gauges(parts, metrics=self.metrics))

    def _count_ready(self, about: upload.Upload) -> None:
        try:
            age = (self._clock.now() - conditions.moment(about.created)).total_seconds()
        except (ValueError, TypeError):  # no time, or one without a zone: not the API server's
            return
        self.metrics.became_ready(age)


def _queue(name: str, work: UploadQueue | AccountQueue) -> gauges.Queue:
    return gauges.Queue(
        name,
        keys={lane.name.lower(): work.waiting(lane) for lane in lanes.Lane},
        oldest=work.oldest,
        delayed=work.delayed,
        busy=work.busy,
        retries=work.retries,
    )
