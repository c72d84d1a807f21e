"""One container: started when all it needs is there, started again when it ends, and ended for good."""

import asyncio
import contextlib

from dev.node import back_off, clock, command, fields, objects, status
from dev.node.api import ApiError, Object
from dev.node.run import Run
from dev.node.surroundings import Surroundings

_MISSING = (objects.MissingError, fields.UnknownFieldError, ApiError)
_LAST_WORDS = 2048


class Container:
    """One container of a Pod; its view says how it is. ``policy`` is its restart policy."""

    def __init__(self, spec: Object, *, around: Surroundings, policy: str) -> None:
        self._spec, self._around, self._policy = spec, around, policy
        self._stopping = asyncio.Event()
        self._run: Run | None = None
        settings, now = around.settings, asyncio.get_running_loop().time
        self._back_off = back_off.BackOff(first=settings.first_back_off, longest=settings.longest_back_off, clock=now)
        self.view = status.View(spec["name"], spec["image"])

    async def run(self) -> None:
        """Start it, and again as its restart policy says, until it has ended for good or is told to end."""
        while (wanted := await self._command()) is not None:
            await self._live(wanted)
            if self._stopping.is_set() or not self._is_restarted():
                break
            await self._rest()
        self.view.over = True
        self._around.changed()

    async def end(self, *, grace: float) -> None:
        """End it in order, within the grace (seconds); it is not started again."""
        self._stopping.set()
        if self._run is not None:
            await self._run.end(grace=grace)

    def kill(self) -> None:
        """Kill it at once; it is not started again."""
        self._stopping.set()
        if self._run is not None:
            self._run.kill()

    async def _command(self) -> command.Command | None:
        """Return what to run, as soon as all that it needs is there; None when it is told to end."""
        said = ""
        while not self._stopping.is_set():
            try:
                return await command.of(self._spec, around=self._around)
            except command.UnknownImageError as error:
                await self._no_image(str(error))
            except _MISSING as error:
                if said != (said := str(error)):
                    self._around.events.warn("Failed", f"Error: {said}")
                self._waits("CreateContainerConfigError", said)
                await self._pause(self._around.settings.retry)
        return None

    async def _no_image(self, message: str) -> None:
        """Say so, and wait to be told to end: what this node knows doesn't change."""
        self._around.events.warn("Failed", message)
        self._waits("ErrImagePull", message)
        await self._pause(self._around.settings.first_back_off)
        self._waits("ImagePullBackOff", f"Back-off pulling image: {message}")
        await self._stopping.wait()

    async def _live(self, wanted: command.Command) -> None:
        begun = clock.seconds(clock.now())
        try:
            self._run = await Run.start(wanted, spec=self._spec, around=self._around, view=self.view)
        except OSError as error:
            self._ended(128, begun=begun, reason="StartError", message=f"{wanted.words[0]}: {error.strerror}")
            return
        self._back_off.started()
        self.view.state = {"running": {"startedAt": begun}}
        self._around.events.note("Started", f"Started container {self.view.name}")
        self._around.changed()
        if self._stopping.is_set():  # told to end while it was being started
            await self._run.end(grace=self._around.grace)
        code = await self._run.wait()
        self._run = None
        self._ended(code, begun=begun, reason="Error" if code else "Completed", message=self._last_words(code))

    def _last_words(self, code: int) -> str:
        if code == 0 or self._spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        log = self._around.logs(self.view.name) / f"{self.view.restarts}.log"
        return log.read_text(errors="replace")[-_LAST_WORDS:]

    def _ended(self, code: int, *, begun: str, reason: str, message: str) -> None:
        ended = {"exitCode": code, "reason": reason, "startedAt": begun, "finishedAt": clock.seconds(clock.now())}
        self.view.state = {"terminated": ended | ({"message": message} if message else {})}
        self.view.ready = self.view.started = False
        self._around.changed()

    def _is_restarted(self) -> bool:
        return self._policy == "Always" or (self._policy == "OnFailure" and self.view.exit_code != 0)

    async def _rest(self) -> None:
        self.view.last = self.view.state
        if wait := self._back_off.after_end():
            message = f"back-off {wait:g}s restarting failed container={self.view.name}"
            self._around.events.warn("BackOff", message)
            self._waits("CrashLoopBackOff", message)
            await self._pause(wait)
        if not self._stopping.is_set():
            self.view.restarts += 1

    def _waits(self, reason: str, message: str) -> None:
        self.view.state = {"waiting": {"reason": reason, "message": message}}
        self._around.changed()

    async def _pause(self, seconds: float) -> None:
        """Sleep so long, or until it is told to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
