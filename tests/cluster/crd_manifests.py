"""Resources of the three kinds for the tests of the CRDs: the shortest valid ones, and what a test adds to them."""

from typing import Any

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n"

TOKEN = {"token": {"secretRef": {"name": "scm-token"}}}
LOGIN: dict[str, Any] = {
    "iamEndpoint": "https://iam.example.com",
    "domain": "acme",
    "user": "cert-bot",
    "secretRef": {"name": "scm-iam"},
    "scope": {"project": "cn-north-4"},
}

Manifest = dict[str, Any]


def manifest(kind: str, name: str, spec: object) -> Manifest:
    """Write down a resource of one of our kinds."""
    return {"apiVersion": "scm.certops.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def upload(called: str = "shop-tls", **spec: object) -> Manifest:
    """Write down the shortest valid upload, with what the test adds to its spec."""
    return manifest("CertificateRequestUpload", called, {"csrSecretRef": {"name": "shop-tls"}} | spec)


def account(**spec: object) -> Manifest:
    """Write down an account with a token, with what the test adds to its spec."""
    return manifest("ScmAccount", "default", {"auth": TOKEN} | spec)


def login(**changes: object) -> Manifest:
    """Write down an account with a password, its login changed; a field that is None is left out."""
    password = {field: value for field, value in (LOGIN | changes).items() if value is not None}
    return account(endpoint="https://scm.example.com", auth={"password": password})
