"""Reading untyped JSON of the Kubernetes API field by field, with the path of the field in every complaint.

The CRD's schema has checked a resource before it gets here; these checks are for a schema that somebody loosened.
"""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, TypeVar

from scm_operator.domain import errors

Choice = TypeVar("Choice", bound=enum.StrEnum)


@dataclasses.dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object and where it stands in its resource (``spec.auth.password``)."""

    values: Mapping[str, Any] = dataclasses.field(repr=False)
    path: str = ""

    @classmethod
    def of(cls, value: object, *, path: str) -> "Fields":
        """Take ``value`` as a JSON object. Raises: InvalidResource if it is anything else."""
        if not isinstance(value, Mapping):
            raise errors.InvalidResource(path, value, "an object")
        return cls(value, path)

    def at(self, name: str) -> str:
        """Return the path of a field of this object."""
        return f"{self.path}.{name}" if self.path else name

    def text(self, name: str, *, default: str | None = None) -> str:
        """Return a string that isn't empty. Raises: InvalidResource if it is absent without default, or no string."""
        value = self.values.get(name, default)
        if not isinstance(value, str) or not value:
            raise errors.InvalidResource(self.at(name), value, "a non-empty string")
        return value

    def optional_text(self, name: str, *, empty: bool = False) -> str | None:
        """Return a string, or None if the field is absent; ``empty`` allows an empty one. Raises: InvalidResource."""
        value = self.values.get(name)
        return value if value is None or (empty and value == "") else self.text(name)

    def number(self, name: str, *, default: int) -> int:
        """Return an integer. Raises: InvalidResource if it is no integer."""
        value = self.values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise errors.InvalidResource(self.at(name), value, "an integer")
        return value

    def choice(self, name: str, choices: type[Choice], *, default: Choice) -> Choice:
        """Return a member of a string enum. Raises: InvalidResource if the value is none of its."""
        value = self.values.get(name, default)
        try:
            return choices(value)
        except ValueError:
            raise errors.InvalidResource(self.at(name), value, "one of " + ", ".join(choices)) from None

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean. Raises: InvalidResource if it is no boolean."""
        value = self.values.get(name, default)
        if not isinstance(value, bool):
            raise errors.InvalidResource(self.at(name), value, "a boolean")
        return value

    def child(self, name: str) -> "Fields":
        """Return a required object. Raises: InvalidResource if it is absent or no object."""
        return Fields.of(self.values.get(name), path=self.at(name))

    def optional_child(self, name: str) -> "Fields | None":
        """Return an object, or None if the field is absent. Raises: InvalidResource if it is no object."""
        return None if self.values.get(name) is None else self.child(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings, empty if absent. Raises: InvalidResource if it is no such list."""
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise errors.InvalidResource(self.at(name), value, "a list of strings")
        return tuple(value)

    def children(self, name: str) -> "tuple[Fields, ...]":
        """Return a list of objects, empty if absent. Raises: InvalidResource if it is no such list."""
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise errors.InvalidResource(self.at(name), value, "a list")
        return tuple(Fields.of(item, path=f"{self.at(name)}[{n}]") for n, item in enumerate(value))


@dataclasses.dataclass(frozen=True, slots=True)
class Metadata:
    """What the operator uses of an object's metadata."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    deleting: bool
    annotations: Mapping[str, Any] = dataclasses.field(repr=False)
    created: str
    finalizers: tuple[str, ...]


def metadata_of(body: Mapping[str, Any]) -> Metadata:
    """Parse ``metadata``; the namespace of a cluster-scoped object is empty. Raises: InvalidResource."""
    fields = Fields(body).child("metadata")
    annotations = fields.optional_child("annotations")
    return Metadata(
        namespace=fields.optional_text("namespace") or "",
        name=fields.text("name"),
        uid=fields.text("uid"),
        resource_version=fields.text("resourceVersion"),
        generation=fields.number("generation", default=1),
        deleting=fields.optional_text("deletionTimestamp") is not None,
        annotations={} if annotations is None else annotations.values,
        created=fields.optional_text("creationTimestamp") or "",
        finalizers=fields.texts("finalizers"),
    )
