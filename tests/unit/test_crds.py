"""What can be said of the CRDs and their examples without an API server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

CRDS = Path(__file__).parents[2] / "crds"
PLURALS = ("certificaterequestuploads", "scmaccounts", "clusterscmaccounts")
EXAMPLES = sorted((CRDS / "examples").glob("*.yaml"))

type_of_crd = pytest.mark.parametrize("plural", PLURALS)
each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)

# Where the two account kinds differ: in who may use the account, and in where its Secrets are.
DIFFERING_DESCRIPTIONS = {
    "",
    ".spec.auth.token.secretRef",
    ".spec.auth.password.secretRef",
}

# What every Kubernetes object has and no CRD need declare.
ANY_OBJECT: dict[str, Any] = {
    "apiVersion": {"const": "scm.certops.dev/v1alpha1"},
    "kind": {"type": "string"},
    "metadata": {"type": "object"},
}


def read_crd(plural: str) -> dict[str, Any]:
    """Read one CRD as it is installed."""
    crd: dict[str, Any] = yaml.safe_load((CRDS / f"{plural}.yaml").read_text())
    return crd


def read_schema(plural: str) -> dict[str, Any]:
    """Read the schema of a CRD's only version."""
    (version,) = read_crd(plural)["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each field of a schema with its path, the schema itself first."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from walk(field, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")


def without_descriptions(schema: dict[str, Any]) -> dict[str, Any]:
    """Copy a schema, leaving out what is for people only."""
    copy = {key: value for key, value in schema.items() if key != "description"}
    if "properties" in copy:
        copy["properties"] = {name: without_descriptions(field) for name, field in copy["properties"].items()}
    if "items" in copy:
        copy["items"] = without_descriptions(copy["items"])
    return copy


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Copy a schema so that it refuses unknown fields, as `kubectl apply` does."""
    copy = dict(schema)
    if "properties" in copy:
        copy["properties"] = {name: closed(field) for name, field in copy["properties"].items()}
        copy["additionalProperties"] = False
    return copy


def rules_of(field: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the CEL rules that stand at a field."""
    rules: list[dict[str, Any]] = field.get("x-kubernetes-validations", [])
    return rules


def test_every_reference_to_a_secret_follows_the_same_rules() -> None:
    """What one field accepts as a Secret's name and key, all accept; they differ in the default key alone."""
    references = [
        field["properties"] | {"key": {k: v for k, v in field["properties"]["key"].items() if k != "default"}}
        for plural in PLURALS
        for path, field in walk(without_descriptions(read_schema(plural)))
        if path.lower().endswith("secretref")
    ]

    assert len(references) == 6
    assert [reference for reference in references if reference != references[0]] == []


@pytest.mark.parametrize("plural", ["scmaccounts", "clusterscmaccounts"])
def test_both_endpoints_follow_the_same_rules(plural: str) -> None:
    """An address of IAM is written like an address of SCM."""
    fields = dict(walk(without_descriptions(read_schema(plural))))

    assert fields[".spec.endpoint"] == fields[".spec.auth.password.iamEndpoint"]


def read_example(path: Path) -> list[dict[str, Any]]:
    """Read an example's documents."""
    return list(yaml.safe_load_all(path.read_text()))


def test_each_crd_has_a_file_named_like_its_plural() -> None:
    """The three CRDs are the only files in their folder, each under the name that kubectl knows it by."""
    assert sorted(path.name for path in CRDS.glob("*.yaml")) == sorted(f"{plural}.yaml" for plural in PLURALS)
    assert [read_crd(plural)["metadata"]["name"] for plural in PLURALS] == [f"{p}.scm.certops.dev" for p in PLURALS]


@type_of_crd
def test_every_field_is_described(plural: str) -> None:
    """`kubectl explain` has a sentence for each field."""
    undescribed = [path for path, field in walk(read_schema(plural)) if not field.get("description", "").endswith(".")]

    assert undescribed == []


@type_of_crd
def test_every_text_in_a_spec_is_bounded(plural: str) -> None:
    """What a user may write has a greatest length, so the cost of each rule is bounded too."""
    spec = read_schema(plural)["properties"]["spec"]
    unbounded = [
        path
        for path, field in walk(spec)
        if field["type"] == "string" and "maxLength" not in field and "enum" not in field
    ]

    assert unbounded == []


@type_of_crd
def test_every_rule_has_a_message_for_people(plural: str) -> None:
    """A refusal says what is wrong: never the rule itself, nor a regular expression that must match."""
    fields = dict(walk(read_schema(plural)))
    silent = [path for path, field in fields.items() if any("message" not in r for r in rules_of(field))]
    bare_patterns = [path for path, field in fields.items() if path.startswith(".spec") and "pattern" in field]

    assert any(rules_of(field) for field in fields.values())
    assert silent == []
    assert bare_patterns == []


@type_of_crd
def test_a_resource_without_status_is_seen_as_in_progress(plural: str) -> None:
    """The status has a generation that no spec has, until the operator writes the first real one."""
    assert read_schema(plural)["properties"]["status"]["default"] == {"observedGeneration": -1}


def test_the_two_accounts_have_the_same_schema() -> None:
    """What one account kind accepts, the other accepts."""
    assert without_descriptions(read_schema("scmaccounts")) == without_descriptions(read_schema("clusterscmaccounts"))


def test_the_two_accounts_have_the_same_columns() -> None:
    """What kubectl shows of one account kind, it shows of the other."""
    (namespaced,) = read_crd("scmaccounts")["spec"]["versions"]
    (cluster,) = read_crd("clusterscmaccounts")["spec"]["versions"]

    assert namespaced["additionalPrinterColumns"] == cluster["additionalPrinterColumns"]


def test_the_two_accounts_are_described_alike() -> None:
    """Their descriptions differ only where the kinds do: who may use the account, and where its Secrets are."""
    namespaced = {path: field["description"] for path, field in walk(read_schema("scmaccounts"))}
    cluster = {path: field["description"] for path, field in walk(read_schema("clusterscmaccounts"))}

    assert {path for path in namespaced if namespaced[path] != cluster[path]} == DIFFERING_DESCRIPTIONS


@each_example
def test_an_example_says_what_it_shows(path: Path) -> None:
    """A reader learns from the first lines what an example is for."""
    assert path.read_text().startswith("# ")


@type_of_crd
def test_the_examples_fit_the_schema(plural: str, tmp_path: Path) -> None:
    """No example of a kind has a field that the kind's schema doesn't know, or a value that it refuses."""
    kind = read_crd(plural)["spec"]["names"]["kind"]
    shown = [doc for path in EXAMPLES for doc in read_example(path) if doc["kind"] == kind]
    schema_file = tmp_path / "schema.json"
    properties = read_schema(plural)["properties"]
    schema_file.write_text(json.dumps(closed(read_schema(plural) | {"properties": ANY_OBJECT | properties})))
    files = []
    for number, document in enumerate(shown):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(document))

    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--schemafile", schema_file, *files],
        capture_output=True,
        check=False,
        text=True,
    )

    assert shown
    assert checked.returncode == 0, checked.stdout + checked.stderr


@each_example
def test_an_example_holds_a_real_csr_and_its_key(path: Path) -> None:
    """The CSR that an example uploads is signed by its own key, and a private key beside it is that key."""
    documents = read_example(path)
    secrets = {doc["metadata"]["name"]: doc["stringData"] for doc in documents if doc["kind"] == "Secret"}
    for upload in (doc for doc in documents if doc["kind"] == "CertificateRequestUpload"):
        csr_ref = upload["spec"]["csrSecretRef"]
        csr = x509.load_pem_x509_csr(secrets[csr_ref["name"]][csr_ref.get("key", "tls.csr")].encode())
        assert csr.is_signature_valid

        if key_ref := upload["spec"].get("privateKeySecretRef"):
            pem = secrets[key_ref["name"]][key_ref.get("key", "tls.key")].encode()
            assert load_pem_private_key(pem, password=None).public_key() == csr.public_key()
