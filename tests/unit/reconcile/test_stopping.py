"""A process that ends: what was begun is written, and nothing is begun."""

import pytest

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
    assert (world.log, world.scm.posts) == (["prepare", "journal web", "conclude web"], [])


async def test_entry_found_gone_while_stopping_is_not_sent_again_now(world: worlds.World) -> None:
    """A rename that finds its entry gone reports it; the upload that follows is the next process's."""
    await world.settle()
    world.cluster.change(worlds.WEB, {"name": "other"})
    world.watch()
    world.scm.entries.clear()
    world.scm.at["rename"] = world.upload_reconciler.stop
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


async def test_unknown_outcome_stays_in_the_journal_at_a_stop(world: worlds.World) -> None:
    """An outcome that isn't known is reported, not looked for, and left to the next leader."""
    world.scm.lose_answer()
    world.scm.at["post"] = world.upload_reconciler.stop
    await world.reconcile()
    world.clock.advance(worlds.CALL + worlds.SETTLE)
    await world.reconcile()
    assert "list web" not in world.log
    world.journal.release()
    assert len(world.journal.lease) == 1
    world.restart()
    world.scm.at.clear()
    await world.settle()
    assert (len(world.scm.posts), world.record().origin) == (1, "Recovered")


async def test_entry_that_was_found_is_written_while_stopping(world: worlds.World) -> None:
    """What a look-up has found, a stop during it notwithstanding, is claimed by the next leader or this one, once."""
    world.scm.lose_answer()
    await world.reconcile()
    world.clock.advance(worlds.CALL + worlds.SETTLE)
    world.cluster.faults.append(fake_cluster.Fault.REFUSED)
    await world.reconcile()
    world.upload_reconciler.stop()
    await world.reconcile()
    assert world.record().origin == "Recovered"
    assert not world.journal.attempts()


@pytest.mark.parametrize(
    "spec", [{"deletionPolicy": "Delete"}, {"adoptionPolicy": "IfIdentical"}, {"name": "other"}], ids=str
)
async def test_no_call_and_no_finalizer_is_begun_while_stopping(world: worlds.World, spec: dict[str, object]) -> None:
    """No rename, look-up, deletion or finalizer is begun any more."""
    await world.settle()
    world.log.clear()
    world.upload_reconciler.stop()
    world.change(spec)
    world.put_csr(1)
    await world.reconcile()
    world.delete()
    await world.reconcile()
    assert world.log == []


async def test_clean_stop_leaves_nothing_concluded_in_the_lease(world: worlds.World) -> None:
    """A leader that stops in order takes what has ended out, so that the next one has nothing to ask."""
    await world.settle()
    world.upload_reconciler.stop()
    world.journal.release()
    assert world.journal.lease == {}
