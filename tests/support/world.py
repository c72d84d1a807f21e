"""A world to test in: a real control plane, the simulator, the operator, and namespaces to work in."""

import base64
import collections
import contextlib
import dataclasses
import itertools
import json
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dev.control_plane import ControlPlane
from tests.support import permissions
from tests.support import simulator as simulators
from tests.support.operator import Operator
from tests.support.simulator import Simulator
from tests.support.waiting import TIMEOUT, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
GROUP_VERSION = "scm.certops.dev/v1alpha1"
OPERATOR_NAMESPACE = "scm-csr-operator"
REQUESTED_AT = "scm.certops.dev/reconcile-requested-at"
_WAIT = f"--timeout={TIMEOUT:g}s"
LIMITS = {"requestsPerSecond": 500, "concurrency": 32}  # so that no test waits for its turn
_BY_HAND = {"X-Auth-Token": simulators.STATIC_TOKEN}
_numbers = itertools.count(1)

Object = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Namespace:
    """One namespace, and what a user would do in it; every method is a kubectl command."""

    name: str
    plane: ControlPlane
    simulator: Simulator

    def kubectl(self, *args: str, check: bool = True) -> str:
        """Run kubectl in this namespace and return what it printed."""
        return self.plane.kubectl("-n", self.name, *args, check=check).stdout

    def apply(self, kind: str, name: str, **fields: object) -> None:
        """Apply an object of a core kind (v1) or of ours."""
        version = GROUP_VERSION if kind in {"CertificateRequestUpload", "ScmAccount", "ClusterScmAccount"} else "v1"
        metadata = {"name": name} if kind == "ClusterScmAccount" else {"name": name, "namespace": self.name}
        self.plane.apply(json.dumps({"apiVersion": version, "kind": kind, "metadata": metadata, **fields}))

    def secret(self, name: str, data: Mapping[str, bytes], *, type: str = "Opaque") -> None:  # noqa: A002 - Secret.type
        """Create or change a Secret."""
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        self.apply("Secret", name, type=type, data=encoded)

    def account(self, name: str = "default", *, endpoint: str | None = None) -> None:
        """Create an ScmAccount of the simulator's user, and its credential."""
        self.secret("scm-iam", {"password": simulators.PASSWORD.encode()})
        self.apply("ScmAccount", name, spec=password_spec(endpoint or self.simulator.url))

    def upload(self, name: str, /, *, csr: str | None = None, key: str | None = None, **spec: object) -> None:
        """Create or change an upload; ``csr`` and ``key`` name Secrets, ``csr`` the resource's own name by default."""
        references: dict[str, object] = {"csrSecretRef": {"name": csr or name}}
        if key:
            references["privateKeySecretRef"] = {"name": key}
        self.apply("CertificateRequestUpload", name, spec=references | spec)

    def uploads(self, names: list[str], **spec: object) -> None:
        """Create many uploads with the same spec by one kubectl command."""
        items = [
            {
                "apiVersion": GROUP_VERSION,
                "kind": "CertificateRequestUpload",
                "metadata": {"name": name, "namespace": self.name},
                "spec": spec,
            }
            for name in names
        ]
        self.plane.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def new_entry(self, name: str, *, after: str) -> Object:
        """Wait until an upload's status has another SCM id than ``after``; return the status."""

        def look() -> Object | None:
            status = self.status(name)
            return status if status.get("scmID") not in {None, after} else None

        return until(look, what=f"a new entry of {name}")

    def get(self, name: str, *, kind: str = "cru") -> Object:
        """Return an object as it is now."""
        found: Object = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def ready(self, name: str) -> Object:
        """Wait until an upload is Ready; return its status."""
        self._wait("condition=Ready", f"cru/{name}")
        return self.status(name)

    def reason(self, name: str, reason: str, *, kind: str = "cru") -> Object:
        """Wait until an object's Ready condition has that reason; return the condition."""
        path = "{.status.conditions[?(@.type=='Ready')].reason}"
        self._wait(f"jsonpath={path}={reason}", f"{kind}/{name}")
        return condition(self.get(name, kind=kind), "Ready")

    def _wait(self, what: str, which: str) -> None:
        """Wait for one object; where that doesn't come, the test fails with what it is instead."""
        waited = self.plane.kubectl("-n", self.name, "wait", f"--for={what}", which, _WAIT, check=False)
        if waited.returncode:
            found = self.kubectl("get", which, "-o", "yaml", check=False)
            raise AssertionError(f"{self.name}: {which} is not {what}: {waited.stderr.strip()}\n{found}")

    def count_ready(self) -> int:
        """Return how many uploads of this namespace are Ready."""
        path = "{.items[*].status.conditions[?(@.type=='Ready')].status}"
        return self.kubectl("get", "cru", "-o", f"jsonpath={path}").split().count("True")

    def status(self, name: str) -> Object:
        """Return an upload's status as it is now."""
        found: Object = self.get(name)["status"]
        return found

    def look_again(self, name: str) -> Object:
        """Ask for a fresh look and return the status once the operator has reported on it."""
        moment = f"request-{next(_numbers)}"
        self.kubectl("annotate", "--overwrite", f"cru/{name}", f"{REQUESTED_AT}={moment}")
        self._wait(f"jsonpath={{.status.lastHandledReconcileAt}}={moment}", f"cru/{name}")
        return self.status(name)

    def events(self, name: str, *, reason: str, count: int = 1) -> list[Object]:
        """Wait for that many Events with that reason about an object and return them."""
        selector = f"involvedObject.name={name},reason={reason}"

        def look() -> list[Object] | None:
            found = json.loads(self.kubectl("get", "events", "--field-selector", selector, "-o", "json"))
            items: list[Object] = found["items"]
            return items if len(items) >= count else None

        return until(look, what=f"an Event {reason} about {name}")


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """Everything that runs."""

    plane: ControlPlane
    simulator: Simulator
    operator: Operator

    def namespace_for(self, test: str) -> Namespace:
        """Create a namespace of its own for a test, named like it."""
        return self.namespace(test.split("[", maxsplit=1)[0].removeprefix("test_").replace("_", "-"))

    def namespace(self, hint: str) -> Namespace:
        """Create a namespace of its own for a test."""
        name = f"{hint[:40].strip('-')}-{next(_numbers)}"
        self.plane.kubectl("create", "namespace", name)
        return Namespace(name, self.plane, self.simulator)


