from typing import Any

import pytest
import yaml

from dev import chart_manifests

RENDERED = """\
---
# Source: chart/templates/account.yaml
# Whose the Pods are.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: x
  labels:
    app.kubernetes.io/managed-by: Helm
    app.kubernetes.io/name: x
    helm.sh/chart: x-1
---
# Source: chart/templates/nothing.yaml
# nothing
---
# Source: chart/templates/crds.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations:
    helm.sh/resource-policy: keep
  labels:
    app.kubernetes.io/name: x
  name: xs
"""


def manifest(kind: str, **more: object) -> str:
    """Write down an object called x."""
    return yaml.safe_dump({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": "ns"}} | more)


def deployment(*env: dict[str, str], **pod: object) -> str:
    """Write down a Deployment whose only container has these variables."""
    spec = {"containers": [{"name": "operator", "env": list(env)}]} | pod
    return manifest("Deployment", spec={"template": {"spec": spec}})


ONE, TWO = {"name": "ONE", "value": "1"}, {"name": "TWO", "value": "2"}


def test_what_only_helm_uses_is_taken_out() -> None:
    """Comments stay; an object of nothing but a comment, and annotations that are empty then, do not."""
    account, crd = chart_manifests.documents(RENDERED)

    assert account.startswith("# Whose the Pods are.\napiVersion: v1\n")
    assert yaml.safe_load(account)["metadata"] == {"name": "x", "labels": {"app.kubernetes.io/name": "x"}}
    assert yaml.safe_load(crd)["metadata"] == {"labels": {"app.kubernetes.io/name": "x"}, "name": "xs"}


def test_other_annotations_stay() -> None:
    """Only Helm's own are taken out of them."""
    text = RENDERED.replace("keep\n", "keep\n    more: kept\n")
    _, crd = chart_manifests.documents(text)

    assert yaml.safe_load(crd)["metadata"]["annotations"] == {"more": "kept"}


def loaded(files: dict[str, str]) -> dict[str, list[Any]]:
    """Read the documents of each file."""
    return {name: [found for found in yaml.safe_load_all(text) if found] for name, text in files.items()}


def test_what_both_have_is_the_base() -> None:
    """What one has alone, or has otherwise, is in its overlay."""
    role, other = manifest("Role", rules=[1]), manifest("Role", rules=[2])
    everywhere = manifest("ClusterRole")
    crd = manifest("CustomResourceDefinition")
    files = loaded(
        chart_manifests.kustomization([crd, role, everywhere, deployment(ONE)], [crd, other, deployment(ONE)])
    )

    assert [found["kind"] for found in files["base/crds.yaml"]] == ["CustomResourceDefinition"]
    assert [found["kind"] for found in files["base/operator.yaml"]] == ["Deployment"]
    assert files["overlays/cluster-wide/permissions.yaml"] == [yaml.safe_load(role), yaml.safe_load(everywhere)]
    assert files["overlays/namespaced/permissions.yaml"] == [yaml.safe_load(other)]


def test_variables_that_one_adds_are_a_patch() -> None:
    """The overlay names it; without such variables there is none."""
    files = loaded(chart_manifests.kustomization([deployment(ONE)], [deployment(ONE, TWO)]))

    (patch,) = files["overlays/namespaced/deployment.yaml"]
    assert patch["spec"]["template"]["spec"]["containers"] == [{"name": "operator", "env": [TWO]}]
    assert files["overlays/namespaced/kustomization.yaml"][0]["patches"] == [{"path": "deployment.yaml"}]
    assert "patches" not in files["overlays/cluster-wide/kustomization.yaml"][0]


@pytest.mark.parametrize(
    "other",
    [deployment(), deployment(TWO, {"name": "ONE", "value": "3"}), deployment(ONE, serviceAccountName="y")],
    ids=["a variable less", "a variable otherwise", "more than variables"],
)
def test_any_other_difference_is_refused(other: str) -> None:
    """It would be lost in a patch that only adds."""
    with pytest.raises(
        chart_manifests.ManifestError, match="changes more of the Deployment than variables that it adds"
    ):
        chart_manifests.kustomization([deployment(ONE)], [other])


def test_one_file_begins_with_the_namespace() -> None:
    """Everything else goes into it."""
    kinds = [found["kind"] for found in yaml.safe_load_all(chart_manifests.install([manifest("Role")])) if found]

    assert kinds == ["Namespace", "Role"]
