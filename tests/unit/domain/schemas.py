"""The CRDs' schemas, to compare with what the code reads and writes."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CRDS = Path(__file__).parents[3] / "crds"


@functools.cache
def schema_of(plural: str) -> dict[str, Any]:
    """Read the schema of a CRD's only version."""
    crd = yaml.load((CRDS / f"{plural}.yaml").read_text(), Loader=yaml.CSafeLoader)
    (version,) = crd["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def paths_of_schema(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the path of each field that a schema declares."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from paths_of_schema(field, f"{path}.{name}")
        yield from paths_of_schema(field.get("items", {}), f"{path}.{name}[]")


def paths_of(value: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the path of each field that an object has."""
    for name, field in value.items():
        yield f"{path}.{name}"
        for item in field if isinstance(field, list) else ():
            yield from paths_of(item, f"{path}.{name}[]")
        if isinstance(field, Mapping):
            yield from paths_of(field, f"{path}.{name}")
