"""What releases, namespaces and objects may be called."""

from typing import Any

import pytest

from dev.helm import Helm, HelmError
from tests.support.releases import Cluster
from tests.support.rendering import EVERYTHING, render

NUMBERS: dict[str, Any] = {
    "nameOverride": "007",
    "fullnameOverride": "1e3",
    "serviceAccount": {"name": "123"},
    "caBundle": {"secret": "123", "key": "456"},
    "runtimeClassName": "789",
    "networkPolicy": {"enabled": True},
    "dashboard": {"enabled": True},
}


@pytest.mark.parametrize("served", [[], ["2048"]], ids=["all namespaces", "some namespaces"])
def test_a_name_may_look_like_a_number(bare_cluster: Cluster, served: list[str]) -> None:
    """Of the release, its namespace, and whatever has a name in the values: the API server gets texts."""
    values: dict[str, Any] = NUMBERS | {"watchNamespaces": served, "clusterAccounts": {"enabled": bool(served)}}

    bare_cluster.install("123", namespace="2048", **values)

    deployed = bare_cluster.get("deployment", "1e3", "2048")
    assert deployed["spec"]["selector"]["matchLabels"] == {
        "app.kubernetes.io/instance": "123",
        "app.kubernetes.io/name": "007",
    }


def test_a_release_may_have_dots_in_its_name(bare_cluster: Cluster) -> None:
    """Helm allows them, and the API server doesn't in the name of a Service."""
    bare_cluster.install("csr.team-a")

    assert bare_cluster.get("service", "csr-team-a-scm-csr-operator")


@pytest.mark.parametrize("value", ["nameOverride", "fullnameOverride"])
@pytest.mark.parametrize("name", ["Upper", "-x", "x-", "a.b", "a b"])
def test_a_name_that_no_object_can_have_is_refused(helm: Helm, value: str, name: str) -> None:
    """Before anything is installed."""
    with pytest.raises(HelmError, match=f"at '/{value}': '{name}' does not match pattern"):
        render(helm, **{value: name})


@pytest.mark.parametrize("pem", ["  -----BEGIN\n MIIB\n-----END\n", "\n-----BEGIN\r\nMIIB\r\n", "{{ x }}: |\n  y"])
def test_an_inline_bundle_arrives_as_it_is(helm: Helm, pem: str) -> None:
    """Whatever its indentation and its line breaks."""
    values = EVERYTHING | {"caBundle": {"pem": pem}}

    assert render(helm, **values).one("ConfigMap", "scm-csr-operator-ca")["data"] == {"ca.crt": pem}
