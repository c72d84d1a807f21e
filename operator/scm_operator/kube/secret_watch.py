"""The metadata-only watch on Secrets: which named Secret appeared, changed or went, and nothing of their content.

PartialObjectMetadata (KEP-2334 and the API concepts page, "metadata-only requests"): the API server sends names and
versions only. Of Secrets that nobody names nothing is kept, so memory doesn't grow with them.
"""

import asyncio
import functools
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import aiohttp

from scm_operator.domain import account, errors, upload
from scm_operator.kube import client, metadata, paths, secrets

_log = logging.getLogger(__name__)
# Seconds after which the API server ends a watch in order, and after which it is cut off.
_WATCH, _WATCH_AT_MOST = 290, 330.0
# Bookmarks come about every minute: a watch that is silent for longer than this is dead.
_SILENCE = 90.0
_PAUSE, _LONGEST_PAUSE = 0.2, 30.0
_LASTING = 1.0  # seconds: a watch that has lasted was none that ends at once, though nothing came
_FORBIDDEN = 45.0  # seconds for which a 403 is borne: roles are replaced by an upgrade


class Expired(Exception):  # noqa: N818 - reads as what is the matter
    """The resourceVersion to watch from is too old (410): list again."""


class Forbidden(errors.ApiServerError):
    """Secrets may not be watched any more: what waits for one would wait for ever, and nothing would say so."""


class SecretWatch:
    """Keeps secrets.Versions up to date and tells of each change of a named Secret."""

    def __init__(
        self,
        kubernetes: client.Kubernetes,
        *,
        path: str,
        versions: secrets.Versions,
        on_change: Callable[[account.SecretName], None],
        on_move: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take the ``path`` of the Secrets to watch: all, or those of a namespace.

        ``on_move`` is told that path whenever the watch gets on, a failure included: a sign of life.
        """
        self._kubernetes = kubernetes
        self._path = path
        self._versions = versions
        self._on_change = on_change
        self._moved = functools.partial(on_move, path)
        self._resource_version: str | None = None
        self._forbidden_since: float | None = None

    async def sync(self) -> None:
        """List all Secrets' metadata once. Raises: ApiServerError."""
        what = "list Secrets (metadata only)"
        items, version = await metadata.list_all(self._kubernetes, self._path, what=what, before_page=self._moved)
        named = {
            account.SecretName(item.namespace, item.name): upload.ObservedSecret(
                item.name, item.uid, item.resource_version
            )
            for item in items
        }
        changed = [name for name, seen in named.items() if self._versions.put(name, seen)]
        for name, uid in self._versions.missing_from(named):
            if self._path not in {paths.secrets(), paths.secrets(name.namespace)}:
                continue  # another watch's
            self._versions.remove(name, uid=uid)
            changed.append(name)
        self._resource_version = version
        for name in changed:
            self._on_change(name)

    def list_anew(self) -> None:
        """Let `run` begin with a list."""
        self._resource_version = None

    async def run(self) -> None:
        """Watch until cancelled; list again whenever the thread of events is lost. Raises: Forbidden."""
        failures = 0
        while True:
            failures = 0 if await self._watch_once() else failures + 1
            # A watch that ends at once, over and over, must not become a busy loop.
            await asyncio.sleep(min(_PAUSE * 2.0**failures, _LONGEST_PAUSE))

    async def _watch_once(self) -> bool:
        """Watch until the stream ends, for whatever cause. Return True if anything came, or if it has lasted."""
        alive, since = False, asyncio.get_running_loop().time()
        self._moved()
        try:
            if self._resource_version is None:
                await self.sync()
            async for event in self._events():
                self._take(event)
                alive = True
        except Expired:
            self._resource_version = None
        except errors.ApiServerError as error:
            self._resource_version = None
            _log.warning("watch of Secrets: %s; listing again", error)
            self._bear(error)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.info("watch of Secrets: %s; watching again", type(error).__name__)
        return alive or asyncio.get_running_loop().time() - since > _LASTING

    def _bear(self, error: errors.ApiServerError) -> None:
        if not isinstance(error, client.Refused) or error.status != 403:
            return
        now = asyncio.get_running_loop().time()
        if self._forbidden_since is None:
            self._forbidden_since = now
        elif now - self._forbidden_since > _FORBIDDEN:
            _log.error("Secrets can't be watched: %s", error)
            raise Forbidden(str(error)) from None

    async def _events(self) -> AsyncIterator[dict[str, Any]]:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._resource_version,
            "timeoutSeconds": _WATCH,
        }
        async with asyncio.timeout(_SILENCE):  # who takes a request and never answers it is silent, too
            response = await self._kubernetes.request(
                "GET", self._path, query=query, accept=metadata.WATCH, timeout=_WATCH_AT_MOST
            )
        async with response:
            if response.status >= 300:
                if response.status == 410:
                    raise Expired
                text = f"watch Secrets (metadata only): {response.status}"
                raise client.Refused(text, status=response.status, retry_after=0.0)
            self._forbidden_since = None
            async for line in _lines(response, on_chunk=self._moved):
                yield json.loads(line)

    def _take(self, event: dict[str, Any]) -> None:
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            if item.get("code") == 410:
                raise Expired
            raise errors.ApiServerError(f"watch Secrets (metadata only): {item.get('code')}")
        self._resource_version = item["metadata"]["resourceVersion"]
        if kind == "BOOKMARK":
            return
        name, version = _version_of(item)
        news = self._versions.remove(name, uid=version.uid) if kind == "DELETED" else self._versions.put(name, version)
        if news:
            self._on_change(name)


class SecretWatches:
    """The watches on the Secrets of an installation: one, one a namespace, or none."""

    def __init__(self, watches: Sequence[SecretWatch]) -> None:
        self._watches = watches

    async def sync(self) -> None:
        """List all Secrets' metadata once. Raises: ApiServerError."""
        for watch in self._watches:
            await watch.sync()

    def list_anew(self) -> None:
        """Let `run` begin with a list of all."""
        for watch in self._watches:
            watch.list_anew()

    async def run(self) -> None:
        """Watch until cancelled. Raises: Forbidden, in a group."""
        if not self._watches:
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as tasks:
            for watch in self._watches:
                tasks.create_task(watch.run())


async def _lines(response: aiohttp.ClientResponse, *, on_chunk: Callable[[], None]) -> AsyncIterator[bytes]:
    """Split the stream by hand: aiohttp's line reader refuses lines beyond its buffer, annotations can have 256 KiB."""
    rest = b""
    while True:
        async with asyncio.timeout(_SILENCE):
            chunk = await response.content.readany()
        on_chunk()
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line


def _version_of(item: dict[str, Any]) -> tuple[account.SecretName, upload.ObservedSecret]:
    metadata = item["metadata"]
    name = account.SecretName(metadata["namespace"], metadata["name"])
    return name, upload.ObservedSecret(metadata["name"], metadata["uid"], metadata["resourceVersion"])
