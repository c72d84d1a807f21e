"""A small server behind the proxy, in a thread of its own: remembers what arrived, streams what a test tells it."""

import asyncio
import contextlib
import json
import pathlib
import threading
from collections.abc import Iterator

from aiohttp import web

from dev import kubeconfig


class Target:
    """Answers every request with what it was; a watch gets the lines of `send`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.seen: list[str] = []
        self.tokens: list[str | None] = []
        self.url = ""
        self._loop = loop
        self._watches: list[web.StreamResponse] = []
        self._over = asyncio.Event()

    def send(self, line: str) -> None:
        """Write a line to all open watches."""
        asyncio.run_coroutine_threadsafe(self._send(line), self._loop).result(10)

    async def _send(self, line: str) -> None:
        for watch in self._watches:
            await watch.write(line.encode() + b"\n")

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer."""
        body = await request.text()
        self.seen.append(f"{request.method} {request.path_qs}")
        self.tokens.append(request.headers.get("Authorization"))
        if "watch" in request.query:
            return await self._watch(request)
        return web.json_response({"path": request.raw_path, "body": body}, status=201, headers={"X-Kept": "yes"})

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        self._watches.append(response)
        with contextlib.suppress(ConnectionError):
            await self._over.wait()
        return response

    async def serve(self) -> web.ServerRunner:
        """Listen on a free port."""
        runner = web.ServerRunner(web.Server(self.handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def end(self, runner: web.ServerRunner) -> None:
        """End the watches and stop listening."""
        self._over.set()
        await runner.cleanup()

    def kubeconfig(self, path: pathlib.Path) -> pathlib.Path:
        """Write a kubeconfig of it."""
        kubeconfig.write(path, server=self.url, authority=b"", user="operator", token="canary")  # noqa: S106 - of nobody
        document = json.loads(path.read_text())
        del document["clusters"][0]["cluster"]["certificate-authority-data"]
        path.write_text(json.dumps(document))
        return path


@contextlib.contextmanager
def running() -> Iterator[Target]:
    """Run a target."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    target = Target(loop)
    runner = asyncio.run_coroutine_threadsafe(target.serve(), loop).result(10)
    try:
        yield target
    finally:
        asyncio.run_coroutine_threadsafe(target.end(runner), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
