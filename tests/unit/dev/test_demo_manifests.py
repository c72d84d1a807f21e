from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from dev import demo_manifests

URL = "http://127.0.0.1:12345"


def load(text: str) -> list[dict[str, Any]]:
    """Read the documents of a manifest."""
    return list(yaml.safe_load_all(text))


def test_the_example_account_leads_to_the_simulator() -> None:
    """The example's region becomes the simulator's address, for SCM and for IAM, under another name."""
    text = demo_manifests.account(demo_manifests.ACCOUNT.read_text(), name="default", url=URL)
    (document,) = load(text)
    assert document["kind"] == "ClusterScmAccount"
    assert document["metadata"]["name"] == "default"
    assert "region" not in document["spec"]
    assert document["spec"]["endpoint"] == URL
    assert document["spec"]["auth"]["password"]["iamEndpoint"] == URL


def test_the_simulator_knows_whom_the_example_account_logs_in_as() -> None:
    """Domain, user and project are those of the example."""
    (document,) = load(demo_manifests.ACCOUNT.read_text())
    password = document["spec"]["auth"]["password"]
    known = (demo_manifests.DOMAIN, demo_manifests.USER, demo_manifests.PROJECT)
    assert (password["domain"], password["user"], password["scope"]["project"]) == known


def test_an_account_of_another_form_is_not_changed_halfway() -> None:
    """An example that has changed its form is an error, instead of an account that leads to the cloud."""
    example = demo_manifests.ACCOUNT.read_text().replace("region:", "place:")
    with pytest.raises(ValueError, match="region"):
        demo_manifests.account(example, name="default", url=URL)


def test_an_upload_alone_is_the_example_without_its_secrets() -> None:
    """What is left is the example's upload, as it is."""
    example = demo_manifests.KEY_IN_OWN_SECRET.read_text()
    upload = next(each for each in load(example) if each["kind"] == "CertificateRequestUpload")
    assert load(demo_manifests.upload_alone(example)) == [upload]


def test_the_wrong_key_is_the_key_of_another_csr() -> None:
    """CSR and key can both be read, and don't belong together."""
    text = demo_manifests.wrong_key(
        csr_of=demo_manifests.KEY_IN_SAME_SECRET.read_text(),
        key_of=demo_manifests.KEY_IN_OWN_SECRET.read_text(),
    )
    secret, upload = load(text)
    csr = x509.load_pem_x509_csr(secret["stringData"]["tls.csr"].encode())
    key = serialization.load_pem_private_key(secret["stringData"]["tls.key"].encode(), password=None)
    assert csr.is_signature_valid
    assert csr.public_key() != key.public_key()
    assert upload["spec"]["csrSecretRef"]["name"] == upload["spec"]["privateKeySecretRef"]["name"]
    assert secret["metadata"]["name"] == upload["spec"]["csrSecretRef"]["name"]


def test_an_example_without_a_key_can_not_give_one() -> None:
    """A piece that is not there is an error."""
    csr_only = demo_manifests.CSR_ONLY.read_text()
    with pytest.raises(ValueError, match="unpack"):
        demo_manifests.wrong_key(csr_of=csr_only, key_of=csr_only)
