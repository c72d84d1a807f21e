import json
from typing import Any

import pytest
import yaml

from dev import chart_values

SCHEMA: dict[str, Any] = {
    "properties": {
        "replicas": {"description": "Pods. One works, the others wait.", "type": "integer", "default": 2},
        "image": {
            "properties": {
                "repository": {"description": "Where it is.", "default": "example.com/x"},
                "labels": {"description": "Labels | for it.", "$ref": "#/definitions/strings", "default": {"a": "b"}},
            }
        },
        "monitor": {"$ref": "#/definitions/monitor"},
        "global": {"description": "Not read.", "type": "object"},
    },
    "definitions": {
        "strings": {"type": "object"},
        "monitor": {"properties": {"enabled": {"description": "Make one.", "type": "boolean", "default": False}}},
    },
}


def read(schema: dict[str, Any] = SCHEMA) -> list[chart_values.Value]:
    """Read a schema that is written down here."""
    return chart_values.read(json.dumps(schema))


def test_values_are_read_in_order_and_through_references() -> None:
    """A group is no value, a mapping with a default is; definitions stand where they are referred to."""
    assert [(value.name, value.default) for value in read()] == [
        ("replicas", 2),
        ("image.repository", "example.com/x"),
        ("image.labels", {"a": "b"}),
        ("monitor.enabled", False),
        ("global", None),
    ]


@pytest.mark.parametrize("description", [None, "No full stop"])
def test_a_value_without_a_sentence_is_refused(description: str | None) -> None:
    """The message names the value."""
    field = {"default": 1} | ({"description": description} if description else {})
    with pytest.raises(chart_values.SchemaError, match=r"image\.tag has no description that ends with a full stop"):
        read({"properties": {"image": {"properties": {"tag": field}}}})


def test_values_yaml_has_every_default_with_its_description_above() -> None:
    """What has no default isn't there: Helm would take it for set."""
    text = chart_values.values_yaml(read())

    assert yaml.safe_load(text) == {
        "replicas": 2,
        "image": {"repository": "example.com/x", "labels": {"a": "b"}},
        "monitor": {"enabled": False},
    }
    assert "\n\n# Pods. One works, the others wait.\nreplicas: 2\n\nimage:\n  # Where it is.\n  repository:" in text


def test_a_long_description_is_wrapped() -> None:
    """No line of values.yaml is longer than those of the code."""
    text = chart_values.values_yaml(read({"properties": {"x": {"description": "word " * 99 + ".", "default": 1}}}))

    assert max(map(len, text.splitlines())) <= 120
    assert yaml.safe_load(text) == {"x": 1}


def test_the_table_has_a_row_for_each_value() -> None:
    """The default is shown as JSON, and nothing breaks out of its cell."""
    assert chart_values.table(read()).splitlines() == [
        "| value | default | meaning |",
        "| --- | --- | --- |",
        "| `replicas` | `2` | Pods. One works, the others wait. |",
        '| `image.repository` | `"example.com/x"` | Where it is. |',
        '| `image.labels` | `{"a": "b"}` | Labels \\| for it. |',
        "| `monitor.enabled` | `false` | Make one. |",
        "| `global` |  | Not read. |",
    ]
