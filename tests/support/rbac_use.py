"""Which of the operator's permissions it has used, and what it was refused: by the API server's audit and its Roles."""

import json
import pathlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dev.control_plane import ControlPlane

Object = dict[str, Any]

_KINDS = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """What was asked of the API server; the resource has its subresource, as in ``pods/status``."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.verb, f"{self.resource}.{self.group}".rstrip("."), self._place())))

    def _place(self) -> str:
        return f"{self.namespace}/{self.name}".strip("/")


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One verb on one resource, from a rule of a Role; no namespace: in all of them; no names: whatever the name."""

    role: str
    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.role}: {self.verb} {self.resource}.{self.group}".rstrip(".")

    def covers(self, request: Request) -> bool:
        """Say whether this permission is enough for a request."""
        return (
            self.verb in {"*", request.verb}
            and self.resource in {"*", request.resource}
            and self.group in {"*", request.group}
            and self.namespace in {"", request.namespace}
            and (not self.names or request.name in self.names)
        )


@dataclass(frozen=True, slots=True)
class Account:
    """A ServiceAccount; one that is made anew under the same name has another uid."""

    namespace: str
    name: str
    uid: str

    @classmethod
    def find(cls, plane: ControlPlane, *, namespace: str, name: str) -> "Account":
        """Return one that exists."""
        path = "jsonpath={.metadata.uid}"
        return cls(namespace, name, plane.kubectl("-n", namespace, "get", "serviceaccount", name, "-o", path).stdout)

    def is_subject_of(self, binding: Object) -> bool:
        """Say whether a binding names it; what everybody has by a group is not its own."""
        wanted = {"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}
        return any(wanted.items() <= subject.items() for subject in binding.get("subjects") or [])


@dataclass(frozen=True, slots=True)
class Audit:
    """What an account has asked for so far."""

    allowed: frozenset[Request]
    refused: frozenset[Request]

    @classmethod
    def read(cls, log: pathlib.Path, *, account: Account) -> "Audit":
        """Read the audit; a line that is still being written is left for the next time."""
        lines = log.read_text().split("\n")[:-1]
        events = [event for event in map(json.loads, lines) if event["user"].get("uid") == account.uid]
        found: dict[bool, set[Request]] = {True: set(), False: set()}
        for event in events:
            found[event.get("responseStatus", {}).get("code") != _FORBIDDEN].add(_request(event))
        return cls(frozenset(found[True]), frozenset(found[False]))

    def too_much(self, permissions: Iterable[Permission]) -> list[str]:
        """Return the permissions without which no request would have been refused: unused, or there twice."""
        given = list(permissions)
        needed = set()
        for request in self.allowed:
            enough = [each for each in given if each.covers(request)]
            needed |= set(enough) if len(enough) == 1 else set()
        return [str(each) for each in sorted(set(given) - needed)]


def granted(plane: ControlPlane, *, account: Account) -> list[Permission]:
    """Return all permissions that an account has by bindings of its own."""
    found = {
        kind: json.loads(plane.kubectl("get", kind, "--all-namespaces", "-o", "json").stdout)["items"]
        for kind in _KINDS
    }
    return permissions(found, account=account)


def permissions(found: dict[str, list[Object]], *, account: Account) -> list[Permission]:
    """Return the permissions that bindings give to an account, by the plural of what was found."""
    roles = {
        (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]): each.get("rules") or []
        for each in (*found["roles"], *found["clusterroles"])
    }
    given = []
    for binding in (*found["rolebindings"], *found["clusterrolebindings"]):
        if account.is_subject_of(binding):
            namespace, reference = binding["metadata"].get("namespace", ""), binding["roleRef"]
            place = namespace if reference["kind"] == "Role" else ""
            rules = roles[reference["kind"], place, reference["name"]]
            name = f"{place}/{reference['name']}".removeprefix("/")
            role = f"{reference['kind']} {name}"
            given += [each for rule in rules for each in _expanded(rule, role=role, namespace=namespace)]
    return given


def _expanded(rule: Object, *, role: str, namespace: str) -> Iterator[Permission]:
    for group in rule.get("apiGroups", []):
        for resource in rule.get("resources", []):
            for verb in rule["verbs"]:
                yield Permission(role, verb, resource, group, namespace, tuple(rule.get("resourceNames", [])))


def _request(event: Object) -> Request:
    asked = event.get("objectRef") or {"resource": event["requestURI"].split("?")[0]}
    resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
    return Request(
        event["verb"], resource, asked.get("apiGroup", ""), asked.get("namespace", ""), asked.get("name", "")
    )
