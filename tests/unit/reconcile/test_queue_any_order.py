"""The work queue under any interleaving of adds and of handlers that end."""

import asyncio
import itertools

import hypothesis
import looptime
from hypothesis import strategies

from scm_operator.reconcile import queue

KEYS = ("a", "b", "c", "d", "e")
OUTSIDE = ("b", "d")
_Step = tuple[str, str, queue.Lane | queue.Answer]
_STEPS = strategies.one_of(
    strategies.tuples(strategies.just("add"), strategies.sampled_from(KEYS), strategies.sampled_from(queue.Lane)),
    strategies.tuples(
        strategies.just("finish"),
        strategies.sampled_from(KEYS),
        strategies.sampled_from([None, queue.Retry(), queue.Retry(at_least=9.0), queue.Again(2.0)]),
    ),
    strategies.tuples(strategies.just("pass time"), strategies.just(""), strategies.none()),
)


class FakeHandler:
    """Handles each key until the test ends it, some of them outside; numbers all adds and beginnings in one row."""

    def __init__(self, work: queue.WorkQueue[str]) -> None:
        self.work = work
        self.inside = 0
        self.numbers = itertools.count()
        self.added: list[tuple[str, int]] = []
        self.begun: list[tuple[str, int]] = []
        self.under_way: dict[str, asyncio.Future[queue.Answer]] = {}
        self.open = False

    async def __call__(self, key: str) -> queue.Answer:
        """Handle a key."""
        assert key not in self.under_way
        self.begun.append((key, next(self.numbers)))
        if self.open:
            return None
        self.under_way[key] = asyncio.get_running_loop().create_future()
        try:
            if key in OUTSIDE:
                async with self.work.outside():
                    return await self.under_way[key]
            self.inside += 1
            answer = await self.under_way[key]
            self.inside -= 1
            return answer
        finally:
            del self.under_way[key]


async def _drive(steps: list[_Step], *, workers: int) -> FakeHandler:
    work: queue.WorkQueue[str] = queue.WorkQueue(workers=workers, backoff=queue.Backoff(first=1.0))
    handler = FakeHandler(work)
    running = asyncio.create_task(work.run(handler))
    for what, key, argument in steps:
        if isinstance(argument, queue.Lane):
            handler.added.append((key, next(handler.numbers)))
            work.add(key, lane=argument)
        elif what == "finish" and key in handler.under_way:
            handler.under_way[key].set_result(argument)
        await asyncio.sleep(3.0 if what == "pass time" else 0.0)
        assert handler.inside <= workers
    handler.open = True
    for future in handler.under_way.values():
        future.set_result(None)
    await asyncio.sleep(1000.0)
    work.stop()
    await running
    return handler


@hypothesis.given(
    steps=strategies.lists(_STEPS, max_size=30),
    workers=strategies.integers(min_value=1, max_value=4),
)
@hypothesis.settings(max_examples=25, deadline=None, database=None)
def test_no_key_twice_at_once_and_no_add_forgotten(steps: list[_Step], workers: int) -> None:
    """A key is never handled twice at the same time, and each add is followed by a handling that begins after it."""
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        handler = runner.run(_drive(steps, workers=workers))
    for key, number in handler.added:
        assert any(begun == key and after > number for begun, after in handler.begun)
