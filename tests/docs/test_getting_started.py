import json
import pathlib
from collections.abc import Iterator

import pytest

from tests.support import doc_plan, doc_shell, installation
from tests.support.doc_shell import Shell
from tests.support.installation import Stage

PAGE = "docs/getting-started.md"
_BLOCKS = doc_plan.runnable(PAGE)
_STEPS = [heading for heading in _BLOCKS if heading[0].isdigit()]
_AFTER = ["With GitOps", "What next"]
_HELM, _KUSTOMIZE = _BLOCKS["From a checkout"]


@pytest.fixture
def stage(tmp_path: pathlib.Path) -> Iterator[Stage]:
    """A cluster of the test's own, that has never seen the operator."""
    with installation.running(tmp_path, first_back_off=0.5) as stage:
        yield stage


@pytest.fixture
def shell(stage: Stage, tmp_path: pathlib.Path) -> Shell:
    """The shell of a reader who begins."""
    folder = tmp_path / "reader"
    folder.mkdir()
    return doc_shell.shell(stage, folder)


def _follow(shell: Shell, stage: Stage) -> None:
    """Do all steps but the first, and look at what came of them."""
    shown = {heading: shell.run_all(_BLOCKS[heading]) for heading in _STEPS}
    entry = json.loads(shown["5. Look at it in SCM"])

    assert "True    Uploaded" in shown["4. Upload it"]
    assert entry["id"] == stage.simulator.entries(name="shop-tls")[0]["id"]
    assert stage.simulator.requests(name="shop-tls")[-1]["body"]["private_key"]


def test_from_nothing_to_a_ready_upload_with_helm(shell: Shell, stage: Stage) -> None:
    """Whoever follows the page with Helm has a Ready upload, its key is in SCM, and sees it there.

    What a GitOps user waits with works on it; taken away it stays in SCM; and the chart of a checkout installs as well.
    """
    shell.run_all(_BLOCKS["With Helm"])
    _follow(shell, stage)

    for heading in _AFTER:
        shell.run_all(_BLOCKS[heading])
    assert len(stage.simulator.entries(name="shop-tls")) == 1
    shell.command("helm uninstall scm-csr-operator --namespace scm-csr-operator --wait", what="uninstalling")
    shell.run(_HELM)


def test_from_nothing_to_a_ready_upload_with_kubectl(shell: Shell, stage: Stage) -> None:
    """Whoever follows the page with kubectl alone has it too, by the file or by the kustomization."""
    shell.run_all(_BLOCKS["With kubectl"])
    shell.run(_KUSTOMIZE)

    _follow(shell, stage)


def test_every_section_with_commands_is_one_of_these() -> None:
    """A new section is run too."""
    ways = ["With Helm", "With kubectl", "From a checkout"]
    assert sorted(_BLOCKS) == sorted([*ways, *_STEPS, *_AFTER])
    assert len(_BLOCKS["From a checkout"]) == 2
