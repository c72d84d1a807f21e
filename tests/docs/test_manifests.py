import collections
import datetime
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from lupa import lua51  # type: ignore[import-untyped]  # one function is used

from dev import helm as helms
from dev import toolchain
from dev.control_plane import ControlPlane
from dev.helm import Helm, HelmError
from scm_operator.domain import conditions, reasons
from tests.support import markdown
from tests.support.markdown import Block
from tests.support.waiting import until

_BLOCKS = [block for path in markdown.paths() for block in markdown.read(path).blocks if block.language == "yaml"]
_MANIFESTS = [block for block in _BLOCKS if "apiVersion:" in block.text]
_VALUES = [block for block in _BLOCKS if block not in _MANIFESTS]
_HEALTH = "resource.customizations.health.scm.certops.dev_"


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane with the CRDs and the namespaces that the pages speak of."""
    with ControlPlane.start() as plane:
        plane.install_crds()
        for name in ("shop", "argocd"):
            plane.kubectl("create", "namespace", name)
        yield plane


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm without a cluster."""
    return Helm(program=toolchain.obtain(["helm"])["helm"], home=tmp_path_factory.mktemp("helm"))


def _with(text: str) -> str:
    """Return the only manifests in which this stands."""
    (found,) = (block.text for block in _MANIFESTS if text in block.text)
    return found


@pytest.mark.parametrize("block", _MANIFESTS, ids=str)
def test_manifests_are_taken(plane: ControlPlane, block: Block) -> None:
    """The API server takes each manifest as it stands, and knows each of its fields; what it warns of is a mistake."""
    done = plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=block.text)

    assert done.stderr == ""


@pytest.mark.parametrize("block", _VALUES, ids=str)
def test_values_are_taken(helm: Helm, block: Block) -> None:
    """The chart takes each example of values, which its schema would refuse for one unknown key."""
    assert helm.template(yaml.safe_load(block.text))


def test_the_least_values_give_the_least(helm: Helm) -> None:
    """The smallest installation of the security page has nothing cluster-wide but the CRDs, and three named Secrets."""
    least = next(block for block in _VALUES if "secrets:" in block.text and block.page == "docs/security.md")
    rendered = [found for found in yaml.safe_load_all(helm.template(yaml.safe_load(least.text))) if found]

    kinds = {found["kind"] for found in rendered}
    rules = [rule for found in rendered if found["kind"] == "Role" for rule in found["rules"]]
    assert not kinds & {"ClusterRole", "ClusterRoleBinding"}
    assert [(rule["resourceNames"], rule["verbs"]) for rule in rules if rule["resources"] == ["secrets"]] == [
        (["scm-iam", "shop-tls", "mail-tls"], ["get"])
    ]


_ROWS = {
    "uploads": ["certificaterequestuploads"],
    "accounts of both kinds": ["scmaccounts", "clusterscmaccounts"],
    "the status of all three": [
        f"{kind}/status" for kind in ("certificaterequestuploads", "scmaccounts", "clusterscmaccounts")
    ],
    "Secrets": ["secrets"],
    "Events (`events.k8s.io`)": ["events"],
    "the Lease, in its own namespace": ["leases"],
    "ClusterRole `scm-csr-operator-cluster-wide`": ["clusterroles"],
}
"""Which resources the rows of the security page's table are about."""


def test_the_security_page_lists_what_the_operator_may_do(helm: Helm) -> None:
    """The table of its permissions has those of the chart, verb by verb."""
    page = (markdown.ROOT / "docs" / "security.md").read_text().split("## What the operator may do in the cluster")[1]
    cells = [line.split(" | ") for line in page.split("\n## ")[0].splitlines() if line.startswith("| ")][1:]
    told = {
        row[0].removeprefix("| "): set(re.findall(r"\b(get|list|watch|patch|create|update)\b", row[1])) for row in cells
    }
    granted: dict[str, set[str]] = collections.defaultdict(set)
    for found in yaml.safe_load_all(helm.template({"rbac": {"aggregateToView": False, "aggregateToEdit": False}})):
        for rule in (found or {}).get("rules", ()):
            for resource in rule["resources"]:
                granted[resource] |= set(rule["verbs"])

    assert {name: verbs for name, verbs in told.items() if name in _ROWS} == {
        name: granted[resources[0]] for name, resources in _ROWS.items()
    }
    assert sorted(granted) == sorted(resource for resources in _ROWS.values() for resource in resources)
    assert all(granted[resource] == granted[resources[0]] for resources in _ROWS.values() for resource in resources)


