"""The Node object and its Lease, by which the control plane knows that somebody is there to run Pods.

https://kubernetes.io/docs/reference/node/node-status/
"""

import asyncio
import contextlib
import platform
from collections.abc import Mapping

from dev.node import clock
from dev.node.api import MERGE, STRATEGIC, Api, ApiError, Object
from dev.node.settings import Settings

_BEAT = 10.0
"""Seconds between two renewals of the Lease; a node counts as lost after 50 without one."""
_BEATS_A_STATUS = 6
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


class Machine:
    """The node as the API server knows it; ``address`` is what it is told as the node's own."""

    def __init__(self, api: Api, *, settings: Settings, address: str) -> None:
        self._api, self._settings, self._address = api, settings, address
        self._path = f"/api/v1/nodes/{settings.name}"
        self._version = ""

    async def register(self) -> None:
        """Make the Node, unless one is left from before, and say that it is ready.

        Raises:
            ApiError: The API server refused, or could not be asked.

        """
        self._version = (await self._api.request("GET", "/version"))["gitVersion"]
        try:
            await self._api.request("POST", "/api/v1/nodes", body=node(self._settings.name))
        except ApiError as error:
            if error.status != 409:
                raise
        await self._beat()
        await self._report()

    async def keep_alive(self) -> None:
        """Renew the Lease, and now and then the status, for ever."""
        while True:
            for _ in range(_BEATS_A_STATUS):
                await asyncio.sleep(_BEAT)
                with contextlib.suppress(ApiError):
                    await self._beat()
            with contextlib.suppress(ApiError):
                await self._report()

    async def leave(self) -> None:
        """Say that the node is not ready any more, if the API server still hears it."""
        down = condition("Ready", "False", reason="NodeStopped", message="the node was stopped")
        with contextlib.suppress(ApiError):
            await self._patch({"conditions": [down]})

    async def _report(self) -> None:
        await self._patch(status(self._settings.capacity, address=self._address, version=self._version))

    async def _patch(self, changed: Object) -> None:
        body = {"status": changed}
        await self._api.request("PATCH", f"{self._path}/status", body=body, content_type=STRATEGIC)

    async def _beat(self) -> None:
        name = self._settings.name
        spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": clock.microseconds(clock.now())}
        try:
            await self._api.request("PATCH", f"{_LEASES}/{name}", body={"spec": spec}, content_type=MERGE)
        except ApiError as error:
            if error.status != 404:
                raise
            await self._api.request("POST", _LEASES, body={"metadata": {"name": name}, "spec": spec})


def node(name: str) -> Object:
    """Return the Node object, without a status."""
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": platform.system().lower(),
        "kubernetes.io/arch": architecture(),
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def architecture() -> str:
    """Return this machine's kind, as Go calls it."""
    return _MACHINES.get(platform.machine(), platform.machine())


def status(capacity: Mapping[str, str], *, address: str, version: str) -> Object:
    """Return the status of a node that is well."""
    well = [condition(pressure, "False", reason="NotLookedAt", message="") for pressure in _PRESSURES]
    return {
        "capacity": dict(capacity),
        "allocatable": dict(capacity),
        "addresses": [{"type": "InternalIP", "address": address}],
        "conditions": [*well, condition("Ready", "True", reason="NodeReady", message="runs Pods as processes")],
        "nodeInfo": {
            "architecture": architecture(),
            "operatingSystem": platform.system().lower(),
            "kernelVersion": platform.release(),
            "osImage": platform.platform(),
            "kubeletVersion": version,
            "containerRuntimeVersion": "processes://1",
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
            "kubeProxyVersion": "",
        },
    }


def condition(kind: str, state: str, *, reason: str, message: str) -> Object:
    """Return a condition of the node, seen now."""
    now = clock.seconds(clock.now())
    return {
        "type": kind,
        "status": state,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
