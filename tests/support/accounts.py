"""IAM users that only one test knows, accounts for them, and many objects by one kubectl command."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tests.support import simulator as simulators
from tests.support import world as worlds
from tests.support.simulator import Simulator
from tests.support.waiting import until
from tests.support.world import GROUP_VERSION, Namespace, Object

_CLUSTER = "ClusterScmAccount"


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """A user of the simulator's IAM: what a test changes about one of its own disturbs no other test."""

    simulator: Simulator
    name: str
    domain: str
    password: str

    def change(self, **changes: object) -> None:
        """Change what the simulator accepts of this user: password, staticToken, revokeTokens, …."""
        self.simulator.credentials(domain=self.domain, user=self.name, **changes)

    def spec(self, *, secret: str = "iam", url: str | None = None) -> Object:  # noqa: S107 - a Secret's name
        """Return the spec of an account for this user, whose password is in a Secret; ``url`` is another address."""
        endpoint = url or self.simulator.url
        password = {
            "iamEndpoint": endpoint,
            "domain": self.domain,
            "user": self.name,
            "scope": {"project": simulators.PROJECT},
            "secretRef": {"name": secret},
        }
        return {"endpoint": endpoint, "auth": {"password": password}, "limits": worlds.LIMITS}

    def logins(self) -> list[int]:
        """Return how each of this user's logins was answered, oldest first."""
        return [
            request["status"]
            for request in self.simulator.requests(operation="CreateToken")
            if request["body"]["auth"]["identity"]["password"]["user"]["name"] == self.name
        ]


def make_user(simulator: Simulator, name: str, *, domain: str | None = None) -> User:
    """Make a user, by default in a domain of its own, who may log in."""
    user = User(simulator, name, domain or f"domain-of-{name}", f"password-of-{name}")
    user.change(password=user.password)
    return user


def put(namespace: Namespace, *objects: Object) -> None:
    """Apply objects, in a namespace unless they say otherwise, by one kubectl command."""
    items = [
        each if each["kind"] == _CLUSTER else each | {"metadata": {"namespace": namespace.name} | each["metadata"]}
        for each in objects
    ]
    namespace.plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def secret(name: str, data: Mapping[str, str | bytes], *, namespace: str | None = None) -> Object:
    """Make a Secret."""
    texts = {key: value if isinstance(value, str) else value.decode() for key, value in data.items()}
    return _object("v1", "Secret", name, namespace=namespace) | {"stringData": texts}


def account(name: str, spec: Object, *, kind: str = "ScmAccount") -> Object:
    """Make an account of either kind."""
    return _object(GROUP_VERSION, kind, name) | {"spec": spec}


def upload(name: str, /, *, csr: str = "csr", account: str | Object | None = None, **spec: object) -> Object:
    """Make an upload of the CSR in a Secret; ``account`` is its accountRef, or the name in it."""
    references: dict[str, object] = {"csrSecretRef": {"name": csr}}
    if account:
        references["accountRef"] = {"name": account} if isinstance(account, str) else account
    return _object(GROUP_VERSION, "CertificateRequestUpload", name) | {"spec": references | spec}


def statuses(simulator: Simulator, name: str) -> list[int]:
    """Return how each POST for a CSR name was answered, oldest first."""
    return [request["status"] for request in simulator.requests(name=name)]


def event_reasons(namespace: Namespace, name: str, *, kind: str = "ScmAccount") -> list[str]:
    """Return the reasons of all Events about an object, oldest first."""
    selector = f"involvedObject.kind={kind},involvedObject.name={name}"
    found = json.loads(namespace.kubectl("get", "events", "--field-selector", selector, "-o", "json"))
    return [event["reason"] for event in sorted(found["items"], key=lambda event: event["eventTime"])]


def until_events(namespace: Namespace, name: str, reasons: list[str]) -> None:
    """Wait until the Events about an account are these, and no others."""
    until(lambda: event_reasons(namespace, name) == reasons, what=f"the Events {reasons} about {name}")


def _object(version: str, kind: str, name: str, *, namespace: str | None = None) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}
