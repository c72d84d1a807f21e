"""A stand-in for the API server's store of the operator's kinds, and the bodies of resources as it has them."""

import asyncio
import collections
import copy
import enum
import itertools
from collections.abc import Mapping
from typing import Any

from scm_operator import kube
from scm_operator.domain import account, errors, upload

Body = dict[str, Any]
CREATED = "2026-01-02T12:00:00Z"
ResourceKey = upload.UploadKey | account.AccountKey


def upload_body(
    name: str = "web", *, spec: Mapping[str, Any] | None = None, annotations: Mapping[str, str] | None = None
) -> Body:
    """Make a CertificateRequestUpload that names Secret ``<name>-csr``, as a person writes it."""
    return {
        "apiVersion": f"{kube.GROUP}/{kube.VERSION}",
        "kind": "CertificateRequestUpload",
        "metadata": {"namespace": "shop", "name": name, "annotations": dict(annotations or {})},
        "spec": {"csrSecretRef": {"name": f"{name}-csr"}} | dict(spec or {}),
    }


def account_body(name: str = "default", *, namespace: str = "shop", endpoint: str = "https://scm.example.com") -> Body:
    """Make an account with a ready token; without a namespace it is a ClusterScmAccount."""
    kind = account.AccountKind.NAMESPACED if namespace else account.AccountKind.CLUSTER
    return {
        "apiVersion": f"{kube.GROUP}/{kube.VERSION}",
        "kind": kind.value,
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
        "spec": {"endpoint": endpoint, "auth": {"token": {"secretRef": {"name": "scm-token"}}}},
    }


def as_stored(body: Body, *, uid: str = "uid-1", version: int = 1, generation: int = 1) -> Body:
    """Add to a body what the API server adds."""
    stored = copy.deepcopy(body)
    stored["metadata"] |= {"uid": uid, "resourceVersion": str(version), "generation": generation}
    stored["metadata"].setdefault("creationTimestamp", CREATED)
    return stored


def key_of(body: Mapping[str, Any]) -> ResourceKey:
    """Return a body's key."""
    kind, metadata = body["kind"], body["metadata"]
    if kind == "CertificateRequestUpload":
        return upload.UploadKey(metadata["namespace"], metadata["name"])
    return account.AccountKey(account.AccountKind(kind), metadata.get("namespace", ""), metadata["name"])


class Fault(enum.Enum):
    """What happens to one write."""

    CONFLICT = "somebody else writes first"
    REFUSED = "the API server is not reached"
    LOST = "written, and the answer is lost"
    DELETED = "the resource is deleted first"
    RECREATED = "the resource is deleted and created anew first"
    NOT_FOUND = "the API server says 404, and it is not true"


