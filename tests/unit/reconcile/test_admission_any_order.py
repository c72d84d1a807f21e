"""Admission under any interleaving of passes, answers, changes and time: the line always moves on."""

import asyncio
import random

import hypothesis
import looptime
from hypothesis import strategies

from scm_operator.domain import account
from scm_operator.reconcile import admission, lanes, queue
from tests.unit.reconcile import admitting

KEYS = ("a", "b", "c", "d", "e")
_ANSWERS = {
    "succeed": None,
    "be throttled": admitting.throttled(),
    "be throttled long": admitting.throttled(40.0),
    "fail": admitting.unreachable(),
    "break": RuntimeError(),
}
_STEPS = strategies.tuples(
    strategies.sampled_from(
        ["ask fresh", "ask again", "leave", "forget", *_ANSWERS, "reset", "narrow", "widen", "pass time"]
    ),
    strategies.sampled_from(KEYS),
)


class World:
    """Keys in passes as the upload reconciler makes them, and a queue of those that were woken."""

    def __init__(self, *, rate: int, concurrency: int, seed: int) -> None:
        uniform = random.Random(seed).uniform  # noqa: S311 - jitter is no secret
        self.queued: set[str] = set()
        self.door = admitting.Door(
            rate=rate, concurrency=concurrency, backoff=queue.Backoff(uniform=uniform), wake=self.queued.add
        )
        self.line = self.door.admission
        self.taken: set[str] = set()
        self.owed: set[str] = set()  # who was told to wait, and had no turn since

    def step(self, what: str, key: str) -> None:
        """Do one thing that may happen."""
        match what:
            case "ask fresh" | "ask again":
                self._ask(key, admitting.FRESH if what == "ask fresh" else admitting.RETRY)
            case "leave":
                self._leave(key)
            case "forget":
                self.line.forget(key)
                self.taken.discard(key)
                self.owed.discard(key)
            case "reset":
                self.line.reset()
            case "narrow" | "widen":
                self.line.change_limits(account.Limits(requests_per_second=2, concurrency=1 if what == "narrow" else 3))
            case _ if key in self.taken:
                self.door.call(key, _ANSWERS[what])

    def _ask(self, key: str, lane: lanes.Lane) -> None:
        self.queued.discard(key)
        if isinstance(self.line.admit(key, lane), admission.Admitted):
            self.taken.add(key)
            self.owed.discard(key)
        else:
            self.owed.add(key)
            self.line.leave(key)

    def _leave(self, key: str) -> None:
        """End a pass: one that had a turn, or one that the key was woken for and that has nothing to ask for."""
        if key in self.queued and key not in self.taken:
            self.owed.discard(key)
        self.queued.discard(key)
        self.taken.discard(key)
        self.line.leave(key)

    async def drain(self) -> None:
        """Let all passes end, then each woken key make a pass with a call that succeeds."""
        for key in sorted(self.taken):
            self.line.leave(key)
        for _ in range(200):
            for key in sorted(self.queued):
                self.queued.discard(key)
                if self.door.visit(key):
                    self.owed.discard(key)
            await asyncio.sleep(5.0)


async def _drive(steps: list[tuple[str, str]], world: World) -> None:
    for what, key in steps:
        if what == "pass time":
            await asyncio.sleep(7.0)
        else:
            world.step(what, key)
        assert world.line.under_way <= 3
    await world.drain()
    assert world.owed == set()
    assert (world.line.waiting, world.line.under_way) == (0, 0)


@hypothesis.given(
    steps=strategies.lists(_STEPS, max_size=40),
    world_of=strategies.tuples(
        strategies.integers(min_value=1, max_value=5),
        strategies.integers(min_value=1, max_value=3),
        strategies.integers(min_value=0, max_value=5),
    ),
)
@hypothesis.settings(max_examples=50, deadline=None, database=None)
def test_whoever_waits_is_woken_and_every_turn_comes_back(
    steps: list[tuple[str, str]], world_of: tuple[int, int, int]
) -> None:
    """Whatever has happened: each key that was told to wait is woken, and in the end nobody waits or holds a turn."""
    rate, concurrency, seed = world_of

    async def drive() -> None:
        await _drive(steps, World(rate=rate, concurrency=concurrency, seed=seed))

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(drive())
