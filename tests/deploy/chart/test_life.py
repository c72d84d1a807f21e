"""A release's whole life on a real API server, in namespaces that enforce Pod Security "restricted"."""

import json
import pathlib
import shutil
from typing import Any

import pytest
import yaml

from dev import helm as helms
from tests.support import rendering
from tests.support.releases import CRDS, Cluster, Object
from tests.support.rendering import EVERYTHING
from tests.support.waiting import until

PROMETHEUS = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
SOME: dict[str, Any] = {"watchNamespaces": ["shop", "payments"], "clusterAccounts": {"enabled": True}}
WITHOUT_PROMETHEUS: dict[str, Any] = {"podMonitor": {"enabled": False}, "prometheusRule": {"enabled": False}}


def spec_of(deployment: Object) -> Object:
    """Return the spec of the Pods of a Deployment, as a Pod has it."""
    spec: Object = deployment["spec"]["template"]["spec"]
    return spec


def test_an_installation_says_what_to_do_next(bare_cluster: Cluster) -> None:
    """On a cluster that has never seen it: how to watch it start, that an account is missing, and how to upload."""
    said = bare_cluster.install()

    assert "runs in namespace scm-csr-operator and serves all namespaces" in said
    assert "kubectl -n scm-csr-operator rollout status deployment/scm-csr-operator" in said
    assert "WARNING: there is no account yet" in said
    assert "kind: CertificateRequestUpload" in said
    assert all(bare_cluster.find("crd", name) for name in CRDS)


def test_the_warning_goes_when_there_is_an_account(cluster: Cluster) -> None:
    """Whoever made it, and of whichever kind."""
    cluster.install()
    for name in ("shop", "payments"):
        cluster.namespace(name)
    spec = {"region": "cn-north-4", "auth": {"token": {"secretRef": {"name": "scm"}}}}
    account = {"apiVersion": "scm.certops.dev/v1alpha1", "kind": "ScmAccount", "spec": spec}
    cluster.plane.apply(json.dumps(account | {"metadata": {"name": "mine", "namespace": "shop"}}))
    try:
        assert "there is no account yet" not in cluster.upgrade()
        assert "there is no account yet" in cluster.upgrade(watchNamespaces=["payments"])
    finally:
        cluster.plane.kubectl("-n", "shop", "delete", "scmaccount", "mine")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="default"),
        pytest.param(EVERYTHING | WITHOUT_PROMETHEUS, id="everything"),
        pytest.param(EVERYTHING | WITHOUT_PROMETHEUS | SOME, id="some namespaces"),
        pytest.param(SOME | {"secrets": {"watch": False, "names": ["shop-tls"]}}, id="least privilege"),
    ],
)
def test_the_api_server_takes_every_object(cluster: Cluster, values: dict[str, Any]) -> None:
    """Strictly: no unknown field, no default that is refused, no Pod that Pod Security "restricted" forbids."""
    for name in ("shop", "payments"):
        cluster.namespace(name)
    cluster.install(**values)

    manifest = cluster.helm.run("get", "manifest", helms.RELEASE, "--namespace", helms.NAMESPACE).stdout
    kinds = {found["kind"] for found in yaml.safe_load_all(manifest) if found}
    assert not kinds & PROMETHEUS
    deployment = cluster.get("deployment")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec_of(deployment)}
    command = ("-n", helms.NAMESPACE, "create", "--dry-run=server", "--validate=strict", "-f", "-")
    created = cluster.plane.kubectl(*command, input=json.dumps(pod))
    assert "pod/one created" in created.stdout
    assert created.stderr == ""


def test_pod_security_does_look_at_the_pods(cluster: Cluster) -> None:
    """A Pod with a context that "restricted" forbids is refused where the one above is taken."""
    cluster.install(securityContext={"allowPrivilegeEscalation": True})

    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec_of(cluster.get("deployment"))}
    command = ("-n", helms.NAMESPACE, "create", "--dry-run=server", "-f", "-")
    refused = cluster.plane.kubectl(*command, input=json.dumps(pod), check=False)

    assert 'violates PodSecurity "restricted' in refused.stderr


def test_an_upgrade_changes_what_the_values_change(cluster: Cluster) -> None:
    """And nothing else: with the same values a release is not touched."""
    cluster.install()
    before = cluster.get("deployment")
    cluster.upgrade()
    assert cluster.get("deployment")["metadata"]["generation"] == before["metadata"]["generation"]

    cluster.upgrade(replicaCount=3, settings={"logLevel": "debug"}, networkPolicy={"enabled": True})

    after = cluster.get("deployment")
    assert after["spec"]["replicas"] == 3
    assert {"name": "SCM_OPERATOR_LOG_LEVEL", "value": "debug"} in spec_of(after)["containers"][0]["env"]
    assert cluster.find("networkpolicy", helms.RELEASE)


def test_an_upgrade_can_narrow_the_permissions(cluster: Cluster) -> None:
    """From all namespaces to one: the ClusterRoles go, and the Role comes."""
    cluster.namespace("shop")
    cluster.install()
    assert cluster.find("clusterrole", helms.RELEASE)

    cluster.upgrade(watchNamespaces=["shop"])

    assert not cluster.find("clusterrole", helms.RELEASE)
    assert not cluster.find("clusterrole", "scm-csr-operator-cluster-wide")
    assert cluster.find("role", "scm-csr-operator-uploads", "shop")


