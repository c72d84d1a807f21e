"""Two resources of the same name and CSR on one account: each gets an entry of its own."""

import asyncio

import pytest

from scm_operator.domain import errors
from scm_operator.reconcile import queue
from tests.support import fakes
from tests.unit.reconcile import world as worlds

World = worlds.World
RESET = errors.OutcomeUnknown("the connection was reset.")
WAIT = worlds.CALL + worlds.SETTLE
BOTH = (worlds.WEB, worlds.API)


@pytest.fixture
def twins(world: World) -> World:
    """Return a world with two uploads of one name and CSR."""
    world.add_upload("api", spec={"name": "web"})
    return world


def _own_entries(world: World) -> None:
    """Both are uploaded, and no entry has two owners or none."""
    assert [world.reason(key) for key in BOTH] == ["Uploaded"] * 2
    owned = [record.scm_id for key in BOTH for record in world.status(key).records]
    assert sorted(owned) == sorted(world.scm.entries)
    assert len(set(owned)) == 2


async def test_twins_are_sent_side_by_side(twins: World) -> None:
    """Nothing but a look-up keeps one from being sent while the other is."""
    await asyncio.gather(*(twins.reconcile(key) for key in BOTH))
    _own_entries(twins)


@pytest.mark.parametrize("stored", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "restarted"])
@pytest.mark.parametrize("order", [BOTH, BOTH[::-1]], ids=["in order", "the other way round"])
async def test_twins_with_unknown_outcomes_share_nothing(
    twins: World, stored: tuple[bool, bool], order: tuple[worlds.Key, worlds.Key], *, restarted: bool
) -> None:
    """Whatever of two lost POSTs was stored, whoever looks first: each has an entry in the end, and none is left."""
    for key, was_stored in zip(BOTH, stored, strict=True):
        if was_stored:
            twins.scm.lose_answer()
        else:
            twins.scm.say(RESET)
        await twins.reconcile(key)
    if restarted:
        twins.restart()
        for key in order:
            await twins.reconcile(key)  # each fences itself
    for key in order:
        await twins.settle(key)
    _own_entries(twins)


async def test_no_look_up_before_the_last_of_the_group_has_settled(twins: World) -> None:
    """The settle time counts for the pair: a twin's later POST may still be stored."""
    twins.scm.say(RESET)
    await twins.reconcile()
    twins.clock.advance(WAIT - 10)
    twins.scm.say(RESET)
    await twins.reconcile(worlds.API)
    twins.clock.advance(10)
    assert await twins.reconcile() == queue.Again(WAIT - 10)
    assert "list web" not in twins.log


async def test_no_look_up_while_a_post_of_the_group_is_in_flight(twins: World) -> None:
    """A POST that is out past its deadline keeps the twin from looking: its entry could be taken for the other's."""
    twins.scm.say(RESET)
    await twins.reconcile()
    twins.scm.gates["post"] = asyncio.Event()
    sending = asyncio.create_task(twins.reconcile(worlds.API))
    await worlds.idle()
    twins.clock.advance(2 * WAIT)
    assert await twins.reconcile() == queue.Again(0.5)
    assert "list web" not in twins.log
    twins.scm.gates["post"].set()
    await sending
    await twins.settle()
    _own_entries(twins)


async def test_no_post_while_a_look_up_of_the_group_runs(twins: World) -> None:
    """From the list until the claim nothing of the group is sent: a journaled twin waits."""
    twins.scm.lose_answer()
    await twins.reconcile()
    twins.clock.advance(WAIT)
    twins.scm.gates["list"] = asyncio.Event()
    looking = asyncio.create_task(twins.reconcile())
    await worlds.idle()
    assert await twins.reconcile(worlds.API) == queue.Again(0.2)
    assert "journal web" in twins.log
    assert len(twins.scm.posts) == 1
    twins.scm.gates["list"].set()
    await looking
    await twins.settle(worlds.API)
    _own_entries(twins)


async def test_two_look_ups_of_a_group_never_run_at_once(twins: World) -> None:
    """Two twins that look at the same time would find the same entry: one waits."""
    for key in BOTH:
        twins.scm.lose_answer()
        await twins.reconcile(key)
    twins.clock.advance(WAIT)
    twins.scm.gates["list"] = asyncio.Event()
    looking = asyncio.create_task(twins.reconcile())
    await worlds.idle()
    assert isinstance(await twins.reconcile(worlds.API), queue.Again)
    assert twins.log.count("list web") == 1
    twins.scm.gates["list"].set()
    await looking
    await twins.settle(worlds.API)
    _own_entries(twins)


