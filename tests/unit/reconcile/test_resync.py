"""Resync: is each entry still there, and what follows if one, or many, or none can be looked at."""

import asyncio

import pytest

from scm_operator.domain import errors, reasons, upload
from scm_operator.reconcile import queue
from tests.support import fake_scm
from tests.unit.reconcile import world as worlds

World = worlds.World
BROKEN = errors.RetryLater(reasons.Reason.SERVER_ERROR, "500.")
LOGIN = errors.AccountObstacle(
    reasons.Reason.AUTHENTICATION_FAILED, "401.", account_reason=reasons.AccountReason.LOGIN_FAILED
)


@pytest.fixture
async def uploaded(world: World) -> World:
    """Return a world whose upload ``web`` is Ready."""
    await world.settle()
    world.log.clear()
    return world


async def _fill(world: World, count: int) -> list[upload.UploadKey]:
    """Add so many further uploads, and settle all."""
    keys = [worlds.WEB, *(world.add_upload(f"more-{number}", number=number + 1) for number in range(count))]
    for key in keys:
        world.clock.advance(1)
        await world.settle(key)
    return keys


async def _look(world: World, *keys: upload.UploadKey) -> None:
    """Let a resync come round to uploads."""
    for key in keys or (worlds.WEB,):
        world.memory.resync.add(key)
        world.clock.advance(1)
        await world.reconcile(key)
        world.watch()


async def test_entry_that_is_there_is_looked_at_once_and_nothing_is_written(uploaded: World) -> None:
    """One GET; then nothing more, until the next time."""
    await _look(uploaded)
    assert uploaded.log == ["show"]
    await uploaded.settle()
    assert uploaded.log == ["show"]


async def test_entry_that_is_gone_is_missing_and_uploaded_again(uploaded: World) -> None:
    """It waits a while for others to be looked at; then EntryMissing is written, and it is sent again."""
    uploaded.scm.entries.clear()
    await _look(uploaded)
    assert (uploaded.reason(), len(uploaded.scm.posts)) == ("Uploaded", 1)
    await uploaded.settle()
    assert uploaded.events.reasons == ["Uploaded", "EntryMissing", "Uploaded"]
    assert list(uploaded.scm.entries) == [uploaded.scm_id()]
    assert len(uploaded.scm.posts) == 2
    assert uploaded.status().history == ()


async def test_request_of_a_person_looks_too(uploaded: World) -> None:
    """reconcile-requested-at on the upload is a resync of its own, and is echoed."""
    uploaded.scm.entries.clear()
    uploaded.change(annotations={worlds.REQUESTED: "now"})
    await uploaded.settle()
    assert len(uploaded.scm.posts) == 2
    assert uploaded.status().last_handled_reconcile_at == "now"


async def test_rename_by_hand_is_told_and_left(uploaded: World) -> None:
    """An entry that somebody has renamed in SCM stays Ready and as it is; the message says so."""
    scm_id = uploaded.scm_id()
    assert scm_id is not None
    uploaded.scm.change(scm_id, name="by hand")
    await _look(uploaded)
    assert uploaded.reason() == "Uploaded"
    assert "Somebody has renamed it there to 'by hand'" in uploaded.message()
    assert uploaded.scm.entries[scm_id].name == "by hand"


@pytest.mark.parametrize("obstacle", [fake_scm.DENIED, BROKEN, LOGIN], ids=["403", "500", "401"])
async def test_look_that_fails_is_noted_on_the_account_alone(uploaded: World, obstacle: errors.RetryLater) -> None:
    """It leaves the upload Ready, degrades the account, and the next look that works clears that."""
    uploaded.scm.refusals["show"] = obstacle
    await _look(uploaded)
    assert uploaded.reason() == "Uploaded"
    says = await uploaded.account_says()
    assert says["Degraded"] == "ResyncFailed"
    uploaded.scm.refusals.clear()
    await _look(uploaded)
    says = await uploaded.account_says()
    assert "Degraded" not in says
    assert uploaded.log.count("write Uploaded") == 0


