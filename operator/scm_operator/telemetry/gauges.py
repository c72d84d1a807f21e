"""Gauges: what is looked up when somebody asks for metrics, and costs nothing otherwise."""

import dataclasses
import importlib.metadata
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from prometheus_client import core, process_collector, registry

from scm_operator.domain import account
from scm_operator.telemetry import health
from scm_operator.telemetry.metrics import NOBODY, OTHERS, PREFIX, Metrics

Labels = tuple[str, ...]
Values = dict[Labels, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Queue:
    """A work queue: keys that wait for a worker by lane, seconds that the oldest of them waits, and so on."""

    name: str
    keys: Mapping[str, int]
    oldest: float
    delayed: int
    busy: int
    retries: int


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """An account: its conditions, its line, and its token (age and what is left of it, in seconds)."""

    key: account.AccountKey
    ready: bool
    reason: str
    degraded: str | None = None
    paused: bool = False
    waiting: int = 0
    calls: int = 0
    token: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Uploads:
    """How many uploads have which account and reason, and by reason since when the longest unready one is so."""

    counts: Mapping[tuple[account.AccountKey | None, str], int]
    unready: Mapping[str, float]


class Source(Protocol):
    """The parts of the process, read-only; asked in the process's own loop."""

    def leads(self) -> bool:
        """Say whether this process is the leader."""

    def queues(self) -> Iterable[Queue]:
        """Return the work queues."""

    def accounts(self) -> Iterable[Account]:
        """Return all accounts that there are."""

    def uploads(self) -> Uploads:
        """Count the uploads."""

    def namespaces_left_out(self) -> int:
        """Return how many namespaces should be served and can't be listed."""

    def journal(self) -> tuple[int, int]:
        """Return how many attempts the journal has, and how many bytes."""

    def orphaned(self) -> int:
        """Return how many entries were left behind in SCM, named by no resource, since the process began."""


class Gauges(registry.Collector):
    """What the parts of the process show; a standby doesn't show what the leader does, so that sums are right."""

    def __init__(self, source: Source, *, metrics: Metrics) -> None:
        self._source = source
        self._metrics = metrics

    def collect(self) -> Iterator[core.Metric]:
        """Look at everything."""
        leads = self._source.leads()
        yield _gauge("leader", "1 for the process that uploads, 0 for a standby.", {(): float(leads)})
        yield _gauge(
            "namespaces_left_out",
            "Namespaces of watchNamespaces that may not be listed, and aren't served until they may.",
            {(): self._source.namespaces_left_out()},
        )
        retries: Values = {(queue.name,): queue.retries for queue in self._source.queues()}
        yield _counter("retries", "Passes over a key that ended with a retry after a backoff.", retries, "queue")
        yield _counter(
            "orphaned_entries",
            "Entries that are, or may be, left in SCM with no resource that names them; log and Events say which.",
            {(): self._source.orphaned()},
        )
        accounts = list(self._source.accounts())
        self._metrics.keep_accounts({each.key for each in accounts})
        if leads:
            yield from self._queues()
            yield from self._journal()
            yield from self._accounts(accounts)
            yield from self._uploads()

    def _queues(self) -> Iterator[core.Metric]:
        queues = list(self._source.queues())
        lanes: Values = {(queue.name, lane): keys for queue in queues for lane, keys in queue.keys.items()}
        yield _gauge("queue_keys", "Keys that wait for a worker.", lanes, "queue", "lane")
        for name, about, value in _OF_QUEUES:
            yield _gauge(name, about, {(queue.name,): value(queue) for queue in queues}, "queue")

    def _journal(self) -> Iterator[core.Metric]:
        attempts, size = self._source.journal()
        yield _gauge(
            "journal_attempts", "POSTs in the Lease's journal that are under way or unresolved.", {(): attempts}
        )
        yield _gauge("journal_bytes", "Size of the journal in the Lease; it is full at 204800.", {(): size})

    def _accounts(self, accounts: list[Account]) -> Iterator[core.Metric]:
        named = [(label, each) for each in accounts if (label := self._metrics.accounts.label(each.key)) != OTHERS]
        yield _gauge(
            "account_ready",
            "1 for an account whose Ready condition is true, else 0; the reason is the condition's.",
            {(label, each.reason): float(each.ready) for label, each in named},
            *("account", "reason"),
        )
        yield _gauge(
            "account_degraded",
            "1 for an account with the condition Degraded.",
            {(label, each.degraded): 1.0 for label, each in named if each.degraded},
            *("account", "reason"),
        )
        for name, about, value in _OF_ACCOUNTS:
            found: Values = {(label,): seconds for label, each in named if (seconds := value(each)) is not None}
            yield _gauge(name, about, found, "account")

    def _uploads(self) -> Iterator[core.Metric]:
        uploads = self._source.uploads()
        counts: Values = {}
        for (key, reason), number in uploads.counts.items():
            label = self._metrics.accounts.label(key) if key else NOBODY
            counts[label, reason] = counts.get((label, reason), 0.0) + number
        yield _gauge("uploads", "CertificateRequestUploads.", counts, "account", "reason")
        yield _gauge(
            "unready_seconds",
            "For how long the upload that has been unready for the longest is so.",
            {(reason,): seconds for reason, seconds in uploads.unready.items()},
            "reason",
        )


class Always(registry.Collector):
    """What is shown from the first second on: the build, the checks of the probes, the silence of the watches."""

    def __init__(self, *, state: health.Health, pulse: health.Pulse, resource_of: Callable[[str], str]) -> None:
        self._state = state
        self._pulse = pulse
        self._resource_of = resource_of
        self._process = process_collector.ProcessCollector(registry=None)

    def collect(self) -> Iterator[core.Metric]:
        """Look at everything, and at what the kernel knows of the process."""
        yield from self._process.collect()
        build = (importlib.metadata.version("scm-csr-operator"), platform.python_version())
        yield _gauge("build_info", "Always 1; the labels say what runs.", {build: 1.0}, "version", "python")
        checks: Values = {
            (report.probe, check): float(not wrong)
            for report in (self._state.live(), self._state.ready())
            for check, wrong in report.checks.items()
        }
        yield _gauge("check_passing", "1 for each check of /livez and /readyz that passes.", checks, "probe", "check")
        silences: Values = {}
        for path, seconds in self._pulse.silences().items():
            labels = (self._resource_of(path),)
            silences[labels] = max(silences.get(labels, 0.0), seconds)
        about = "Seconds since a watch moved last; bookmarks come about every 60 s. Of several, the most silent."
        yield _gauge("watch_silence_seconds", about, silences, "resource")


def install(metrics: Metrics, *collectors: registry.Collector) -> None:
    """Add collectors to the metrics."""
    for collector in collectors:
        metrics.registry.register(collector)


def _gauge(name: str, about: str, values: Values, *labels: str) -> core.Metric:
    family = core.GaugeMetricFamily(PREFIX + name, about, labels=labels)
    for at, value in values.items():
        family.add_metric(at, value)
    return family


def _counter(name: str, about: str, values: Values, *labels: str) -> core.Metric:
    family = core.CounterMetricFamily(PREFIX + name, about, labels=labels)
    for at, value in values.items():
        family.add_metric(at, value)
    return family


_OF_QUEUES: tuple[tuple[str, str, Callable[[Queue], float]], ...] = (
    (
        "queue_oldest_seconds",
        "Seconds that the key has waited that waits for a worker the longest.",
        lambda q: q.oldest,
    ),
    ("queue_delayed_keys", "Keys that wait for a backoff or an appointed time.", lambda q: q.delayed),
    ("queue_busy_workers", "Keys that are worked on.", lambda q: q.busy),
)
_OF_ACCOUNTS: tuple[tuple[str, str, Callable[[Account], float | None]], ...] = (
    (
        "account_paused",
        "1 while an account is left alone after failures (circuit breaker), else 0.",
        lambda a: a.paused,
    ),
    ("account_waiting_uploads", "Uploads that stand in the account's line to call SCM.", lambda a: a.waiting),
    ("account_calls", "Turns to call SCM that are given, of limits.concurrency.", lambda a: a.calls),
    ("token_age_seconds", "Age of the token that a login gave.", lambda a: a.token and a.token[0]),
    (
        "token_remaining_seconds",
        "What is left of the life of the token that a login gave.",
        lambda a: a.token and a.token[1],
    ),
)
