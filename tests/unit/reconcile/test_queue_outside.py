"""Handlers that wait for somebody else's service: others work in their place meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from scm_operator.reconcile import queue
from tests.unit.reconcile import handling

pytestmark = pytest.mark.looptime


class Worlds:
    """A handler that waits outside for keys that begin with ``o``, and inside for the others, until they are let go."""

    def __init__(self, *, workers: int) -> None:
        self.work = handling.make_queue(workers=workers)
        self.begun: list[str] = []
        self.done: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    async def __call__(self, key: str) -> None:
        """Handle a key."""
        self.begun.append(key)
        self.gates[key] = asyncio.Event()
        async with self.work.outside() if key.startswith("o") else contextlib.nullcontext():
            await self.gates[key].wait()
        self.done.append(key)

    async def add(self, *keys: str) -> None:
        """Queue keys, and let what is due happen."""
        for key in keys:
            self.work.add(key)
        await handling.idle()

    async def let_go(self, *keys: str) -> None:
        """End the waits of keys."""
        for key in keys:
            self.gates[key].set()
        await handling.idle()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let it work meanwhile; end it in order."""
        task = asyncio.create_task(self.work.run(self))
        yield
        self.work.stop()
        await self.let_go(*self.gates)
        await task


async def test_silent_service_leaves_all_workers_to_others() -> None:
    """However many handlers wait outside, as many others as there are workers are handled meanwhile."""
    worlds = Worlds(workers=2)
    async with worlds.running():
        await worlds.add("o1", "o2", "o3", "o4", "i1", "i2", "i3")
        assert worlds.begun == ["o1", "o2", "o3", "o4", "i1", "i2"]


async def test_worker_too_many_ends_after_its_key() -> None:
    """When handlers come back from outside, no more keys are begun than there are workers for."""
    worlds = Worlds(workers=1)
    async with worlds.running():
        await worlds.add("o1", "o2", "i1", "i2", "i3")
        await worlds.let_go("o1", "o2")
        assert worlds.begun == ["o1", "o2", "i1"]
        await worlds.let_go("i1")
        assert worlds.begun == ["o1", "o2", "i1", "i2"]
        assert worlds.done == ["o1", "o2", "i1"]


async def test_going_outside_again_and_again_leaves_as_many_workers() -> None:
    """After many waits outside there are neither fewer nor more workers than at the beginning."""
    worlds = Worlds(workers=2)
    async with worlds.running():
        for number in range(20):
            await worlds.add(f"o{number}")
            await worlds.let_go(f"o{number}")
        await worlds.add("i1", "i2", "i3")
        assert worlds.begun[20:] == ["i1", "i2"]


async def test_handler_that_fails_outside_is_back() -> None:
    """An exception that ends a wait outside leaves no worker too many."""
    work = handling.make_queue(workers=1)
    inside: list[str] = []

    async def handle(key: str) -> queue.Answer:
        if key == "o":
            async with work.outside():
                raise ValueError
        inside.append(key)
        await asyncio.sleep(10.0)
        return None

    for key in ("o", "i1", "i2"):
        work.add(key)
    running = asyncio.create_task(work.run(handle))
    await handling.until(5.0)
    work.stop()
    assert inside == ["i1"]
    await running


async def test_stop_waits_for_substitutes_too_and_hires_none() -> None:
    """`run` returns when the last handler is done, a substitute's too; after a stop nobody takes another's place."""
    worlds = Worlds(workers=1)
    running = asyncio.create_task(worlds.work.run(worlds))
    await worlds.add("o1", "i1", "i2")
    worlds.work.stop()
    await worlds.let_go("o1")
    assert not running.done()
    await worlds.let_go("i1")
    await running
    assert worlds.done == ["o1", "i1"]


async def test_outside_of_a_running_queue_it_does_nothing() -> None:
    """A handler that is called by hand may go outside as well."""
    work = handling.make_queue()
    async with work.outside():
        pass
    assert len(work) == 0
