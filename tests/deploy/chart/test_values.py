"""The chart's values: what is refused and with which words, and that each is described and has an effect."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from dev import chart_values
from dev.helm import CHART, Helm, HelmError
from scm_operator.settings import Settings
from tests.support.rendering import EVERYTHING, render

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES = chart_values.read((CHART / "values.schema.json").read_text())
SETTINGS = ("LOG_LEVEL", "LOG_FORMAT", "WORKERS", "RESYNC_INTERVAL", "DELETION_DEADLINE")


@pytest.mark.parametrize(
    "values",
    [
        {},
        EVERYTHING,
        EVERYTHING | {"watchNamespaces": ["shop"], "clusterAccounts": {"enabled": True}},
        {"watchNamespaces": ["shop"], "secrets": {"watch": False, "names": ["shop-tls"]}, "crds": {"install": False}},
    ],
    ids=["default", "everything", "some namespaces", "least privilege"],
)
def test_helm_finds_nothing_to_say_about_the_chart(helm: Helm, values: dict[str, Any]) -> None:
    """`helm lint --strict` passes, whatever is switched on."""
    said = helm.run("lint", "--strict", CHART, values=values).stdout

    assert "1 chart(s) linted, 0 chart(s) failed" in said
    assert "[WARNING]" not in said


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"watchNamespace": ["shop"]}, "additional properties 'watchNamespace' not allowed"),
        ({"image": {"tga": "1"}}, "at '/image': additional properties 'tga' not allowed"),
        ({"settings": {"loglevel": "debug"}}, "at '/settings': additional properties 'loglevel' not allowed"),
        ({"networkPolicy": {"scm": {"port": 443}}}, "at '/networkPolicy/scm': additional properties 'port' not"),
        ({"livenessProbe": {"httpGet": {}}}, "at '/livenessProbe': additional properties 'httpGet' not allowed"),
        ({"podMonitor": {"enable": True}}, "at '/podMonitor': additional properties 'enable' not allowed"),
        ({"replicaCount": "2"}, "at '/replicaCount': got string, want integer"),
        ({"image": {"digest": "sha256:abc"}}, "at '/image/digest': 'sha256:abc' does not match pattern"),
        ({"watchNamespaces": ["team-*"]}, "at '/watchNamespaces/0': 'team-*' does not match pattern"),
        ({"watchNamespaces": ["shop", "shop"]}, "at '/watchNamespaces': items at 0 and 1 are equal"),
        ({"settings": {"logLevel": "trace"}}, "at '/settings/logLevel': value must be one of 'debug', 'info'"),
        ({"terminationGracePeriodSeconds": 45}, "at '/terminationGracePeriodSeconds': minimum: got 45, want 46"),
    ],
)
def test_a_mistake_is_refused(helm: Helm, values: dict[str, Any], message: str) -> None:
    """Helm names the value and says what is wrong, before anything is rendered."""
    with pytest.raises(HelmError) as refused:
        render(helm, **values)

    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"account": {"create": True}}, "account.create needs account.spec"),
        (
            {"account": EVERYTHING["account"], "watchNamespaces": ["shop"]},
            "served only if clusterAccounts.enabled is true",
        ),
    ],
    ids=["no spec", "not served"],
)
def test_an_account_that_can_not_work_is_refused(helm: Helm, values: dict[str, Any], message: str) -> None:
    """The message says what to set."""
    with pytest.raises(HelmError) as refused:
        render(helm, **values)

    assert message in str(refused.value)


def test_the_schema_is_one_that_helm_3_and_4_read() -> None:
    """It is a valid schema of draft 7, which both know."""
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--check-metaschema", CHART / "values.schema.json"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_default_values_fit_the_schema() -> None:
    """values.yaml is valid by itself, as an independent validator sees it."""
    files = ["--schemafile", str(CHART / "values.schema.json"), str(CHART / "values.yaml")]
    command = [sys.executable, "-m", "check_jsonschema", *files]
    checked = subprocess.run(command, capture_output=True, check=False, text=True)
    assert checked.returncode == 0, checked.stdout


def strict(schema: dict[str, Any], path: str = "") -> list[str]:
    """Name the objects of a schema that list their properties and would let others pass."""
    found = [path] if "properties" in schema and schema.get("additionalProperties") is not False else []
    parts = {**schema.get("properties", {}), **schema.get("definitions", {})}
    return found + [deeper for name, part in parts.items() for deeper in strict(part, f"{path}.{name}")]


def test_no_object_of_the_charts_own_lets_unknown_keys_pass() -> None:
    """Wherever the schema knows the keys, it refuses all others."""
    assert strict(SCHEMA) == []


def needed(schema: dict[str, Any], path: tuple[str, ...]) -> bool:
    """Tell whether a value, or what it is part of, is one that a schema requires."""
    name, *rest = path
    field = schema["properties"][name]
    part = SCHEMA["definitions"][field["$ref"].rpartition("/")[2]] if "$ref" in field else field
    return needed(part, tuple(rest)) if rest else name in schema.get("required", [])


def test_what_is_commented_out_is_as_if_it_were_empty(helm: Helm) -> None:
    """Where nothing is left below a key, YAML reads null, and Helm takes the default away."""
    values: dict[str, Any] = {}
    for value in VALUES:
        if value.default is not None and value.path[-1] != "maxUnavailable" and not needed(SCHEMA, value.path):
            *groups, name = value.path
            group = values
            for each in groups:
                group = group.setdefault(each, {})
            group[name] = None
    for each in ("podMonitor", "prometheusRule", "dashboard", "networkPolicy"):
        values[each]["enabled"] = True
    values["account"] |= EVERYTHING["account"]

    rendered = render(helm, **values)

    assert {found["kind"] for found in rendered.manifests} >= {"PodMonitor", "ClusterScmAccount", "Deployment"}
    assert set(rendered.env) == {name for name in render(helm).env if not name.endswith(SETTINGS)}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"secrets": None}, "at '': missing property 'secrets'"),
        ({"startupProbe": None}, "at '': missing property 'startupProbe'"),
        ({"crds": {"keep": None}}, "at '/crds': missing property 'keep'"),
        ({"networkPolicy": {"scm": {"ports": None}}}, "at '/networkPolicy/scm': missing property 'ports'"),
        ({"extraEnv": [{"name": "TZ", "value": 1}]}, "at '/extraEnv/0/value': got number, want string"),
        ({"extraEnv": [{"name": "TZ", "vlaue": "1"}]}, "additional properties 'vlaue' not allowed"),
    ],
)
def test_null_and_other_types_are_refused_where_they_mean_nothing(
    helm: Helm, values: dict[str, Any], message: str
) -> None:
    """By the schema, which names the key; a template would fail with a nil pointer, or let all traffic out."""
    with pytest.raises(HelmError) as refused:
        render(helm, **values)

    assert message in str(refused.value)


@pytest.mark.parametrize(
    "value", [value for value in VALUES if value.path[0] != "settings"], ids=lambda value: value.name
)
def test_a_value_is_read_by_a_template(value: chart_values.Value) -> None:
    """None is there for nothing but the two that are other charts' affair; settings are read all together."""
    templates = "\n".join(path.read_text() for path in (CHART / "templates").iterdir())
    group, *rest = value.path
    read = f".Values.{group}" in templates and all(f".{name}" in templates for name in rest)

    assert read == (value.name not in {"enabled", "global"})


