"""Counters and histograms: what is counted as it happens. What can be looked up when somebody asks is in `gauges`.

Labels are bounded: operations, verbs, resources and codes are the operator's own few; accounts are what people create,
so only so many have series of their own (`Accounts`).
"""

import http
from collections.abc import Collection, Sequence

import prometheus_client
from prometheus_client import exposition, registry

from scm_operator.domain import account, ports

PREFIX = "scm_operator_"
NOBODY, OTHERS = "none", "other"
"""The label ``account`` of what has no account, and of all accounts beyond the first `_MOST_ACCOUNTS`."""

_MOST_ACCOUNTS = 100
_TIME_TO_READY = (1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_TURN_WAIT = (0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_REQUEST = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)
_CODES = frozenset(str(status.value) for status in http.HTTPStatus)
_AS_LONG = 1.0  # seconds for which an exposition is given again: asking often must not stop the work


class Accounts:
    """The accounts that have series of their own, first come, first served; the rest share ``other``."""

    def __init__(self, most: int = _MOST_ACCOUNTS) -> None:
        self._most = most
        self._labels: dict[account.AccountKey, str] = {}

    def label(self, key: account.AccountKey) -> str:
        """Return the label of an account: ``ScmAccount/shop/default``, ``ClusterScmAccount/default``."""
        if label := self._labels.get(key):
            return label
        if len(self._labels) >= self._most:
            return OTHERS
        label = self._labels[key] = str(key)
        return label

    def keep(self, present: Collection[account.AccountKey]) -> list[str]:
        """Make room by forgetting the accounts that are gone; return their labels."""
        gone = [key for key in self._labels if key not in present]
        return [self._labels.pop(key) for key in gone]


class Metrics:
    """What is counted; its methods cost about a microsecond, and may be called from any thread."""

    def __init__(self, clock: ports.Clock, *, accounts: Accounts | None = None) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # twice as many series
        self._clock = clock
        self.accounts = accounts or Accounts()
        self.registry = registry.CollectorRegistry()
        self._exposed: dict[str, tuple[float, bytes]] = {}
        self._time_to_ready = self._histogram(
            "time_to_ready_seconds",
            "Time from an upload's creation to its first being Ready; the API server tells creation in whole seconds.",
            buckets=_TIME_TO_READY,
        )
        self._turn_wait = self._histogram(
            "turn_wait_seconds",
            "Time that uploads stood in their account's line before they might call SCM (spec.limits, pauses).",
            buckets=_TURN_WAIT,
        )
        self._scm_seconds = self._histogram(
            "scm_request_seconds",
            "Time that requests to SCM and IAM took, whatever came of them.",
            "operation",
            buckets=_REQUEST,
        )
        about = "Requests to SCM and IAM by operation, answer and account."
        self._scm_requests = self._counter("scm_requests", about, "operation", "code", "account")
        about = "Requests to the API server; a watch counts when it begins."
        self._api_requests = self._counter("api_requests", about, "verb", "resource", "code")
        about = "Writes that the API server refused because somebody else's came before (409): read again, no error."
        self._api_conflicts = self._counter("api_conflicts", about, "resource")
        # A look-up by names costs as much as the counting: the children are kept.
        self._of_scm: dict[tuple[str, str, str], prometheus_client.Counter] = {}
        self._of_operation: dict[str, prometheus_client.Histogram] = {}
        self._of_api: dict[tuple[str, str, int | None], prometheus_client.Counter] = {}

    def _counter(self, name: str, about: str, *labels: str) -> prometheus_client.Counter:
        return prometheus_client.Counter(PREFIX + name, about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, *labels: str, buckets: Sequence[float]) -> prometheus_client.Histogram:
        return prometheus_client.Histogram(PREFIX + name, about, labels, buckets=buckets, registry=self.registry)

    def became_ready(self, seconds: float) -> None:
        """Count an upload that is Ready for the first time, so many seconds after its creation."""
        self._time_to_ready.observe(max(0.0, seconds))

    def turn_came(self, seconds: float) -> None:
        """Count a turn to call SCM, for which an upload has waited so long."""
        self._turn_wait.observe(seconds)

    def scm_answered(self, key: account.AccountKey, operation: str, code: str, seconds: float) -> None:
        """Implement domain.ports.ScmMeter."""
        at = (operation, code if code in _CODES or code in ports.NO_ANSWER else OTHERS, self.accounts.label(key))
        counter = self._of_scm.get(at)
        if counter is None:
            counter = self._of_scm[at] = self._scm_requests.labels(*at)
        counter.inc()
        histogram = self._of_operation.get(operation)
        if histogram is None:
            histogram = self._of_operation[operation] = self._scm_seconds.labels(operation)
        histogram.observe(seconds)

    def api_answered(self, verb: str, resource: str, code: int | None) -> None:
        """Implement domain.ports.ApiMeter."""
        at = (verb, resource, code)
        counter = self._of_api.get(at)
        if counter is None:
            counter = self._of_api[at] = self._api_requests.labels(verb, resource, "none" if code is None else code)
        counter.inc()
        if code == 409:
            self._api_conflicts.labels(resource).inc()

    def keep_accounts(self, present: Collection[account.AccountKey]) -> None:
        """Forget the series of accounts that are gone."""
        for label in self.accounts.keep(present):
            for at in [at for at in self._of_scm if at[2] == label]:
                del self._of_scm[at]
                self._scm_requests.remove(*at)

    def expose(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics and their content type, in the form that an Accept header asks for."""
        encode, content_type = exposition.choose_encoder(accept)
        now = self._clock.monotonic()
        at, text = self._exposed.get(content_type, (-_AS_LONG, b""))
        if now - at >= _AS_LONG:
            text = encode(self.registry)
            self._exposed[content_type] = (now, text)
        return text, content_type
