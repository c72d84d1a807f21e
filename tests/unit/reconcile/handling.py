"""A work queue under a test's hands: a handler of a script, and moments of a loop whose time jumps."""

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator

from scm_operator.reconcile import queue

EXACT = queue.Backoff(first=0.0, slow=0.0)


class FakeHandler:
    """Handles keys as scripted, one after the other or when the test says so, and keeps what it was given and when."""

    def __init__(self) -> None:
        self.handled: list[str] = []
        self.times: list[float] = []
        self.answers: collections.deque[queue.Answer | Exception] = collections.deque()
        self.gates: dict[str, asyncio.Event] = {}
        self.done: list[str] = []

    async def __call__(self, key: str) -> queue.Answer:
        """Handle a key."""
        self.handled.append(key)
        self.times.append(asyncio.get_running_loop().time())
        answer = self.answers.popleft() if self.answers else None
        if key in self.gates:
            await self.gates[key].wait()
        self.done.append(key)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def gate(self, key: str) -> asyncio.Event:
        """Let a key's handling last until the returned event is set."""
        self.gates[key] = asyncio.Event()
        return self.gates[key]


def make_queue(*, workers: int = 1, backoff: queue.Backoff = EXACT) -> queue.WorkQueue[str]:
    """Make a queue, by default without backoff."""
    return queue.WorkQueue(workers=workers, backoff=backoff)


@contextlib.asynccontextmanager
async def running(work: queue.WorkQueue[str], handler: FakeHandler) -> AsyncIterator[None]:
    """Let it work meanwhile, and end it in order."""
    task = asyncio.create_task(work.run(handler))
    await idle()
    yield
    for gate in handler.gates.values():
        gate.set()
    work.stop()
    await task


async def idle() -> None:
    """Let everything happen that is due now."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(moment: float) -> None:
    """Let time pass until that moment of the loop."""
    await asyncio.sleep(moment - asyncio.get_running_loop().time())
    await idle()
