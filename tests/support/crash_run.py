"""One crash run from start to verdict: set up, do what users do, strike at the step, start again, wait for rest."""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import httpx

from tests.support import crash_traps, crash_users, crash_verdict
from tests.support.api_proxy import ApiProxy
from tests.support.crash_cluster import Cluster
from tests.support.crash_plan import Plan
from tests.support.crash_replica import Replica
from tests.support.simulator import Simulator

_PAUSE: Final = 0.03
_MOST_STARTS: Final = 25


class StuckError(Exception):
    """What was waited for did not come."""


@dataclasses.dataclass(frozen=True, slots=True)
class Times:
    """The operator's times as environment variables, and how long a run may wait for something (seconds)."""

    environ: Mapping[str, str]
    patience: float
    quiet: float
    """How long nothing may be asked of SCM before it counts as rest."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """What the runs share: one control plane, one simulator, and a proxy for each replica."""

    cluster: Cluster
    simulator: Simulator
    proxies: Sequence[ApiProxy]
    folder: pathlib.Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended."""

    plan: Plan
    verdict: crash_verdict.Verdict
    reached: bool
    """Whether the step was reached; if not, the operator was killed at rest."""
    kills: int
    """How often the operator was struck: killed, frozen or stopped."""
    asked: int
    """How often a person had to decide on an unknown outcome."""
    exits: int
    """How often the operator ended by itself and was started again."""
    seconds: float


