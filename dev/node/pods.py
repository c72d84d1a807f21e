"""The Pods that are bound to this node: each is run as soon as it is seen."""

import asyncio
import logging
from collections.abc import Callable

from dev.node.api import Api, Listed, Object
from dev.node.pod import Pod

_log = logging.getLogger(__name__)


class Pods:
    """All Pods of the node, by uid: a Pod that is made anew under the same name is another."""

    def __init__(self, api: Api, *, node: str, retry: float, make: Callable[[Object], Pod]) -> None:
        self._api, self._node, self._retry, self._make = api, node, retry, make
        self._running: dict[str, tuple[Pod, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Follow what is bound to the node, for ever."""
        query = {"fieldSelector": f"spec.nodeName={self._node}"}
        async for seen in self._api.follow("/api/v1/pods", query=query, retry=self._retry):
            if isinstance(seen, Listed):
                self._listed(seen)
            elif seen.gone:
                self._gone(seen.object["metadata"]["uid"])
            else:
                self._seen(seen.object)

    async def stop(self) -> None:
        """End all of them, and leave them in the API."""
        running = list(self._running.values())
        for pod, _ in running:
            pod.stop()
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)

    def _listed(self, seen: Listed) -> None:
        for uid in self._running.keys() - {pod["metadata"]["uid"] for pod in seen.items}:
            self._gone(uid)
        for pod in seen.items:
            self._seen(pod)

    def _seen(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self._running:
            new = self._make(pod)
            task = asyncio.create_task(new.run(), name=f"{pod['metadata']['namespace']}/{pod['metadata']['name']}")
            self._running[uid] = new, task
            task.add_done_callback(lambda task: self._ended(uid, task))
        self._running[uid][0].update(pod)

    def _gone(self, uid: str) -> None:
        if uid in self._running:
            self._running[uid][0].gone()

    def _ended(self, uid: str, task: "asyncio.Task[None]") -> None:
        del self._running[uid]
        if not task.cancelled() and (error := task.exception()):
            _log.error("pod %s", task.get_name(), exc_info=error)
