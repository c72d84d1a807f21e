"""The downward API: what a Pod's containers are told about the Pod.

https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dev.node import quantities
from dev.node.api import Object

_ENTRY = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class UnknownFieldError(Exception):
    """A container asks for a field that there is none of; the message names it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A Pod, and what the node knows of it besides; the addresses are where it really listens."""

    pod: Object
    address: str
    host: str
    allocatable: Mapping[str, str]


def field(path: str, *, facts: Facts) -> str:
    """Return the value of a field, empty for a label or annotation that the Pod hasn't.

    Raises:
        UnknownFieldError: The downward API has no such field, or this node doesn't know it.

    """
    metadata = facts.pod["metadata"]
    if found := _ENTRY.fullmatch(path):
        return str(metadata.get(found[1], {}).get(found[2], ""))
    if path in {"metadata.labels", "metadata.annotations"}:
        entries = metadata.get(path.removeprefix("metadata."), {})
        return "\n".join(f"{name}={json.dumps(value)}" for name, value in sorted(entries.items()))
    if read := _FIELDS.get(path):
        return read(facts)
    raise UnknownFieldError(f"fieldRef {path}: this node knows no such field")


_FIELDS: Mapping[str, Callable[[Facts], str]] = {
    "metadata.name": lambda facts: str(facts.pod["metadata"]["name"]),
    "metadata.namespace": lambda facts: str(facts.pod["metadata"]["namespace"]),
    "metadata.uid": lambda facts: str(facts.pod["metadata"]["uid"]),
    "spec.nodeName": lambda facts: str(facts.pod["spec"]["nodeName"]),
    "spec.serviceAccountName": lambda facts: str(facts.pod["spec"]["serviceAccountName"]),
    "status.podIP": lambda facts: facts.address,
    "status.podIPs": lambda facts: facts.address,
    "status.hostIP": lambda facts: facts.host,
    "status.hostIPs": lambda facts: facts.host,
}


def resource(reference: Object, *, container: str, facts: Facts) -> str:
    """Return what a resourceFieldRef asks for; a limit that isn't set is what the node can give.

    Raises:
        UnknownFieldError: There is no such resource or container, or its quantity is none.

    """
    kind, _, name = str(reference["resource"]).partition(".")
    wanted = reference.get("containerName") or container
    spec = facts.pod["spec"]
    containers = [*spec["containers"], *spec.get("initContainers", [])]
    found = next((each for each in containers if each["name"] == wanted), None)
    if found is None or kind not in {"limits", "requests"}:
        raise UnknownFieldError(f"resourceFieldRef {reference['resource']} of container {wanted}: there is none")
    missing = facts.allocatable.get(name, "0") if kind == "limits" else "0"
    quantity = found.get("resources", {}).get(kind, {}).get(name, missing)
    try:
        return str(quantities.count(str(quantity), divisor=str(reference.get("divisor", "1"))))
    except ValueError as error:
        raise UnknownFieldError(f"resourceFieldRef {reference['resource']}: {error}") from error
