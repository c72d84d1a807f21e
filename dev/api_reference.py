"""The API reference, docs/api.md, follows from crds/: ``python -m dev.api_reference write`` makes it, ``check`` tells
whether it is up to date.
"""

import argparse
import difflib
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
REFERENCE = "docs/api.md"

_KINDS = ("certificaterequestuploads", "clusterscmaccounts", "scmaccounts")
_HEAD = """\
<!-- Made from crds/ by `make docs`. -->
# API reference

Group `{group}`, version `{version}`. `kubectl explain` shows the same in a terminal, and
[examples](../crds/examples) has complete manifests. A field that isn't listed is refused by `kubectl apply`, unless its
validation is turned off.

Annotations that people set:

| annotation | on | meaning |
| --- | --- | --- |
| `{group}/reconcile-requested-at` | uploads, accounts | a new value has the operator look again at once; \
when it has, the value stands in `status.lastHandledReconcileAt` |
| `{group}/confirm-upload` | uploads | the id of an attempt whose outcome is unknown: it is not in SCM, \
send it again ([OutcomeUnknown](troubleshooting.md#outcomeunknown)) |
"""
_WIDTH = 120
_LINES = 30

Schema = Mapping[str, Any]


class NoDescriptionError(Exception):
    """A schema can't be described; the message says which field and why."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field, by its path; ``bounds`` are what its value must be."""

    path: str
    type: str
    default: str
    bounds: str
    description: str
    rules: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a CEL rule says when it refuses something, and about which field."""

    path: str
    message: str


def fields(schema: Schema, path: str = "", *, required: bool = False) -> Iterator[Field]:
    """Return an object's field and all below it, in the schema's order.

    Raises:
        NoDescriptionError: One has no description.

    """
    if path:
        yield _field(schema, path, required=required)
    inner, suffix = (schema["items"], "[]") if schema.get("type") == "array" else (schema, "")
    for name, each in inner.get("properties", {}).items():
        below = f"{path}{suffix}.{name}" if path else name
        yield from fields(each, below, required=name in inner.get("required", ()))


def _field(schema: Schema, path: str, *, required: bool) -> Field:
    if "description" not in schema:
        raise NoDescriptionError(f"crds/: {path} has no description")
    default = schema.get("default", "")
    bounds = ["required"] if required else []
    return Field(
        path=path,
        type=_type(schema),
        default=f"`{default if isinstance(default, str) else json.dumps(default)}`" if "default" in schema else "",
        bounds=", ".join([*bounds, *_bounds(schema)]),
        description=" ".join(schema["description"].split()),
        rules=rules(schema, path),
    )


def rules(schema: Schema, path: str = "") -> tuple[Rule, ...]:
    """Return a schema's own CEL rules."""
    found = schema.get("x-kubernetes-validations", ())
    paths = [(path + rule.get("fieldPath", "")).removeprefix(".") for rule in found]
    return tuple(Rule(at, " ".join(rule["message"].split())) for at, rule in zip(paths, found, strict=True))


def _type(schema: Schema) -> str:
    if schema["type"] == "array":
        return f"[]{_type(schema['items'])}"
    return "time" if schema.get("format") == "date-time" else str(schema["type"])


def _bounds(schema: Schema) -> Iterator[str]:
    if "enum" in schema:
        yield " or ".join(f"`{value}`" for value in schema["enum"])
    for unit, least, most in (
        (" characters", "minLength", "maxLength"),
        ("", "minimum", "maximum"),
        (" items", "minItems", "maxItems"),
    ):
        if least in schema and most in schema:
            yield f"{schema[least]:,} to {schema[most]:,}{unit}"
        elif least in schema:
            yield f"at least {schema[least]:,}{unit}"
        elif most in schema:
            yield f"at most {schema[most]:,}{unit}"
    if "pattern" in schema:
        yield f"`{schema['pattern']}`"


def section(crd: Mapping[str, Any]) -> str:
    """Return the section about a kind.

    Raises:
        NoDescriptionError: A field has no description.

    """
    (version,) = crd["spec"]["versions"]
    names, schema = crd["spec"]["names"], version["schema"]["openAPIV3Schema"]
    found = [each for each in fields(schema) if each.path.partition(".")[0] in {"spec", "status"}]
    refusals = [*rules(schema), *(rule for each in found for rule in each.rules)]
    columns = [(column["name"], column["description"]) for column in version["additionalPrinterColumns"]]
    scope = "One belongs to a namespace." if crd["spec"]["scope"] == "Namespaced" else "One belongs to the cluster."
    parts = [
        f"## {names['kind']}",
        textwrap.fill(f"{schema['description']} {scope} Short name `{', '.join(names['shortNames'])}`.", _WIDTH),
        f"### {names['kind']}: spec",
        _fields_table([each for each in found if each.path.startswith("spec")]),
        f"### {names['kind']}: what is refused",
        _table(("field", "message"), [(f"`{rule.path}`", rule.message) for rule in refusals]),
        f"### {names['kind']}: status",
        _fields_table([each for each in found if each.path.startswith("status")]),
        f"### {names['kind']}: columns of kubectl get",
        _table(("column", "meaning"), [(f"`{name}`", meaning) for name, meaning in columns]),
    ]
    return "\n\n".join(parts) + "\n"


def _fields_table(found: Sequence[Field]) -> str:
    rows = [(f"`{each.path}`", each.type, each.default, each.bounds, each.description) for each in found]
    return _table(("field", "type", "default", "must be", "meaning"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def _cell(text: str) -> str:
    """Write a text so that it ends no cell and begins no tag; in a span of code all but a bar stands for itself."""
    parts = text.replace("|", "\\|").split("`")
    parts[::2] = [part.replace("<", "&lt;").replace("*", "\\*") for part in parts[::2]]
    return "`".join(parts)


def reference(checkout: Path) -> str:
    """Return the whole page.

    Raises:
        NoDescriptionError: A field has no description.

    """
    crds = [yaml.safe_load((checkout / "crds" / f"{plural}.yaml").read_text()) for plural in _KINDS]
    head = _HEAD.format(group=crds[0]["spec"]["group"], version=crds[0]["spec"]["versions"][0]["name"])
    return "\n".join([head, *map(section, crds)])


def write(checkout: Path) -> None:
    """Make the page anew."""
    (checkout / REFERENCE).write_text(reference(checkout))
    print(f"wrote {REFERENCE}")


def check(checkout: Path) -> int:
    """Print where the page isn't up to date; return 1 then, else 0."""
    path = checkout / REFERENCE
    old = path.read_text().splitlines() if path.exists() else []
    diff = list(difflib.unified_diff(old, reference(checkout).splitlines(), "committed", "made", n=0, lineterm=""))
    if not diff:
        return 0
    print(f"{REFERENCE} is not up to date; `make docs` makes it anew, commit the result:\n")
    print("\n".join(diff[:_LINES]))
    return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.api_reference", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=("write", "check"))
    command = parser.parse_args(arguments).command
    try:
        if command == "check":
            return check(CHECKOUT)
        write(CHECKOUT)
    except NoDescriptionError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
