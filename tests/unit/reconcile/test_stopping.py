"""A process that ends: what was begun is written, and nothing is begun."""

import pytest

from scm_operator.domain import errors, reasons
from scm_operator.reconcile import queue
from tests.support import fake_cluster
from tests.unit.reconcile import world as worlds


async def test_nothing_is_read_journaled_or_sent_while_stopping(world: worlds.World) -> None:
    """An upload that was never sent waits for the next process."""
    world.upload_reconciler.stop()
    assert await world.reconcile() is None
    assert (world.log, world.scm.posts) == ([], [])


async def test_journaled_attempt_is_concluded_unsent_while_stopping(world: worlds.World) -> None:
    """An attempt that was journaled when the stop came is concluded as never sent."""
    world.journal.after_add = world.upload_reconciler.stop
    await world.reconcile()
    assert (world.log, world.scm.posts) == (["journal web", "conclude web"], [])


async def test_entry_found_gone_while_stopping_is_not_sent_again_now(world: worlds.World) -> None:
    """A rename that finds its entry gone reports it; the upload that follows is the next process's."""
    await world.settle()
    world.cluster.change(worlds.WEB, {"name": "other"})
    world.watch()
    world.scm.renames.append(errors.Blocked(reasons.Reason.ENTRY_MISSING, "gone."))
    world.scm.at_rename = world.upload_reconciler.stop
    await world.reconcile()
    assert len(world.scm.posts) == 1


async def test_stored_id_is_written_while_stopping(world: worlds.World) -> None:
    """An id that could not be written before is written while the process ends."""
    world.cluster.faults.append(fake_cluster.Fault.REFUSED)
    await world.reconcile()
    assert world.upload_reconciler.unwritten == (worlds.WEB,)
    assert "stored in SCM as" in world.upload_reconciler.outcome_of(worlds.WEB)
    world.upload_reconciler.stop()
    await world.reconcile()
    assert world.reason() == "Uploaded"
    assert not world.upload_reconciler.unwritten


async def test_404_that_is_not_true_is_tried_again(world: worlds.World) -> None:
    """A status write that is answered 404 although the resource is there is repeated; the id is not forgotten."""
    world.cluster.faults.append(fake_cluster.Fault.NOT_FOUND)
    assert await world.reconcile() == queue.Retry()
    await world.settle()
    assert (world.reason(), len(world.scm.posts)) == ("Uploaded", 1)


@pytest.mark.parametrize("times", [1, 3])
async def test_resource_deleted_before_the_watch_says_so_is_not_sent_again(world: worlds.World, times: int) -> None:
    """What is remembered of a deleted resource stays until the watch has told of the deletion."""
    world.cluster.faults.append(fake_cluster.Fault.DELETED)
    for _ in range(times):
        await world.reconcile()
    assert len(world.scm.posts) == 1
