"""The explorer: from what can happen now to one step of it, by chance; and the shortest run of those that go wrong."""

import random
import re
from collections.abc import Callable, Iterator, Sequence

from tests.support import model_truth, model_wiring
from tests.support.model_world import NAMES, Step, World

_ACTIONS = ("do",) * 8 + ("apply",) * 3 + ("answer",) * 4 + ("lose",) * 3 + ("late",) * 2 + ("refuse", "fail", "drop")
_TIMES = ("1", "5", "16", "31", "61")
Pick = Callable[[int], int]
"""Returns one of so many numbers, from 0."""


def a_step(world: World, pick: Pick) -> Step:
    """Return something that can happen; now and then it turns out that it can't."""
    number = pick(100)
    if number < 55 and world.wire.ops:
        op = world.wire.ops[pick(len(world.wire.ops))]
        return "op", _ACTIONS[pick(len(_ACTIONS))], op.kind, op.about, str(op.caller.number)
    if number < 75 and (waiting := sorted((name, one.number) for name, one in world.events_waiting())):
        name, process = waiting[pick(len(waiting))]
        return "hear", name, str(process)
    if number < 87:
        return _person(world, pick)
    return _weather(world, pick)


def _person(world: World, pick: Pick) -> Step:
    name = NAMES[pick(len(NAMES))]
    scm_name, content = "xy"[pick(4) // 3], "AB"[pick(4) // 3]
    if world.name_of(name) is None:
        options = (
            (),
            (),
            (),
            ("key",),
            ("delete",),
            ("delete", "key"),
            ("adopt",),
            ("two",),
            ("alias",),
        )[pick(9)]
        return "create", name, content, scm_name, *options
    return (
        ("content", name, "AB"[pick(2)]),
        ("content", name, "AB"[pick(2)]),
        ("key", name),
        ("rename", name, "xy"[pick(2)]),
        ("suspend", name),
        ("move", name, ("one", "two", "alias")[pick(3)]),
        ("policy", name),
        ("touch", name),
        ("request", name),
        ("confirm", name),
        ("delete", name),
        ("delete", name),
        ("vanish", name),
    )[pick(13)]


def _weather(world: World, pick: Pick) -> Step:
    if world.leader is None:
        return ("start",) if pick(3) else (("thaw",), ("release",), ("time", "16"), ("crash", "1"))[pick(4)]
    return (
        ("crash",),
        ("crash",),
        ("stop",),
        ("release",),
        ("freeze",),
        ("cut",),
        ("thaw",),
        ("relist",),
        ("permission", "off"),
        ("permission", "on"),
        ("tokens", "slow" if pick(2) else "fast"),
        ("foreign", "one", "x", "AB"[pick(2)]),
        *(("time", seconds) for seconds in _TIMES),
        ("time", "61"),
    )[pick(18)]


def explore(
    seed: int, *, rules: model_wiring.Rules = model_wiring.ALL, steps: int = 80
) -> tuple[list[Step], str | None]:
    """Run so many steps by a seed; return those that were taken, and what went wrong, if anything did."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    world = World(rules)
    try:
        world.do("start")
        for _ in range(steps):
            world.do(*a_step(world, chance.randrange))
            if trouble := model_truth.wrong(world):
                return world.done, trouble
        world.rest()
        return world.done, model_truth.wrong_at_rest(world)
    finally:
        world.close()


def replay(steps: Sequence[Step], *, rules: model_wiring.Rules = model_wiring.ALL) -> tuple[list[Step], str | None]:
    """Take the given steps, leaving out those that can't be taken; return those that were, and what went wrong."""
    world = World(rules)
    try:
        for step in steps:
            world.do(*step)
            wrong = model_truth.wrong_at_rest if step[0] == "quiet" else model_truth.wrong
            if trouble := wrong(world):
                return world.done, trouble
        world.rest()
        return world.done, model_truth.wrong_at_rest(world)
    finally:
        world.close()


def script(text: str) -> list[Step]:
    """Return the steps that are written there, with semicolons between them."""
    return [tuple(step.split()) for step in text.split(";") if step.strip()]


def shortest(steps: Sequence[Step], *, rules: model_wiring.Rules = model_wiring.ALL) -> tuple[list[Step], str | None]:
    """Leave out steps for as long as something still goes wrong."""
    best, trouble = replay(steps, rules=rules)
    kind = _kind(trouble)
    size = max(1, len(best) // 2)
    while trouble:
        for fewer in _with_fewer(best, size):
            left, other = replay(fewer, rules=rules)
            if other and _kind(other) == kind and len(left) < len(best):
                best, trouble = left, other
                break
        else:
            if size == 1:
                break
            size //= 2
    return best, trouble


def _kind(trouble: str | None) -> str:
    return re.sub(r"[\d#:]+|'[^']*'", "", trouble or "")[:30]


def _with_fewer(steps: Sequence[Step], size: int) -> Iterator[list[Step]]:
    for start in range(0, len(steps), size):
        yield [*steps[:start], *steps[start + size :]]