async def test_entry_that_is_found_is_kept_from_the_twin_before_it_is_recorded(twins: World) -> None:
    """An entry that one has found counts as taken while its record can't be written."""
    for key, lost in ((worlds.WEB, True), (worlds.API, False)):
        if lost:
            twins.scm.lose_answer()
        else:
            twins.scm.say(RESET)
        await twins.reconcile(key)
    twins.clock.advance(WAIT)
    twins.cluster.unreachable = True
    await twins.reconcile()
    twins.cluster.unreachable = False
    await twins.settle(worlds.API)
    await twins.settle()
    _own_entries(twins)


async def test_twin_that_an_earlier_leader_may_still_write_to_holds_the_look_up(twins: World) -> None:
    """Until each twin with an open POST is fenced no entry is looked for: a late write could name it there."""
    twins.cluster.unreachable = True
    await twins.reconcile()
    await twins.reconcile(worlds.API)
    twins.cluster.unreachable = False
    twins.restart()
    twins.clock.advance(WAIT)
    assert await twins.reconcile() == queue.Again(0.5)
    assert twins.reason() == "ResolvingOutcome"
    assert "list web" not in twins.log
    await twins.settle(worlds.API)
    await twins.settle()
    _own_entries(twins)


async def test_twin_that_is_gone_does_not_hold_the_look_up_by_its_missing_fence(twins: World) -> None:
    """A resource that is gone can't be written to any more, so it needs no fence; its POST counts for the time."""
    twins.cluster.unreachable = True
    await twins.reconcile()
    await twins.reconcile(worlds.API)
    twins.cluster.unreachable = False
    twins.restart()
    twins.delete(worlds.API)
    twins.clock.advance(WAIT)
    await twins.settle()
    assert twins.reason() == "Uploaded"


async def test_same_csr_under_another_name_is_not_taken(world: World) -> None:
    """Groups are coarse, entries are not: what has another name is another's."""
    world.secrets.put("api-csr", {"tls.csr": fakes.csr_pem(0)})
    world.add_upload("api")
    for key in BOTH:
        world.scm.lose_answer()
        await world.reconcile(key)
    for key in BOTH:
        await world.settle(key)
    _own_entries(world)
    assert [world.scm.entries[world.record(key).scm_id].name for key in BOTH] == ["web", "api"]


async def test_who_waits_for_a_look_up_is_woken_by_its_end(twins: World) -> None:
    """A twin that must not be sent meanwhile needs no clock to go on."""
    twins.scm.say(RESET)
    await twins.reconcile()
    twins.scm.say(RESET)
    await twins.reconcile(worlds.API)
    twins.clock.advance(WAIT)
    twins.scm.gates["list"] = asyncio.Event()
    looking = asyncio.create_task(twins.reconcile())
    await worlds.idle()
    await twins.reconcile(worlds.API)
    twins.upload_queue.added.clear()
    twins.scm.gates["list"].set()
    await looking
    assert worlds.API in [key for key, _ in twins.upload_queue.added]


async def test_entry_of_a_twin_that_is_gone_is_not_taken(twins: World) -> None:
    """What a resource had when it was deleted was not made by the lost POST of its twin."""
    twins.scm.say(RESET)
    await twins.reconcile()
    await twins.reconcile(worlds.API)
    theirs = twins.scm_id(worlds.API)
    twins.delete(worlds.API)
    await twins.settle()
    assert twins.record().origin == "Uploaded"
    assert twins.scm_id() != theirs


async def test_twin_of_this_term_needs_no_fence(twins: World) -> None:
    """A twin whose POST is this leader's own holds no look-up, although its status was never written."""
    for key in BOTH:
        twins.scm.lose_answer()
        twins.cluster.unreachable = key == worlds.API
        await twins.reconcile(key)
    twins.cluster.unreachable = False
    assert twins.status(worlds.API).term == 0
    twins.clock.advance(WAIT)
    assert await twins.reconcile() is None
    assert twins.record().origin == "Recovered"


async def test_recreated_twin_needs_no_fence_for_its_predecessor(twins: World) -> None:
    """An earlier leader's late write can't land on a namesake of another uid: it holds no look-up."""
    twins.cluster.unreachable = True
    for key in BOTH:
        await twins.reconcile(key)
    twins.cluster.unreachable = False
    twins.restart()
    twins.cluster.recreate(worlds.API)
    twins.watch()
    twins.clock.advance(WAIT)
    assert await twins.reconcile() is None
    assert twins.record().origin == "Recovered"


async def test_twin_that_is_recorded_already_holds_nothing(twins: World) -> None:
    """An attempt that only the next journal write will remove is no open one."""
    twins.scm.lose_answer()
    await twins.reconcile(worlds.API)
    await twins.reconcile()
    twins.restart()
    assert len(twins.journal.attempts()) == 2
    twins.clock.advance(WAIT)
    assert await twins.reconcile(worlds.API) is None
    assert twins.record(worlds.API).origin == "Recovered"
