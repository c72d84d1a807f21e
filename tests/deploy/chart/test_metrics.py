"""Who reaches the operator and whom it reaches; how Prometheus and Grafana find it."""

import json
from typing import Any

import pytest
import yaml

from dev.helm import CHART, Helm, HelmError
from tests.support.rendering import render

ON = {"enabled": True}
PEERS = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


def ports(rule: dict[str, Any]) -> list[tuple[str, int | str]]:
    """Name the ports of a rule."""
    return [(each["protocol"], each["port"]) for each in rule["ports"]]


def test_no_network_policy_unless_it_is_asked_for(helm: Helm) -> None:
    """Where API server and SCM are on other ports, it would cut the operator off."""
    assert render(helm).all("NetworkPolicy") == []


def test_a_network_policy_lets_out_to_what_the_operator_needs(helm: Helm) -> None:
    """DNS, the API server, SCM and IAM; and lets in to metrics alone."""
    rendered = render(helm, networkPolicy=ON)
    policy = rendered.one("NetworkPolicy")["spec"]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["podSelector"] == rendered.one("Deployment")["spec"]["selector"]
    assert [ports(rule) for rule in policy["ingress"]] == [[("TCP", "http")]]
    assert [ports(rule) for rule in policy["egress"]] == [
        [("UDP", 53), ("TCP", 53)],
        [("TCP", 443), ("TCP", 6443)],
        [("TCP", 443)],
    ]


def test_a_network_policy_can_be_narrowed(helm: Helm) -> None:
    """By peers and ports of each, and by more rules."""
    block = [{"ipBlock": {"cidr": "10.1.0.0/16"}}]
    extra = {"to": block, "ports": [{"port": 3128, "protocol": "TCP"}]}
    policy = render(
        helm,
        networkPolicy=ON
        | {
            "ingressFrom": PEERS,
            "dns": {"ports": [5353], "to": PEERS},
            "apiServer": {"ports": [16443], "to": block},
            "scm": {"ports": [8443], "to": block},
            "extraEgress": [extra],
        },
    ).one("NetworkPolicy")["spec"]

    assert policy["ingress"][0]["from"] == PEERS
    assert [(ports(rule), rule["to"]) for rule in policy["egress"]] == [
        ([("UDP", 5353), ("TCP", 5353)], PEERS),
        ([("TCP", 16443)], block),
        ([("TCP", 8443)], block),
        ([("TCP", 3128)], block),
    ]


def test_a_service_leads_to_the_pods(helm: Helm) -> None:
    """It selects what the Deployment makes, and its port is the container's by name."""
    rendered = render(helm)
    service = rendered.one("Service")["spec"]

    assert service["selector"] == rendered.one("Deployment")["spec"]["selector"]["matchLabels"]
    assert [(port["name"], port["port"], port["targetPort"]) for port in service["ports"]] == [("http", 8080, "http")]
    assert render(helm, service={"enabled": False}).all("Service") == []


@pytest.mark.parametrize(
    ("value", "kind", "endpoints"),
    [("serviceMonitor", "ServiceMonitor", "endpoints"), ("podMonitor", "PodMonitor", "podMetricsEndpoints")],
)
def test_prometheus_finds_the_pods(helm: Helm, value: str, kind: str, endpoints: str) -> None:
    """A monitor selects by labels that the Service or the Pods have, in the release's namespace, wherever it is."""
    given = ON | {"namespace": "monitoring", "labels": {"release": "prometheus"}, "interval": "30s"}
    rendered = render(helm, **{value: given})
    monitor = rendered.one(kind)
    selected = monitor["spec"]["selector"]["matchLabels"].items()

    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["scm-csr-operator"]}
    assert monitor["spec"][endpoints] == [{"port": "http", "path": "/metrics", "interval": "30s", "honorLabels": False}]
    assert selected <= rendered.one("Service")["metadata"]["labels"].items()
    assert selected <= rendered.template["metadata"]["labels"].items()


