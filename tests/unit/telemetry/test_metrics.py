"""Counters and histograms, with the real registry."""

import threading

import pytest

from scm_operator.domain import account, ports
from scm_operator.telemetry import metrics
from tests.support import fakes
from tests.support.metrics import Metrics

SHOP = account.AccountKey(account.AccountKind.NAMESPACED, "shop", "default")
CLUSTER = account.AccountKey(account.AccountKind.CLUSTER, "", "production")


@pytest.fixture
def clock() -> fakes.FakeClock:
    """Return a clock that only the test moves."""
    return fakes.FakeClock()


@pytest.fixture
def counted(clock: fakes.FakeClock) -> metrics.Metrics:
    """Return metrics of nothing yet, with room for two accounts."""
    return metrics.Metrics(clock, accounts=metrics.Accounts(most=2))


def _shown(counted: metrics.Metrics) -> Metrics:
    body, _ = counted.expose("")
    return Metrics(body.decode())


def test_requests_to_scm_are_counted_by_operation_code_and_account(counted: metrics.Metrics) -> None:
    """Each request is one, under what it was, what came of it and whose it was; how long it took is by operation."""
    for key, code, seconds in ((SHOP, "200", 0.2), (SHOP, "200", 0.4), (SHOP, "429", 0.1), (CLUSTER, ports.LOST, 30.0)):
        counted.scm_answered(key, "UploadCsr", code, seconds)
    shown, name = _shown(counted), "scm_operator_scm_requests_total"
    assert shown.value(name, operation="UploadCsr", code="200", account="ScmAccount/shop/default") == 2
    assert shown.value(name, code="429") == 1
    assert shown.value(name, code="lost", account="ClusterScmAccount/production") == 1
    assert shown.value("scm_operator_scm_request_seconds_sum", operation="UploadCsr") == pytest.approx(30.7)
    assert shown.value("scm_operator_scm_request_seconds_bucket", le="0.25") == 2


def test_codes_that_nobody_knows_share_a_series(counted: metrics.Metrics) -> None:
    """A service that makes up codes makes no series of them."""
    for code in range(600, 700):
        counted.scm_answered(SHOP, "UploadCsr", str(code), 0.1)
    assert len(list(_shown(counted).samples("scm_operator_scm_requests_total"))) == 1
    assert _shown(counted).value("scm_operator_scm_requests_total", code="other") == 100


def test_accounts_beyond_the_first_share_a_series(counted: metrics.Metrics) -> None:
    """However many accounts there are, only so many have series of their own; nothing goes uncounted."""
    for number in range(10):
        key = account.AccountKey(account.AccountKind.NAMESPACED, f"team-{number}", "default")
        counted.scm_answered(key, "UploadCsr", "200", 0.1)
    samples = list(_shown(counted).samples("scm_operator_scm_requests_total"))
    assert [(sample.labels["account"], sample.value) for sample in samples] == [
        ("ScmAccount/team-0/default", 1),
        ("ScmAccount/team-1/default", 1),
        ("other", 8),
    ]


def test_account_that_is_gone_makes_room(clock: fakes.FakeClock, counted: metrics.Metrics) -> None:
    """The series of a deleted account go with it, and the next one has series of its own."""
    for key in (SHOP, CLUSTER):
        counted.scm_answered(key, "UploadCsr", "200", 0.1)
    counted.keep_accounts({CLUSTER})
    counted.scm_answered(SHOP._replace(name="next"), "UploadCsr", "200", 0.1)
    clock.advance(1)
    labels = {sample.labels["account"] for sample in _shown(counted).samples("scm_operator_scm_requests_total")}
    assert labels == {"ClusterScmAccount/production", "ScmAccount/shop/next"}


def test_requests_to_the_api_server_are_counted_and_conflicts_apart(counted: metrics.Metrics) -> None:
    """A request without an answer is counted as well; a 409 is one more, under conflicts."""
    for code in (200, 200, 409, None):
        counted.api_answered("patch", "certificaterequestuploads/status", code)
    shown, name = _shown(counted), "scm_operator_api_requests_total"
    codes = {sample.labels["code"]: sample.value for sample in shown.samples(name, verb="patch")}
    assert codes == {"200": 2, "409": 1, "none": 1}
    assert shown.value("scm_operator_api_conflicts_total", resource="certificaterequestuploads/status") == 1


def test_time_to_ready_is_never_negative(counted: metrics.Metrics) -> None:
    """Where the clocks of two machines disagree, an upload was Ready at once."""
    counted.became_ready(-3.0)
    counted.became_ready(4.0)
    shown = _shown(counted)
    assert shown.value("scm_operator_time_to_ready_seconds_sum") == 4
    assert shown.value("scm_operator_time_to_ready_seconds_bucket", le="1.0") == 1


def test_asking_often_is_answered_from_memory(clock: fakes.FakeClock, counted: metrics.Metrics) -> None:
    """Within a second the same text is given again: who asks all the time doesn't stop the work."""
    before = counted.expose("")
    counted.turn_came(1.0)
    clock.advance(0.9)
    assert counted.expose("") == before
    clock.advance(0.1)
    assert _shown(counted).value("scm_operator_turn_wait_seconds_count") == 1


def test_openmetrics_is_spoken(counted: metrics.Metrics) -> None:
    """Prometheus asks for OpenMetrics first, and gets it."""
    body, content_type = counted.expose("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_no_series_tells_when_it_was_created(counted: metrics.Metrics) -> None:
    """A time of creation beside each counter would double the series, and nobody reads it."""
    counted.scm_answered(SHOP, "UploadCsr", "200", 0.1)
    assert "_created" not in _shown(counted).text


def test_counting_from_two_threads_loses_nothing(counted: metrics.Metrics) -> None:
    """The watches count in a thread of their own."""

    def count() -> None:
        for _ in range(2000):
            counted.api_answered("list", "secrets", 200)

    threads = [threading.Thread(target=count) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _shown(counted).value("scm_operator_api_requests_total") == 4000
