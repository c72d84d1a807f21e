"""The API proxy's inside, in its own event loop: takes requests, asks the rules, forwards, streams watches."""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import time
from collections.abc import Iterator, Mapping
from typing import Final

import aiohttp
import yarl
from aiohttp import web

from tests.support import api_proxy_rules as rules

_HOST: Final = "127.0.0.1"
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds
_LOOK_SECONDS: Final = 0.1
_HOP_BY_HOP: Final = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)


class _GoneError(Exception):
    """The client's connection is to be reset."""


class _Watch:
    """An open watch."""

    def __init__(self, asked: rules.Asked, request: web.BaseRequest) -> None:
        self.asked = asked
        self.request = request
        self.silent = False

    @property
    def client_gone(self) -> bool:
        """Whether nobody reads it any more."""
        return self.request.transport is None or self.request.transport.is_closing()


class Server:
    """Listens on loopback in plain http and forwards to one API server; every method belongs to its event loop."""

    def __init__(self, target: str, *, context: ssl.SSLContext | bool) -> None:
        self.rules: list[rules.Rule] = []
        self.asked: list[rules.Asked] = []
        self.port = 0
        self._target = target
        self._context = context
        self._listener: asyncio.Server | None = None
        self._watches: set[_Watch] = set()
        self._over = asyncio.Event()

    async def start(self) -> None:
        """Open the client and listen on a free port."""
        skipped = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._context, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=skipped,
        )
        self._server = web.Server(self._answer, access_log=None)
        await self.listen()

    async def listen(self) -> None:
        """Accept connections, on the same port as before."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._server, _HOST, self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Accept no connection, and reset those that are open."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in self._server.connections:
            _reset(connection.transport)

    async def close(self) -> None:
        """End everything; what is held is dropped."""
        self._over.set()
        for rule in self.rules:
            rule.end(go_on=False)
        await self.refuse()
        await self._server.shutdown(timeout=1)
        await self._session.close()
        await asyncio.sleep(_LOOK_SECONDS)  # connections close in the background, and the loop ends next

    def silence(self, path: str) -> None:
        """Forward nothing more on the open watches of a path."""
        for watch in self._open(path):
            watch.silent = True

    def cut(self, path: str) -> None:
        """Reset the connections of the open watches of a path."""
        for watch in self._open(path):
            _reset(watch.request.transport)

    def count_open(self, path: str) -> int:
        """Return how many watches of a path are open."""
        return len(self._open(path))

    def _open(self, path: str) -> list[_Watch]:
        match = rules.Match(path=path)
        return [watch for watch in self._watches if match.covers(watch.asked)]

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = await request.read()
        except (OSError, web.HTTPException):
            return _reset(request.transport)
        asked = rules.Asked(
            at=time.monotonic(), method=request.method, path=request.path, query=dict(request.query), body=body
        )
        self.asked.append(asked)
        try:
            response = await self._under_rules(request, asked)
        except (_GoneError, aiohttp.ClientError, OSError):
            asked.status = 0
            return _reset(request.transport)
        asked.status = response.status
        return response

    async def _under_rules(self, request: web.BaseRequest, asked: rules.Asked) -> web.StreamResponse:
        rule = next((each for each in list(self.rules) if each.fires(asked)), None)
        match rule.action if rule else None:
            case rules.Refuse() as refusal:
                return _refusal(refusal)
            case rules.StreamError() as error:
                return await self._stream_of(request, asked, first=_error_event(error))
            case rules.CloseAtOnce():
                return await self._stream_of(request, asked)
            case rules.Stall():
                return await self._stream_of(request, asked, stall=True)
            case rules.Delay(seconds):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), seconds)
            case rules.Hold(answered=False):
                await _held(rule, asked)
            case rules.Reset():
                raise _GoneError
            case _:
                pass
        return await self._forward(request, asked, rule=rule)

    async def _forward(
        self, request: web.BaseRequest, asked: rules.Asked, *, rule: rules.Rule | None
    ) -> web.StreamResponse:
        url = yarl.URL(self._target + request.raw_path, encoded=True)
        headers = _passed_on(request.headers)
        async with self._session.request(
            request.method, url, headers=headers, data=asked.body or None, allow_redirects=False
        ) as answer:
            if asked.watch and answer.status == 200:
                return await self._pump(request, asked, answer)
            content = await answer.read()
        match rule.action if rule else None:
            case rules.Lose():
                raise _GoneError
            case rules.Hold(answered=True):
                await _held(rule, asked)
            case _:
                pass
        return web.Response(status=answer.status, headers=_passed_on(answer.headers), body=content)

    async def _pump(
        self, request: web.BaseRequest, asked: rules.Asked, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        """Pass a watch on, event by event as they come, until either side ends it."""
        response = web.StreamResponse(status=answer.status, headers=_passed_on(answer.headers))
        response.enable_chunked_encoding()
        await response.prepare(request)
        with self._opened(asked, request) as watch:
            while not self._over.is_set() and not watch.client_gone:
                try:
                    async with asyncio.timeout(_LOOK_SECONDS):  # nobody tells when the client has gone
                        chunk = await answer.content.readany()
                except TimeoutError:
                    continue
                if watch.silent:
                    await self._nothing_more(watch)
                elif not chunk:
                    await response.write_eof()
                    return response
                else:
                    await response.write(chunk)
        raise _GoneError

    async def _stream_of(
        self, request: web.BaseRequest, asked: rules.Asked, *, first: bytes = b"", stall: bool = False
    ) -> web.StreamResponse:
        """Answer a watch without asking the API server."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        if first:
            await response.write(first)
        if stall:
            with self._opened(asked, request) as watch:
                await self._nothing_more(watch)
        await response.write_eof()
        return response

    async def _nothing_more(self, watch: _Watch) -> None:
        """Keep a connection, and send nothing, until the client has gone or all is over."""
        while not watch.client_gone and not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), _LOOK_SECONDS)
        raise _GoneError

    @contextlib.contextmanager
    def _opened(self, asked: rules.Asked, request: web.BaseRequest) -> Iterator[_Watch]:
        watch = _Watch(asked, request)
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.remove(watch)


async def _held(rule: rules.Rule | None, asked: rules.Asked) -> None:
    if rule is not None and not await rule.hold(asked):
        raise _GoneError


def _passed_on(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP]


def _refusal(refusal: rules.Refuse) -> web.Response:
    headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    document = _status(refusal.status, reason=refusal.reason, message=refusal.message)
    return web.json_response(document, status=refusal.status, headers=headers)


def _error_event(error: rules.StreamError) -> bytes:
    reason = "Expired" if error.code == 410 else ""
    document = _status(error.code, reason=reason, message=error.message)
    return json.dumps({"type": "ERROR", "object": document}).encode() + b"\n"


def _status(code: int, *, reason: str, message: str) -> dict[str, object]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def _reset(transport: asyncio.BaseTransport | None) -> web.Response:
    """Close a connection so that the peer sees a reset (RST), not an orderly end."""
    if isinstance(transport, asyncio.Transport):
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response()  # written to nobody: the connection is gone
