"""The work queue: one worker a key, two lanes, and an end in order."""

import asyncio

import pytest

from scm_operator.reconcile import queue
from tests.unit.reconcile import handling

# Time jumps: a test that waits an hour for a retry takes no time.
pytestmark = pytest.mark.looptime


async def test_key_added_while_it_waits_is_handled_once(handler: handling.FakeHandler) -> None:
    """Many adds of a waiting key are one handling, in the place of the first."""
    work = handling.make_queue()
    for key in ("a", "b", "a", "a"):
        work.add(key)
    assert len(work) == 2
    async with handling.running(work, handler):
        assert handler.handled == ["a", "b"]
    assert len(work) == 0


async def test_key_added_while_it_is_handled_is_handled_once_more_afterwards(handler: handling.FakeHandler) -> None:
    """However many adds come during a handling, one more follows when that one has ended, not before."""
    work, gate = handling.make_queue(workers=4), handler.gate("a")
    work.add("a")
    async with handling.running(work, handler):
        for _ in range(3):
            work.add("a")
        await handling.idle()
        assert (handler.handled, handler.done) == (["a"], [])
        gate.set()
        await handling.idle()
        assert handler.done == ["a", "a"]


async def test_workers_handle_different_keys_at_the_same_time(handler: handling.FakeHandler) -> None:
    """As many keys are handled at once as there are workers."""
    work = handling.make_queue(workers=2)
    for key in ("a", "b", "c"):
        handler.gate(key)
        work.add(key)
    async with handling.running(work, handler):
        assert handler.handled == ["a", "b"]
        handler.gates["b"].set()
        await handling.idle()
        assert handler.handled == ["a", "b", "c"]


async def test_fresh_keys_go_ahead_of_retries(handler: handling.FakeHandler) -> None:
    """New and changed resources are taken first, each lane in the order of its adds."""
    work = handling.make_queue()
    for key, lane in (("r1", queue.Lane.RETRY), ("f1", queue.Lane.FRESH), ("r2", queue.Lane.RETRY)):
        work.add(key, lane=lane)
    work.add("f2")
    async with handling.running(work, handler):
        assert handler.handled == ["f1", "f2", "r1", "r2"]


async def test_retries_do_not_starve(handler: handling.FakeHandler) -> None:
    """Of eight keys taken one is a retry, however many fresh ones wait."""
    work = handling.make_queue()
    for number in range(30):
        work.add(f"f{number}")
    for number in range(3):
        work.add(f"r{number}", lane=queue.Lane.RETRY)
    async with handling.running(work, handler):
        await handling.idle()  # each key lets the others get on
    places = [place for place, key in enumerate(handler.handled) if key.startswith("r")]
    assert places == [7, 15, 23]


async def test_keys_that_wait_for_nothing_let_others_get_on(handler: handling.FakeHandler) -> None:
    """Between two keys whose handling never waits everything else in the process has its turn."""
    work = handling.make_queue()
    for number in range(1000):
        work.add(f"f{number}")
    async with handling.running(work, handler):
        assert 0 < len(handler.handled) < 100


async def test_fresh_add_promotes_a_waiting_retry(handler: handling.FakeHandler) -> None:
    """A key that waits in the retry lane moves to the fresh lane when it is added there, and is handled once."""
    work = handling.make_queue()
    for key in ("r1", "r2"):
        work.add(key, lane=queue.Lane.RETRY)
    work.add("r2")
    async with handling.running(work, handler):
        assert handler.handled == ["r2", "r1"]


async def test_retry_add_does_not_demote_a_fresh_key(handler: handling.FakeHandler) -> None:
    """A key that waits in the fresh lane stays there."""
    work = handling.make_queue()
    work.add("a")
    work.add("b", lane=queue.Lane.RETRY)
    work.add("a", lane=queue.Lane.RETRY)
    assert len(work) == 2
    async with handling.running(work, handler):
        assert handler.handled == ["a", "b"]


async def test_retry_waits_for_at_least_as_long_as_asked(handler: handling.FakeHandler) -> None:
    """A retry comes after the delay that was asked for, and only once."""
    work = handling.make_queue()
    handler.answers.append(queue.Retry(at_least=3600.0))
    work.add("a")
    async with handling.running(work, handler):
        assert len(work) == 0
        await handling.until(3599.0)
        assert handler.times == [0.0]
        await handling.until(9999.0)
        assert handler.times == [0.0, 3600.0]


async def test_stop_lets_handlers_end_and_begins_nothing_more(handler: handling.FakeHandler) -> None:
    """Handlers under way are never cancelled; `run` returns when the last has ended; what waits is not begun."""
    work, gate = handling.make_queue(workers=2), handler.gate("a")
    handler.gate("b")
    for key in ("a", "b", "c"):
        work.add(key)
    running = asyncio.create_task(work.run(handler))
    await handling.idle()
    work.stop()
    work.add("d")
    work.add("a")
    gate.set()
    await handling.until(100.0)
    assert (handler.done, running.done()) == (["a"], False)
    handler.gates["b"].set()
    await running
    assert handler.done == ["a", "b"]
    assert len(work) == 3


async def test_stop_leaves_no_timer(handler: handling.FakeHandler) -> None:
    """After a stop no retry comes up, neither one that waited nor one that a handler asks for while ending."""
    work, gate = handling.make_queue(workers=2), handler.gate("late")
    handler.answers.extend([queue.Retry(at_least=60.0), queue.Retry(at_least=60.0)])
    work.add("waits")
    work.add("late")
    running = asyncio.create_task(work.run(handler))
    await handling.idle()
    work.stop()
    work.add_later("later", delay=60.0)
    gate.set()
    await running
    await handling.until(1000.0)
    assert len(work) == 0
    assert handler.handled == ["waits", "late"]


async def test_stop_ends_idle_workers(handler: handling.FakeHandler) -> None:
    """Workers that wait for keys end at once."""
    work = handling.make_queue(workers=8)
    running = asyncio.create_task(work.run(handler))
    await handling.idle()
    work.stop()
    await running
    assert handler.handled == []


async def test_handler_that_ends_cancelled_costs_no_worker() -> None:
    """A task that a handler waits for is cancelled: the key is tried again, and the worker goes on."""
    work = handling.make_queue(workers=1)
    handled: list[str] = []

    async def handle(key: str) -> None:
        handled.append(key)
        if len(handled) == 1:
            raise asyncio.CancelledError

    work.add("a")
    work.add("b")
    running = asyncio.create_task(work.run(handle))
    await asyncio.sleep(1)
    work.stop()
    await running
    assert handled == ["a", "b", "a"]
