"""Accounts in outage: few calls, however many uploads wait, and nothing of it is felt by other accounts."""

import asyncio
import random

import pytest

from scm_operator.domain import errors
from scm_operator.reconcile import admission, queue
from tests.unit.reconcile import admitting, handling

# Time jumps: a test that waits an hour takes no time.
pytestmark = pytest.mark.looptime
HOUR = 3600.0


class Service:
    """Accounts, their admissions and one queue; each key is ``account/number`` and wants one call that succeeds."""

    def __init__(self, *, workers: int, answers: dict[str, errors.Obstacle | None], takes: dict[str, float]) -> None:
        chance = random.Random(4)  # noqa: S311 - jitter is no secret
        backoff = queue.Backoff(uniform=chance.uniform)
        self.work: queue.WorkQueue[str] = queue.WorkQueue(workers=workers, backoff=backoff)
        self.doors = {
            name: admitting.Door(rate=10, concurrency=8, backoff=backoff, wake=self.work.add) for name in answers
        }
        self.answers = answers
        self.takes = takes
        self.calls: dict[str, list[float]] = {name: [] for name in answers}
        self.done: dict[str, list[str]] = {name: [] for name in answers}

    async def __call__(self, key: str) -> queue.Answer:
        """Make a pass over a key."""
        name = key.partition("/")[0]
        line = self.doors[name].admission
        try:
            if isinstance(line.admit(key, admitting.FRESH), admission.Waiting):
                return None
            await self._call(name, key)
        except errors.RetryLater as obstacle:
            return queue.Retry(at_least=obstacle.retry_after or 0.0)
        finally:
            line.leave(key)
        self.done[name].append(key)
        return None

    async def _call(self, name: str, key: str) -> None:
        async with self.work.outside():
            with self.doors[name].admission.calling(key):
                self.calls[name].append(asyncio.get_running_loop().time())
                await asyncio.sleep(self.takes[name])
                if obstacle := self.answers[name]:
                    raise obstacle

    def calls_between(self, name: str, begin: float, end: float) -> int:
        """Return how many calls an account got."""
        return sum(begin <= moment < end for moment in self.calls[name])


@pytest.mark.parametrize(
    "obstacle", [admitting.throttled(), admitting.unreachable()], ids=lambda obstacle: obstacle.reason.value
)
async def test_calls_in_an_outage_are_bounded_however_many_wait(obstacle: errors.Obstacle) -> None:
    """With 10,000 uploads an account that fails gets less than forty calls an hour; all go when the outage ends."""
    service = Service(workers=32, answers={"broken": obstacle}, takes={"broken": 0.05})
    for number in range(10_000):
        service.work.add(f"broken/{number}")
    running = asyncio.create_task(service.work.run(service))
    await handling.until(2 * HOUR)
    assert service.calls_between("broken", 0.0, 600.0) < 40
    assert 6 < service.calls_between("broken", 600.0, 600.0 + HOUR) < 40
    service.answers["broken"] = None
    await handling.until(2 * HOUR + 300.0 + 1000.0 + 300.0)
    assert len(set(service.done["broken"])) == len(service.done["broken"]) == 10_000
    service.work.stop()
    await running


@pytest.mark.parametrize("obstacle", [admitting.throttled(), admitting.unreachable()])
async def test_account_in_outage_delays_no_other(obstacle: errors.Obstacle) -> None:
    """Two workers, and a silent account with a thousand uploads: another account's go as fast as if it were alone."""
    service = Service(workers=2, answers={"silent": obstacle, "well": None}, takes={"silent": 30.0, "well": 0.1})
    for number in range(1000):
        service.work.add(f"silent/{number}")
    for number in range(100):
        service.work.add(f"well/{number}")
    running = asyncio.create_task(service.work.run(service))
    await handling.until(10.5)  # a burst of 10, then 10 a second
    assert len(service.done["well"]) == 100
    service.work.stop()
    await running
