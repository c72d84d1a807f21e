"""Manifests for those who don't use Helm, made from the chart: a kustomization with two overlays, and one file.

The text is the chart's own, comments included; only labels that speak of Helm are taken out.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

Manifest = Mapping[str, Any]
Key = tuple[str, str, str]

NAMESPACE = "scm-csr-operator"

_MADE = "# Made from deploy/chart by `make manifests`.\n"
_HELMS_OWN = re.compile(
    r"^ +(helm\.sh/(chart|resource-policy): .*|app\.kubernetes\.io/managed-by: Helm)\n", re.MULTILINE
)
_EMPTIED = re.compile(r"^( +)annotations:\n(?!\1 )", re.MULTILINE)
_SOURCE = re.compile(r"^# Source: .*\n", re.MULTILINE)

_OWN_NAMESPACE = f"""\
# Nothing in it may do more than Pod Security "restricted" allows.
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""

_CLUSTER_WIDE = """\
# The operator for all namespaces: kubectl apply -k deploy/kustomize/overlays/cluster-wide
"""
_NAMESPACED = """\
# The operator for its own namespace, with Roles only: kubectl apply -k deploy/kustomize/overlays/namespaced
# For another name, put a kustomization of yours on top, with `namespace: …`. To serve more namespaces, give each a copy
# of the Role and the RoleBinding scm-csr-operator-uploads, and patch the variable SCM_OPERATOR_WATCH_NAMESPACES:
# {valueFrom: null, value: "team-a,team-b"}.
"""


class ManifestError(Exception):
    """The two ways to install differ in a way that can't be written down as an overlay."""


def documents(rendered: str) -> list[str]:
    """Split what Helm rendered into the texts of its manifests, without what only Helm uses."""
    texts = (_SOURCE.sub("", text).strip("\n") + "\n" for text in re.split(r"^---\n", rendered, flags=re.MULTILINE))
    return [_EMPTIED.sub("", _HELMS_OWN.sub("", text)) for text in texts if yaml.safe_load(text)]


def install(cluster_wide: Iterable[str]) -> str:
    """Return one file that installs everything for all namespaces."""
    return _joined([_OWN_NAMESPACE, *cluster_wide])


def kustomization(cluster_wide: Iterable[str], namespaced: Iterable[str]) -> dict[str, str]:
    """Return the files of the kustomization: what both have in common, and what each has of its own.

    Raises:
        ManifestError: Something of the base is changed by an overlay, and it isn't a variable of the container.

    """
    all_, some = _by_key(cluster_wide), _by_key(namespaced)
    shared = {key: text for key, text in all_.items() if some.get(key) == text or key[0] == "Deployment"}
    crds = [text for key, text in shared.items() if key[0] == "CustomResourceDefinition"]
    rest = [text for key, text in shared.items() if key[0] != "CustomResourceDefinition"]
    deployment = next(key for key in shared if key[0] == "Deployment")
    overlays = {
        "cluster-wide": (_CLUSTER_WIDE, all_, ""),
        "namespaced": (_NAMESPACED, some, _patch(all_[deployment], some[deployment])),
    }
    files = {
        "base/kustomization.yaml": _kustomization("", resources=["namespace.yaml", "crds.yaml", "operator.yaml"]),
        "base/namespace.yaml": _joined([_OWN_NAMESPACE]),
        "base/crds.yaml": _joined(crds),
        "base/operator.yaml": _joined(rest),
    }
    for name, (comment, manifests, patch) in overlays.items():
        folder = f"overlays/{name}"
        own = [text for key, text in manifests.items() if key not in shared]
        patches = ["deployment.yaml"] if patch else []
        files[f"{folder}/kustomization.yaml"] = _kustomization(
            comment, resources=["../../base", "permissions.yaml"], patches=patches
        )
        files[f"{folder}/permissions.yaml"] = _joined(own)
        files |= {f"{folder}/deployment.yaml": patch} if patch else {}
    return files


def _by_key(texts: Iterable[str]) -> dict[Key, str]:
    found = {}
    for text in texts:
        manifest = yaml.safe_load(text)
        metadata = manifest["metadata"]
        found[manifest["kind"], metadata.get("namespace", ""), metadata["name"]] = text
    return found


def _patch(base: str, wanted: str) -> str:
    """Return a patch that adds the variables which only the wanted Deployment has."""
    before, after = yaml.safe_load(base), yaml.safe_load(wanted)
    old, new = (_container(manifest).pop("env") for manifest in (before, after))
    added = [variable for variable in new if variable not in old]
    if before != after or [variable for variable in new if variable in old] != old:
        raise ManifestError("the overlay namespaced changes more of the Deployment than variables that it adds")
    container = {"name": _container(after)["name"], "env": added}
    patch = {
        "apiVersion": after["apiVersion"],
        "kind": after["kind"],
        "metadata": {"name": after["metadata"]["name"], "namespace": after["metadata"]["namespace"]},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    return _MADE + yaml.safe_dump(patch, sort_keys=False)


def _container(deployment: Manifest) -> dict[str, Any]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def _kustomization(comment: str, *, resources: list[str], patches: Iterable[str] = ()) -> str:
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
        **({"patches": [{"path": path} for path in patches]} if patches else {}),
    }
    return _MADE + comment + yaml.safe_dump(document, sort_keys=False)


def _joined(texts: Iterable[str]) -> str:
    return _MADE + "".join(f"---\n{text}" for text in texts)
