"""kopf in a thread and an event loop of its own.

When kopf ends, it cancels every task of its loop that it doesn't know; a POST in flight must not be among them.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import aiohttp
import kopf
import uvloop

from scm_operator.domain import ports
from scm_operator.handlers import pacing, session

_GOODBYE = 2.0  # seconds for kopf's tasks to end


class Listener(Protocol):
    """Who is told of what the watches show; called in the event loop given to `Watches`."""

    def seen(self, plural: str, body: Mapping[str, Any]) -> None:
        """A resource was listed, appeared or changed."""

    def gone(self, plural: str, body: Mapping[str, Any]) -> None:
        """A resource was deleted."""

    def listed(self, path: str) -> None:
        """A complete list was made; what was deleted before it may have gone untold."""


class Watches:
    """The watches on some kinds of one API group, in all namespaces or in some; ``lists`` are the paths of these."""

    def __init__(  # noqa: PLR0913 - what kopf's session needs
        self,
        *,
        group: str,
        version: str,
        plurals: tuple[str, ...],
        namespaces: tuple[str, ...],
        lists: tuple[str, ...],
        server: str,
        ssl_context: ssl.SSLContext,
        authorization: session.Authorization,
        listener: Listener,
        on_move: Callable[[str], None],
        meter: ports.ApiMeter,
    ) -> None:
        self._registry = kopf.OperatorRegistry()
        self._server = server
        self._ssl_context = ssl_context
        self._authorization = authorization
        self._listener = listener
        self._on_move = on_move
        self._meter = meter
        self._namespaces = namespaces
        self._lists = lists
        self._stop: Callable[[], object] = lambda: None
        self._logins = 0
        self._pacer = pacing.Pacer()
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._register_settings()
        for plural in plurals:
            self._register_watch(group, version, plural)

    def start(self) -> None:
        """Begin to watch; `ended` is done when the watches have ended, with the exception if they failed."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name="kopf", daemon=True).start()

    def stop(self) -> None:
        """Ask the watches to end."""
        with contextlib.suppress(RuntimeError):  # they have ended already
            self._stop()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._host())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for the end
            self._end(error)

    async def _host(self) -> None:
        """Run kopf's tasks until one of them ends.

        Not by kopf.operator: that waits for all its tasks to be cancelled before it tells that one has failed, and some
        of 1.45.2 can't be: the process would live on and see nothing.
        """
        # An event of this loop: for one of another thread kopf keeps a thread waiting that nothing ends.
        stop = asyncio.Event()
        self._stop = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set)
        tasks = await kopf.spawn_tasks(
            registry=self._registry,
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=stop,
            settings=_settings(),
        )
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self._end(next((error for task in done if not task.cancelled() and (error := task.exception())), None))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_GOODBYE)

    def _end(self, error: BaseException | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:  # the loop has ended: nobody listens any more
            self.stop()

    def _register_watch(self, group: str, version: str, plural: str) -> None:
        @kopf.on.event(group, version, plural, id=f"watch-{plural}", registry=self._registry)
        async def on_event(event: kopf.RawEvent, **_: object) -> None:
            told = self._listener.gone if event["type"] == "DELETED" else self._listener.seen
            self._tell(told, plural, event["object"])

    def _register_settings(self) -> None:
        @kopf.on.login(id="login", registry=self._registry)
        async def login(**_: object) -> kopf.AiohttpSession:
            self._logins += 1
            if self._logins > 1:
                await asyncio.sleep(1)  # asked again after a broken TLS stream: no busy loop
            return session.open_session(
                server=self._server,
                # No limit: each watch keeps a connection, and there are as many as namespaces and kinds; kopf asks for
                # no more than that at the same time.
                connector=aiohttp.TCPConnector(limit=0, ssl=self._ssl_context),
                authorization=self._authorization,
                lists=self._lists,
                on_list=lambda path: self._tell(self._listener.listed, path),
                pacer=self._pacer,
                on_move=self._on_move,
                meter=self._meter,
            )


class _NoDiffBase(kopf.DiffBaseStorage):
    """Saves kopf a deep copy of each event's object; right where there are no change handlers."""

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:  # noqa: ARG002
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:  # noqa: ARG002
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        pass


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.queueing.idle_timeout = 0.5  # memory: a worker keeps its object that long; 0 would be a busy loop
    settings.queueing.error_delays = (1, 2, 5, 10, 30)
    settings.watching.chunk_size = 500
    settings.watching.inactivity_timeout = 70
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.progress_storage = kopf.StatusProgressStorage()
    return settings
