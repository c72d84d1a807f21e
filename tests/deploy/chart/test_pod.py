"""What the chart makes of the Pods."""

from typing import Any

import pytest

from dev.helm import Helm, HelmError
from scm_operator.settings import Settings
from tests.support.rendering import render

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def test_a_container_can_do_nothing_but_run(helm: Helm) -> None:
    """It isn't root, its root file system is read-only, and it can't gain anything, as Pod Security restricted asks."""
    rendered = render(helm)

    assert rendered.pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert rendered.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "volumes"} & rendered.pod.keys()


def test_two_replicas_hand_over_to_each_other(helm: Helm) -> None:
    """A new Pod is there before an old one goes, which has time to end its calls; a drain stops one at a time."""
    rendered = render(helm)
    deployment = rendered.one("Deployment")["spec"]
    budget = rendered.one("PodDisruptionBudget")["spec"]

    assert deployment["replicas"] == 2
    assert deployment["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert rendered.pod["terminationGracePeriodSeconds"] > Settings.model_fields["shutdown_timeout"].default
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]


def test_replicas_are_spread_where_there_is_room(helm: Helm) -> None:
    """Over zones and nodes, each generation of Pods for itself, and never so that an upgrade can't go on."""
    rendered = render(helm)
    spread = rendered.pod["topologySpreadConstraints"]

    assert [each["topologyKey"] for each in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    for each in spread:
        assert each["whenUnsatisfiable"] == "ScheduleAnyway"
        assert each["matchLabelKeys"] == ["pod-template-hash"]
        assert each["labelSelector"] == rendered.one("Deployment")["spec"]["selector"]


def test_a_spread_of_the_users_stays_as_it_is(helm: Helm) -> None:
    """With a labelSelector nothing is added; without one, only what it needs to select the Pods."""
    whole = {
        "maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"tier": "pki"}},
    }  # fmt: skip
    short = {"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    rendered = render(helm, topologySpreadConstraints=[whole, short])
    selector = rendered.one("Deployment")["spec"]["selector"]

    assert rendered.pod["topologySpreadConstraints"] == [
        whole,
        short | {"labelSelector": selector, "matchLabelKeys": ["pod-template-hash"]},
    ]


def test_pods_can_be_made_anew_all_at_once(helm: Helm) -> None:
    """Recreate has no rollingUpdate, though the default has, into which Helm merges it."""
    assert render(helm, strategy={"type": "Recreate"}).one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_probes_ask_the_port_that_the_operator_listens_on(helm: Helm) -> None:
    """/livez says whether to start it again, /readyz whether it can take over; a start may take five minutes."""
    rendered = render(helm)
    container = rendered.container
    (port,) = container["ports"]

    assert port["containerPort"] == int(Settings.model_fields["listen"].default.rpartition(":")[2])
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert probes == {
        "startupProbe": {"path": "/livez", "port": port["name"]},
        "livenessProbe": {"path": "/livez", "port": port["name"]},
        "readinessProbe": {"path": "/readyz", "port": port["name"]},
    }
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 300


@pytest.mark.parametrize(
    ("image", "named"),
    [
        ({}, "ghcr.io/certops/scm-csr-operator:0.1.0"),
        ({"tag": "0.2.0"}, "ghcr.io/certops/scm-csr-operator:0.2.0"),
        ({"repository": "registry.example.com/scm"}, "registry.example.com/scm:0.1.0"),
        ({"tag": "0.2.0", "digest": DIGEST}, f"ghcr.io/certops/scm-csr-operator@{DIGEST}"),
    ],
    ids=["default", "tag", "repository", "digest"],
)
def test_an_image_is_named_by_tag_or_digest(helm: Helm, image: dict[str, str], named: str) -> None:
    """The tag is the chart's appVersion unless another is given; a digest wins over it."""
    assert render(helm, image=image).container["image"] == named


def test_the_operator_knows_its_own_namespace_and_lease(helm: Helm) -> None:
    """The namespace is where it runs, whatever that is called; the Lease is named after the release."""
    rendered = render(helm)

    assert rendered.env["SCM_OPERATOR_NAMESPACE"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    assert rendered.env["SCM_OPERATOR_LEASE_NAME"] == rendered.one("Deployment")["metadata"]["name"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, {}, id="all namespaces"),
        pytest.param(
            {"watchNamespaces": ["shop", "payments"]},
            {"watch_namespaces": ("shop", "payments"), "cluster_accounts": False},
            id="some namespaces",
        ),
        pytest.param(
            {"watchNamespaces": ["shop"], "clusterAccounts": {"enabled": True}},
            {"watch_namespaces": ("shop",), "cluster_accounts": True},
            id="cluster accounts",
        ),
        pytest.param({"secrets": {"watch": False}}, {"secrets_watch": False}, id="no watch on Secrets"),
        pytest.param(
            {
                "settings": {
                    "logLevel": "debug",
                    "logFormat": "text",
                    "workers": 4,
                    "resyncInterval": 0,
                    "deletionDeadline": 7.5,
                }
            },
            {"log_level": "debug", "log_format": "text", "workers": 4, "resync_interval": 0, "deletion_deadline": 7.5},
            id="settings",
        ),
    ],
)
def test_values_are_the_operators_settings(
    helm: Helm, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    """The variables that the chart sets are ones that the operator reads, and mean there what the value says."""
    texts = {name: text for name, text in render(helm, **values).env.items() if isinstance(text, str)}
    known = {f"SCM_OPERATOR_{name.upper()}" for name in Settings.model_fields}
    for name, text in texts.items():
        monkeypatch.setenv(name, text)

    assert texts.keys() <= known
    assert Settings().model_dump(exclude={"namespace"}) == Settings.model_construct(**expected).model_dump(
        exclude={"namespace"}
    )


def test_an_own_namespace_that_is_the_only_one_is_never_spelt_out(helm: Helm) -> None:
    """So that kustomize can move the whole installation to another namespace."""
    env = render(helm, watchNamespaces=["scm-csr-operator"]).env

    assert env["SCM_OPERATOR_WATCH_NAMESPACES"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}


def test_a_variable_of_the_users_takes_the_place_of_the_charts(helm: Helm) -> None:
    """No name stands there twice, and those of the user keep their order, since one may refer to another."""
    extra = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "SCM_OPERATOR_LISTEN", "value": "$(POD_IP):8080"},
        {"name": "SCM_OPERATOR_LOG_LEVEL", "value": "debug"},
    ]
    env = render(helm, extraEnv=extra).container["env"]

    assert env[-3:] == extra
    names = [each["name"] for each in env]
    assert len(set(names)) == len(names)


