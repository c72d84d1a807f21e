"""Gauges: what the parts show when somebody asks, with the real registry and parts of a script."""

import dataclasses
from collections.abc import Iterable

import pytest

from scm_operator.domain import account
from scm_operator.telemetry import gauges, health, metrics
from tests.support import fakes
from tests.support.metrics import Metrics

SHOP = account.AccountKey(account.AccountKind.NAMESPACED, "shop", "default")
CLUSTER = account.AccountKey(account.AccountKind.CLUSTER, "", "production")
OF_THE_LEADER = (
    "account_ready",
    "account_paused",
    "account_waiting_uploads",
    "account_calls",
    "token_age_seconds",
    "token_remaining_seconds",
    "queue_keys",
    "queue_oldest_seconds",
    "journal_attempts",
    "journal_bytes",
    "uploads",
    "unready_seconds",
)


@dataclasses.dataclass
class FakeSource:
    """Parts that show what a test says; implements gauges.Source."""

    leader: bool = True
    known: list[gauges.Account] = dataclasses.field(default_factory=list)
    counted: gauges.Uploads = gauges.Uploads({}, {})  # noqa: RUF009 - frozen
    orphans: int = 0
    left_out: int = 0

    def leads(self) -> bool:
        """Say it."""
        return self.leader

    def queues(self) -> Iterable[gauges.Queue]:
        """Return one queue with much to do."""
        yield gauges.Queue("uploads", {"fresh": 3, "retry": 40}, oldest=12.5, delayed=7, busy=32, retries=9)

    def accounts(self) -> Iterable[gauges.Account]:
        """Return them."""
        return self.known

    def uploads(self) -> gauges.Uploads:
        """Return the count."""
        return self.counted

    def namespaces_left_out(self) -> int:
        """Return how many."""
        return self.left_out

    def journal(self) -> tuple[int, int]:
        """Return it."""
        return 2, 300

    def orphaned(self) -> int:
        """Return how many."""
        return self.orphans


class Desk:
    """Metrics over a source, with room for one account."""

    def __init__(self) -> None:
        self.source = FakeSource()
        self.clock = fakes.FakeClock()
        self.state, self.pulse = health.Health(), health.Pulse(self.clock)
        self.metrics = metrics.Metrics(self.clock, accounts=metrics.Accounts(most=1))
        always = gauges.Always(state=self.state, pulse=self.pulse, resource_of=lambda path: path.rpartition("/")[2])
        gauges.install(self.metrics, always, gauges.Gauges(self.source, metrics=self.metrics))

    def shown(self) -> Metrics:
        """Return what is shown now."""
        self.clock.advance(1)
        body, _ = self.metrics.expose("")
        return Metrics(body.decode())


@pytest.fixture
def desk() -> Desk:
    """Return a desk."""
    return Desk()


def test_queue_is_shown_by_lane(desk: Desk) -> None:
    """Keys by lane, the oldest one's age, those that wait for a delay, those at hand, and retries as a counter."""
    shown, queue = desk.shown(), {"queue": "uploads"}
    assert shown.value("scm_operator_queue_keys", lane="fresh", **queue) == 3
    assert shown.value("scm_operator_queue_keys", lane="retry", **queue) == 40
    assert shown.value("scm_operator_queue_oldest_seconds", **queue) == 12.5
    assert shown.value("scm_operator_queue_delayed_keys", **queue) == 7
    assert shown.value("scm_operator_queue_busy_workers", **queue) == 32
    assert shown.value("scm_operator_retries_total", **queue) == 9
    assert shown.kinds["scm_operator_retries_total"] == "counter"


def test_account_is_shown_with_its_condition_line_and_token(desk: Desk) -> None:
    """Ready with its reason, Degraded only while it is, pause, line, turns, and the token's age and what is left."""
    desk.source.known = [
        gauges.Account(
            SHOP,
            ready=False,
            reason="LoginFailed",
            degraded="ResyncFailed",
            paused=True,
            waiting=5,
            calls=8,
            token=(100.0, 200.0),
        )
    ]
    shown, whose = desk.shown(), {"account": "ScmAccount/shop/default"}
    assert shown.has("scm_operator_account_ready", reason="LoginFailed", **whose)
    assert shown.value("scm_operator_account_ready", **whose) == 0
    assert shown.value("scm_operator_account_degraded", reason="ResyncFailed", **whose) == 1
    assert shown.value("scm_operator_account_paused", **whose) == 1
    assert shown.value("scm_operator_account_waiting_uploads", **whose) == 5
    assert shown.value("scm_operator_account_calls", **whose) == 8
    assert shown.value("scm_operator_token_age_seconds", **whose) == 100
    assert shown.value("scm_operator_token_remaining_seconds", **whose) == 200


