import json
import pathlib

import pytest

from dev import manifests

README = "# Chart\n\n<!-- values: made by `make manifests` -->\nold\n<!-- end of values -->\n\nMore.\n"
SCHEMA = {"properties": {"replicas": {"description": "Pods.", "default": 2}}}


@pytest.fixture
def checkout(tmp_path: pathlib.Path) -> pathlib.Path:
    """The sources of a small chart."""
    chart = tmp_path / "deploy" / "chart"
    chart.mkdir(parents=True)
    (chart / "README.md").write_text(README)
    (chart / "values.schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds" / "things.yaml").write_text("kind: CustomResourceDefinition\n")
    return tmp_path


def test_the_charts_crds_are_the_projects_byte_by_byte(checkout: pathlib.Path) -> None:
    """They have one source."""
    made = manifests.sources(checkout)

    assert made["deploy/chart/files/crds/things.yaml"] == (checkout / "crds" / "things.yaml").read_text()


def test_the_table_stands_between_its_two_lines(checkout: pathlib.Path) -> None:
    """What is written around it stays."""
    readme = manifests.sources(checkout)["deploy/chart/README.md"]

    assert readme.startswith("# Chart\n\n<!-- values")
    assert "| `replicas` | `2` | Pods. |" in readme
    assert "old" not in readme
    assert readme.endswith("<!-- end of values -->\n\nMore.\n")


def test_a_readme_without_a_place_for_the_table_is_refused(checkout: pathlib.Path) -> None:
    """The message names the lines that it needs."""
    (checkout / "deploy" / "chart" / "README.md").write_text("# Chart\n")

    with pytest.raises(manifests.NoTableError, match="end of values"):
        manifests.sources(checkout)


def test_what_is_missing_changed_or_left_over_is_named(checkout: pathlib.Path) -> None:
    """Left over: a file in a folder of made ones that follows from nothing any more."""
    folder = checkout / "deploy" / "chart" / "files" / "crds"
    folder.mkdir(parents=True)
    (folder / "gone.yaml").write_text("")
    (checkout / "deploy" / "chart" / "values.yaml").write_text("replicas: 3\n")

    assert manifests.differences(checkout, manifests.sources(checkout)) == [
        "deploy/chart/README.md",
        "deploy/chart/files/crds/gone.yaml",
        "deploy/chart/files/crds/things.yaml",
        "deploy/chart/values.yaml",
    ]


def test_what_is_as_it_should_be_has_no_differences(checkout: pathlib.Path) -> None:
    """And files that somebody writes beside the made ones are nobody's business."""
    made = manifests.sources(checkout)
    for name, text in made.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text)
    (checkout / "deploy" / "chart" / "files" / "rules.yaml").write_text("groups: []\n")

    assert manifests.differences(checkout, made) == []