def test_the_operators_settings_have_the_operators_defaults() -> None:
    """settings.* say what holds without the chart too."""
    defaults = {value.path[1]: value.default for value in VALUES if value.path[0] == "settings"}
    snake = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name): value for name, value in defaults.items()}

    assert snake
    assert snake == {name: Settings.model_fields[name].default for name in snake}


def test_the_image_is_the_version_of_the_operator(helm: Helm) -> None:
    """Chart, image and operator have one version."""
    image = render(helm).container["image"]

    assert image.rpartition(":")[2] == metadata.version("scm-csr-operator")


def test_a_packed_chart_renders_the_same(helm: Helm, tmp_path: Path) -> None:
    """Nothing that a template reads is left out of the package."""
    helm.run("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.glob("*.tgz")

    assert helm.template(EVERYTHING, chart=package) == helm.template(EVERYTHING)


def test_a_parent_chart_may_share_and_switch(helm: Helm) -> None:
    """`global` and the `enabled` of a dependency's condition come along, and change nothing."""
    assert render(helm, **{"global": {"region": "eu"}, "enabled": True}).manifests == render(helm).manifests


def test_labels_and_annotations_reach_every_object(helm: Helm) -> None:
    """All of them have commonLabels and commonAnnotations, the CRDs too; extraObjects are the user's own."""
    values = EVERYTHING | {"extraObjects": []}
    rendered = render(helm, **values, commonLabels={"cost": "7"}, commonAnnotations={"owner": "pki"})
    bare = [
        (manifest["kind"], manifest["metadata"]["name"])
        for manifest in rendered.manifests
        if manifest["metadata"]["labels"].get("cost") != "7"
        or manifest["metadata"]["annotations"].get("owner") != "pki"
    ]

    assert bare == []


def test_extra_objects_are_templates(helm: Helm) -> None:
    """As mappings or as text; they can name the release."""
    mapping = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-one"}}
    text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ printf "%s-two" .Release.Name }}}\n'
    rendered = render(helm, extraObjects=[mapping, text])

    assert [found["metadata"]["name"] for found in rendered.all("ConfigMap")] == [
        "scm-csr-operator-one",
        "scm-csr-operator-two",
    ]
