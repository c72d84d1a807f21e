"""A cluster on which the chart is installed and removed as administrators do it."""

import dataclasses
import json
import pathlib
from typing import Any

import yaml

from dev import helm as helms
from dev.control_plane import ControlPlane
from dev.helm import Helm
from tests.support.waiting import until

Object = dict[str, Any]

PLURALS = ("certificaterequestuploads", "clusterscmaccounts", "scmaccounts")
CRDS = tuple(f"{plural}.scm.certops.dev" for plural in PLURALS)

_RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    """A control plane, and Helm that works on it."""

    plane: ControlPlane
    helm: Helm

    def namespace(self, name: str = helms.NAMESPACE) -> str:
        """Make a namespace that enforces Pod Security "restricted", if there is none."""
        metadata = {"name": name, "labels": _RESTRICTED}
        self.plane.apply(yaml.safe_dump({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
        return name

    def install(
        self,
        release: str = helms.RELEASE,
        *,
        namespace: str = helms.NAMESPACE,
        chart: pathlib.Path = helms.CHART,
        **values: object,
    ) -> str:
        """Install a release in a restricted namespace, and return what Helm says. Raises: helm.HelmError."""
        self.namespace(namespace)
        return self.helm.run("install", release, chart, "--namespace", namespace, values=values).stdout

    def upgrade(
        self,
        release: str = helms.RELEASE,
        *args: str,
        namespace: str = helms.NAMESPACE,
        chart: pathlib.Path = helms.CHART,
        **values: object,
    ) -> str:
        """Upgrade a release to these values, and return what Helm says. Raises: helm.HelmError."""
        self_contained = ("--namespace", namespace, "--reset-values")
        return self.helm.run("upgrade", release, chart, *self_contained, *args, values=values).stdout

    def rollback(self, revision: int, release: str = helms.RELEASE, *, namespace: str = helms.NAMESPACE) -> None:
        """Go back to an earlier revision of a release. Raises: helm.HelmError."""
        self.helm.run("rollback", release, str(revision), "--namespace", namespace)

    def uninstall(self, release: str = helms.RELEASE, *, namespace: str = helms.NAMESPACE) -> str:
        """Uninstall a release, and return what Helm says. Raises: helm.HelmError."""
        return self.helm.run("uninstall", release, "--namespace", namespace).stdout

    def find(self, kind: str, name: str, namespace: str = helms.NAMESPACE) -> Object | None:
        """Return an object, None if there is none. Raises: ControlPlaneError, if that can't be told."""
        shown = self.plane.kubectl("-n", namespace, "get", kind, name, "-o", "json", "--ignore-not-found").stdout
        found: Object | None = json.loads(shown) if shown else None
        return found

    def get(self, kind: str, name: str = helms.RELEASE, namespace: str = helms.NAMESPACE) -> Object:
        """Return an object that exists."""
        found = self.find(kind, name, namespace)
        assert found, f"there is no {kind} {namespace}/{name}"
        return found

    def clear(self) -> None:
        """Uninstall every release, and delete the accounts that outlive it."""
        for release in json.loads(self.helm.run("list", "--all-namespaces", "--output", "json").stdout):
            self.uninstall(release["name"], namespace=release["namespace"])
        if self.find("crd", "clusterscmaccounts.scm.certops.dev"):
            # A CRD that was made a moment ago is there before its resources are served.
            until(lambda: self._lists("clusterscmaccounts"), what="ClusterScmAccounts to be served")
            self.plane.kubectl("delete", "clusterscmaccounts", "--all")

    def _lists(self, plural: str) -> bool:
        return self.plane.kubectl("get", plural, check=False).returncode == 0

    def clear_crds(self) -> None:
        """Delete the CRDs too, and with them all resources of these kinds."""
        self.plane.kubectl("delete", "--ignore-not-found", "--wait=false", "crd", *CRDS)
        until(lambda: not any(self.find("crd", name) for name in CRDS), what="the CRDs to be gone")