def test_a_rollback_brings_back_what_was(cluster: Cluster) -> None:
    """The Deployment is as it was, and what the upgrade added is gone; the CRDs stay."""
    cluster.install()
    before = cluster.get("deployment")["spec"]
    cluster.upgrade(replicaCount=3, networkPolicy={"enabled": True}, settings={"workers": 4})

    cluster.rollback(1)

    assert cluster.get("deployment")["spec"] == before
    assert not cluster.find("networkpolicy", helms.RELEASE)
    assert all(cluster.find("crd", name) for name in CRDS)


def test_uninstalling_keeps_the_crds(cluster: Cluster) -> None:
    """And with them every upload; nothing else of the release is left, and it can be installed again."""
    cluster.install()
    upload = {
        "apiVersion": "scm.certops.dev/v1alpha1",
        "kind": "CertificateRequestUpload",
        "metadata": {"name": "kept", "namespace": "default"},
        "spec": {"csrSecretRef": {"name": "shop-tls"}},
    }
    cluster.plane.apply(json.dumps(upload))

    said = cluster.uninstall()

    assert all(f"[CustomResourceDefinition] {name}" in said for name in CRDS)
    assert cluster.find("certificaterequestupload", "kept", "default")
    left = "deployment,role,rolebinding,serviceaccount,service,poddisruptionbudget,clusterrole,clusterrolebinding"
    for line in cluster.plane.kubectl("get", left, "--all-namespaces", "-o", "name").stdout.splitlines():
        assert "scm-csr-operator" not in line
    cluster.install()
    assert cluster.find("certificaterequestupload", "kept", "default")
    cluster.plane.kubectl("-n", "default", "delete", "certificaterequestupload", "kept")


def test_uninstalling_takes_the_crds_where_that_is_wanted(cluster: Cluster) -> None:
    """With crds.keep: false, and the notes have said so."""
    assert "uninstalling this release deletes every upload" in cluster.install(crds={"keep": False})

    cluster.uninstall()

    until(lambda: not any(cluster.find("crd", name) for name in CRDS), what="the CRDs to be gone")


def previous_chart(folder: pathlib.Path) -> pathlib.Path:
    """Write down the chart as an earlier version might have been: its CRDs lack a field that today's have."""
    chart = shutil.copytree(helms.CHART, folder / "previous")
    path = chart / "files" / "crds" / "certificaterequestuploads.yaml"
    crd = yaml.safe_load(path.read_text())
    (version,) = crd["spec"]["versions"]
    del version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["adoptionPolicy"]
    path.write_text(yaml.safe_dump(crd))
    return chart


def test_an_upgrade_brings_the_new_crds(bare_cluster: Cluster, tmp_path: pathlib.Path) -> None:
    """What is stored stays, and a field that the previous version didn't know can be set; a rollback takes it back."""
    upload: Object = {
        "apiVersion": "scm.certops.dev/v1alpha1",
        "kind": "CertificateRequestUpload",
        "metadata": {"name": "stored", "namespace": "default"},
        "spec": {"csrSecretRef": {"name": "shop-tls"}},
    }
    upload["spec"]["adoptionPolicy"] = "IfIdentical"
    bare_cluster.install(chart=previous_chart(tmp_path))
    refused = bare_cluster.plane.kubectl("create", "-f", "-", input=json.dumps(upload), check=False)
    assert 'unknown field "spec.adoptionPolicy"' in refused.stderr
    del upload["spec"]["adoptionPolicy"]
    bare_cluster.plane.apply(json.dumps(upload))
    uid = bare_cluster.get("certificaterequestupload", "stored", "default")["metadata"]["uid"]

    bare_cluster.upgrade()

    upload["spec"]["adoptionPolicy"] = "IfIdentical"
    bare_cluster.plane.apply(json.dumps(upload))
    stored = bare_cluster.get("certificaterequestupload", "stored", "default")
    assert (stored["metadata"]["uid"], stored["spec"]["adoptionPolicy"]) == (uid, "IfIdentical")
    bare_cluster.rollback(1)
    again = bare_cluster.plane.kubectl("apply", "--dry-run=server", "-f", "-", input=json.dumps(upload), check=False)
    assert 'unknown field "spec.adoptionPolicy"' in again.stderr


def test_the_crds_are_those_of_the_project(cluster: Cluster) -> None:
    """Installed by the chart they are, field by field, what `kubectl apply -f crds/` installs."""
    cluster.install()

    for path in sorted((helms.CHART.parents[1] / "crds").glob("*.yaml")):
        wanted = json.loads(cluster.plane.kubectl("create", "--dry-run=client", "-o", "json", "-f", path).stdout)
        rendered = rendering.render(cluster.helm).one("CustomResourceDefinition", wanted["metadata"]["name"])
        assert rendered["spec"] == wanted["spec"]
        command = ("apply", "--server-side", "--dry-run=server", "--force-conflicts", "-o", "json", "-f", path)
        applied = json.loads(cluster.plane.kubectl(*command).stdout)
        assert applied["spec"] == cluster.get("crd", wanted["metadata"]["name"])["spec"]
