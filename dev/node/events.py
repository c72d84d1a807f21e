"""Events about Pods, as `kubectl describe pod` shows them."""

import asyncio
import contextlib
import logging
import secrets

from dev.node import clock
from dev.node.api import Api, ApiError, Object

_LONGEST = 1024
_log = logging.getLogger(__name__)


class Events:
    """The Events about one Pod; a lost one is only lost."""

    def __init__(self, api: Api, *, pod: Object, node: str) -> None:
        self._api, self._pod, self._node = api, pod, node
        self._sending: set[asyncio.Task[None]] = set()

    def warn(self, reason: str, message: str) -> None:
        """Tell of something that is wrong."""
        self._send("Warning", reason, message)

    def note(self, reason: str, message: str) -> None:
        """Tell of something usual."""
        self._send("Normal", reason, message)

    async def flush(self) -> None:
        """Return when what was told is sent."""
        await asyncio.gather(*self._sending)

    def _send(self, kind: str, reason: str, message: str) -> None:
        metadata = self._pod["metadata"]
        _log.info("%s/%s: %s: %s", metadata["namespace"], metadata["name"], reason, message)
        task = asyncio.create_task(self._post(kind, reason, message))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _post(self, kind: str, reason: str, message: str) -> None:
        metadata, now = self._pod["metadata"], clock.seconds(clock.now())
        event = {
            "metadata": {"name": f"{metadata['name']}.{secrets.token_hex(8)}", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message[:_LONGEST],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": "kubelet", "host": self._node},
        }
        with contextlib.suppress(ApiError):  # in a namespace that goes away, it is refused
            await self._api.request("POST", f"/api/v1/namespaces/{metadata['namespace']}/events", body=event)