def delete_by_hand(simulator: Simulator, scm_id: str) -> None:
    """Delete an entry in SCM, as a person would in its console."""
    simulator.admin.delete(f"{simulator.url}/v3/scm/csr/{scm_id}", headers=_BY_HAND).raise_for_status()


def rename_by_hand(simulator: Simulator, scm_id: str, name: str) -> None:
    """Rename an entry in SCM, as a person would in its console."""
    url = f"{simulator.url}/v3/scm/csr/{scm_id}"
    simulator.admin.put(url, json={"name": name}, headers=_BY_HAND).raise_for_status()


def add_by_hand(simulator: Simulator, name: str, csr: bytes, **fields: object) -> str:
    """Put an entry into SCM that the operator has not made, by default now; return its id."""
    body = {"name": name, "csr": csr.decode(), **fields}
    scm_id: str = simulator.admin.post("csrs", json=body).raise_for_status().json()["id"]
    return scm_id


def api_requests(plane: ControlPlane) -> collections.Counter[tuple[str, str]]:
    """Return how often the API server was asked, by verb and resource ("PATCH", "certificaterequestuploads/status")."""
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for line in plane.kubectl("get", "--raw", "/metrics").stdout.splitlines():
        if line.startswith("apiserver_request_total{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            resource = "/".join(part for part in (labels["resource"], labels["subresource"]) if part)
            counts[labels["verb"], resource] += int(float(line.rsplit(" ", 1)[1]))
    return counts


def password_spec(url: str) -> Object:
    """Return the spec of an account of the simulator's IAM user; its credential is Secret scm-iam."""
    password = {
        "iamEndpoint": url,
        "domain": simulators.DOMAIN,
        "user": simulators.USER,
        "scope": {"project": simulators.PROJECT},
        "secretRef": {"name": "scm-iam"},
    }
    return {"endpoint": url, "auth": {"password": password}, "limits": LIMITS}


def token_spec(url: str, *, secret: str = "scm-token") -> Object:  # noqa: S107 - a Secret's name
    """Return the spec of an account with a ready token in a Secret."""
    return {"endpoint": url, "auth": {"token": {"secretRef": {"name": secret}}}, "limits": LIMITS}


def condition(found: Object, kind: str) -> Object:
    """Return a condition of an object, empty if it has none of that type."""
    conditions: list[Object] = found.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


@contextlib.contextmanager
def running(
    folder: pathlib.Path, *, simulator_flags: tuple[str, ...] = (), flags: Mapping[str, str] | None = None
) -> Iterator[World]:
    """Start a world of its own with the permissions that the operator ships with; the operator runs already."""
    with ControlPlane.start() as plane, simulators.running(folder, *simulator_flags) as simulator:
        plane.install_crds()
        permissions.grant(plane)
        kubeconfig = plane.service_account_kubeconfig(OPERATOR_NAMESPACE, "scm-csr-operator", folder / "kubeconfig")
        operator = Operator(kubeconfig, log=folder / "operator.log", flags=flags)
        operator.start()
        try:
            yield World(plane, simulator, operator)
        finally:
            operator.stop()
