import json
import re
from collections.abc import Callable

import pytest

from tests.support import doc_plan, markdown, pem
from tests.support.doc_shell import Shell
from tests.support.installation import Stage
from tests.support.releases import CRDS
from tests.support.world import Namespace

PAGES = ("deploy/chart/README.md", "README.md", "docs/guarantees.md", "docs/security.md", "CONTRIBUTING.md")
_SECTIONS = [(page, heading) for page in PAGES for heading in doc_plan.runnable(page)]


def _install_the_chart(shell: Shell, stage: Stage) -> None:
    shell.run_all(doc_plan.runnable("deploy/chart/README.md")["Chart scm-csr-operator"])
    assert stage.cluster.get("deployment")["status"]["readyReplicas"] == 2


def _account_from_values(shell: Shell, stage: Stage) -> None:
    """With the values that stand above the command it makes the account."""
    (values,) = markdown.read("deploy/chart/README.md").sections("yaml")["An account from values"]
    (shell.folder / "values.yaml").write_text(values.text)
    shell.run_all(doc_plan.runnable("deploy/chart/README.md")["An account from values"])
    assert stage.cluster.get("clusterscmaccount", "default")["spec"]["region"] == "cn-north-4"
    stage.plane.kubectl("delete", "clusterscmaccounts", "--all")


def _readme(shell: Shell, stage: Stage) -> None:
    """The three commands install it, and the manifest below them is uploaded."""
    stage.cluster.clear()
    shell.run_all(doc_plan.runnable("README.md")["Install it"])
    (upload,) = markdown.read("README.md").sections("yaml")["Install it"]
    stage.plane.kubectl("create", "namespace", "shop")
    shop = Namespace("shop", stage.plane, stage.simulator)
    key = pem.ec_key()
    shop.secret("shop-tls", {"tls.csr": pem.csr(key), "tls.key": pem.private_key(key)})
    stage.plane.apply(upload.text)
    shop.ready("shop-tls")


def _confirm(shell: Shell, stage: Stage) -> None:
    """A person's word ends a real OutcomeUnknown."""
    shop = Namespace("shop", stage.plane, stage.simulator)
    shop.simulator.faults(
        {"match": {"name": "unknown", "operation": "UploadCsr", "times": 1}, "do": {"reset": "before-store"}},
        {"match": {"operation": "ListCsr"}, "do": {"status": {"code": 403, "errorCode": "SCM.0002"}}},
    )
    shop.upload("unknown", csr="shop-tls")
    message = shop.reason("unknown", "OutcomeUnknown")["message"]
    attempt = message.rsplit("=", maxsplit=1)[1]
    (block,) = doc_plan.runnable("docs/guarantees.md")["Deciding an OutcomeUnknown"]
    assert shell.as_here(block.text, *_named(attempt)).strip() in message
    shell.run(block, *_named(attempt))
    shop.ready("unknown")
    shop.simulator.faults()


def _named(attempt: str) -> tuple[tuple[str, str], ...]:
    return ("NAMESPACE", "shop"), ("NAME", "unknown"), ("ATTEMPT", attempt)


def _faults(shell: Shell, stage: Stage) -> None:
    port = stage.simulator.url.rsplit(":", maxsplit=1)[1]
    shown = shell.run_all(doc_plan.runnable("README.md")["The simulator"], ("PORT", port))
    assert len(json.loads(shown)["rules"]) == 2
    stage.simulator.faults()


def _least_privilege(shell: Shell, stage: Stage) -> None:
    """Whoever may do nothing but install CRDs can do so."""
    shown = shell.run_all(doc_plan.runnable("docs/security.md")["Least privilege"])
    assert sorted(re.findall(r"customresourcedefinition\S*/(\S+) ", shown)) == sorted(CRDS)
    assert all(stage.cluster.find("crd", name) for name in CRDS)


CHECKS: dict[tuple[str, str], Callable[[Shell, Stage], None]] = {
    ("deploy/chart/README.md", "Chart scm-csr-operator"): _install_the_chart,
    ("deploy/chart/README.md", "An account from values"): _account_from_values,
    ("README.md", "Install it"): _readme,
    ("README.md", "The simulator"): _faults,
    ("docs/guarantees.md", "Deciding an OutcomeUnknown"): _confirm,
    ("docs/security.md", "Least privilege"): _least_privilege,
}
"""In the order of the pages above: each finds what those before it have left."""


@pytest.mark.parametrize(("page", "heading"), _SECTIONS)
def test_a_section(shell: Shell, stage: Stage, page: str, heading: str) -> None:
    """The commands of each section do what it says."""
    CHECKS[page, heading](shell, stage)


def test_no_check_is_left_over() -> None:
    """A section that gets another name takes its check along."""
    assert sorted(CHECKS.keys() - set(_SECTIONS)) == []
