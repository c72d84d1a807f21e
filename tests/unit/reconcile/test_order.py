"""What comes before what: a token, the journal, the POST, the status; and what stops it in between."""

import asyncio

import pytest

from scm_operator.domain import errors, reasons
from scm_operator.reconcile import queue
from tests.support import fake_cluster
from tests.unit.reconcile import world as worlds

World = worlds.World


async def test_post_is_begun_after_the_journal_write_has_ended(world: World) -> None:
    """While the write of the attempt is under way nothing is sent; nor does a list of what is open leave it out."""
    world.journal.gate = asyncio.Event()
    uploading = asyncio.create_task(world.reconcile())
    await worlds.idle()
    assert (world.log, world.scm.posts) == (["prepare"], [])
    assert len(world.journal.attempts()) == 1
    world.journal.gate.set()
    await uploading
    assert world.log == ["prepare", "journal web", "post web", "write Uploaded", "conclude web"]


async def test_journal_write_that_fails_sends_nothing_and_leaves_nothing(world: World) -> None:
    """A journal write that fails is told to the log alone, leaves no attempt, and is tried again."""
    world.journal.refusals.append(errors.ApiServerError("503", retry_after=3.0))
    assert await world.reconcile() == queue.Retry(at_least=3.0)
    assert (world.scm.posts, world.journal.attempts(), world.reason()) == ([], (), None)


@pytest.mark.parametrize(
    "obstacle",
    [
        errors.RetryLater(reasons.Reason.UNREACHABLE, "IAM refused."),
        errors.AccountObstacle(
            reasons.Reason.AUTHENTICATION_FAILED, "401.", account_reason=reasons.AccountReason.LOGIN_FAILED
        ),
    ],
    ids=["unreachable", "refused"],
)
async def test_login_that_fails_journals_nothing(world: World, obstacle: errors.RetryLater) -> None:
    """Without a token in hand no attempt is written."""
    world.scm.refusals["prepare"] = obstacle
    assert isinstance(await world.reconcile(), queue.Retry)
    assert (world.journal.lease, world.scm.posts, world.reason()) == ({}, [], obstacle.reason)


async def test_call_is_cut_off_by_the_deadline_that_began_before_the_journal(world: World) -> None:
    """What the journal write took is no more there for the POST."""
    world.journal.after_add = lambda: world.clock.advance(10)
    await world.reconcile()
    assert world.scm.timeouts == [worlds.CALL - 10]


@pytest.mark.parametrize(("seconds", "posts"), [(14.9, 1), (15.0, 2)], ids=["in time", "too late"])
async def test_post_is_not_begun_with_less_than_half_of_its_deadline(world: World, seconds: float, posts: int) -> None:
    """A journal write that took half of the deadline is concluded as never sent, and another attempt is made."""
    left = [seconds]
    world.journal.after_add = lambda: world.clock.advance(left.pop() if left else 0)
    await world.settle()
    assert (world.log.count("journal web"), len(world.scm.posts)) == (posts, 1)


async def test_deadline_of_the_account_counts_if_it_is_shorter(world: World) -> None:
    """An account's own limits.timeout is the deadline of its calls."""
    world.change({"limits": {"timeout": "10s"}}, key=worlds.DEFAULT)
    await world.reconcile()
    assert world.scm.timeouts == [10.0]


async def test_lease_lost_before_the_plan_does_nothing(world: World) -> None:
    """A process that isn't the leader by its own clock reads, journals, sends and writes nothing."""
    world.journal.held = False
    assert await world.reconcile() is None
    assert (world.log, world.cluster.written, world.secrets.reads[1:]) == ([], [], [])


async def test_lease_lost_after_the_journal_write_sends_nothing(world: World) -> None:
    """Between the journal write and the POST the Lease is looked at again."""

    def lose() -> None:
        world.journal.held = False

    world.journal.after_add = lose
    await world.reconcile()
    assert (world.scm.posts, world.cluster.written) == ([], [])
    assert len(world.journal.lease) == 1


async def test_lease_lost_during_the_post_writes_no_status(world: World) -> None:
    """An id that comes when the Lease is lost is for the next leader to find: this one writes nothing any more."""

    def lose() -> None:
        world.journal.held = False

    world.scm.at["post"] = lose
    await world.reconcile()
    assert world.cluster.written == []
    world.scm.at.clear()
    world.restart()
    await world.settle()
    assert (len(world.scm.posts), world.record().origin) == (1, "Recovered")


@pytest.mark.parametrize("fault", [fake_cluster.Fault.LOST, fake_cluster.Fault.CONFLICT])
async def test_crash_after_a_status_write_of_unknown_end_makes_no_second_entry(
    world: World, fault: fake_cluster.Fault
) -> None:
    """Whether the write has come through or not: the next process finds the entry in the status, or in SCM."""
    world.cluster.faults.extend([fault, fake_cluster.Fault.REFUSED])
    await world.reconcile()
    world.restart()
    await world.settle()
    assert (len(world.scm.posts), len(world.scm.entries), world.reason()) == (1, 1, "Uploaded")
    assert not world.journal.attempts()
