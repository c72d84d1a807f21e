"""The first time that an upload is Ready is told once, and what is left in SCM is counted."""

import dataclasses

import pytest

from scm_operator.domain import upload
from scm_operator.domain.reasons import Reason
from scm_operator.reconcile import report
from tests.support import builders, fake_cluster, fakes
from tests.unit.reconcile import world as worlds

UPLOADED = builders.make_status()
FAILED = builders.make_status(reason=Reason.THROTTLED)
RECORDED = dataclasses.replace(FAILED, record=builders.make_record())
MISSING = builders.make_status(reason=Reason.ENTRY_MISSING)
HISTORY = (builders.make_replaced(),)
FAILED_LATER = dataclasses.replace(RECORDED, history=HISTORY)


class Desk:
    """A reporter, an upload in the cluster, and who was told to be Ready for the first time."""

    def __init__(self, cluster: fake_cluster.FakeCluster | None = None) -> None:
        self.cluster = cluster or fake_cluster.FakeCluster([])
        self.known = worlds.upload_cache()
        self.reporter = report.Reporter(
            known=self.known,
            status=self.cluster,
            events=fakes.FakeEvents(),
            journal=fakes.FakeJournal([], clock=fakes.FakeClock()),
        )
        self.told: list[upload.UploadKey] = []
        self.reporter.on_first_ready = lambda about: self.told.append(about.key)
        if cluster is None:
            self.cluster.create(fake_cluster.upload_body())
        self.known.put(self.cluster.upload_of(worlds.WEB))

    async def write(self, *statuses: upload.Status) -> int:
        """Write one status after another; return how often it was the first that is Ready."""
        for status in statuses:
            await self.reporter.write(self.cluster.upload_of(worlds.WEB), status)
        return len(self.told)


@pytest.fixture
def desk() -> Desk:
    """Return a desk."""
    return Desk()


@pytest.mark.parametrize(
    "statuses",
    [
        (UPLOADED,),
        (FAILED, UPLOADED),
        (RECORDED, UPLOADED),
        (UPLOADED, FAILED_LATER, UPLOADED),
        (UPLOADED, MISSING, UPLOADED),
        (UPLOADED, MISSING, FAILED, UPLOADED, MISSING, UPLOADED),
    ],
    ids=["at once", "late", "recorded first", "other content", "uploaded again", "uploaded again twice"],
)
async def test_first_time_is_told_once(desk: Desk, statuses: tuple[upload.Status, ...]) -> None:
    """However an upload gets to its entry, and whatever becomes of that later, the first time counts and no other."""
    assert await desk.write(*statuses) == 1


@pytest.mark.parametrize(
    "statuses", [(FAILED,), (RECORDED,), (FAILED, RECORDED, FAILED_LATER)], ids=["failed", "recorded", "later"]
)
async def test_who_is_not_ready_is_not_told(desk: Desk, statuses: tuple[upload.Status, ...]) -> None:
    """An entry alone is none: the status has to say Ready."""
    assert await desk.write(*statuses) == 0


async def test_who_was_ready_before_this_process_is_not_told(desk: Desk) -> None:
    """A restart makes nobody Ready for the first time."""
    await desk.write(UPLOADED)
    assert await Desk(desk.cluster).write(FAILED_LATER, dataclasses.replace(UPLOADED, history=HISTORY)) == 0
    await desk.write(dataclasses.replace(MISSING, history=HISTORY))
    assert await Desk(desk.cluster).write(UPLOADED) == 0


async def test_write_that_fails_is_not_told(desk: Desk) -> None:
    """A status that was refused is written again, and told then."""
    desk.cluster.faults.append(fake_cluster.Fault.REFUSED)
    with pytest.raises(Exception, match="status"):
        await desk.write(UPLOADED)
    assert desk.told == []
    assert await desk.write(UPLOADED) == 1


async def test_orphans_are_counted(desk: Desk) -> None:
    """Each word about something that is left in SCM is one."""
    for _ in range(2):
        desk.reporter.orphaned(worlds.WEB, uid="u", message="deleted.")
    assert desk.reporter.orphans == 2