def test_a_label_of_the_users_never_hides_the_service(helm: Helm) -> None:
    """The ServiceMonitor still finds it by its labels."""
    mine = {"app.kubernetes.io/name": "mine", "app.kubernetes.io/instance": "mine"}
    rendered = render(helm, serviceMonitor=ON, commonLabels=mine, service={"labels": mine})
    selected = rendered.one("ServiceMonitor")["spec"]["selector"]["matchLabels"]

    assert selected.items() <= rendered.one("Service")["metadata"]["labels"].items()


@pytest.mark.parametrize("value", ["serviceMonitor", "podMonitor"])
def test_a_monitor_has_known_fields_alone(helm: Helm, value: str) -> None:
    """Those of the Prometheus operator's API: a misspelt one would be dropped without a word."""
    relabeling = [{"sourceLabels": ["__name__"], "regex": "go_.*", "action": "drop"}]
    given = ON | {
        "interval": "30s", "scrapeTimeout": "10s", "honorLabels": True, "annotations": {"owner": "pki"},
        "relabelings": relabeling, "metricRelabelings": relabeling,
    }  # fmt: skip
    (monitor,) = (found for found in render(helm, **{value: given}).manifests if found["kind"].endswith("Monitor"))
    (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]

    assert monitor["spec"].keys() - {"endpoints", "podMetricsEndpoints"} == {"namespaceSelector", "selector"}
    assert endpoint.keys() == {"port", "path", *given} - {"enabled", "annotations"}
    assert monitor["metadata"]["annotations"] == {"owner": "pki"}


def test_an_interval_is_one_of_prometheus(helm: Helm) -> None:
    """Anything else is refused before the Prometheus operator sees it."""
    with pytest.raises(HelmError, match="at '/podMonitor/interval': '30 seconds' does not match pattern"):
        render(helm, podMonitor=ON | {"interval": "30 seconds"})


def test_nothing_is_scraped_twice(helm: Helm) -> None:
    """Both monitors together are refused, and a ServiceMonitor without its Service."""
    with pytest.raises(HelmError, match="set only one of them"):
        render(helm, serviceMonitor=ON, podMonitor=ON)
    with pytest.raises(HelmError, match=r"serviceMonitor\.enabled needs service\.enabled"):
        render(helm, serviceMonitor=ON, service={"enabled": False})


def test_alerts_are_those_of_the_file(helm: Helm) -> None:
    """A PrometheusRule has the groups that files/rules.yaml has, templates of Prometheus untouched."""
    rule = render(helm, prometheusRule=ON | {"labels": {"release": "prometheus"}}).one("PrometheusRule")

    assert rule["apiVersion"] == "monitoring.coreos.com/v1"
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    assert rule["spec"] == yaml.safe_load((CHART / "files" / "rules.yaml").read_text())
    for group in rule["spec"]["groups"]:
        assert group.keys() <= {"name", "interval", "rules"}
        for each in group["rules"]:
            assert each.keys() <= {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}
            assert each["expr"]


@pytest.mark.parametrize("monitor", ["serviceMonitor", "podMonitor"])
def test_another_release_does_not_stand_in_for_one_that_is_absent(helm: Helm, monitor: str) -> None:
    """With a monitor, whose targets have the label, the alert looks at the release's own namespace alone."""
    rule = render(helm, prometheusRule=ON, **{monitor: ON}).one("PrometheusRule")
    (absent,) = (each for each in rule["spec"]["groups"][0]["rules"] if each["alert"] == "ScmOperatorAbsent")

    assert absent["expr"] == 'absent(scm_operator_build_info{namespace="scm-csr-operator"})'


def test_the_dashboard_is_that_of_the_file(helm: Helm) -> None:
    """Grafana's sidecar finds it by label; the text is the file's, templates of Grafana untouched."""
    dashboard = render(helm, dashboard=ON).one("ConfigMap", "scm-csr-operator-dashboard")
    (text,) = dashboard["data"].values()

    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(text) == json.loads((CHART / "files" / "dashboard.json").read_text())


def test_nothing_of_prometheus_or_grafana_unless_it_is_asked_for(helm: Helm) -> None:
    """Their kinds are unknown to many clusters."""
    assert not {manifest["kind"] for manifest in render(helm).manifests} & {
        "ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap",
    }  # fmt: skip
