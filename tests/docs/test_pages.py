import os
import re
import subprocess
import tomllib

import pytest
import yaml

from scm_operator import settings
from scm_operator.domain import reasons
from tests.support import doc_plan, markdown
from tests.support.markdown import ROOT

_LANGUAGES = {"sh", "yaml", "text"}
_BLOCKS = [block for path in markdown.paths() for block in markdown.read(path).blocks]
_COMMANDS = [block for block in _BLOCKS if block.language == "sh"]


@pytest.mark.parametrize("path", markdown.paths())
def test_each_block_says_what_it_is(path: str) -> None:
    """Code is fenced, with a language: sh is run, yaml validated, text is an output. Anything else isn't tried."""
    page = markdown.read(path)

    assert [str(block) for block in page.blocks if block.language not in _LANGUAGES] == []
    assert not page.indented


def test_each_page_with_commands_has_a_test_that_runs_them() -> None:
    """A page that gets its first command is named in the plan, with a module that goes through all its sections."""
    pages = [path for path in markdown.paths() if doc_plan.runnable(path)]

    assert [path for path in pages if path not in doc_plan.TESTS] == []
    for path in pages:
        assert f'"{path}"' in (ROOT / "tests" / "docs" / doc_plan.TESTS[path]).read_text()


@pytest.mark.parametrize("block", _COMMANDS, ids=str)
def test_commands_are_bash(block: markdown.Block) -> None:
    """What isn't run is at least understood by bash; commands have no prompt, so that they can be copied."""
    done = subprocess.run(
        ["/bin/bash", "-n"],
        input=block.text,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert not re.search(r"^[$#] ", block.text, re.MULTILINE)


@pytest.mark.parametrize("path", markdown.paths())
def test_links_lead_somewhere(path: str) -> None:
    """A relative link leads to a file of the checkout, and its anchor to a heading there."""
    broken = [link for link in markdown.read(path).links if not _leads_somewhere(path, link)]

    assert broken == []


def _leads_somewhere(path: str, link: str) -> bool:
    if link.startswith("https://"):
        return True
    file, _, anchor = link.partition("#")
    target = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path  # noqa: PTH118, PTH120 - ".."
    if not (ROOT / target).exists():
        return False
    return not anchor or anchor in markdown.read(target).anchors


def test_each_reason_has_its_section() -> None:
    """Whoever sees a reason finds it in Troubleshooting, under its own name, and nothing that there isn't."""
    headings = markdown.read("docs/troubleshooting.md").headings
    begin, middle, end = (
        headings.index(name)
        for name in ("Reasons of an upload", "Reasons of an account", "A resource can't be deleted")
    )

    assert sorted(headings[begin + 1 : middle]) == sorted(reasons.Reason)
    assert sorted(headings[middle + 1 : end]) == sorted(f"Account: {reason}" for reason in reasons.AccountReason)


def test_each_alert_has_its_section() -> None:
    """An alert's runbook_url leads to the heading of its name in Operations; and there is none without an alert."""
    groups = yaml.safe_load((ROOT / "deploy" / "chart" / "files" / "rules.yaml").read_text())["groups"]
    alerts = {rule["alert"]: rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"]}
    page = markdown.read("docs/operations.md")

    assert sorted(alerts) == sorted(heading for heading in page.headings if heading.startswith("ScmOperator"))
    for name, url in alerts.items():
        assert url.endswith(f"/docs/operations.md#{name.lower()}")
        assert name.lower() in page.anchors


def test_each_log_event_is_explained() -> None:
    """Troubleshooting lists the events that the log has beside the reasons."""
    source = "".join(path.read_text() for path in (ROOT / "operator" / "scm_operator").rglob("*.py"))
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    listed = page[page.index("## What the log says") :].splitlines()
    named = {name for line in listed if line.startswith("| `") for name in re.findall(r"`(\w+)`", line.split("|")[1])}

    assert named == set(re.findall(r'"event": "(\w+)"', source))


def test_settings_that_are_named_exist() -> None:
    """Each SCM_OPERATOR_ variable of a page is one that the operator knows."""
    known = {f"SCM_OPERATOR_{name.upper()}" for name in settings.Settings.model_fields}
    named = {name for path in markdown.paths() for name in re.findall(r"SCM_OPERATOR_\w+", (ROOT / path).read_text())}

    assert named - known == set()


def test_each_setting_is_listed() -> None:
    """Operations has a row for each setting, with its default and what the operator itself says of it."""
    rows = re.findall(
        r"^\| `(SCM_OPERATOR_\w+)` \| (\S*) ?\| (.+) \|$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE
    )

    assert rows == [
        (f"SCM_OPERATOR_{name.upper()}", _default(field.default), field.description)
        for name, field in settings.Settings.model_fields.items()
    ]


def _default(value: object) -> str:
    if isinstance(value, bool | int | str):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else ""


def test_the_version_is_the_present_one() -> None:
    """Commands that name a version name this one."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    text = "".join(block.text for block in _COMMANDS)
    named = re.findall(r"--version (\S+)|/v(\d+\.\d+\.\d+)[/\n]|scm-csr-operator:(\d\S+)", text)

    assert {part for parts in named for part in parts if part} == {version}
