"""Users, a person who is asked, and somebody else with an SCM account: who acts in a crash run beside the operator."""

import base64
import contextlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from tests.support import crash_verdict, pem
from tests.support import simulator as simulators
from tests.support.crash_cluster import Cluster
from tests.support.crash_plan import Plan
from tests.support.crash_verdict import Incarnation, Seen
from tests.support.crash_workload import Apply, Change, Delete, DeleteNamespace, Recreate, Resource
from tests.support.simulator import Simulator
from tests.support.world import Object, condition, password_spec

_CONFIRM = "scm.certops.dev/confirm-upload"
_ASKS = frozenset({"OutcomeUnknown", "DeleteBlocked"})
_LONG_AGO = 20 * 60 * 1000


class Wait(Protocol):
    """Waits until it holds, and lets the run go on meanwhile."""

    def __call__(self, look: Callable[[], bool], *, what: str) -> None:
        """Wait."""


class Users:
    """They know what they have asked for; whoever judges the run asks them."""

    def __init__(self, plan: Plan, cluster: Cluster, simulator: Simulator, *, wait: Wait) -> None:
        self.asked = 0
        self._plan = plan
        self._cluster = cluster
        self._simulator = simulator
        self._wait = wait
        self._keys: dict[str, pem.Key] = {}
        self._csrs: dict[str, bytes] = {}
        self._digests: dict[str, str] = {}
        self._foreign: list[Mapping[str, Any]] = []
        self._lives: list[Incarnation] = []
        self._decided: set[str] = set()

    def arrive(self) -> None:
        """Make the namespaces, the accounts and what somebody else has in SCM."""
        self._cluster.clear()
        self._simulator.admin.delete("state").raise_for_status()
        for room in ("a", "b"):
            self._cluster.create_namespace(self._namespace(room))
            password = base64.b64encode(simulators.PASSWORD.encode()).decode()
            self._cluster.put(self._namespace(room), "Secret", "scm-iam", data={"password": password})
            self._cluster.put(self._namespace(room), "ScmAccount", "default", spec=password_spec(self._simulator.url))
        for resource in self._plan.resources:
            if resource.foreign:
                self._make_foreign(resource)

    def leave(self) -> None:
        """Take everything away."""
        self._cluster.clear()
        for room in ("a", "b"):
            self._cluster.begin_deletion(self._namespace(room))
            self._cluster.end_deletion(self._namespace(room))

    def _namespace(self, room: str) -> str:
        return f"seed-{self._plan.seed}-{room}"

    def _make_foreign(self, resource: Resource) -> None:
        csr = self._csr(resource.content.csr).decode()
        created = int(time.time() * 1000) - _LONG_AGO
        body = {"name": resource.scm_name, "csr": csr, "createTime": created, "project": simulators.PROJECT}
        self._foreign.append(self._simulator.admin.post("csrs", json=body).raise_for_status().json())

    def _csr(self, name: str) -> bytes:
        if name not in self._csrs:
            self._keys[name] = pem.ec_key()
            self._csrs[name] = pem.csr(self._keys[name], name=f"{name}.example.com")
            der = x509.load_pem_x509_csr(self._csrs[name]).public_bytes(serialization.Encoding.DER)
            digest = hashes.Hash(hashes.SHA256())
            digest.update(der)
            self._digests[name] = digest.finalize().hex()
        return self._csrs[name]

    def apply(self, resource: Resource) -> None:
        """Apply a resource and its Secret."""
        namespace, content = self._namespace(resource.room), resource.content
        data = {"tls.csr": base64.b64encode(self._csr(content.csr)).decode()}
        spec: dict[str, object] = {
            "name": resource.scm_name,
            "csrSecretRef": {"name": resource.secret},
            "deletionPolicy": resource.deletion,
            "adoptionPolicy": "IfIdentical" if resource.adopts else "Never",
        }
        if content.key:
            data["tls.key"] = base64.b64encode(pem.private_key(self._keys[content.csr])).decode()
            spec["privateKeySecretRef"] = {"name": resource.secret}
        moment = int(time.time() * 1000)
        self._cluster.put(namespace, "Secret", resource.secret, data=data)
        made = self._cluster.put(namespace, "CertificateRequestUpload", resource.name, spec=spec)
        self._remember(made["metadata"]["uid"], resource, moment=moment)

    def _remember(self, uid: str, resource: Resource, *, moment: int) -> None:
        life = next((each for each in self._lives if each.uid == uid), None)
        if life is None:
            self._lives.append(Incarnation(uid, resource, moment, {resource.content}))
        else:
            life.resource = resource
            life.wanted.add(resource.content)

    def change(self, change: Change) -> None:
        """Do what users do later."""
        match change:
            case Apply(resource):
                self.apply(resource)
            case Delete(resource):
                self._delete(resource)
            case Recreate(resource):
                self._delete(resource)
                self._wait(lambda: not self._there(resource), what=f"{resource.name} to be gone")
                self.apply(resource)
            case DeleteNamespace(room, order):
                namespace = self._namespace(room)
                for upload in self._cluster.uploads():
                    if upload["metadata"]["namespace"] == namespace:
                        self._mark_deleted(upload)
                self._cluster.begin_deletion(namespace)
                for kind in order:
                    self._cluster.delete_all(namespace, kind)

    def _there(self, resource: Resource) -> bool:
        uids = {life.uid for life in self._lives if life.resource.name == resource.name and life.deleted}
        return any(upload["metadata"]["uid"] in uids for upload in self._cluster.uploads())

    def _delete(self, resource: Resource) -> None:
        last = self._cluster.delete(self._namespace(resource.room), resource.name)
        if last is not None:
            self._mark_deleted(last)

    def _mark_deleted(self, last: Object) -> None:
        for life in self._lives:
            if life.uid == last["metadata"]["uid"]:
                life.deleted = True
                life.known |= {record["scmID"] for record in crash_verdict.records_of(last.get("status", {}))}

    def look(self, *, warnings: str) -> Seen:
        """Return what is there now, and what was wanted."""
        return Seen(
            uploads=self._cluster.uploads(),
            requests=self._simulator.admin.get("requests").raise_for_status().json()["requests"],
            entries=self._simulator.entries(),
            foreign=self._foreign,
            incarnations=self._lives,
            digests=self._digests,
            warnings=warnings,
        )

    def decide(self, seen: Seen) -> None:
        """Do what a message asks of a person: look in SCM, delete what is there of that upload, and confirm."""
        for upload in seen.uploads:
            ready = condition(upload, "Ready")
            found = re.search(rf"{_CONFIRM}\W+([\w-]+)", ready.get("message", ""))
            if ready.get("reason") not in _ASKS or not found or found[1] in self._decided:
                continue
            self._decided.add(found[1])
            self.asked += 1
            self._delete_unrecorded(upload, seen)
            metadata = upload["metadata"]
            self._cluster.annotate(metadata["namespace"], metadata["name"], _CONFIRM, found[1])

    def _delete_unrecorded(self, upload: Object, seen: Seen) -> None:
        life = next(each for each in seen.incarnations if each.uid == upload["metadata"]["uid"])
        recorded = {
            record["scmID"] for each in seen.uploads for record in crash_verdict.records_of(each.get("status", {}))
        }
        keys = {seen.key_of(content) for content in life.wanted}
        for entry in seen.entries:
            mine = (entry["csrSha256"], entry["hasPrivateKey"]) in keys and entry["createTime"] >= life.created
            if mine and entry["id"] not in recorded | seen.foreign_ids:
                self._delete_by_hand(entry["id"])

    def _delete_by_hand(self, scm_id: str) -> None:
        """Delete an entry as a person does, who meets the simulator's faults too: a reset comes after it was done."""
        headers = {"X-Auth-Token": simulators.STATIC_TOKEN}
        with contextlib.suppress(httpx.TransportError):
            self._simulator.admin.delete(f"{self._simulator.url}/v3/scm/csr/{scm_id}", headers=headers)
