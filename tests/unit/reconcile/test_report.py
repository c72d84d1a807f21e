"""Reporting: one write if something changed, one Event and one log line on a transition."""

import dataclasses
import logging

import pytest

from scm_operator.domain import conditions, errors, reasons, report, upload
from scm_operator.reconcile import report as reports
from tests.support import fake_cluster, fakes
from tests.unit.reconcile import world as worlds

NORMAL = {"Uploaded", "Suspended", "WaitingForSecret", "ResolvingOutcome", "Deleting"}


class _Desk:
    """A reporter, what it knows, and an upload in the cluster."""

    def __init__(self) -> None:
        self.clock = fakes.FakeClock()
        self.cluster = fake_cluster.FakeCluster([])
        self.events = fakes.FakeEvents()
        self.known = worlds.upload_cache()
        self.journal = fakes.FakeJournal([], clock=self.clock)
        self.reporter = reports.Reporter(
            known=self.known, status=self.cluster, events=self.events, journal=self.journal
        )
        self.cluster.create(fake_cluster.upload_body())
        self.known.put(self.about)

    @property
    def about(self) -> upload.Upload:
        """Return the upload as it stands."""
        return self.cluster.upload_of(worlds.WEB)

    def status(self, reason: reasons.Reason, message: str = "So it is.") -> upload.Status:
        """Return the status that says a verdict."""
        verdict = conditions.Verdict(reason, message)
        return report.reported(self.about, verdict, secrets=None, now=self.clock.now())


@pytest.fixture
def desk() -> _Desk:
    """Return a desk."""
    return _Desk()


async def test_same_status_is_not_written(desk: _Desk) -> None:
    """A status that stands there already is neither written nor told."""
    await desk.reporter.write(desk.about, desk.status(reasons.Reason.THROTTLED))
    await desk.reporter.write(desk.about, desk.status(reasons.Reason.THROTTLED))
    assert len(desk.cluster.written) == 1
    assert desk.events.reasons == ["Throttled"]


async def test_own_write_is_known_before_its_event(desk: _Desk) -> None:
    """What was written is in the cache at once, so that its event is no news."""
    await desk.reporter.write(desk.about, desk.status(reasons.Reason.THROTTLED))
    assert desk.known.get(worlds.WEB) == desk.about
    assert not desk.known.put(desk.about)


async def test_other_message_of_the_same_reason_is_written_and_not_told(desk: _Desk) -> None:
    """Only a transition of status, reason, id or name is told."""
    await desk.reporter.write(desk.about, desk.status(reasons.Reason.THROTTLED, "10 s."))
    await desk.reporter.write(desk.about, desk.status(reasons.Reason.THROTTLED, "20 s."))
    assert len(desk.cluster.written) == 2
    assert len(desk.events) == 1


async def test_write_that_fails_is_not_told(desk: _Desk) -> None:
    """An Event follows the write, so that a write that is tried again is told once."""
    desk.cluster.faults.extend([fake_cluster.Fault.REFUSED, fake_cluster.Fault.LOST])
    for _ in range(2):
        with pytest.raises(errors.ApiServerError):
            await desk.reporter.write(desk.about, desk.status(reasons.Reason.THROTTLED))
    assert not desk.events


@pytest.mark.parametrize(
    ("reason", "warning"),
    [(reason, reason not in NORMAL) for reason in reasons.Reason],
    ids=str,
)
async def test_each_reason_is_told_as_normal_or_warning(
    desk: _Desk, caplog: pytest.LogCaptureFixture, reason: reasons.Reason, *, warning: bool
) -> None:
    """Event type and log level go together: a warning for everything that is amiss."""
    caplog.set_level(logging.INFO, logger="scm_operator")
    await desk.reporter.write(desk.about, desk.status(reason))
    (told,), (record,) = desk.events, caplog.records
    assert (told.reason, told.warning, told.message) == (reason, warning, "So it is.")
    assert record.levelno == (logging.WARNING if warning else logging.INFO)
    fields = record.__dict__
    assert (fields["event"], fields["upload"], fields["generation"]) == (reason, "shop/web", 1)


async def test_orphan_is_told_by_log_and_event(desk: _Desk, caplog: pytest.LogCaptureFixture) -> None:
    """An entry that no resource names is a warning in the log, and an Event where one can still be made."""
    desk.reporter.orphaned(worlds.WEB, uid="uid-9", message="left.")
    assert desk.events.orphans == [fakes.Orphan(worlds.WEB, "uid-9", "left.")]
    assert [(record.levelname, record.__dict__["event"]) for record in caplog.records] == [("WARNING", "Orphaned")]


async def test_newer_generation_with_the_same_verdict_is_written_silently(desk: _Desk) -> None:
    """A status that only follows the generation is written, and nothing is told of it."""
    await desk.reporter.write(
        desk.about, dataclasses.replace(desk.status(reasons.Reason.SUSPENDED), observed_generation=7)
    )
    desk.events.clear()
    await desk.reporter.write(desk.about, dataclasses.replace(desk.about.status, observed_generation=8))
    assert len(desk.cluster.written) == 2
    assert not desk.events


async def test_each_write_carries_the_term_of_its_leader(desk: _Desk) -> None:
    """What is written says in which term, so that a later leader knows what it may find."""
    await desk.reporter.write(desk.about, desk.status(reasons.Reason.THROTTLED))
    assert desk.about.status.term == desk.journal.term == 1


async def test_fence_writes_the_term_and_nothing_else(desk: _Desk) -> None:
    """The fence leaves a status as it is but for the term, and tells nothing; it is written even if no word changes."""
    await desk.reporter.write(desk.about, desk.status(reasons.Reason.THROTTLED))
    before = desk.about
    desk.events.clear()
    desk.journal.term = 2
    await desk.reporter.fence(desk.about)
    assert desk.about.status == dataclasses.replace(before.status, term=2)
    assert desk.about.resource_version != before.resource_version
    assert not desk.events


async def test_without_the_lease_nothing_is_written(desk: _Desk) -> None:
    """A process that doesn't hold the Lease writes neither status nor fence nor finalizers."""
    desk.journal.held = False
    for write in (
        desk.reporter.write(desk.about, desk.status(reasons.Reason.THROTTLED)),
        desk.reporter.fence(desk.about),
        desk.reporter.write_finalizers(desk.about, (upload.FINALIZER,)),
    ):
        with pytest.raises(errors.ApiServerError, match="Lease"):
            await write
    assert not desk.cluster.written
    assert not desk.about.has_finalizer
    assert not desk.events