def test_proxies_are_handed_on(helm: Helm) -> None:
    """Under the names that every program knows; none is set unless it is asked for."""
    given = {"httpsProxy": "http://proxy:3128", "httpProxy": "http://proxy:80", "noProxy": "scm.internal"}
    proxied = render(helm, **given).env

    assert (proxied["HTTPS_PROXY"], proxied["HTTP_PROXY"], proxied["NO_PROXY"]) == tuple(given.values())
    assert not {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE"} & render(helm).env.keys()


@pytest.mark.parametrize(
    ("bundle", "source"),
    [
        (
            {"pem": PEM},
            {"configMap": {"name": "scm-csr-operator-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        ),
        (
            {"configMap": "company-ca", "key": "root.pem"},
            {"configMap": {"name": "company-ca", "items": [{"key": "root.pem", "path": "root.pem"}]}},
        ),
        (
            {"secret": "company-ca"},
            {"secret": {"secretName": "company-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        ),
    ],
    ids=["inline", "ConfigMap", "Secret"],
)
def test_a_ca_bundle_is_mounted_and_named(helm: Helm, bundle: dict[str, str], source: dict[str, Any]) -> None:
    """From the values, a ConfigMap or a Secret: the operator finds it by SSL_CERT_FILE."""
    rendered = render(helm, caBundle=bundle)
    (volume,) = rendered.pod["volumes"]
    (mount,) = rendered.container["volumeMounts"]

    assert {name: each for name, each in volume.items() if name != "name"} == source
    assert (mount["name"], mount["readOnly"]) == (volume["name"], True)
    assert rendered.env["SSL_CERT_FILE"] == f"{mount['mountPath']}/{bundle.get('key', 'ca.crt')}"


def test_another_inline_bundle_rolls_the_pods(helm: Helm) -> None:
    """The bundle is in a ConfigMap, and its checksum in the Pods' template."""
    one, other = (render(helm, caBundle={"pem": pem}) for pem in (PEM, PEM * 2))

    assert one.one("ConfigMap", "scm-csr-operator-ca")["data"] == {"ca.crt": PEM}
    assert one.template["metadata"] != other.template["metadata"]


def test_two_bundles_are_refused(helm: Helm) -> None:
    """Which of them was meant is not guessed."""
    with pytest.raises(HelmError, match="caBundle: set only one of pem, configMap and secret"):
        render(helm, caBundle={"pem": PEM, "secret": "company-ca"})


def test_whatever_a_pod_may_have_can_be_given(helm: Helm) -> None:
    """Extra arguments, volumes, sources of variables, labels, and where the Pods run."""
    pod = {
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "infra", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "system-cluster-critical",
        "runtimeClassName": "gvisor",
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["scm.internal"]}],
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["10.0.0.10"]},
    }
    rendered = render(
        helm,
        **pod,
        resources={"limits": {"memory": "1Gi"}},
        podLabels={"team": "pki"},
        podAnnotations={"sidecar": "false"},
        commonLabels={"cost": "7"},
        extraArgs=["--call-timeout=20"],
        extraEnvFrom=[{"secretRef": {"name": "more"}}],
        extraVolumes=[{"name": "tmp", "emptyDir": {}}],
        extraVolumeMounts=[{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - a Pod's, not this machine's
    )

    assert {name: rendered.pod[name] for name in pod} == pod
    assert rendered.container["resources"] == {
        "limits": {"memory": "1Gi"},
        "requests": {"cpu": "50m", "memory": "128Mi"},
    }
    assert rendered.container["args"] == ["--call-timeout=20"]
    assert rendered.container["envFrom"] == [{"secretRef": {"name": "more"}}]
    assert rendered.pod["volumes"] == [{"name": "tmp", "emptyDir": {}}]
    assert rendered.container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - a Pod's
    assert rendered.template["metadata"]["labels"].items() >= {"team": "pki", "cost": "7"}.items()
    assert rendered.template["metadata"]["annotations"]["sidecar"] == "false"


def test_a_label_of_the_users_never_breaks_the_selector(helm: Helm) -> None:
    """The Pods keep the labels that the Deployment, the Service and the budget find them by."""
    rendered = render(
        helm, podLabels={"app.kubernetes.io/name": "mine"}, commonLabels={"app.kubernetes.io/instance": "x"}
    )

    assert (
        rendered.template["metadata"]["labels"].items()
        >= rendered.one("Deployment")["spec"]["selector"]["matchLabels"].items()
    )


def test_an_annotation_of_the_users_stands_once(helm: Helm) -> None:
    """In place of the chart's own: kustomize and kubectl refuse a key that stands there twice."""
    name = "kubectl.kubernetes.io/default-container"
    text = helm.template({"podAnnotations": {name: "proxy"}}, "--show-only", "templates/deployment.yaml")

    assert [line.strip() for line in text.splitlines() if name in line] == [f"{name}: proxy"]