async def test_suspended_or_being_deleted_is_not_looked_at(uploaded: World) -> None:
    """A suspended resource makes no call."""
    uploaded.change({"suspend": True})
    await _look(uploaded)
    assert "show" not in uploaded.log


async def test_five_that_are_gone_are_few(world: World) -> None:
    """Up to five entries that are gone are uploaded again each."""
    keys = await _fill(world, 4)
    world.scm.entries.clear()
    await _look(world, *keys)
    for key in keys:
        await world.settle(key)
    assert len(world.scm.entries) == 5
    assert await world.account_says() == {"Ready": "Ready"}


async def test_many_that_are_gone_hold_until_a_person_asks(world: World) -> None:
    """More than five, and more than a tenth: none is uploaded again, and the account says so until a person asks."""
    keys = await _fill(world, 5)
    world.scm.entries.clear()
    await _look(world, *keys)
    for key in keys:
        await world.settle(key)
        world.clock.advance(60)
        await world.settle(key)
    assert len(world.scm.posts) == 6
    assert {world.reason(key) for key in keys} == {"Uploaded"}
    assert worlds.DEFAULT in world.account_queue.added_later
    assert await world.account_says() == {"Ready": "Ready", "Degraded": "ManyEntriesMissing"}
    assert ("ManyEntriesMissing", True) in [(told.reason, told.warning) for told in world.events]
    world.upload_queue.added.clear()
    world.change(annotations={worlds.REQUESTED: "now"}, key=worlds.DEFAULT)
    says = await world.account_says()
    assert {key for key, _ in world.upload_queue.added} == set(keys)
    assert world.cluster.account_of(worlds.DEFAULT).status.last_handled_reconcile_at == "now"
    assert "Degraded" not in says
    for key in keys:
        await world.settle(key)
    assert (len(world.scm.posts), len(world.scm.entries)) == (12, 6)
    assert await world.account_says() == {"Ready": "Ready"}


async def test_few_that_are_gone_one_after_another_do_not_add_up(uploaded: World) -> None:
    """An entry that was made anew is no more counted as gone."""
    for _ in range(7):
        uploaded.scm.entries.clear()
        uploaded.clock.advance(60)
        await _look(uploaded)
        await uploaded.settle()
    assert len(uploaded.scm.posts) == 8
    assert await uploaded.account_says() == {"Ready": "Ready"}


async def test_many_are_more_than_a_tenth_of_those_that_were_looked_at(world: World) -> None:
    """Six of seventy are few."""
    keys = await _fill(world, 69)
    await _look(world, *keys)
    for key in keys[:6]:
        del world.scm.entries[world.record(key).scm_id]
    await _look(world, *keys[:6])
    for key in keys[:6]:
        await world.settle(key)
    assert len(world.scm.entries) == 70


async def test_one_that_is_gone_lets_others_be_looked_at(world: World) -> None:
    """Others of the account are queued in the later lane, so that it is known before the hold ends."""
    keys = await _fill(world, 2)
    world.scm.entries.clear()
    world.upload_queue.added.clear()
    await _look(world)
    assert set(world.upload_queue.added) == {(key, queue.Lane.RETRY) for key in keys[1:]}


@pytest.mark.looptime
async def test_each_upload_comes_round_once_an_interval(world: World) -> None:
    """In an interval each settled upload is queued once, behind everything that is new, and not before it is due."""
    keys = await _fill(world, 5)
    world.add_upload("never-looked-at", number=9)
    world.upload_queue.added.clear()
    running = asyncio.create_task(world.resync.run())
    await worlds.sleep(1280.0 + 1)
    running.cancel()
    assert sorted(world.upload_queue.added) == sorted((key, queue.Lane.RETRY) for key in keys)
    assert world.memory.resync == set(keys)
