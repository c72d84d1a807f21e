"""A reverse proxy between a client and an API server, which goes wrong on command; it runs in a thread of its own.

The client's own token goes through. A test says what is to go wrong by rules, of which the first that fires decides::

    with api_proxy.running(kubeconfig) as proxy:
        operator = Operator(proxy.kubeconfig(tmp_path / "kubeconfig"), ...)
        posted = proxy.rule(Hold(answered=True), method="PATCH", path="*/status", times=1)
        posted.wait_held()     # the API server has written it, the operator doesn't know yet
        operator.kill()
        posted.drop()
"""

import asyncio
import base64
import bisect
import contextlib
import json
import pathlib
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

from tests.support import api_proxy_rules as rules
from tests.support.api_proxy_server import Server

T = TypeVar("T")
_TIMEOUT = 30.0


class ApiProxy:
    """A running proxy; its methods are called from the test's thread and have been done when they return."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, *, source: pathlib.Path) -> None:
        self._server = server
        self._loop = loop
        self._source = source

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.port}"

    def kubeconfig(self, path: pathlib.Path) -> pathlib.Path:
        """Write the kubeconfig that it was made from with its own address in it, and return the path."""
        document = json.loads(self._source.read_text())
        for cluster in document["clusters"]:
            cluster["cluster"] = {"server": self.url}
        path.touch(mode=0o600)
        path.write_text(json.dumps(document))
        return path

    def rule(
        self,
        action: rules.Action,
        *,
        method: str | None = None,
        path: str = "*",
        query: Mapping[str, str | None] | None = None,
        when: Callable[[rules.Asked], bool] | None = None,
        skip: int = 0,
        times: int | None = None,
    ) -> rules.Rule:
        """Put a rule in force, behind those that are; `rules.Match` says what the parameters mean."""
        match = rules.Match(method=method, path=path, query=query or {}, when=when)
        rule = rules.Rule(action, match, skip=skip, times=times, in_loop=self._in_loop)
        self._in_loop(lambda: self._server.rules.append(rule))
        return rule

    def remove(self, rule: rules.Rule) -> None:
        """End a rule; what it holds stays held until it is released or dropped."""
        self._in_loop(lambda: self._server.rules.remove(rule))

    def clear(self) -> None:
        """End all rules; what they hold is dropped."""

        def end() -> None:
            for rule in self._server.rules:
                rule.end(go_on=False)
            self._server.rules.clear()

        self._in_loop(end)

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Reset all connections and refuse new ones, as long as the block lasts."""
        self._run(self._server.refuse())
        try:
            yield
        finally:
            self._run(self._server.listen())

    def silence(self, path: str = "*") -> None:
        """Forward nothing more on the watches of a path that are open now, and keep their connections."""
        self._in_loop(lambda: self._server.silence(path))

    def cut(self, path: str = "*") -> None:
        """Reset the connections of the watches of a path that are open now."""
        self._in_loop(lambda: self._server.cut(path))

    def watches(self, path: str = "*") -> int:
        """Return how many watches of a path are open now."""
        return self._get(lambda: self._server.count_open(path))

    def asked(
        self,
        *,
        method: str | None = None,
        path: str = "*",
        query: Mapping[str, str | None] | None = None,
        since: float = 0.0,
    ) -> list[rules.Asked]:
        """Return the requests that arrived, oldest first; ``since`` in seconds of the monotonic clock."""
        match = rules.Match(method=method, path=path, query=query or {})
        return [asked for asked in list(self._server.asked) if asked.at >= since and match.covers(asked)]

    def busiest(
        self,
        *,
        seconds: float = 1.0,
        method: str | None = None,
        path: str = "*",
        query: Mapping[str, str | None] | None = None,
        since: float = 0.0,
    ) -> int:
        """Return the most requests that arrived within any stretch of so many seconds."""
        moments = sorted(asked.at for asked in self.asked(method=method, path=path, query=query, since=since))
        return max((bisect.bisect(moments, at + seconds) - n for n, at in enumerate(moments)), default=0)

    def forget(self) -> None:
        """Count from now on."""
        self._in_loop(self._server.asked.clear)

    def _in_loop(self, act: Callable[[], None]) -> None:
        self._get(act)

    def _get(self, act: Callable[[], T]) -> T:
        async def acting() -> T:
            return act()

        return self._run(acting())

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_TIMEOUT)


@contextlib.contextmanager
def running(kubeconfig: pathlib.Path) -> Iterator[ApiProxy]:
    """Run a proxy to the API server of a kubeconfig, on a free port of loopback."""
    target, context = _cluster(kubeconfig)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="api-proxy", daemon=True)
    thread.start()
    try:
        server = Server(target, context=context)
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(_TIMEOUT)
        try:
            yield ApiProxy(server, loop, source=kubeconfig)
        finally:
            asyncio.run_coroutine_threadsafe(server.close(), loop).result(_TIMEOUT)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _cluster(kubeconfig: pathlib.Path) -> tuple[str, ssl.SSLContext | bool]:
    """Read the address and what verifies the certificate; `dev.kubeconfig` writes the file as JSON."""
    cluster = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]
    server: str = cluster["server"].rstrip("/")
    if "certificate-authority-data" not in cluster:
        return server, True
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    return server, ssl.create_default_context(cadata=authority)
