"""A real operator's probes and metrics: what it says of itself while it works, stands by, and ends."""

import pathlib
import signal
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.support import metrics_table, pem
from tests.support import world as worlds
from tests.support.metrics import Metrics
from tests.support.operator import Operator
from tests.support.waiting import until
from tests.support.world import Namespace, World


@pytest.fixture(scope="module")
def own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose operator does nothing but what these tests want, and ends in between."""
    with worlds.running(tmp_path_factory.mktemp("telemetry")) as world:
        yield world


@pytest.fixture
def place(own_world: World, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace with an account and a CSR; the operator runs before and after."""
    if not own_world.operator.running:
        own_world.operator.start()
    namespace = own_world.namespace_for(request.node.name)
    namespace.account()
    namespace.secret("content", {"tls.csr": pem.csr(pem.ec_key())})
    yield namespace
    own_world.simulator.faults()
    own_world.simulator.release()


def _shown(operator: Operator, holds: Callable[[Metrics], bool], *, what: str) -> Metrics:
    """Return the first metrics of which something holds; they are up to a second old."""

    def look() -> Metrics | None:
        found = operator.metrics()
        return found if holds(found) else None

    return until(look, what=what)


def test_upload_is_seen_in_the_metrics(own_world: World, place: Namespace) -> None:
    """An upload shows as the requests that it took, a time to Ready, and one more of its account and reason."""
    account = f"ScmAccount/{place.name}/default"
    place.upload("seen", csr="content")
    place.ready("seen")

    shown = _shown(
        own_world.operator,
        lambda found: found.value("scm_operator_uploads", account=account, reason="Uploaded") == 1,
        what="the upload to be counted",
    )

    requests, of_it = "scm_operator_scm_requests_total", {"account": account}
    assert shown.value(requests, operation="UploadCsr", code="200", **of_it) == 1
    assert shown.value(requests, operation="CreateToken", code="201", **of_it) == 1
    assert shown.value(requests, **of_it) == 2
    assert shown.value("scm_operator_scm_request_seconds_count", operation="UploadCsr") >= 1
    assert shown.value("scm_operator_time_to_ready_seconds_count") >= 1
    assert shown.value("scm_operator_turn_wait_seconds_count") >= 1
    api = "scm_operator_api_requests_total"
    assert shown.value(api, verb="patch", resource="certificaterequestuploads/status", code="200") >= 1
    assert shown.value(api, verb="get", resource="secrets", code="200") >= 2
    assert shown.value(api, verb="create", resource="events", code="201") >= 1
    assert shown.value(api, verb="update", resource="leases", code="200") >= 1
    for resource in ("certificaterequestuploads", "scmaccounts", "clusterscmaccounts", "secrets"):
        assert shown.value(api, verb="watch", resource=resource, code="200") >= 1
        assert shown.has("scm_operator_watch_silence_seconds", resource=resource)
    assert shown.has("scm_operator_account_ready", reason="Ready", **of_it)
    assert 0 < shown.value("scm_operator_token_age_seconds", **of_it) < 600
    assert shown.value("scm_operator_token_remaining_seconds", **of_it) > 3600
    assert shown.value("scm_operator_leader") == 1
    assert shown.value("scm_operator_journal_attempts") == 0
    assert 0 < shown.value("scm_operator_journal_bytes") < 1000


def test_account_in_trouble_is_seen_in_the_metrics(own_world: World, place: Namespace) -> None:
    """A throttled account shows as paused, its uploads as Throttled, and as standing in line with their age."""
    throttle = {"status": {"code": 429, "headers": {"Retry-After": "60"}}}
    own_world.simulator.faults({"match": {"operation": "UploadCsr"}, "do": throttle})
    account = f"ScmAccount/{place.name}/default"
    place.uploads(["first", "second"], csrSecretRef={"name": "content"})

    shown = _shown(
        own_world.operator,
        lambda found: found.value("scm_operator_uploads", account=account, reason="Throttled") == 2,
        what="both uploads to be throttled",
    )

    assert shown.value("scm_operator_account_paused", account=account) == 1
    assert shown.value("scm_operator_scm_requests_total", code="429", account=account) >= 1
    assert shown.has("scm_operator_unready_seconds", reason="Throttled")
    assert shown.value("scm_operator_retries_total", queue="uploads") >= 1


