import os
import re
import shlex
import subprocess

import pytest
import yaml

from dev import toolchain
from tests.support import doc_plan, markdown
from tests.support.markdown import ROOT, Block

_BLOCKS = [block for path in markdown.paths() for block in markdown.read(path).blocks if doc_plan.not_here(block)]


def _lines(command: str) -> list[list[str]]:
    """Return the words of each command that isn't run and begins like this."""
    text = "".join(block.text for block in _BLOCKS if block.text.startswith(command)).replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in text.splitlines()]


def _run(*command: str) -> str:
    environ = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("entry", doc_plan.NOT_HERE, ids=lambda entry: entry.command.strip())
def test_no_exception_is_left_over(entry: doc_plan.NotHere) -> None:
    """A command that no page has any more isn't an exception any more."""
    assert any(doc_plan.not_here(block) == entry for block in _BLOCKS)


@pytest.mark.parametrize("block", _BLOCKS, ids=str)
def test_an_exception_is_for_one_command(block: Block) -> None:
    """A block that isn't run has nothing in it that could be run; the shell's own job control aside."""
    programs = {line.split()[0] for line in block.text.replace("\\\n", " ").splitlines()}
    entry = doc_plan.not_here(block)
    assert entry

    if "port-forward" not in entry.command:
        assert programs <= {*entry.command.split(), "gh", "SCM_MODEL_EXAMPLES=5000"}


def test_make_knows_the_targets() -> None:
    """Every target that a page names is one of the Makefile."""
    lines = _lines("make ")
    assert lines
    for words in lines:
        begin = words.index("make")
        _run("make", "-n", "-o", ".venv/.installed", *words[begin + 1 :])


def test_targets_in_the_text_exist() -> None:
    """So are those in the middle of a sentence."""
    text = "".join((ROOT / path).read_text() for path in markdown.paths())
    named = {word for group in re.findall(r"`make ([a-z][a-z -]*)", text) for word in group.split()}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert named - targets == set()


@pytest.mark.parametrize("command", ["logs", "port-forward"])
def test_kubectl_knows_the_options(command: str) -> None:
    """Commands that need a kubelet use options that kubectl has."""
    kubectl = str(toolchain.obtain(["kubectl"])["kubectl"])
    known = _run(kubectl, command, "--help") + _run(kubectl, "options")
    (words,) = _lines(f"kubectl -n scm-csr-operator {command} ")[:1]
    options = [word.partition("=")[0] for word in words[1:] if word.startswith("-")]

    assert options
    assert [option for option in options if not re.search(rf"(^|\s){option}[,=\s]", known)] == []


def test_the_signatures_are_those_of_the_release_workflow() -> None:
    """What cosign is told to look for is the workflow that signs, on the tag; image and chart are what it pushes."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    lines = _lines("cosign ")
    identities = {line[line.index("--certificate-identity") + 1] for line in lines if line[0] == "cosign"}
    verified = [line[2].partition(":")[0] for line in lines if line[0] == "cosign"]
    owner, name = "certops", "scm-csr-operator"
    image, charts = (
        workflow["env"][each]
        .replace("${{ github.repository }}", f"{owner}/{name}")
        .replace("${{ github.repository_owner }}", owner)
        for each in ("IMAGE", "CHARTS")
    )

    assert verified == [image, f"{charts}/{name}"]
    (identity,) = identities
    assert re.fullmatch(
        rf"https://github\.com/{owner}/{name}/\.github/workflows/release\.yml@refs/tags/v\d+\.\d+\.\d+", identity
    )
    signing = " ".join(step.get("run", "") for job in workflow["jobs"].values() for step in job.get("steps", ()))
    assert "cosign sign --yes --recursive" in signing
    assert 'cosign sign --yes "$CHARTS/scm-csr-operator@$DIGEST"' in signing


def test_velero_takes_along_a_kind_of_ours() -> None:
    """The resource whose status Velero is told to restore is the uploads'."""
    crd = yaml.safe_load((ROOT / "crds" / "certificaterequestuploads.yaml").read_text())
    (line,) = _lines("velero ")

    assert line[line.index("--status-include-resources") + 1] == crd["metadata"]["name"]
