"""The variables of a container, in the order in which Kubernetes defines them.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables
"""

from typing import Protocol

from dev.node import expansion, fields, objects
from dev.node.api import Object


class Reader(Protocol):
    """Where values of ConfigMaps and Secrets come from: see `objects.Objects`."""

    async def data(self, kind: str, name: str, *, optional: bool) -> "objects.Data | None":
        """Return all of an object's data."""

    async def value(self, kind: str, name: str, *, key: str, optional: bool) -> bytes | None:
        """Return one value of an object's data."""


async def variables(container: Object, *, facts: fields.Facts, reader: Reader) -> dict[str, str]:
    """Return the container's variables; what is optional and missing is left out.

    Raises: MissingError, UnknownFieldError, ApiError.
    """
    found = await _from_objects(container, reader=reader)
    for entry in container.get("env", []):
        name, source = str(entry["name"]), entry.get("valueFrom")
        if source is None:
            found[name] = expansion.expand(str(entry.get("value", "")), found)
        else:
            value = await _from_source(source, container=container, facts=facts, reader=reader)
            if value is not None:
                found[name] = value
    return found


async def _from_objects(container: Object, *, reader: Reader) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in container.get("envFrom", []):
        for field, kind in (("configMapRef", objects.CONFIG_MAP), ("secretRef", objects.SECRET)):
            if reference := entry.get(field):
                optional = bool(reference.get("optional"))
                data = await reader.data(kind, str(reference["name"]), optional=optional) or {}
                found |= {f"{entry.get('prefix', '')}{key}": text(value) for key, value in data.items()}
    return found


async def _from_source(source: Object, *, container: Object, facts: fields.Facts, reader: Reader) -> str | None:
    if reference := source.get("fieldRef"):
        return fields.field(str(reference["fieldPath"]), facts=facts)
    if reference := source.get("resourceFieldRef"):
        return fields.resource(reference, container=str(container["name"]), facts=facts)
    for field, kind in (("configMapKeyRef", objects.CONFIG_MAP), ("secretKeyRef", objects.SECRET)):
        if reference := source.get(field):
            optional = bool(reference.get("optional"))
            value = await reader.value(kind, str(reference["name"]), key=str(reference["key"]), optional=optional)
            return None if value is None else text(value)
    raise fields.UnknownFieldError(f"env valueFrom {', '.join(source)}: this node knows no such source")


def text(value: bytes) -> str:
    """Return a value as the environment takes it: bytes that are no text stay what they are."""
    return value.decode(errors="surrogateescape")