class FakeCluster:
    """The API server's store of uploads and accounts; implements StatusWriter and UploadReader.

    ``faults`` is a script for the next writes, None for one that works; ``gate`` holds writes back.
    """

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.bodies: dict[ResourceKey, Body] = {}
        self.faults: collections.deque[Fault | None] = collections.deque()
        self.unreachable = False
        self.gate: asyncio.Event | None = None
        self.written: list[tuple[ResourceKey, Body]] = []
        self._numbers = itertools.count(100)

    def create(self, body: Body) -> Body:
        """Take in a new resource."""
        number = next(self._numbers)
        stored = self.bodies[key_of(body)] = as_stored(body, uid=f"uid-{number}", version=number)
        return stored

    def change(
        self,
        key: ResourceKey,
        spec: Mapping[str, object] | None = None,
        *,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """Change fields of a spec, or annotations."""
        metadata = self.bodies[key]["metadata"]
        if spec:
            self.bodies[key]["spec"] |= spec
            metadata["generation"] += 1
        metadata.setdefault("annotations", {}).update(annotations or {})
        metadata["resourceVersion"] = str(next(self._numbers))

    def delete(self, key: ResourceKey) -> None:
        """Delete a resource; one with finalizers stays until the last of them is gone."""
        metadata = self.bodies[key]["metadata"]
        if not metadata.get("finalizers"):
            del self.bodies[key]
            return
        metadata.setdefault("deletionTimestamp", CREATED)
        metadata["generation"] += 1
        metadata["resourceVersion"] = str(next(self._numbers))

    def recreate(self, key: ResourceKey) -> None:
        """Delete a resource, whatever its finalizers, and create one of the same spec under its name."""
        body = self.bodies.pop(key)
        self.create({**body, "metadata": {n: body["metadata"][n] for n in ("namespace", "name")}, "status": {}})

    def upload_of(self, key: upload.UploadKey) -> upload.Upload:
        """Return an upload as it stands."""
        return upload.parse_upload(copy.deepcopy(self.bodies[key]))

    def account_of(self, key: account.AccountKey) -> account.Account:
        """Return an account as it stands."""
        return account.parse_account(copy.deepcopy(self.bodies[key]))

    async def read_upload(self, key: upload.UploadKey) -> upload.Upload | None:
        """Read one live."""
        await asyncio.sleep(0)
        self._check_reachable()
        self.log.append(f"read {key}")
        return self.upload_of(key) if key in self.bodies else None

    async def write_upload(self, about: upload.Upload, status: upload.Status) -> upload.Upload:
        """Replace the status of an upload."""
        await self._write_status(about, status.to_json())
        return self.upload_of(about.key)

    async def write_finalizers(self, about: upload.Upload, finalizers: tuple[str, ...]) -> upload.Upload:
        """Replace the finalizers; a resource that is being deleted goes with the last."""
        fault = await self._check("finalizers", about)
        body = self.bodies[about.key]
        body["metadata"] |= {"finalizers": list(finalizers), "resourceVersion": str(next(self._numbers))}
        written = upload.parse_upload(copy.deepcopy(body))
        if about.deleting and not finalizers:
            del self.bodies[about.key]
        self.log.append("add finalizer" if len(finalizers) > len(about.finalizers) else "remove finalizer")
        self._lose_answer(fault, about.key)
        return written

    async def write_account(self, about: account.Account, status: account.AccountStatus) -> account.Account:
        """Replace the status of an account."""
        await self._write_status(about, status.to_json())
        return self.account_of(about.key)

    async def _write_status(self, about: upload.Upload | account.Account, status: Body) -> None:
        fault = await self._check("status", about)
        body = self.bodies[about.key]
        before = body.get("status") or {}
        body["status"] = copy.deepcopy(status)
        body["metadata"]["resourceVersion"] = str(next(self._numbers))
        self.written.append((about.key, status))
        self.log.append(_told(before, status))
        self._lose_answer(fault, about.key)

    async def _check(self, what: str, about: upload.Upload | account.Account) -> Fault | None:
        """Let come between what the script says, then compare what the write presupposes."""
        await asyncio.sleep(0)
        if self.gate:
            await self.gate.wait()
        self._check_reachable()
        fault = self.faults.popleft() if self.faults else None
        self._befall(about.key, fault)
        metadata = self.bodies[about.key]["metadata"] if about.key in self.bodies else {}
        if metadata.get("uid") != about.uid:
            raise errors.Gone(f"write the {what} of {about.key}: not found")
        if metadata["resourceVersion"] != about.resource_version:
            raise errors.Conflict(f"write the {what} of {about.key}: 409")
        return fault

    def _lose_answer(self, fault: Fault | None, key: ResourceKey) -> None:
        if fault is Fault.LOST:
            raise errors.ApiServerError(f"write {key}: ServerDisconnectedError")

    def _befall(self, key: ResourceKey, fault: Fault | None) -> None:
        if key not in self.bodies:
            return
        match fault:
            case Fault.REFUSED:
                raise errors.ApiServerError(f"write the status of {key}: 503", retry_after=7.0)
            case Fault.CONFLICT:
                self.change(key, annotations={"touched": str(next(self._numbers))})
            case Fault.DELETED:
                del self.bodies[key]
            case Fault.RECREATED:
                self.recreate(key)
            case Fault.NOT_FOUND:
                raise errors.Gone(f"write the status of {key}: 404 page not found")
            case _:
                pass

    def _check_reachable(self) -> None:
        if self.unreachable:
            raise errors.ApiServerError("the API server is away")


def _told(before: Mapping[str, Any], status: Body) -> str:
    """Say for the log what a status write was about."""
    changed = {name for name in {*before, *status} if before.get(name) != status.get(name)}
    if changed == {"term"} or not status["conditions"]:
        return f"write term {status['term']}"
    if "concludedAttemptID" in changed:
        return f"write concluded {status['concludedAttemptID']}"
    return f"write {status['conditions'][0]['reason']}"
