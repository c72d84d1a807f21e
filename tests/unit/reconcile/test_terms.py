"""A leader after another: what was begun before is fenced off, settled and looked for; nothing is sent blindly."""

import asyncio

import pytest

from scm_operator.domain import errors
from scm_operator.reconcile import queue
from tests.support import fake_cluster, fake_scm
from tests.unit.reconcile import world as worlds

World = worlds.World
WAIT = worlds.CALL + worlds.SETTLE


async def test_fence_is_written_before_the_look_up(world: World) -> None:
    """The own term stands in the status before an earlier leader's POST is looked for."""
    await world.crash()
    await world.settle()
    assert world.calls() == ["write term 2", "write ResolvingOutcome", "list web", "write Uploaded"]
    assert (world.status().term, world.record().origin, len(world.scm.posts)) == (2, "Recovered", 1)


async def test_fence_that_fails_looks_nothing_up(world: World) -> None:
    """Without the fence there is no look-up, however much time has passed."""
    await world.crash()
    world.cluster.faults.extend([fake_cluster.Fault.REFUSED] * 2)
    for _ in range(2):
        world.clock.advance(WAIT)
        assert await world.reconcile() == queue.Retry(at_least=7.0)
    assert "list web" not in world.log
    await world.settle()
    assert world.record().origin == "Recovered"


async def test_settle_time_of_an_earlier_term_counts_from_taking_the_lease(world: World) -> None:
    """Clocks of two nodes aren't compared: an old attempt settles as late as one that was made just now."""
    await world.crash()
    world.clock.advance(WAIT - 1)
    assert await world.reconcile() == queue.Again(1.0)
    world.clock.advance(1)
    await world.settle()
    assert world.record().origin == "Recovered"


async def test_attempt_of_this_term_needs_no_fence(world: World) -> None:
    """An outcome that this process itself doesn't know is looked for without a fence."""
    world.scm.say(errors.OutcomeUnknown("reset."))
    await world.settle()
    assert not [line for line in world.log if line.startswith("write term")]


async def test_late_write_of_an_old_leader_conflicts_with_the_fence(world: World) -> None:
    """A status write that the old leader has sent and that arrives late changes nothing after the fence."""
    world.cluster.gate = asyncio.Event()
    old = asyncio.create_task(world.reconcile())
    await worlds.idle()
    late, before, world.cluster.gate = world.cluster.gate, world.journal, None
    before.held = False
    world.restart()
    await world.reconcile()
    assert world.status().term == 2
    late.set()
    await old
    assert world.status().records == ()
    assert world.status().term == 2
    await world.settle()
    assert (world.record().origin, len(world.scm.entries)) == ("Recovered", 1)


async def test_recorded_attempt_that_is_still_journaled_takes_no_other_entry(world: World) -> None:
    """An attempt whose id a record has is concluded without a look-up, also by the next leader."""
    await world.reconcile()
    assert len(world.journal.lease) == 1
    world.restart()
    world.scm.store(world.scm.posts[0])
    await world.settle()
    assert world.log.count("list web") == 0
    assert len(world.status().records) == 1
    assert not world.journal.attempts()


async def test_confirmed_attempt_that_is_still_journaled_is_concluded(world: World) -> None:
    """An attempt that a person has ended stays ended for the next leader."""
    world.scm.say(errors.OutcomeUnknown("reset."))
    world.scm.refusals["list"] = fake_scm.DENIED
    await world.settle()
    (attempt,) = world.journal.attempts()
    world.change({"suspend": True}, annotations={worlds.CONFIRM: attempt.id})
    await world.settle()
    assert world.status().concluded_attempt_id == attempt.id
    assert attempt.id in world.journal.lease
    world.restart()
    world.change({"suspend": False})
    await world.settle()
    assert (len(world.scm.posts), world.reason()) == (2, "Uploaded")


async def test_higher_term_in_a_status_steps_down(world: World) -> None:
    """A status of a later leader is touched no more, and the process is told."""
    stepped: list[bool] = []
    world.upload_reconciler.on_higher_term = lambda: stepped.append(True)
    world.cluster.bodies[worlds.WEB]["status"] = {"term": 7, "conditions": []}
    world.change()
    assert await world.reconcile() is None
    assert (stepped, world.log) == ([True], [])


@pytest.mark.parametrize("deleted", [True, False], ids=["gone", "re-created"])
async def test_attempt_of_a_resource_that_is_gone_stays_until_its_group_has_settled(
    world: World, *, deleted: bool
) -> None:
    """The next leader makes no look-up for what is gone: it tells of it, when an entry can't come any more."""
    await world.crash()
    if deleted:
        world.delete()
    else:
        world.cluster.recreate(worlds.WEB)
        world.watch()
        world.change({"suspend": True})
    await world.reconcile()
    assert (len(world.journal.attempts()), world.events.orphans) == (1, [])
    world.clock.advance(WAIT)
    await world.reconcile()
    (orphan,) = world.events.orphans
    assert "'web'" in orphan.message
    assert not world.journal.attempts()
    assert "list web" not in world.log


async def test_attempt_in_a_namespace_that_is_left_out_stays(world: World) -> None:
    """Of a namespace that may not be listed nothing is known: its resources aren't gone, nor are their attempts."""
    await world.crash()
    world.left_out = ("shop",)
    world.restart()
    world.triggers.upload_gone(worlds.WEB, uid=world.cluster.upload_of(worlds.WEB).uid)
    world.clock.advance(WAIT)
    assert await world.reconcile() is None
    assert (len(world.journal.attempts()), world.events.orphans) == (1, [])
    world.left_out = ()
    world.restart()
    await world.settle()
    assert (world.record().origin, len(world.scm.posts)) == ("Recovered", 1)


@pytest.mark.looptime
async def test_attempt_of_a_resource_that_is_gone_is_come_back_to(world: World) -> None:
    """Nothing has to happen for an attempt that nobody owns to be let go when its time is over."""
    world.scm.say(errors.OutcomeUnknown("reset."))
    await world.reconcile()
    world.delete()
    await world.reconcile()
    world.upload_queue.added.clear()
    await worlds.sleep(WAIT + 1)
    assert worlds.WEB in [key for key, _ in world.upload_queue.added]