def test_account_without_a_login_shows_no_token(desk: Desk) -> None:
    """A ready token's age isn't known: no number is better than a wrong one."""
    desk.source.known = [gauges.Account(SHOP, ready=True, reason="Ready")]
    shown = desk.shown()
    assert shown.value("scm_operator_account_ready") == 1
    assert not shown.has("scm_operator_token_age_seconds")
    assert not shown.has("scm_operator_account_degraded")


def test_accounts_beyond_the_most_have_no_gauges_and_their_uploads_are_summed(desk: Desk) -> None:
    """Uploads of accounts without series of their own are counted together; uploads without account as well."""
    desk.source.known = [gauges.Account(key, ready=True, reason="Ready") for key in (SHOP, CLUSTER)]
    other = CLUSTER._replace(name="second")
    counts = {(SHOP, "Uploaded"): 5, (CLUSTER, "Uploaded"): 2, (other, "Uploaded"): 3, (None, "AccountNotFound"): 1}
    desk.source.counted = gauges.Uploads(counts, {"AccountNotFound": 60.0})
    shown = desk.shown()
    assert [sample.labels["account"] for sample in shown.samples("scm_operator_account_ready")] == [str(SHOP)]
    uploads = {tuple(sample.labels.values()): sample.value for sample in shown.samples("scm_operator_uploads")}
    assert uploads == {
        ("ScmAccount/shop/default", "Uploaded"): 5,
        ("other", "Uploaded"): 5,
        ("none", "AccountNotFound"): 1,
    }
    assert shown.value("scm_operator_unready_seconds", reason="AccountNotFound") == 60


def test_standby_shows_nothing_of_what_the_leader_shows(desk: Desk) -> None:
    """A sum over all replicas is right, because only the leader shows uploads, accounts and the journal."""
    desk.source.known = [gauges.Account(SHOP, ready=True, reason="Ready", token=(1.0, 2.0))]
    desk.source.counted = gauges.Uploads({(SHOP, "New"): 5}, {"New": 1.0})
    leader = desk.shown()
    desk.source.leader = False
    standby = desk.shown()
    assert [name for name in OF_THE_LEADER if not leader.has(f"scm_operator_{name}")] == []
    assert [name for name in OF_THE_LEADER if standby.has(f"scm_operator_{name}")] == []
    assert (leader.value("scm_operator_leader"), standby.value("scm_operator_leader")) == (1, 0)


def test_series_of_an_account_that_is_gone_end(desk: Desk) -> None:
    """An account that nobody has any more is forgotten when metrics are asked for, by a standby too."""
    desk.source.known = [gauges.Account(SHOP, ready=True, reason="Ready")]
    desk.metrics.scm_answered(SHOP, "UploadCsr", "200", 0.1)
    assert desk.shown().has("scm_operator_scm_requests_total")
    desk.source.known, desk.source.leader = [], False
    desk.shown()  # the counters stand before the gauges
    assert not desk.shown().has("scm_operator_scm_requests_total")


def test_orphans_are_a_counter_that_begins_at_zero(desk: Desk) -> None:
    """So that the first one is an increase."""
    assert desk.shown().has("scm_operator_orphaned_entries_total")
    assert desk.shown().value("scm_operator_orphaned_entries_total") == 0
    desk.source.orphans = 2
    assert desk.shown().value("scm_operator_orphaned_entries_total") == 2


def test_checks_are_shown_by_probe(desk: Desk) -> None:
    """Each check of each probe is 1 when it passes, 0 otherwise."""
    desk.state.watch_over("uploads", lambda: "they stand")
    desk.state.synced()
    name, shown = "scm_operator_check_passing", desk.shown()
    assert shown.value(name, probe="livez", check="uploads") == 0
    assert shown.value(name, probe="livez", check="loop") == 1
    assert shown.value(name, probe="readyz", check="caches") == 1


def test_silence_is_that_of_the_most_silent_watch_of_a_kind(desk: Desk) -> None:
    """With a watch for each of many namespaces there is one series a kind."""
    desk.pulse.beat("/namespaces/a/secrets")
    desk.clock.advance(10)
    desk.pulse.beat("/namespaces/b/secrets")
    samples = list(desk.shown().samples("scm_operator_watch_silence_seconds"))
    assert [(sample.labels, sample.value) for sample in samples] == [({"resource": "secrets"}, 11)]


def test_build_and_process_are_shown(desk: Desk) -> None:
    """Version and Python of what runs, and what the kernel knows of it."""
    shown = desk.shown()
    (build,) = shown.samples("scm_operator_build_info")
    assert build.labels.keys() == {"version", "python"}
    assert shown.value("process_resident_memory_bytes") > 0
