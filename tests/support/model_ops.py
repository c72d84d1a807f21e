"""Operations of a process on the outside world: each is under way until the explorer says what becomes of it."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any, Protocol


class Caller(Protocol):
    """A process, as an operation needs to know it."""

    number: int
    alive: bool
    frozen: bool

    def doing(self) -> str:
        """Return the name of the upload that the running task is about."""


@dataclasses.dataclass(eq=False, slots=True)
class Op:
    """A request: ``apply`` is what it does where it arrives, ``lost`` and ``refused`` what its caller is told else.

    ``late`` says whether it may be done after its caller has given up, ``survives`` whether after its caller's death,
    and ``expires`` when it can't be done any more.
    """

    kind: str
    about: str
    caller: Caller
    apply: Callable[[], Any]
    lost: Callable[[], Exception]
    refused: Callable[[], Exception]
    late: bool = True
    survives: bool = True
    expires: float | None = None
    future: "asyncio.Future[Any] | None" = None
    applied: bool = False
    outcome: Any = None
    error: Exception | None = None

    @property
    def label(self) -> str:
        """Return how steps name it."""
        return f"{self.kind} {self.about}" if self.about else self.kind

    @property
    def can_come_late(self) -> bool:
        """Say whether it may still be done although nobody waits for it."""
        return not self.applied and (self.late if self.caller.alive else self.survives)

    @property
    def waited_for(self) -> bool:
        """Say whether somebody still waits for its answer."""
        return self.caller.alive and self.future is not None and not self.future.done()


class Wire:
    """All operations under way, oldest first."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    async def call(self, op: Op, *, timeout: float = 30.0) -> Any:  # noqa: ANN401, ASYNC109 - of the request
        """Wait for what becomes of it; after ``timeout`` seconds its answer counts as lost."""
        if not op.caller.alive:
            raise asyncio.CancelledError
        loop = asyncio.get_running_loop()
        future = op.future = loop.create_future()
        self.ops.append(op)
        timer = loop.call_later(max(timeout, 0.0), self._expire, op)
        try:
            return await future
        finally:
            timer.cancel()
            self._tidy()

    def act(self, op: Op, action: str) -> bool:
        """Let something happen to an operation; return False if it can't.

        do: done and answered. apply: done, its answer is under way. answer: that arrives. lose: done if it wasn't,
        the answer is lost. refuse, fail: not done, and the caller knows it, or doesn't. late: the caller gives up, it
        may be done afterwards. drop: it never will be.
        """
        if not self._fits(op, action):
            return False
        if action in {"do", "apply", "lose"} and not op.applied:
            self._apply(op)
        if action in {"do", "answer"} and op.waited_for and op.future:
            op.future.set_exception(op.error) if op.error else op.future.set_result(op.outcome)
        if action in {"lose", "fail", "late"} and op.waited_for and op.future:
            op.future.set_exception(op.lost())
        if action == "refuse" and op.future:
            op.future.set_exception(op.refused())
        if action in {"refuse", "fail", "drop"}:
            op.applied = True
        self._tidy()
        return True

    def expire(self, now: float) -> None:
        """Let go of what can't be done any more."""
        for op in self.ops:
            if op.expires is not None and now > op.expires and not op.waited_for:
                op.applied = True
        self._tidy()

    def _fits(self, op: Op, action: str) -> bool:
        if action == "answer":
            return op.applied and op.waited_for
        if action == "lose":
            return op.waited_for
        if action in {"apply", "do"}:
            return not op.applied
        if action == "drop":
            return not op.waited_for
        return op.waited_for and not op.applied and (action != "late" or op.late)

    def _apply(self, op: Op) -> None:
        op.applied = True
        try:
            op.outcome = op.apply()
        except Exception as error:  # noqa: BLE001 - it is the answer
            op.error = error

    def _expire(self, op: Op) -> None:
        if op.waited_for:
            self.act(op, "lose" if op.applied else "late" if op.late else "fail")

    def _tidy(self) -> None:
        self.ops = [op for op in self.ops if op.waited_for or op.can_come_late]