class Run:
    """A run under way."""

    def __init__(self, plan: Plan, stage: Stage, times: Times) -> None:
        self._plan = plan
        self._stage = stage
        self._times = times
        self._kills = self._exits = 0
        self._reached = False
        self._again = list(plan.again)
        self._starts: dict[Replica, float] = {}
        self._trap: crash_traps.Trap | None = None
        self._began = self._started = time.monotonic()
        for proxy in stage.proxies:
            proxy.clear()
            proxy.forget()
        folder = stage.folder / f"seed-{plan.seed}"
        folder.mkdir()
        self._replicas = [
            Replica(proxy, folder=folder / f"replica-{n}", environ=times.environ)
            for n, proxy in enumerate(stage.proxies[: plan.replicas], start=1)
        ]
        self._faults = crash_traps.faults(plan)
        self._users = crash_users.Users(plan, stage.cluster, stage.simulator, wait=self._until)

    def play(self) -> Outcome:
        """Play it to its end; whatever happens, nothing of it runs afterwards."""
        try:
            return self._play()
        finally:
            for replica in self._replicas:
                replica.kill()
            for proxy in self._stage.proxies:
                proxy.clear()
            self._users.leave()

    def _play(self) -> Outcome:
        stuck = []
        try:
            self._create()
            self._change()
            self._strike_at_last()
            self._until_rest()
        except (StuckError, AssertionError, httpx.HTTPError) as error:
            stuck.append(f"STUCK: {type(error).__name__}: {error}")
        verdict = crash_verdict.judge(self._seen(warnings="".join(replica.warnings() for replica in self._replicas)))
        return Outcome(
            plan=self._plan,
            verdict=dataclasses.replace(verdict, problems=(*stuck, *verdict.problems)),
            reached=self._reached,
            kills=self._kills,
            asked=self._users.asked,
            exits=self._exits,
            seconds=time.monotonic() - self._began,
        )

    def _create(self) -> None:
        self._users.arrive()
        self._stage.simulator.faults(*self._faults, seed=self._plan.seed)
        if self._plan.step.phase == "creating":
            self._set_trap()
        if self._plan.starts_first:
            self._start_all()
        for resource in self._plan.resources:
            self._users.apply(resource)
        if not self._plan.starts_first:
            self._start_all()
        if self._plan.step.phase == "changing":
            self._until_rest()
            self._set_trap()

    def _change(self) -> None:
        for change, hurry in zip(self._plan.changes, self._plan.hurries, strict=True):
            self._users.change(change)
            self._until(_past(time.monotonic() + hurry), what="the next change")

    def _set_trap(self) -> None:
        self._trap = crash_traps.Setter(self._plan, self._replicas, self._stage.simulator, self._faults).set()

    def _start_all(self) -> None:
        for replica in self._replicas:
            self._starts[replica] = 0.0
        self._tick()

    def _strike_at_last(self) -> None:
        """Wait for the step; if all comes to rest without it, strike there. An instant always comes."""
        comes = isinstance(self._trap, crash_traps.Instant)

        def over() -> bool:
            if comes or self._restless():
                return self._reached
            return self._trap is None or not self._trap.sprung()  # what is held last of all leaves rest behind it

        self._until(over, what="the step, or rest")
        if not self._reached:
            self._strike()

    def _until_rest(self) -> None:
        """Wait until all is as it was wanted, and SCM has not been asked for anything for a while."""
        count, since = -1, time.monotonic()

        def resting() -> bool:
            nonlocal count, since
            requests = len(self._stage.simulator.requests(operation="UploadCsr"))
            if self._restless() or self._again or self._starts or requests != count:
                count, since = requests, time.monotonic()
            return time.monotonic() - since >= self._times.quiet

        self._until(resting, what="rest")

    def _restless(self) -> list[str]:
        seen = self._seen()
        self._users.decide(seen)
        return crash_verdict.restless(seen)

    def _seen(self, *, warnings: str = "") -> crash_verdict.Seen:
        return self._users.look(warnings=warnings)

    def _until(self, look: Callable[[], bool], *, what: str) -> None:
        deadline = time.monotonic() + self._times.patience
        while not look():
            self._tick()
            if time.monotonic() > deadline:
                raise StuckError(f"waited {self._times.patience:g} s in vain for {what}")
            time.sleep(_PAUSE)

    def _tick(self) -> None:
        """Do what is due: strike at the step, strike again, start what was killed or has ended by itself."""
        if self._trap is not None and self._trap.sprung():
            self._reached = True
            self._strike()
        now = time.monotonic()
        calm = self._trap is None and not self._starts and not any(replica.frozen for replica in self._replicas)
        if self._again and calm and now >= self._started + self._again[0]:
            del self._again[0]
            self._kills += 1
            self._kill(self._leader())
        for replica in self._replicas:
            if not replica.running and replica.starts and replica not in self._starts:
                self._exits += 1
                self._starts[replica] = now + _PAUSE
            if replica in self._starts and now >= self._starts[replica]:
                if replica.starts > _MOST_STARTS:
                    raise StuckError(f"the operator ends by itself again and again: {replica.log()[-1500:]}")
                del self._starts[replica]
                replica.start()
                self._started = now

    def _leader(self) -> Replica:
        running = [replica for replica in self._replicas if replica.running] or self._replicas
        return max(running, key=lambda replica: replica.led())

    def _strike(self) -> None:
        """Do to the operator what the plan says, and to what it had on the wire."""
        trap, self._trap = self._trap, None
        assert trap is not None
        victim = trap.holder() or self._leader()
        self._kills += 1
        if self._plan.step.name == "before the POST":
            trap.let_go(dropped=False)
        match self._plan.how:
            case "freeze":
                self._freeze(victim, trap)
            case "stop":
                self._stop(victim, trap)
            case _:
                self._kill(victim)
                time.sleep(self._plan.late)
                trap.let_go(dropped=self._plan.dropped)

    def _kill(self, victim: Replica) -> None:
        for replica in self._replicas if self._plan.both else [victim]:
            replica.kill()
            self._starts[replica] = time.monotonic() + self._plan.pause

    def _stop(self, victim: Replica, trap: crash_traps.Trap) -> None:
        victim.ask_to_end()
        time.sleep(self._plan.late)
        trap.let_go(dropped=False)
        self._starts[victim] = float("inf")  # not counted as an exit of its own
        self._until(lambda: not victim.running, what="the operator to end when asked to")
        self._starts[victim] = time.monotonic() + self._plan.pause

    def _freeze(self, victim: Replica, trap: crash_traps.Trap) -> None:
        """Freeze it until another leads, let what it had sent arrive then, and thaw it."""
        victim.freeze()
        moment = time.monotonic()
        at_the_service = isinstance(trap, crash_traps.AtTheService)
        if at_the_service:  # what a service stores later than the settle time is nobody's to guarantee
            trap.let_go(dropped=False)
        others = [replica for replica in self._replicas if replica is not victim]
        try:
            self._until(lambda: any(other.led() > moment for other in others), what="another to lead")
        finally:
            if not at_the_service:
                trap.let_go(dropped=self._plan.dropped)
            victim.thaw()


def _past(moment: float) -> Callable[[], bool]:
    return lambda: time.monotonic() >= moment
