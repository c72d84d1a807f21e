"""What a crash run asks of the API server as its administrator, without the cost of a kubectl for each."""

import contextlib
import dataclasses
import ssl
from collections.abc import Iterator
from typing import Any

import httpx

from dev.control_plane import ControlPlane
from tests.support.waiting import until
from tests.support.world import GROUP_VERSION, OPERATOR_NAMESPACE, Object, condition

_UPLOADS = "certificaterequestuploads"
_PLURALS = {"Secret": "secrets", "ScmAccount": "scmaccounts", "CertificateRequestUpload": _UPLOADS}
_LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases/scm-csr-operator"


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    """An API server, spoken to as its administrator."""

    client: httpx.Client

    def create_namespace(self, name: str) -> None:
        """Make a namespace."""
        self._call("POST", "/api/v1/namespaces", json={"metadata": {"name": name}})

    def put(self, namespace: str, kind: str, name: str, **fields: object) -> Object:
        """Create an object, or merge the fields into the one that is there; return it."""
        version = "v1" if kind == "Secret" else GROUP_VERSION
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **fields}
        made = self.client.post(_path(namespace, kind), json=body)
        if made.status_code != 409:
            return _checked(made)
        return self._merge(_path(namespace, kind, name), fields)

    def annotate(self, namespace: str, name: str, key: str, value: str) -> None:
        """Set an annotation of an upload."""
        self._merge(_path(namespace, "CertificateRequestUpload", name), {"metadata": {"annotations": {key: value}}})

    def serves_uploads(self) -> bool:
        """Tell whether uploads can be asked for."""
        return self.client.get(f"/apis/{GROUP_VERSION}/{_UPLOADS}").status_code == 200

    def uploads(self) -> list[Object]:
        """Return all uploads of the cluster."""
        items: list[Object] = self._call("GET", f"/apis/{GROUP_VERSION}/{_UPLOADS}")["items"]
        return items

    def is_ready(self, namespace: str, name: str) -> bool:
        """Say whether an upload is Ready."""
        found = self._call("GET", _path(namespace, "CertificateRequestUpload", name))
        return condition(found, "Ready").get("status") == "True"

    def delete(self, namespace: str, name: str) -> Object | None:
        """Ask for an upload's deletion; return it as it was right before, or None if there was none."""
        path = _path(namespace, "CertificateRequestUpload", name)
        found = self.client.get(path)
        if found.status_code == 404:
            return None
        self.client.delete(path)
        return _checked(found)

    def delete_all(self, namespace: str, kind: str) -> None:
        """Ask for the deletion of all objects of a kind in a namespace."""
        self.client.delete(_path(namespace, kind)).raise_for_status()

    def begin_deletion(self, namespace: str) -> None:
        """Ask for a namespace's deletion: from now on nothing can be made in it."""
        self.client.delete(f"/api/v1/namespaces/{namespace}")

    def end_deletion(self, namespace: str) -> None:
        """Let an empty namespace go, as the namespace controller would."""
        found = self.client.get(f"/api/v1/namespaces/{namespace}")
        if found.status_code == 200:
            body = found.json() | {"spec": {"finalizers": []}}
            self.client.put(f"/api/v1/namespaces/{namespace}/finalize", json=body)

    def lease(self) -> Object | None:
        """Return the operator's Lease, if there is one."""
        found = self.client.get(_LEASE)
        return None if found.status_code == 404 else _checked(found)

    def clear(self) -> None:
        """Take everything away that a run has made, whatever wants to keep it."""
        self.client.delete(_LEASE)
        for upload in self.uploads():
            path = _path(upload["metadata"]["namespace"], "CertificateRequestUpload", upload["metadata"]["name"])
            self.client.delete(path)
            if upload["metadata"].get("finalizers"):
                with contextlib.suppress(httpx.HTTPStatusError):  # it has gone meanwhile
                    self._merge(path, {"metadata": {"finalizers": None}})
        until(lambda: not self.uploads(), what="the uploads of the run to be gone")

    def _merge(self, path: str, body: object) -> Object:
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._call("PATCH", path, json=body, headers=headers)

    def _call(self, method: str, path: str, **arguments: Any) -> Object:  # noqa: ANN401 - httpx's own
        return _checked(self.client.request(method, path, **arguments))


@contextlib.contextmanager
def connected(plane: ControlPlane) -> Iterator[Cluster]:
    """Open a connection to a control plane."""
    context = ssl.create_default_context(cafile=str(plane.authority))
    headers = {"Authorization": f"Bearer {plane.token}"}
    with httpx.Client(base_url=plane.server, verify=context, headers=headers, timeout=20, trust_env=False) as client:
        cluster = Cluster(client)
        until(cluster.serves_uploads, what="the API server to serve uploads")  # 429 while its cache is made
        yield cluster


def _path(namespace: str, kind: str, name: str = "") -> str:
    root = "/api/v1" if kind == "Secret" else f"/apis/{GROUP_VERSION}"
    return f"{root}/namespaces/{namespace}/{_PLURALS[kind]}" + (f"/{name}" if name else "")


def _checked(response: httpx.Response) -> Object:
    response.raise_for_status()
    found: Object = response.json()
    return found
