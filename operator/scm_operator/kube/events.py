"""Kubernetes Events (events.k8s.io/v1), written behind: nothing waits for one, and a lost one is only logged."""

import asyncio
import logging
from typing import Any

from scm_operator import kube
from scm_operator.domain import account, errors, ports, upload
from scm_operator.kube import client, paths

_log = logging.getLogger(__name__)
_CONTROLLER = "scm.certops.dev/scm-csr-operator"
_NOTE_LENGTH = 1024  # bytes, the API's limit
_WAITING = 10_000  # more Events than that in a burst are dropped, oldest first


class EventSink:
    """Implements domain.ports.EventSink."""

    def __init__(
        self, kubernetes: client.Kubernetes, *, instance: str, clock: ports.Clock, namespace: str, lease: str
    ) -> None:
        """Take the operator's own ``namespace`` and ``lease``, which Events about a resource that is gone stand at."""
        self._kubernetes = kubernetes
        self._instance = instance
        self._clock = clock
        self._namespace = namespace
        self._lease = lease
        self._waiting: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(_WAITING)

    def publish(self, about: upload.Upload | account.Account, *, reason: str, message: str, warning: bool) -> None:
        """Queue an Event about a resource; one about a cluster-scoped resource goes to namespace ``default``."""
        namespace = about.key.namespace or "default"
        body = self._event(namespace, about.key.name, reason=reason, message=message, warning=warning)
        body["action"] = "Upload" if isinstance(about, upload.Upload) else "Connect"
        self._put(namespace, body | {"regarding": _reference(about)})

    def publish_orphan(self, key: upload.UploadKey, *, uid: str, message: str) -> None:
        """Queue a Warning about a resource that is gone or going, in the operator's own namespace.

        The API server refuses an Event about an object of another namespace: it is about the operator's Lease, and
        the resource is ``related``.
        """
        body = self._own_event(key.name, reason="Orphaned", message=f"{key}: {message}", action="Upload")
        self._put(self._namespace, body | {"related": _upload_reference(key, uid=uid)})

    def overlap(self, message: str | None) -> None:
        """Queue a Warning, at the operator's Lease, that another installation serves the same namespaces, if so."""
        if message is None:
            return
        self._put(self._namespace, self._own_event(self._lease, reason="Overlap", message=message, action="Lead"))

    def _own_event(self, name: str, *, reason: str, message: str, action: str) -> dict[str, Any]:
        regarding = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "namespace": self._namespace,
            "name": self._lease,
        }
        body = self._event(self._namespace, name, reason=reason, message=message, warning=True)
        return body | {"action": action, "regarding": regarding}

    def _event(self, namespace: str, name: str, *, reason: str, message: str, warning: bool) -> dict[str, Any]:
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"generateName": name[:200].rstrip(".-") + "-", "namespace": namespace},
            "eventTime": self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "note": _cut(message),
            "reportingController": _CONTROLLER,
            "reportingInstance": self._instance,
        }

    def _put(self, namespace: str, body: dict[str, Any]) -> None:
        if self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait((namespace, body))

    async def run(self) -> None:
        """Write Events until cancelled."""
        while True:
            await self._write(*await self._waiting.get())

    async def flush(self) -> None:
        """Write what is waiting, then return."""
        while not self._waiting.empty():
            await self._write(*self._waiting.get_nowait())

    async def _write(self, namespace: str, body: dict[str, Any]) -> None:
        request = self._kubernetes.request("POST", paths.events(namespace), body=body)
        try:
            await client.call(request, what=f"create an Event in {namespace}")
        except errors.ApiServerError as error:
            _log.info("%s", error)


def _cut(message: str) -> str:
    encoded = message.encode()
    if len(encoded) <= _NOTE_LENGTH:
        return message
    return encoded[: _NOTE_LENGTH - len("…".encode())].decode(errors="ignore") + "…"


def _reference(about: upload.Upload | account.Account) -> dict[str, str]:
    if isinstance(about, upload.Upload):
        return _upload_reference(about.key, uid=about.uid) | {"resourceVersion": about.resource_version}
    reference = {
        "apiVersion": f"{kube.GROUP}/{kube.VERSION}",
        "kind": about.key.kind.value,
        "name": about.key.name,
        "uid": about.uid,
        "resourceVersion": about.resource_version,
    }
    return reference | ({"namespace": about.key.namespace} if about.key.namespace else {})


def _upload_reference(key: upload.UploadKey, *, uid: str) -> dict[str, str]:
    return {
        "apiVersion": f"{kube.GROUP}/{kube.VERSION}",
        "kind": "CertificateRequestUpload",
        "namespace": key.namespace,
        "name": key.name,
        "uid": uid,
    }
