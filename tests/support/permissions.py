"""The operator's permissions alone, as an installation for all namespaces has them."""

import pathlib
from typing import Any

import yaml

from dev.control_plane import ControlPlane

_INSTALL = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "install.yaml"
_KINDS = {"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}


def manifests() -> list[dict[str, Any]]:
    """Return the namespace, the ServiceAccount, the Roles and their bindings."""
    return [found for found in yaml.safe_load_all(_INSTALL.read_text()) if found and found["kind"] in _KINDS]


def grant(plane: ControlPlane) -> None:
    """Apply them; the operator runs as ServiceAccount ``scm-csr-operator`` of the namespace of this name."""
    plane.apply(yaml.safe_dump_all(manifests()))
