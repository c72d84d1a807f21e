"""What the answer to a POST, or the lack of one, means for everything that follows."""

import datetime

import pytest

from scm_operator.domain import csr, errors, reasons
from scm_operator.domain.entry import Entry
from scm_operator.reconcile import queue
from tests.support import fakes
from tests.unit.reconcile import world as worlds

World = worlds.World
DENIED = errors.AccountObstacle(
    reasons.Reason.ACCESS_DENIED, "no permission.", account_reason=reasons.AccountReason.ACCESS_DENIED
)
REJECTED = errors.NeedsChange(reasons.Reason.REJECTED, "SCM.0001: bad name.")
UNREACHABLE = errors.RetryLater(reasons.Reason.UNREACHABLE, "connection refused.")


def _other_csr(world: World) -> None:
    world.secrets.put("web-csr", {"tls.csr": fakes.csr_pem(1)})


def _other_name(world: World) -> None:
    world.cluster.change(worlds.WEB, {"name": "other"})


@pytest.mark.parametrize(
    ("obstacle", "retry"),
    [
        (UNREACHABLE, queue.Retry()),
        (errors.RetryLater(reasons.Reason.THROTTLED, "429.", retry_after=60.0), queue.Retry(at_least=60.0)),
        (errors.RetryLater(reasons.Reason.ENDPOINT_NOT_FOUND, "404.", slow=True), queue.Retry(slow=True)),
        (DENIED, queue.Retry(slow=True)),
        (REJECTED, None),
    ],
    ids=["retry", "retry after", "slow", "account", "needs a change"],
)
async def test_surely_not_stored_is_concluded_reported_and_sent_again_when_asked(
    world: World, obstacle: errors.Obstacle, retry: queue.Retry | None
) -> None:
    """An attempt that was surely not stored leaves the journal; the obstacle's wishes reach the queue."""
    world.scm.say(obstacle)
    assert await world.reconcile() == retry
    assert world.log == ["prepare", "journal web", "post web", "conclude web", f"write {obstacle.reason}"]
    assert not world.upload_reconciler.unwritten
    world.clock.advance(60)
    world.change(annotations={worlds.REQUESTED: "now"})
    await world.settle()
    assert world.reason() == "Uploaded"


async def test_rejected_is_not_sent_again_by_itself(world: World) -> None:
    """What only a change can help is not sent again while nothing changes, and sent when the Secret does."""
    world.scm.say(REJECTED)
    await world.reconcile()
    await world.settle()
    assert len(world.scm.posts) == 1
    world.secrets.put("web-csr", {"tls.csr": fakes.csr_pem(1)})
    await world.settle()
    assert (len(world.scm.posts), world.reason()) == (2, "Uploaded")


async def test_obstacle_is_not_reported_upon_a_spec_that_it_does_not_judge(world: World) -> None:
    """A spec that changes while the POST is out is not told the old one's fault, and is looked at soon."""

    async def reject_meanwhile(_content: csr.Content, _name: str) -> Entry:
        world.cluster.change(worlds.WEB, {"name": "other"})
        world.watch()
        raise REJECTED

    world.scm.say(reject_meanwhile)
    assert await world.reconcile() == queue.Retry()
    assert world.reason() is None
    await world.settle()
    assert world.reason() == "Uploaded"


async def test_one_event_for_each_transition_and_none_for_retries(world: World) -> None:
    """However often a retry fails in the same way, it is told once; what ends it is told once too."""
    for _ in range(4):
        world.scm.say(UNREACHABLE)
        await world.reconcile()
        world.clock.advance(60)
    await world.settle()
    await world.settle()
    assert [(told.reason, told.warning) for told in world.events] == [("Unreachable", True), ("Uploaded", False)]


async def test_status_is_written_once_for_equal_retries(world: World) -> None:
    """A retry that fails as the one before writes nothing."""
    for _ in range(4):
        world.scm.say(UNREACHABLE)
        await world.reconcile()
        world.clock.advance(60)
    assert world.log.count("write Unreachable") == 1


async def test_ready_keeps_its_transition_time_while_it_stays_false(world: World) -> None:
    """Another reason for not being Ready leaves lastTransitionTime as it is; becoming Ready sets it."""
    world.scm.say(UNREACHABLE)
    await world.reconcile()
    world.clock.advance(60)
    world.scm.say(REJECTED)
    await world.reconcile()
    ready = world.status().ready
    assert ready is not None
    assert (ready.reason, ready.last_transition_time) == ("Rejected", "2026-01-02T12:00:00Z")
    _other_csr(world)
    await world.settle()
    ready = world.status().ready
    assert ready is not None
    assert ready.last_transition_time == f"{world.clock.time:%Y-%m-%dT%H:%M:%SZ}" != "2026-01-02T12:00:00Z"


async def test_only_the_name_changes(world: World) -> None:
    """Another spec.name renames the entry, without a POST, and is told as a rename."""
    await world.settle()
    scm_id = world.scm_id()
    _other_name(world)
    world.watch()
    await world.settle()
    assert (len(world.scm.posts), world.scm_id()) == (1, scm_id)
    record = world.status().record
    assert record is not None
    assert record.scm_name == "other"
    assert "Renamed from 'web' to 'other'." in world.events[-1].message


@pytest.mark.parametrize(
    ("obstacle", "retry"),
    [
        (errors.RetryLater(reasons.Reason.THROTTLED, "429.", retry_after=60.0), queue.Retry(at_least=60.0)),
        (DENIED, queue.Retry(slow=True)),
        (REJECTED, None),
    ],
    ids=["retry after", "account", "needs a change"],
)
async def test_refused_rename_keeps_the_record(
    world: World, obstacle: errors.Obstacle, retry: queue.Retry | None
) -> None:
    """A rename that fails is reported and leaves id and old name in the status."""
    await world.settle()
    before = world.status().record
    _other_name(world)
    world.watch()
    world.scm.refusals["rename"] = obstacle
    assert await world.reconcile() == retry
    assert (world.status().record, world.reason()) == (before, obstacle.reason)


async def test_entry_that_is_gone_at_a_rename_is_uploaded_anew(world: World) -> None:
    """An entry that a rename doesn't find leaves the status, and what is wanted is uploaded under the new name."""
    await world.settle()
    gone = world.scm_id()
    world.scm.entries.clear()
    _other_name(world)
    world.watch()
    await world.settle()
    assert world.scm_id() not in {None, gone}
    assert [posted.name for posted in world.scm.posts] == ["web", "other"]
    assert world.events.reasons == ["Uploaded", "EntryMissing", "Uploaded"]


async def test_suspended_resource_is_not_sent(world: World) -> None:
    """A suspended resource says so and sends nothing until it is resumed."""
    world.cluster.change(worlds.WEB, {"suspend": True})
    world.watch()
    await world.settle()
    assert (world.scm.posts, world.reason()) == ([], "Suspended")
    assert not world.events[-1].warning
    world.cluster.change(worlds.WEB, {"suspend": False})
    world.watch()
    await world.settle()
    assert world.reason() == "Uploaded"


async def test_clock_is_the_injected_one(world: World) -> None:
    """Times in a status are the clock's, in UTC, whatever zone it speaks."""
    world.clock.time = datetime.datetime(2026, 5, 1, 1, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    await world.reconcile()
    ready = world.status().ready
    assert ready is not None
    assert ready.last_transition_time == "2026-04-30T23:00:00Z"
