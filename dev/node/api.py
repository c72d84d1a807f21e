"""The API server, as the node talks to it: requests for objects by path, and a list that is kept up to date."""

import asyncio
import base64
import contextlib
import json
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp

Object = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

_log = logging.getLogger(__name__)
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_WATCH_SECONDS = 240
_TROUBLE = (aiohttp.ClientError, OSError, TimeoutError)


class ApiError(Exception):
    """The API server refused, or could not be asked; the status is 0 then."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Listed:
    """All that there is; what isn't in it is gone."""

    items: Sequence[Object]


@dataclass(frozen=True, slots=True)
class Changed:
    """One object is new, or has changed, or is gone."""

    object: Object
    gone: bool


@dataclass(frozen=True, slots=True)
class Access:
    """How to get to an API server: its URL, the certificates that its own is verified by, and a token."""

    server: str
    authority: bytes
    token: str = field(repr=False)

    @classmethod
    def read(cls, kubeconfig: Path) -> Self:
        """Read a kubeconfig that `dev.kubeconfig` has written."""
        document = json.loads(kubeconfig.read_text())
        [cluster], [user] = document["clusters"], document["users"]
        authority = base64.b64decode(cluster["cluster"]["certificate-authority-data"])
        return cls(cluster["cluster"]["server"], authority, user["user"]["token"])


class Api:
    """A connection to the API server."""

    def __init__(self, session: aiohttp.ClientSession, *, access: Access) -> None:
        self._session = session
        self.server = access.server
        self.authority = access.authority

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, access: Access) -> "AsyncIterator[Api]":
        """Open a connection."""
        connector = aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context(cadata=access.authority.decode()))
        headers = {"Authorization": f"Bearer {access.token}", "User-Agent": "scm-dev-node"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            yield cls(session, access=access)

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """Make a request and return the object in its answer.

        Raises:
            ApiError: It was refused, or there was no answer.

        """
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        url = self.server + path
        try:
            async with self._session.request(
                method, url, data=data, params=query, headers=headers, timeout=_TIMEOUT
            ) as answer:
                found: Object | None = await answer.json(content_type=None)
        except (*_TROUBLE, ValueError) as error:
            raise ApiError(f"{method} {path}: {str(error) or type(error).__name__}", status=0) from error
        if found is None:
            raise ApiError(f"{method} {path}: an empty answer", status=0)
        if answer.status >= 300:
            raise ApiError(f"{method} {path}: {found.get('message', answer.status)}", status=answer.status)
        return found

    async def follow(
        self, path: str, *, query: Mapping[str, str], retry: float
    ) -> AsyncGenerator[Listed | Changed, None]:
        """List, then tell of each change, for ever; where the watch breaks off, list again after ``retry`` seconds."""
        while True:
            try:
                found = await self.request("GET", path, query=query)
                yield Listed(found["items"] or [])
                async for change in self._watch(path, query=query, since=found["metadata"]["resourceVersion"]):
                    yield change
            except (ApiError, *_TROUBLE) as error:
                _log.info("%s: lists again after %s", path, str(error) or type(error).__name__)
            await asyncio.sleep(retry)

    async def _watch(self, path: str, *, query: Mapping[str, str], since: str) -> AsyncIterator[Changed]:
        while True:
            parameters = {**query, "watch": "1", "resourceVersion": since, "allowWatchBookmarks": "1"}
            parameters["timeoutSeconds"] = str(_WATCH_SECONDS)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=2 * _WATCH_SECONDS)
            async with self._session.get(self.server + path, params=parameters, timeout=timeout) as answer:
                answer.raise_for_status()
                async for line in _lines(answer):
                    event = json.loads(line)
                    if event["type"] == "ERROR":  # most likely 410: what is asked for is too long ago
                        return
                    since = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield Changed(event["object"], gone=event["type"] == "DELETED")


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Split what arrives; aiohttp's own reader of lines refuses long ones."""
    rest = b""
    async for chunk in answer.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