def test_account_that_is_deleted_leaves_no_series(own_world: World, place: Namespace) -> None:
    """Labels are bounded by what there is: with the account its series go."""
    account = f"ScmAccount/{place.name}/default"
    place.upload("brief", csr="content")
    place.ready("brief")
    _shown(own_world.operator, lambda found: account in found.text, what="the account to be shown")
    place.kubectl("delete", "cru,scma", "--all")
    _shown(own_world.operator, lambda found: account not in found.text, what="the account to be forgotten")


def test_orphan_is_counted(own_world: World, place: Namespace) -> None:
    """A resource that is deleted before its id could be written is an orphaned entry."""
    before = own_world.operator.metrics().value("scm_operator_orphaned_entries_total")
    own_world.simulator.faults({"name": "late", "match": {"operation": "UploadCsr"}, "hold": "after-store"})
    place.upload("orphan", csr="content")
    own_world.simulator.held(rule="late")
    place.kubectl("delete", "cru", "orphan")
    own_world.simulator.release()
    _shown(
        own_world.operator,
        lambda found: found.value("scm_operator_orphaned_entries_total") == before + 1,
        what="the orphan to be counted",
    )


def test_every_metric_is_documented(own_world: World, place: Namespace) -> None:
    """docs/metrics.md has each metric that a real operator shows, with its type and its labels, and no other."""
    place.upload("documented", csr="content")
    place.ready("documented")
    shown = _shown(
        own_world.operator, lambda found: found.has("scm_operator_token_age_seconds"), what="the account's token"
    )
    own = {name: kind for name, kind in shown.kinds.items() if name.startswith("scm_operator_")}
    documented = metrics_table.documented()
    assert {name: metric.kind for name, metric in documented.items()} == own
    for name, metric in documented.items():
        assert not shown.has(metric.counted) or shown.label_names(metric.counted) == metric.labels, name


def test_standby_is_ready_and_shows_no_uploads(own_world: World, place: Namespace, tmp_path: pathlib.Path) -> None:
    """A standby that knows everything is ready, is no leader, and shows nothing that would be counted twice."""
    place.upload("led", csr="content")
    place.ready("led")
    standby = own_world.operator.replica(tmp_path / "standby.log")
    standby.start(wait=False)
    try:
        until(lambda: standby.get("/readyz")[0] == 200, what="the standby to be ready")
        shown = _shown(standby, lambda found: found.has("scm_operator_leader"), what="the standby's metrics")
        assert shown.value("scm_operator_leader") == 0
        assert not shown.has("scm_operator_uploads")
        assert standby.get("/livez")[0] == 200
        assert own_world.operator.get("/readyz")[0] == 200
    finally:
        standby.stop()


def test_probes_and_metrics_are_there_to_the_end(own_world: World, place: Namespace) -> None:
    """While a stop waits for a POST in flight, the process lives, isn't ready, and still shows its metrics."""
    operator = own_world.operator
    own_world.simulator.faults({"name": "slow", "match": {"operation": "UploadCsr"}, "hold": "after-store"})
    place.upload("inflight", csr="content")
    own_world.simulator.held(rule="slow")
    operator.signal(signal.SIGTERM)
    until(lambda: operator.events("Stopping"), what="the stop to begin")

    status, text = operator.get("/readyz")
    assert status == 503
    assert "[-]shutdown failed: the process is stopping" in text
    assert operator.get("/livez")[0] == 200
    assert operator.metrics().has("scm_operator_build_info")

    own_world.simulator.release()
    assert operator.wait() == 0


def test_address_in_use_ends_the_process_in_words(own_world: World, tmp_path: pathlib.Path) -> None:
    """A port that somebody else has is exit code 1 and one line that says which, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        operator = own_world.operator.replica(tmp_path / "second.log", flags={"--listen": address})
        operator.start(wait=False)
        assert operator.wait() == 1
    (line,) = operator.errors()
    assert line["message"].startswith(f"can't listen on {address} for probes and metrics: ")
    assert "--listen (SCM_OPERATOR_LISTEN)" in line["message"]
