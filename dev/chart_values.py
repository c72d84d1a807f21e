"""The chart's values: values.schema.json says what they are, and values.yaml and the README's table follow from it."""

import itertools
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

Schema = Mapping[str, Any]

_WIDTH = 116
_HEAD = """\
# Values of the chart scm-csr-operator. values.schema.json says the same to programs, with the types.
# Made from it by `make manifests`: change it there.
"""


class SchemaError(Exception):
    """A value can't be written down; the message says which one and why."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value that a user may set."""

    path: tuple[str, ...]
    description: str
    default: Any
    """None where there is none."""

    @property
    def name(self) -> str:
        """Return it as `helm --set` has it."""
        return ".".join(self.path)


def read(text: str) -> list[Value]:
    """Return all values of a schema, in its order.

    Raises:
        SchemaError: One has no description that ends with a full stop.

    """
    schema = json.loads(text)
    return list(_values(schema, definitions=schema.get("definitions", {})))


def _values(schema: Schema, *, definitions: Schema, path: tuple[str, ...] = ()) -> Iterator[Value]:
    for name, field in schema["properties"].items():
        here = (*path, name)
        target = _resolved(field, definitions)
        if "properties" in target and "default" not in field:
            yield from _values(target, definitions=definitions, path=here)
            continue
        description = field.get("description", "")
        if not description.endswith("."):
            raise SchemaError(f"values.schema.json: {'.'.join(here)} has no description that ends with a full stop")
        yield Value(path=here, description=description, default=field.get("default"))


def _resolved(field: Schema, definitions: Schema) -> Schema:
    reference = field.get("$ref", "")
    resolved: Schema = definitions[reference.removeprefix("#/definitions/")] if reference else field
    return resolved


def values_yaml(values: Sequence[Value]) -> str:
    """Write values.yaml: every default, with its description above. A value without default isn't there."""
    blocks = [_HEAD]
    for name, members in itertools.groupby(values, key=lambda value: value.path[0]):
        entries = [_entry(value) for value in members if value.default is not None]
        grouped = any(len(value.path) > 1 for value in values if value.path[0] == name)
        if entries:
            blocks.append(f"{name}:\n{textwrap.indent(''.join(entries), '  ')}" if grouped else "".join(entries))
    return "\n".join(blocks)


def _entry(value: Value) -> str:
    comment = textwrap.fill(value.description, _WIDTH, initial_indent="# ", subsequent_indent="# ")
    default = {value.path[-1]: value.default}
    return f"{comment}\n{yaml.safe_dump(default, sort_keys=False, width=_WIDTH, allow_unicode=True)}"


def table(values: Sequence[Value]) -> str:
    """Write the table for the README."""
    rows = [(f"`{value.name}`", _shown(value.default), value.description) for value in values]
    lines = ["| value | default | meaning |", "| --- | --- | --- |", *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    return "" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
