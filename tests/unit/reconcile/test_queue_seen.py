"""What a queue shows of itself: how many wait, for how long, and whether anything stands that should move."""

import asyncio
import logging

import pytest

from scm_operator.reconcile import queue
from tests.unit.reconcile import handling

pytestmark = pytest.mark.looptime

LONGEST = 60.0


async def test_keys_are_counted_by_lane() -> None:
    """Keys wait in one of two lanes, or for a delay to be over; those at hand are another number."""
    work, handler = handling.make_queue(), handling.FakeHandler()
    handler.gate("a")
    for key in ("a", "b", "c"):
        work.add(key)
    work.add("d", lane=queue.Lane.RETRY)
    work.add_later("e", delay=100.0)
    async with handling.running(work, handler):
        assert (work.waiting(queue.Lane.FRESH), work.waiting(queue.Lane.RETRY)) == (2, 1)
        assert (work.delayed, work.busy) == (1, 1)


async def test_oldest_is_the_one_that_waits_the_longest() -> None:
    """A key that moves to the lane of the fresh ones has waited since it came; a key added again has as well."""
    work = handling.make_queue()
    assert work.oldest == 0.0
    work.add("a", lane=queue.Lane.RETRY)
    await asyncio.sleep(5.0)
    work.add("b")
    await asyncio.sleep(5.0)
    work.add("a")
    work.add("b")
    assert work.oldest == 10.0
    again = handling.make_queue()
    for _ in range(3):
        again.add("a")
        await asyncio.sleep(5.0)
    assert again.oldest == 15.0
    handler = handling.FakeHandler()
    async with handling.running(work, handler):
        assert work.oldest == 0.0


async def test_retries_are_counted() -> None:
    """Each pass that ends with a retry is one, a bug too; coming back at an appointed time is none."""
    work, handler = handling.make_queue(), handling.FakeHandler()
    handler.answers.extend([queue.Retry(), ValueError(), queue.Again(0.0), None])
    work.add("a")
    async with handling.running(work, handler):
        await handling.until(1.0)
    assert (len(handler.handled), work.retries) == (4, 2)


async def test_key_at_hand_without_a_step_is_a_stall(caplog: pytest.LogCaptureFixture) -> None:
    """A worker that is at one key for too long is one; the log names the key, once, and the answer only counts."""
    caplog.set_level(logging.ERROR)
    work, handler = handling.make_queue(workers=2), handling.FakeHandler()
    handler.gate("shop/web")
    work.add("shop/web")
    async with handling.running(work, handler):
        await handling.until(LONGEST)
        assert work.stall(LONGEST) is None
        await handling.until(LONGEST + 1)
        for _ in range(2):
            assert work.stall(LONGEST) == "1 of 1 keys at hand have made no step for more than 60 s"
    assert [record.getMessage() for record in caplog.records] == [
        "shop/web: at hand for longer than 60 s without a step"
    ]
    assert work.stall(LONGEST) is None


async def test_key_that_gets_on_is_no_stall() -> None:
    """A handler may take as long as it likes if it says that it gets on, or waits outside again and again."""
    work = handling.make_queue()

    async def handle(_key: str) -> None:
        for _ in range(5):
            await asyncio.sleep(LONGEST)
            work.moved()
        for _ in range(5):
            await asyncio.sleep(LONGEST - 10.0)
            async with work.outside():
                await asyncio.sleep(LONGEST - 10.0)

    work.add("a")
    running = asyncio.create_task(work.run(handle))
    for moment in range(30, 600, 30):
        await handling.until(moment)
        assert work.stall(LONGEST) is None
        assert work.busy == 1
    work.stop()
    await running


async def test_step_of_one_key_is_none_of_another() -> None:
    """Each key has to get on by itself."""
    work = handling.make_queue(workers=2)

    async def handle(key: str) -> None:
        for _ in range(20):
            await asyncio.sleep(10.0)
            if key == "lively":
                work.moved()

    work.add("lively")
    work.add("stuck")
    running = asyncio.create_task(work.run(handle))
    await handling.until(100.0)
    assert work.stall(LONGEST) == "1 of 2 keys at hand have made no step for more than 60 s"
    work.stop()
    await running


class DeafQueue(queue.WorkQueue[str]):
    """A queue with a bug: its workers hear of no key."""

    async def _is_next(self) -> bool:
        await asyncio.Event().wait()
        return False


async def test_keys_that_wait_before_free_workers_are_a_stall() -> None:
    """Workers that don't come for what waits are one, once it has waited for too long; an empty queue may rest."""
    work = DeafQueue(workers=2, backoff=handling.EXACT)
    running = asyncio.create_task(work.run(handling.FakeHandler()))
    await handling.until(1000.0)
    assert work.stall(LONGEST) is None
    work.add("a")
    work.add("b")
    await handling.until(1000.0 + LONGEST)
    assert work.stall(LONGEST) is None
    await handling.until(1000.0 + LONGEST + 1)
    assert work.stall(LONGEST) == "2 keys wait, and none was taken for 61 s"
    running.cancel()


async def test_long_line_before_busy_workers_is_no_stall() -> None:
    """Ten thousand keys may wait for as long as the workers get on."""
    work = handling.make_queue(workers=2)

    async def handle(_: str) -> None:
        for _step in range(3):
            await asyncio.sleep(LONGEST)
            work.moved()

    for number in range(50):
        work.add(f"key-{number}")
    running = asyncio.create_task(work.run(handle))
    for moment in range(45, 1000, 45):
        await handling.until(moment)
        assert work.stall(LONGEST) is None
        assert len(work) > 0
    work.stop()
    await running


async def test_queue_that_has_not_begun_does_not_stall() -> None:
    """A standby's keys wait until it leads, for hours; when it does, they have not waited for its workers."""
    work, handler = handling.make_queue(), handling.FakeHandler()
    work.add("a")
    await asyncio.sleep(10_000.0)
    assert work.stall(LONGEST) is None
    running = asyncio.create_task(work.run(handler))
    await asyncio.sleep(0)
    assert work.stall(LONGEST) is None
    await handling.idle()
    assert handler.done == ["a"]
    work.stop()
    await running


async def test_queue_that_ends_does_not_stall() -> None:
    """What waits when the process stops waits for the next one."""
    work = DeafQueue(workers=1, backoff=handling.EXACT)
    running = asyncio.create_task(work.run(handling.FakeHandler()))
    await handling.idle()
    work.add("a")
    work.stop()
    await handling.until(1000.0)
    assert work.stall(LONGEST) is None
    running.cancel()
