"""Writing a Pod's status: one write at a time, of what there is to say when it begins."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from dev.node.api import STRATEGIC, ApiError, Object


class Writer(Protocol):
    """What a status is written with: see `api.Api`."""

    async def request(self, method: str, path: str, *, body: object, content_type: str) -> Object:
        """Make a request."""


class Reporter:
    """Reports the status that ``current`` returns whenever it was said to have changed."""

    def __init__(self, api: Writer, *, pod: Object, current: Callable[[], Object], retry: float) -> None:
        metadata = pod["metadata"]
        self._api, self._current, self._retry, self._uid = api, current, retry, metadata["uid"]
        self._path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._gone = False
        self._said: Object = {}

    def changed(self) -> None:
        """Note that there is something new to say."""
        if not self._gone:
            self._idle.clear()
            self._news.set()

    def silence(self) -> None:
        """Say nothing any more, but what is being said."""
        self._gone = True
        self._news.clear()
        self._idle.set()

    async def run(self) -> None:
        """Report, until the Pod is gone from the API."""
        while not self._gone:
            await self._news.wait()
            self._news.clear()
            try:
                await self._report()
            except ApiError as error:
                self._gone |= error.status in {404, 409}  # 409: a namesake is in its place, with another uid
                if not self._gone:
                    self._news.set()
                    await asyncio.sleep(self._retry)
            if self._gone or not self._news.is_set():
                self._idle.set()

    async def flush(self) -> None:
        """Return when all is said, or can't be any more."""
        await self._idle.wait()

    async def _report(self) -> None:
        status = self._current()
        if status == self._said:
            return
        body = {"metadata": {"uid": self._uid}, "status": status}
        await self._api.request("PATCH", self._path, body=body, content_type=STRATEGIC)
        self._said = status
