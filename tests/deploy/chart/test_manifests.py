"""The kustomization and install.yaml: made from the chart, and taken by a real API server."""

import json
import pathlib
import shutil
from typing import Any

import pytest
import yaml

from dev import manifests
from dev.helm import CHART, Helm
from tests.support.releases import CRDS, Cluster
from tests.support.rendering import Manifest, Rendered, render

DEPLOY = CHART.parent
OVERLAYS = DEPLOY / "kustomize" / "overlays"
HELMS = {"app.kubernetes.io/managed-by", "helm.sh/chart"}


def copied(folder: pathlib.Path) -> pathlib.Path:
    """Copy what the generated files follow from, and themselves."""
    for name in ("crds", "deploy"):
        shutil.copytree(manifests.CHECKOUT / name, folder / name)
    return folder


def kustomized(cluster: Cluster, folder: pathlib.Path) -> Rendered:
    """Render a kustomization with the built kubectl."""
    return Rendered(list(yaml.safe_load_all(cluster.plane.kubectl("kustomize", folder).stdout)))


def without_helm(manifest: Manifest) -> Manifest:
    """Copy a manifest of the chart's, leaving out what only Helm uses."""
    copy: Manifest = json.loads(json.dumps(manifest))
    metadata = copy["metadata"]
    metadata["labels"] = {name: text for name, text in metadata["labels"].items() if name not in HELMS}
    annotations = {name: text for name, text in metadata.pop("annotations", {}).items() if "helm.sh" not in name}
    return copy | {"metadata": metadata | ({"annotations": annotations} if annotations else {})}


def by_name(rendered: Rendered) -> dict[tuple[str, ...], Manifest]:
    """Return the manifests by kind, namespace and name, without the Namespace and with the variables by name."""
    found: dict[tuple[str, ...], Manifest] = {}
    for manifest in rendered.manifests:
        metadata = manifest["metadata"]
        if manifest["kind"] == "Deployment":
            (container,) = manifest["spec"]["template"]["spec"]["containers"]
            container["env"] = sorted(container["env"], key=lambda each: str(each["name"]))
        if manifest["kind"] != "Namespace":
            found[manifest["kind"], metadata.get("namespace", ""), metadata["name"]] = manifest
    return found


def test_what_is_committed_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """`make manifests` would change nothing."""
    assert manifests.check(manifests.CHECKOUT) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    "name",
    [
        "crds/scmaccounts.yaml",
        "deploy/chart/values.yaml",
        "deploy/chart/README.md",
        "deploy/chart/templates/deployment.yaml",
        "deploy/install.yaml",
        "deploy/kustomize/overlays/namespaced/permissions.yaml",
    ],
)
def test_a_change_on_one_side_only_is_found(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """In a source or in what follows from it; making everything anew mends it."""
    checkout = copied(tmp_path)
    path = checkout / name
    path.write_text(path.read_text().replace("account", "konto").replace("replicas", "replikas"))

    assert manifests.check(checkout) == 1
    assert "`make manifests` makes them anew" in capsys.readouterr().out
    manifests.write(checkout)
    assert manifests.check(checkout) == 0


@pytest.mark.parametrize(
    ("overlay", "values"),
    [("cluster-wide", {}), ("namespaced", {"watchNamespaces": ["scm-csr-operator"]})],
)
def test_an_overlay_is_what_the_chart_installs(
    helm: Helm, shared_cluster: Cluster, overlay: str, values: dict[str, Any]
) -> None:
    """Object by object, but for Helm's labels, and with a namespace of its own that enforces Pod Security."""
    rendered = kustomized(shared_cluster, OVERLAYS / overlay)
    chart = Rendered([without_helm(manifest) for manifest in render(helm, **values).manifests])

    assert by_name(rendered) == by_name(chart)
    (namespace,) = rendered.all("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_install_yaml_is_the_overlay_for_all_namespaces(shared_cluster: Cluster) -> None:
    """The same objects in one file."""
    found = yaml.safe_load_all((DEPLOY / "install.yaml").read_text())
    one_file = Rendered([manifest for manifest in found if manifest])

    assert by_name(one_file) == by_name(kustomized(shared_cluster, OVERLAYS / "cluster-wide"))
    assert one_file.manifests[0]["kind"] == "Namespace"


def test_nothing_speaks_of_helm_where_there_is_none() -> None:
    """Tools that look for Helm's marks don't take these objects for a release's."""
    made = [DEPLOY / "install.yaml", *(DEPLOY / "kustomize").rglob("*.yaml")]

    assert [path for path in made if "helm" in path.read_text().lower()] == []


@pytest.fixture
def of_a_user(tmp_path: pathlib.Path) -> pathlib.Path:
    """A kustomization of a user's, on top of the overlay for one namespace: its own namespace and image."""
    document = {
        "resources": ["../overlays/namespaced"],
        "namespace": "team",
        "images": [{"name": "ghcr.io/certops/scm-csr-operator", "newName": "registry.example.com/scm", "newTag": "7"}],
    }
    folder = copied(tmp_path) / "deploy" / "kustomize" / "of-a-user"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document))
    return folder


@pytest.mark.parametrize("how", ["install.yaml", "cluster-wide", "namespaced", "of a user"])
def test_the_api_server_takes_it(bare_cluster: Cluster, of_a_user: pathlib.Path, how: str) -> None:
    """At the first try, on a cluster that has never seen it, and it leaves nothing to be changed at the second."""
    plane = bare_cluster.plane
    path = {"install.yaml": DEPLOY / "install.yaml", "of a user": of_a_user}.get(how, OVERLAYS / how)
    text = path.read_text() if path.is_file() else plane.kubectl("kustomize", path).stdout
    given = [manifest for manifest in yaml.safe_load_all(text) if manifest]
    try:
        plane.kubectl("apply", "-f" if path.is_file() else "-k", path)

        plane.kubectl("wait", "--for=condition=Established", "--timeout=20s", "crd", *CRDS)
        plane.kubectl("diff", "-f" if path.is_file() else "-k", path)  # fails if there is any
    finally:
        # Namespaces stay: nobody is here who would empty them.
        gone = [manifest for manifest in given if manifest["kind"] != "Namespace"]
        plane.kubectl("delete", "--wait=false", "--ignore-not-found", "-f", "-", input=yaml.safe_dump_all(gone))


def test_a_user_can_move_it(shared_cluster: Cluster, of_a_user: pathlib.Path) -> None:
    """With one line, to a namespace of another name: everything follows, and that namespace is what is served."""
    rendered = kustomized(shared_cluster, of_a_user)
    namespaces = {found["metadata"].get("namespace") for found in rendered.manifests}

    assert namespaces == {None, "team"}
    assert [found["metadata"]["name"] for found in rendered.all("Namespace")] == ["team"]
    assert {binding["subjects"][0]["namespace"] for binding in rendered.all("RoleBinding")} == {"team"}
    assert rendered.env["SCM_OPERATOR_WATCH_NAMESPACES"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    assert rendered.container["image"] == "registry.example.com/scm:7"
