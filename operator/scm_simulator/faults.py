"""The faults in force: which rules fire at a request, and what they make of it. The same seed gives the same run."""

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from scm_simulator import fault_actions, fault_rules


@dataclasses.dataclass(slots=True)
class _Active:
    """A rule in force, with what it has counted."""

    rule: fault_rules.Rule
    dice: random.Random
    calls: int = 0
    fired: int = 0
    window_start: float | None = None
    window_calls: int = 0

    def fires(self, *, now: float) -> bool:
        """Count a request that the rule covers; tell whether the rule fires at it."""
        match = self.rule.match
        self.calls += 1
        # The dice are rolled at every request, so that no other condition changes what comes after.
        lucky = match.probability is None or self.dice.random() < match.probability
        if not lucky or (match.calls is not None and self.calls not in match.calls):
            return False
        if match.times is not None and self.fired >= match.times:
            return False
        throttle = self.rule.action
        return not isinstance(throttle, fault_actions.Throttle) or self._exceeds(throttle, now=now)

    def _exceeds(self, throttle: fault_actions.Throttle, *, now: float) -> bool:
        if self.window_start is None or now - self.window_start >= throttle.window_seconds:
            self.window_start, self.window_calls = now, 0
        self.window_calls += 1
        return self.window_calls > throttle.requests


class Faults:
    """All rules in force, and the requests that they hold."""

    def __init__(self, *, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        """Start without rules; `clock` tells seconds, `sleep` waits for so many."""
        self._clock = clock
        self._sleep = sleep
        self._seed = 0
        self._active: list[_Active] = []
        self._held: list[tuple[str, asyncio.Future[bool]]] = []

    def replace(self, rules: Sequence[fault_rules.Rule], *, seed: int) -> None:
        """Put other rules in force, with their counts at zero; what is held stays held."""
        self._seed = seed
        # Each rule has dice of its own: a rule more or less doesn't change what the others do.
        # Reproducible on purpose: nothing here is a secret.
        self._active = [
            _Active(rule, random.Random(f"{seed}:{rule.name}"))  # noqa: S311 - dice for faults, not for secrets
            for rule in rules
        ]

    def clear(self) -> None:
        """End all rules; what is held is dropped: its connection is reset and nothing more of it is handled."""
        self._active = []
        self._end_holds(None, go_on=False)

    def release(self, rule: str | None = None) -> int:
        """Let what a rule holds (or what any holds) go on; return how many requests that were."""
        return self._end_holds(rule, go_on=True)

    def document(self) -> dict[str, object]:
        """Return the rules in force with their counts, as JSON."""
        return {
            "seed": self._seed,
            "rules": [
                {
                    **active.rule.document,
                    "calls": active.calls,
                    "fired": active.fired,
                    "held": sum(name == active.rule.name and not end.done() for name, end in self._held),
                }
                for active in self._active
            ],
        }

    def fire(self, call: fault_rules.Call) -> list[fault_rules.Rule]:
        """Return the rules that fire at a request, in order; only the first of those that decide on the answer does."""
        now = self._clock()
        fired: list[fault_rules.Rule] = []
        answered = False
        for active in self._active:
            rule = active.rule
            if not rule.match.covers(call) or not active.fires(now=now) or (answered and rule.action.answers):
                continue
            answered = answered or rule.action.answers
            active.fired += 1
            fired.append(rule)
        return fired

    async def around(
        self, rules: Sequence[fault_rules.Rule], *, request_id: str, proceed: Callable[[], Awaitable[web.Response]]
    ) -> web.Response:
        """Handle a request under the rules that fired at it.

        Raises:
            AbortConnectionError: the connection is to be reset.

        """
        action = next((rule.action for rule in rules if rule.action.answers), None)
        await self._pause(rules, stage="before-store")
        if action is not None and not action.after_store:
            return action.answer(request_id)
        response = await proceed()
        await self._pause(rules, stage="after-store")
        return response if action is None else action.spoil(response, request_id=request_id)

    async def _pause(self, rules: Sequence[fault_rules.Rule], *, stage: fault_rules.Hold) -> None:
        for rule in rules:
            if isinstance(rule.action, fault_actions.Delay) and rule.action.after_store == (stage == "after-store"):
                await self._sleep(rule.action.seconds)
            if rule.hold == stage:
                await self._hold(rule.name)

    async def _hold(self, rule: str) -> None:
        held = (rule, asyncio.get_running_loop().create_future())
        self._held.append(held)
        try:
            if not await held[1]:
                raise fault_actions.AbortConnectionError("dropped while held")
        finally:
            self._held = [other for other in self._held if other is not held]

    def _end_holds(self, rule: str | None, *, go_on: bool) -> int:
        ended = [future for name, future in self._held if rule in (None, name) and not future.done()]
        for future in ended:
            future.set_result(go_on)
        return len(ended)
