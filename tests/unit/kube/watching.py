"""A watch on Secrets under a test's hands: what it told, and an API server without a network, so that time may jump."""

import asyncio
import collections
import contextlib
import dataclasses
import json
import urllib.parse
from collections.abc import AsyncIterator, Sequence
from typing import Self

from scm_operator.domain import account
from scm_operator.kube import client, paths, secret_watch, secrets
from tests.unit.kube import server


def item(name: str, version: int, *, uid: str | None = None, **metadata: object) -> server.Body:
    """Make a Secret's metadata."""
    return {
        "metadata": {"namespace": "shop", "name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
        | metadata
    }


def page(items: Sequence[server.Body] | None, *, version: int, following: str = "") -> server.Body:
    """Make a page of a list."""
    return {"metadata": {"resourceVersion": str(version), "continue": following}, "items": items}


def line(kind: str, item: server.Body) -> bytes:
    """Make a line of a watch."""
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    """Make a bookmark."""
    return line("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


def expired() -> bytes:
    """Make the event that says that a version is too old to watch from."""
    return line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})


class Watcher:
    """A watch, what it keeps, and what it told; it knows of Secrets whose name begins with ``n``."""

    def __init__(self, kubernetes: client.Kubernetes) -> None:
        self.versions = secrets.Versions(is_named=lambda name: name.name.startswith("n"))
        self.told: list[str] = []
        self.moves: list[float] = []
        self.watch = secret_watch.SecretWatch(
            kubernetes,
            path=paths.secrets(),
            versions=self.versions,
            on_change=lambda name: self.told.append(name.name),
            on_move=lambda _: self.moves.append(asyncio.get_running_loop().time()),
        )

    def version(self, name: str) -> str | None:
        """Return the version that is known of a Secret."""
        known = self.versions.get(account.SecretName("shop", name))
        return known.resource_version if known else None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run it meanwhile; a watch that ends by itself is a failure."""
        task = asyncio.create_task(self.watch.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class FakeConnection:
    """Answers lists and watches as scripted, without a network, so that time may jump; the last answer repeats."""

    def __init__(self, *script: "FakeResponse | Exception") -> None:
        self.script = collections.deque(script)
        self.asked: list[dict[str, str]] = []
        self.times: list[float] = []

    async def call_api(self, _method: str, url: str, *_: object, **__: object) -> "FakeAnswer":
        """Answer."""
        self.asked.append(dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query)))
        self.times.append(asyncio.get_running_loop().time())
        answer = self.script.popleft() if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return FakeAnswer(answer.again())

    @property
    def kinds(self) -> list[str]:
        """Return what was asked: lists, and watches with their version."""
        return [f"watch {query['resourceVersion']}" if query.get("watch") else "list" for query in self.asked]


@dataclasses.dataclass(frozen=True)
class FakeAnswer:
    """What the client package wraps a response in."""

    response: "FakeResponse"


class FakeResponse:
    """A list's body, or a stream of chunks that then ends, fails or falls silent."""

    def __init__(
        self, *chunks: bytes, body: object = None, status: int = 200, end: Exception | None = None, silent: bool = False
    ) -> None:
        self.status, self.headers = status, dict[str, str]()
        self.content = self
        self._chunks, self._body, self._end, self._silent = chunks, body, end, silent
        self._rest = iter(chunks)

    def again(self) -> "FakeResponse":
        """Return it from its beginning."""
        return FakeResponse(*self._chunks, body=self._body, status=self.status, end=self._end, silent=self._silent)

    async def read(self) -> bytes:
        """Return the body."""
        return json.dumps(self._body).encode()

    async def readany(self) -> bytes:
        """Return the next chunk, nothing at the end."""
        await asyncio.sleep(0)
        chunk = next(self._rest, b"")
        if not chunk and self._silent:
            await asyncio.Event().wait()
        if not chunk and self._end:
            raise self._end
        return chunk

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


EMPTY = FakeResponse(body=page([], version=10))
SILENT = FakeResponse(silent=True)
