import pathlib
import shutil
from typing import Any

import pytest

from dev import api_reference

SPEC: dict[str, Any] = {
    "type": "object",
    "description": "What to do.",
    "required": ["name"],
    "x-kubernetes-validations": [
        {"rule": "…", "message": "set one\n  of them"},
        {"rule": "…", "message": "can't be edited", "fieldPath": ".name"},
    ],
    "properties": {
        "name": {"type": "string", "description": "Its name.", "minLength": 1, "maxLength": 1000},
        "policy": {"type": "string", "description": "Its policy.", "enum": ["Keep", "Drop"], "default": "Keep"},
        "steps": {
            "type": "array",
            "description": "Its steps.",
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {"at": {"type": "string", "format": "date-time", "description": "When."}},
            },
        },
    },
}


def _fields() -> dict[str, api_reference.Field]:
    return {each.path: each for each in api_reference.fields({"properties": {"spec": SPEC}, "required": ["spec"]})}


def test_all_fields_are_found_in_the_schemas_order() -> None:
    """What is in a list has its path with brackets."""
    assert list(_fields()) == ["spec", "spec.name", "spec.policy", "spec.steps", "spec.steps[].at"]


def test_a_field_says_what_its_value_must_be() -> None:
    """Required, its least and most, or one of a few; a default is shown as it is written in YAML."""
    found = _fields()

    assert found["spec.name"].bounds == "required, 1 to 1,000 characters"
    assert (found["spec.policy"].bounds, found["spec.policy"].default) == ("`Keep` or `Drop`", "`Keep`")
    assert (found["spec.steps"].type, found["spec.steps"].bounds) == ("[]object", "at most 3 items")
    assert found["spec.steps[].at"].type == "time"


def test_rules_are_told_by_their_messages() -> None:
    """A rule is about the field that it stands at, unless it names another."""
    assert [(rule.path, rule.message) for rule in _fields()["spec"].rules] == [
        ("spec", "set one of them"),
        ("spec.name", "can't be edited"),
    ]


def test_a_field_without_description_is_refused() -> None:
    """The message names it."""
    schema = {"properties": {"spec": {"type": "object", "description": "…", "properties": {"x": {"type": "string"}}}}}

    with pytest.raises(api_reference.NoDescriptionError, match=r"spec\.x has no description"):
        list(api_reference.fields(schema))


def test_a_page_that_is_not_up_to_date_is_told(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` shows the difference and what to do; after `write` there is none."""
    shutil.copytree(api_reference.CHECKOUT / "crds", tmp_path / "crds")
    (tmp_path / "docs").mkdir()

    assert api_reference.check(tmp_path) == 1
    assert "`make docs` makes it anew" in capsys.readouterr().out
    api_reference.write(tmp_path)
    assert api_reference.check(tmp_path) == 0
    assert "| `spec.csrSecretRef.key` | string | `tls.csr` |" in (tmp_path / "docs" / "api.md").read_text()


def test_a_text_ends_no_cell_and_begins_no_tag(tmp_path: pathlib.Path) -> None:
    """A bar, an angle bracket or an asterisk of a description stands in the page as itself."""
    (tmp_path / "crds").mkdir()
    for name in ("certificaterequestuploads", "clusterscmaccounts", "scmaccounts"):
        text = (api_reference.CHECKOUT / "crds" / f"{name}.yaml").read_text()
        (tmp_path / "crds" / f"{name}.yaml").write_text(text.replace("The account's name.", "A|B, <c>, *d*."))

    assert r"A\|B, &lt;c>, \*d\*." in api_reference.reference(tmp_path)
