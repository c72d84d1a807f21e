"""More than one installation in a cluster: what is refused, and what people are told."""

import dataclasses
import json
import pathlib
from typing import Any

import pytest

from dev.helm import CHART, HelmError
from tests.support.releases import Cluster

NO_CRDS: dict[str, Any] = {"crds": {"install": False}}
UNCHECKED: dict[str, Any] = {"preflight": {"enabled": False}}


def refusal(cluster: Cluster, values: dict[str, Any] | None = None) -> str:
    """Install a second release that must be refused, in a namespace of its own, and return what Helm says."""
    with pytest.raises(HelmError) as refused:
        cluster.install("second", namespace="second-ns", **NO_CRDS, **(values or {}))
    return str(refused.value)


def test_a_second_installation_for_all_namespaces_is_refused(cluster: Cluster) -> None:
    """It is told where the first one is, and why there can't be two."""
    cluster.install()

    said = refusal(cluster)

    assert (
        "this cluster has an installation that serves all namespaces already (namespace/name: "
        "scm-csr-operator/scm-csr-operator), and two would upload everything twice" in said
    )


def test_helm_itself_refuses_a_second_one(cluster: Cluster) -> None:
    """Also where nothing is looked up before: one object has the same name in both."""
    cluster.install()

    said = refusal(cluster, UNCHECKED)

    assert 'ClusterRole "scm-csr-operator-cluster-wide"' in said
    assert "cannot be imported into the current release" in said
    assert not cluster.find("deployment", "second-scm-csr-operator", "second-ns")


def test_an_installation_for_some_namespaces_is_refused_beside_one_for_all(cluster: Cluster) -> None:
    """They would overlap whatever these namespaces are."""
    cluster.install()
    cluster.namespace("shop")

    said = refusal(cluster, {"watchNamespaces": ["shop"]})

    assert "an installation that serves all namespaces already" in said


def test_an_installation_for_all_namespaces_is_refused_beside_one_for_some(cluster: Cluster) -> None:
    """It is told which namespace is served, and by whom."""
    cluster.namespace("shop")
    cluster.install("first", namespace="first-ns", watchNamespaces=["shop"], **NO_CRDS)

    said = refusal(cluster)

    assert "namespace shop is served by another installation already (namespace/name: first-ns/first-" in said


@pytest.mark.parametrize("values", [{}, UNCHECKED], ids=["looked up", "unchecked"])
def test_a_namespace_is_served_by_one_installation(cluster: Cluster, values: dict[str, Any]) -> None:
    """Two for different namespaces get along; two for the same one don't, also where nothing is looked up before."""
    for name in ("shop", "payments"):
        cluster.namespace(name)
    cluster.install("first", namespace="first-ns", watchNamespaces=["shop"], **NO_CRDS)
    cluster.install("third", namespace="third-ns", watchNamespaces=["payments"], **NO_CRDS)

    said = refusal(cluster, {"watchNamespaces": ["shop"]} | values)

    if values:
        assert 'Role "scm-csr-operator-uploads" in namespace "shop" exists and cannot be imported' in said
    else:
        assert "namespace shop of watchNamespaces is served by another installation already" in said


def test_cluster_accounts_are_served_by_one_installation(cluster: Cluster) -> None:
    """Two that write the status of one account would do so without end."""
    for name in ("shop", "payments"):
        cluster.namespace(name)
    enabled: dict[str, Any] = {"clusterAccounts": {"enabled": True}}
    cluster.install("first", namespace="first-ns", watchNamespaces=["shop"], **enabled, **NO_CRDS)

    said = refusal(cluster, {"watchNamespaces": ["payments"]} | enabled)

    assert "ClusterScmAccounts are served by another installation already (namespace/name: first-ns/first-" in said


def test_an_upgrade_may_take_over_from_itself(cluster: Cluster) -> None:
    """A release is no other to itself: it can go from some namespaces to all and back."""
    cluster.namespace("shop")
    cluster.install(watchNamespaces=["shop"])

    cluster.upgrade()
    assert cluster.find("clusterrole", "scm-csr-operator-cluster-wide")
    cluster.upgrade(watchNamespaces=["shop"])
    assert not cluster.find("clusterrole", "scm-csr-operator-cluster-wide")


def test_the_crds_belong_to_one_release(cluster: Cluster) -> None:
    """Another one is told whose they are, and how to leave them or to take them over."""
    for name in ("shop", "payments"):
        cluster.namespace(name)
    cluster.install(watchNamespaces=["shop"])

    with pytest.raises(HelmError) as refused:
        cluster.install("second", namespace="second-ns", watchNamespaces=["payments"])

    said = str(refused.value)
    assert "exists and belongs to release scm-csr-operator in namespace scm-csr-operator" in said
    assert "Set crds.install to false" in said


def test_a_team_installs_without_any_right_on_the_cluster(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    """Whoever is master of two namespaces, and sees nothing else, installs there for these, without the look around."""
    cluster.install()
    cluster.uninstall()
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "team", "namespace": "team-ns"}}
    for namespace in ("team-ns", "shop"):
        cluster.namespace(namespace)
        metadata = {"name": "master", "namespace": namespace}
        rbac = "rbac.authorization.k8s.io"
        everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
        subject = {"kind": "ServiceAccount", "name": "team", "namespace": "team-ns"}
        reference = {"apiGroup": rbac, "kind": "Role", "name": "master"}
        role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": everything}
        binding = role | {"kind": "RoleBinding", "roleRef": reference, "subjects": [subject]}
        del binding["rules"]
        cluster.plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": [account, role, binding]}))
    kubeconfig = cluster.plane.service_account_kubeconfig("team-ns", "team", tmp_path / "team")
    team = dataclasses.replace(cluster.helm, kubeconfig=kubeconfig)
    command = ("install", "team", CHART, "--namespace", "team-ns")
    values = {"watchNamespaces": ["shop"], **NO_CRDS}

    refused = team.run(*command, values=values, check=False)
    assert 'clusterroles.rbac.authorization.k8s.io "scm-csr-operator-cluster-wide" is forbidden' in refused.stderr
    team.run(*command, values=values | UNCHECKED)

    assert cluster.find("role", "scm-csr-operator-uploads", "shop")
