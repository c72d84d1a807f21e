"""One run of a container: a process, the probes of it, and its end."""

import asyncio
import contextlib
import functools
from collections.abc import Callable
from typing import Self

from dev.node import child, probes, probing, status, tokens
from dev.node.api import Object
from dev.node.command import Command
from dev.node.surroundings import Surroundings

_LEAST_GRACE = 2.0
"""Seconds that a process has after SIGTERM, even when a preStop hook has used up its grace period."""


_NAMES = {probes.STARTUP: "Startup", probes.READINESS: "Readiness", probes.LIVENESS: "Liveness"}

Told = Callable[[str, probes.Tally], None]


class Run:
    """A process that runs; what its probes find is written into the container's view."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        *,
        prober: probing.Prober,
        around: Surroundings,
        view: status.View,
    ) -> None:
        self._process, self._prober, self._around, self._view = process, prober, around, view
        self._probes = probes.of(prober.container)
        self._begun = asyncio.get_running_loop().time()
        self._told_to_end = False
        self._failing: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, command: Command, *, spec: Object, around: Surroundings, view: status.View) -> Self:
        """Start the process, its output in a log of its own.

        Raises:
            OSError: There is no such program.

        """
        logs = around.logs(view.name)
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / f"{view.restarts}.log"
        process = await child.start(command.words, environ=command.environ, folder=around.folder, log=log)
        tokens.replace(logs / "pid", str(process.pid))
        prober = probing.Prober(around.session, spec, around.facts.address, command.environ, around.folder)
        return cls(process, prober=prober, around=around, view=view)

    async def wait(self) -> int:
        """Probe it until it ends, and return its exit code as a shell would: 128 and more for a signal."""
        probed = asyncio.create_task(self._probe())
        try:
            code = await self._process.wait()
        finally:
            probed.cancel()
            await asyncio.gather(probed, return_exceptions=True)
        child.sweep(self._process.pid)
        return 128 - code if code < 0 else code

    async def end(self, *, grace: float) -> None:
        """Do what its preStop hook says, send SIGTERM, and SIGKILL when the grace (seconds) is over."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + grace
        if not self._told_to_end:
            self._told_to_end = True
            await self._pre_stop(grace)
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
        try:
            async with asyncio.timeout_at(max(deadline, clock() + _LEAST_GRACE)):
                await self._process.wait()
        except TimeoutError:
            self.kill()

    def kill(self) -> None:
        """Kill it at once."""
        self._told_to_end = True
        child.kill(self._process)

    async def _pre_stop(self, grace: float) -> None:
        if hook := self._prober.container.get("lifecycle", {}).get("preStop"):
            done = await probing.within(grace, lambda: self._prober.attempt(hook))
            if not done.success:
                self._around.events.warn("FailedPreStopHook", done.message)

    # -- its probes

    async def _probe(self) -> None:
        if probes.STARTUP in self._probes:
            await self._until_started()
        self._view.started = True
        self._view.ready = probes.READINESS not in self._probes
        self._around.changed()
        told = {probes.READINESS: self._is_ready, probes.LIVENESS: self._is_alive}
        await asyncio.gather(*(self._watch(kind, tell) for kind, tell in told.items() if kind in self._probes))

    async def _until_started(self) -> None:
        started = asyncio.Event()

        def told(kind: str, tally: probes.Tally) -> None:
            self._is_alive(kind, tally)
            if tally.verdict:
                started.set()

        watching = asyncio.create_task(self._watch(probes.STARTUP, told))
        try:
            await started.wait()
        finally:
            watching.cancel()

    async def _watch(self, kind: str, told: Told) -> None:
        probe = self._probes[kind]

        def tell(tally: probes.Tally, result: probing.Result) -> None:
            if not result.success:
                self._around.events.warn("Unhealthy", f"{_NAMES[kind]} probe failed: {result.message}")
            told(kind, tally)

        attempt = functools.partial(self._prober.attempt, probe.action)
        await probing.watch(probe, since=self._begun, attempt=attempt, told=tell)

    def _is_ready(self, _kind: str, tally: probes.Tally) -> None:
        if self._view.ready != bool(tally.verdict):
            self._view.ready = bool(tally.verdict)
            self._around.changed()

    def _is_alive(self, kind: str, tally: probes.Tally) -> None:
        if tally.verdict is False and not self._told_to_end:
            message = f"Container {self._view.name} failed its {_NAMES[kind].lower()} probe and is ended"
            self._around.events.note("Killing", message)
            grace = self._probes[kind].grace
            self._failing = asyncio.create_task(self.end(grace=self._around.grace if grace is None else grace))
