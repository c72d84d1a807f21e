from pathlib import Path

import pytest
import yaml

from dev import release
from dev.image import building

CHANGELOG = (
    "# Changelog\n\n## Unreleased\n\n- New.\n\n## 1.2.3 - 2026-01-02\n\n### Added\n\n- It.\n\n## 1.2.2\n\n- Old.\n"
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout whose files all say 1.2.3."""
    (tmp_path / "deploy" / "chart").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (tmp_path / "deploy" / "chart" / "Chart.yaml").write_text('name: x\nversion: 1.2.3\nappVersion: "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def test_a_tag_stands_for_the_version_that_all_files_have(checkout: Path) -> None:
    """The leading v is the tag's alone."""
    assert release.version("v1.2.3", checkout=checkout) == "1.2.3"


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v1.2.3; rm -rf /", "vnext"])
def test_a_tag_that_is_no_version_is_refused(tag: str, checkout: Path) -> None:
    """What isn't v1.2.3 is never released, nor put into a command."""
    with pytest.raises(release.ReleaseError, match="found no version"):
        release.version(tag, checkout=checkout)


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("pyproject.toml", '"1.2.3"', '"1.2.2"', r"pyproject\.toml: project\.version is 1\.2\.2, the tag says 1\.2\.3"),
        ("deploy/chart/Chart.yaml", "\nversion: 1.2.3", "\nversion: 1.2.2", r"Chart\.yaml: version is 1\.2\.2"),
        ("deploy/chart/Chart.yaml", 'appVersion: "1.2.3"', "", r"Chart\.yaml: appVersion is missing"),
        ("CHANGELOG.md", "## 1.2.3", "## 1.2.4", r"CHANGELOG\.md has no section `## 1\.2\.3`"),
    ],
)
def test_a_file_that_says_otherwise_is_named(file: str, old: str, new: str, complaint: str, checkout: Path) -> None:
    """Nothing is released under a version that its own files don't have."""
    path = checkout / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(release.ReleaseError, match=complaint):
        release.version("v1.2.3", checkout=checkout)


def test_the_notes_are_the_changelogs_section(checkout: Path) -> None:
    """From the version's heading to the next one."""
    assert release.notes("1.2.3", checkout=checkout) == "### Added\n\n- It.\n"


def test_the_chart_has_the_projects_version() -> None:
    """They move together, not only on the day of a release."""
    chart = yaml.safe_load((release.CHECKOUT / "deploy" / "chart" / "Chart.yaml").read_text())
    assert {chart["version"], chart["appVersion"]} == {building.facts()["VERSION"]}