@pytest.mark.parametrize(
    ("values", "says"),
    [({"replicaCuont": 1}, "additional properties"), ({"replicaCount": "two"}, "got string, want integer")],
    ids=["unknown", "wrong-type"],
)
def test_helm_refuses_in_these_words(helm: Helm, values: Mapping[str, object], says: str) -> None:
    """Troubleshooting quotes what Helm says of a value that is misspelt or of the wrong type."""
    with pytest.raises(HelmError, match=says):
        helm.template(values, chart=helms.CHART)


def test_the_policy_keeps_an_account_for_some_namespaces(plane: ControlPlane) -> None:
    """With the policy of the security page only namespaces with the label may name the account."""
    plane.apply(_with("kind: ValidatingAdmissionPolicy\n"))
    upload = {
        "apiVersion": "scm.certops.dev/v1alpha1",
        "kind": "CertificateRequestUpload",
        "metadata": {"name": "by-policy", "namespace": "shop"},
        "spec": {
            "csrSecretRef": {"name": "shop-tls"},
            "accountRef": {"kind": "ClusterScmAccount", "name": "production"},
        },
    }

    def refusal() -> str:
        return plane.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(upload), check=False).stderr

    until(lambda: "is for namespaces with the label scm-production=true" in refusal(), what="the policy to be in force")
    plane.kubectl("label", "namespace", "shop", "scm-production=true")
    until(lambda: not refusal(), what="the label to be seen")


# --- Argo CD's health check, in the Lua that Argo CD runs it in ------------------------------------------------------


def _health(obj: Mapping[str, Any], *, kind: str = "CertificateRequestUpload") -> tuple[str, str]:
    data = yaml.safe_load(_with("name: argocd-cm\n"))["data"]
    lua = lua51.LuaRuntime()
    lua.globals().obj = lua.table_from(obj, recursive=True)
    health = lua.execute(data[_HEALTH + kind])
    return health.status, health.message


def _resource(verdict: conditions.Verdict, *, generation: int = 1) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC)
    found = conditions.conditions_for(verdict, previous=(), generation=1, now=now)
    status = {"observedGeneration": 1, "conditions": [each.to_json() for each in found]}
    return {"metadata": {"generation": generation}, "status": status}


@pytest.mark.parametrize("reason", reasons.Reason)
def test_argo_cd_sees_the_health_of_each_reason(reason: reasons.Reason) -> None:
    """Ready is Healthy, what waits for a person Degraded, what goes on by itself Progressing, with its message."""
    verdict = conditions.Verdict(reason, "Why.")
    special = {reasons.Reason.UPLOADED: "Healthy", reasons.Reason.SUSPENDED: "Suspended"}
    expected = special.get(reason, "Degraded" if verdict.stalled else "Progressing")

    assert _health(_resource(verdict)) == (expected, "Why.")


@pytest.mark.parametrize(
    "obj",
    [
        {"metadata": {"generation": 1}},
        {"metadata": {"generation": 1}, "status": {"observedGeneration": -1}},
        _resource(conditions.Verdict(reasons.Reason.UPLOADED, "Of the spec before."), generation=2),
    ],
    ids=["no-status", "not-looked-at", "changed-since"],
)
def test_argo_cd_waits_for_the_operator(obj: Mapping[str, Any]) -> None:
    """What the operator hasn't looked at, in its newest form, is Progressing."""
    assert _health(obj)[0] == "Progressing"


@pytest.mark.parametrize("kind", ["ScmAccount", "ClusterScmAccount"])
def test_argo_cd_sees_the_health_of_accounts(kind: str) -> None:
    """Accounts are looked at in the same way; one that isn't ready may become so by itself."""
    ready = _resource(conditions.Verdict(reasons.AccountReason.READY, "Fine."))
    failing = _resource(conditions.Verdict(reasons.AccountReason.LOGIN_FAILED, "Why."))

    assert (_health(ready, kind=kind)[0], _health(failing, kind=kind)[0]) == ("Healthy", "Progressing")
