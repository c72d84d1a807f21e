"""The whole model: persons (model_persons), what becomes of requests, and time; a run is a list of named steps."""

import collections

from tests.support import model_lease, model_wiring
from tests.support.model_persons import Persons
from tests.support.model_process import Process

NAMES = ("a", "b", "c")
Step = tuple[str, ...]


class World(Persons):
    """Everything, between two steps; `do` takes one."""

    def __init__(self, rules: model_wiring.Rules = model_wiring.ALL) -> None:
        super().__init__(rules)
        self.done: list[Step] = []

    def close(self) -> None:
        """End all processes."""
        for process in self.living:
            process.die()

    @property
    def leader(self) -> Process | None:
        """Return the process that holds the Lease and runs."""
        return next((one for one in self.living if one.journal.holds() and not one.frozen), None)

    def do(self, *step: str) -> bool:
        """Take a step; return False if it can't be taken now."""
        kind, *rest = step
        if not getattr(self, f"_do_{kind}")(*rest):
            return False
        self.done.append(step)
        self.run()
        return True

    def run(self) -> None:
        """Let all processes run until they wait."""
        for process in self.living:
            if not process.frozen:
                process.loop.settle()
                if process.loop.is_busy:
                    self.attention.bugs.append(f"process {process.number} never waits")
                    process.die()

    # The network, and watches.

    def _do_op(self, action: str, kind: str, about: str = "", number: str = "") -> bool:
        """Let something happen to the oldest operation of that kind; of process ``number``, if that is said."""
        for op in self.wire.ops:
            if (op.kind, op.about) == (kind, about) and (not number or str(op.caller.number) == number):
                if op.caller.frozen and action in {"answer", "refuse"}:
                    continue
                if self.wire.act(op, action):
                    return True
        return False

    def _do_drain(self) -> bool:
        """Let everything under way end well."""
        self._drain()
        return True

    def _do_quiet(self, seconds: str) -> bool:
        """Let time pass in which everything ends well; what is wrong then is looked for (model_explorer.replay)."""
        self._be_quiet(float(seconds))
        return True

    def _do_hear(self, name: str, number: str = "") -> bool:
        heard = [one.hear(name) for one in self._meant(number) if not one.frozen]  # by all, and not only the first
        return any(heard)

    def _do_relist(self, number: str = "") -> bool:
        for one in self._meant(number):
            if not one.frozen:
                one.relist()
        return True

    def _meant(self, number: str) -> list[Process]:
        return [one for one in self.living if not number or str(one.number) == number]

    # Processes.

    def _do_start(self) -> bool:
        """A process takes the Lease over, as soon as it is free."""
        if self.leader:
            return False
        left = self.lease.written + model_lease.DURATION - self.clock.monotonic()
        if left > 0:
            self.pass_time(left)
        if self.leader:
            return False
        self.processes.append(Process(len(self.processes) + 1, self))
        return True

    def _do_crash(self, number: str = "") -> bool:
        victims = self._meant(number)
        for process in victims:
            process.die()
        return bool(victims)

    def _do_stop(self) -> bool:
        """The leader is asked to end."""
        if self.leader is None or self.leader.stopping:
            return False
        self.leader.stop()
        return True

    def _do_release(self) -> bool:
        """A leader that was asked to end, and has nothing under way, gives the Lease back and ends."""
        for process in self.living:
            if process.is_done and not process.frozen:
                process.journal.release()
                process.die()
                return True
        return False

    def _do_freeze(self) -> bool:
        if self.leader is None:
            return False
        self.leader.frozen = True
        return True

    def _do_thaw(self) -> bool:
        frozen = [one for one in self.living if one.frozen]
        for process in frozen:
            process.frozen = False
        return bool(frozen)

    def _do_cut(self) -> bool:
        """The leader can't renew any more."""
        if self.leader is None:
            return False
        self.leader.journal.renews = False
        return True

    def _do_time(self, seconds: str) -> bool:
        self.pass_time(float(seconds))
        return True

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with all timers on the way."""
        end = self.clock.seconds + seconds
        while self.clock.seconds < end:
            due = [one.loop.due_in for one in self.living if not one.frozen and one.loop.due_in is not None]
            self.clock.seconds = min(end, self.clock.seconds + min([*due, model_lease.RETRY_PERIOD]))
            self.wire.expire(self.clock.seconds)
            for process in self.living:
                if not process.frozen:
                    process.journal.renew()
            self.run()

    def events_waiting(self) -> collections.Counter[tuple[str, Process]]:
        """Return what watches have yet to tell."""
        return collections.Counter(
            {(name, one): len(events) for one in self.living for name, events in one.events.items() if events}
        )

    def rest(self, seconds: float = 800.0) -> None:
        """Stop all faults, let what is under way end, and time pass."""
        self._do_thaw()
        self.scm.forbidden = self.scm.slow_tokens = False
        if self.leader is None or self.leader.stopping or not self.leader.journal.renews:
            self._do_crash()
            self._do_start()
        self._be_quiet(seconds)
        for name in NAMES:
            found = self.name_of(name)
            if found and found.status.record and found.status.record.scm_id not in self.scm.entries:
                self._do_request(name)
        self._be_quiet(100.0)

    def _be_quiet(self, seconds: float) -> None:
        end = self.clock.seconds + seconds
        while self.clock.seconds < end:
            self._drain()
            self.pass_time(10.0)
        self._drain()

    def _drain(self) -> None:
        """Let everything under way end."""
        for _ in range(2_000):
            self.run()
            if op := next((one for one in self.wire.ops if not one.caller.frozen), None):
                self.wire.act(op, "answer" if op.applied else "do")
            elif waiting := next(iter(self.events_waiting()), None):
                waiting[1].hear(waiting[0])
            else:
                return
        self.attention.bugs.append("it never ends")
