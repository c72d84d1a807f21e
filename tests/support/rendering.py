"""What the chart renders, to be asked for objects and for their parts."""

import dataclasses
from typing import Any

import yaml

from dev.helm import Helm

Manifest = dict[str, Any]
Rule = dict[str, list[str]]

CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding", "ClusterScmAccount", "CustomResourceDefinition", "Namespace"}


EVERYTHING: dict[str, Any] = {
    "networkPolicy": {"enabled": True},
    "podMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "dashboard": {"enabled": True},
    "account": {"create": True, "spec": {"region": "cn-north-4", "auth": {"token": {"secretRef": {"name": "scm"}}}}},
    "caBundle": {"pem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"},
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}}],
}
"""Values that switch on whatever can be switched on."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rendered:
    """The objects of a release."""

    manifests: list[Manifest]

    def all(self, kind: str) -> list[Manifest]:
        """Return all objects of a kind."""
        return [found for found in self.manifests if found["kind"] == kind]

    def one(self, kind: str, name: str = "scm-csr-operator") -> Manifest:
        """Return the object of this kind and name; there must be one."""
        (found,) = (found for found in self.all(kind) if found["metadata"]["name"] == name)
        return found

    @property
    def template(self) -> Manifest:
        """Return the template of the Pods."""
        template: Manifest = self.one("Deployment")["spec"]["template"]
        return template

    @property
    def pod(self) -> Manifest:
        """Return the spec of the Pods."""
        pod: Manifest = self.template["spec"]
        return pod

    @property
    def container(self) -> Manifest:
        """Return the only container."""
        (container,) = self.pod["containers"]
        found: Manifest = container
        return found

    @property
    def env(self) -> dict[str, Any]:
        """Return the container's variables: a text, or where it comes from."""
        return {each["name"]: each.get("value", each.get("valueFrom")) for each in self.container["env"]}

    @property
    def rules(self) -> dict[tuple[str, str, str], list[Rule]]:
        """Return the rules of all Roles and ClusterRoles by kind, namespace and name."""
        return {
            (role["kind"], role["metadata"].get("namespace", ""), role["metadata"]["name"]): role["rules"]
            for role in (*self.all("Role"), *self.all("ClusterRole"))
        }


def render(helm: Helm, **values: object) -> Rendered:
    """Render the chart as release ``scm-csr-operator`` in the namespace of this name."""
    return Rendered([found for found in yaml.safe_load_all(helm.template(values)) if found])


def rule_for(rules: list[Rule], resource: str) -> Rule:
    """Return the only rule about a resource."""
    (found,) = (rule for rule in rules if resource in rule["resources"])
    return found
