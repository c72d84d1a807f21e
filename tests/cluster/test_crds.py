"""What a real API server makes of new resources of the three kinds: what it refuses and with which words."""

import json
from pathlib import Path
from typing import Any

import pytest

from dev.control_plane import ControlPlane
from tests.cluster.crd_manifests import (
    CERTIFICATE,
    LOGIN,
    PRIVATE_KEY,
    TOKEN,
    Manifest,
    account,
    login,
    manifest,
    upload,
)

TIMEOUT = "must be a time from 1s to 30s, in whole seconds or milliseconds, such as 30s or 2500ms"
EXAMPLES = Path(__file__).parents[2] / "crds" / "examples"


def refusal(control_plane: ControlPlane, resource: Manifest) -> str:
    """Try to create a resource that must be refused, and return what kubectl prints."""
    tried = control_plane.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(resource), check=False)
    assert tried.returncode != 0, tried.stdout
    return tried.stderr


def accepted(control_plane: ControlPlane, resource: Manifest) -> Manifest:
    """Create a resource as far as a dry run goes, and return it as the API server would store it."""
    created = control_plane.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", input=json.dumps(resource))
    stored: Manifest = json.loads(created.stdout)
    return stored


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        pytest.param(
            manifest("CertificateRequestUpload", "shop-tls", {}),
            "spec.csrSecretRef: Required value",
            id="no CSR",
        ),
        pytest.param(
            upload(called="x" * 64),
            "spec.name: Required value: metadata.name is longer than 63 characters, the most that a CSR's name in SCM "
            "can have; set spec.name to a shorter name",
            id="own name of 64 characters and no other",
        ),
        pytest.param(upload(name="x" * 64), "spec.name: Too long: may not be more than 63", id="name of 64 characters"),
        pytest.param(upload(name=""), "spec.name in body should be at least 1 chars long", id="empty name"),
        pytest.param(
            upload(name="shop "),
            'spec.name: Invalid value: "shop ": must not begin or end with white space',
            id="name with a space at its end",
        ),
        pytest.param(
            upload(name="shop\ntls"),
            "must not hold control characters, such as a line break or a tab",
            id="name of two lines",
        ),
        pytest.param(
            upload(csrSecretRef={"name": "Shop_TLS"}),
            'spec.csrSecretRef.name: Invalid value: "Shop_TLS": must be the name of a Secret',
            id="CSR in what can't be a Secret",
        ),
        pytest.param(
            upload(csrSecretRef={"name": "shop-tls", "key": "certs/tls.csr"}),
            'spec.csrSecretRef.key: Invalid value: "certs/tls.csr": must be a key of a Secret\'s data',
            id="CSR under what can't be a Secret's key",
        ),
        pytest.param(
            upload(privateKeySecretRef={"name": "shop-tls", "key": "..key"}),
            'spec.privateKeySecretRef.key: Invalid value: "..key": must be a key of a Secret\'s data',
            id="private key under what can't be a Secret's key",
        ),
        pytest.param(
            upload(privateKeySecretRef={"key": "tls.key"}),
            "spec.privateKeySecretRef.name: Required value",
            id="private key in no Secret",
        ),
        pytest.param(
            upload(accountRef={"kind": "Account", "name": "production"}),
            'spec.accountRef.kind: Unsupported value: "Account": supported values: "ScmAccount", "ClusterScmAccount"',
            id="account of no known kind",
        ),
        pytest.param(
            upload(accountRef={"kind": "ClusterScmAccount"}),
            "spec.accountRef.name: Required value",
            id="account without a name",
        ),
        pytest.param(
            upload(accountRef={"name": "Production"}),
            'spec.accountRef.name: Invalid value: "Production": must be the name of an account',
            id="name that no account can have",
        ),
        pytest.param(
            upload(deletionPolicy="Orphan"),
            'spec.deletionPolicy: Unsupported value: "Orphan": supported values: "Retain", "Delete"',
            id="unknown policy for deleting",
        ),
        pytest.param(
            upload(adoptionPolicy="Always"),
            'spec.adoptionPolicy: Unsupported value: "Always": supported values: "Never", "IfIdentical"',
            id="unknown policy for adopting",
        ),
        pytest.param(
            upload(privatekeySecretRef={"name": "shop-tls"}),
            'unknown field "spec.privatekeySecretRef"',
            id="misspelt field",
        ),
    ],
)
def test_a_mistake_in_an_upload_is_refused(control_plane: ControlPlane, resource: Manifest, message: str) -> None:
    """The refusal names the field and says what is wrong with it."""
    assert message in refusal(control_plane, resource)


@pytest.mark.parametrize(
    "resource",
    [
        pytest.param(upload(called="x" * 63), id="own name of 63 characters"),
        pytest.param(upload(called="x" * 64, name="shop"), id="own name of 64 characters and a shorter one"),
        pytest.param(upload(name="証" * 63), id="name of 63 characters, each of 3 bytes"),
        pytest.param(upload(name="Shop: TLS_2026"), id="name with a space inside"),
        pytest.param(
            upload(csrSecretRef={"name": "shop.v1", "key": "_CSR-1.pem"}), id="every sign that a key may have"
        ),
        pytest.param(upload(accountRef={"kind": "ClusterScmAccount", "name": "production"}), id="cluster account"),
        pytest.param(upload(deletionPolicy="Delete"), id="deleted with its resource"),
        pytest.param(upload(adoptionPolicy="IfIdentical"), id="adopted"),
    ],
)
def test_an_unusual_upload_is_accepted(control_plane: ControlPlane, resource: Manifest) -> None:
    """What SCM and Kubernetes allow, the schema allows."""
    assert accepted(control_plane, resource)["kind"] == "CertificateRequestUpload"


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        pytest.param(account(), "spec: Invalid value: set exactly one of endpoint and region", id="no place"),
        pytest.param(
            account(endpoint="https://scm.example.com", region="cn-north-4"),
            "spec: Invalid value: set exactly one of endpoint and region",
            id="two places",
        ),
        pytest.param(
            account(region="scm.cn-north-4.myhuaweicloud.com"),
            'spec.region: Invalid value: "scm.cn-north-4.myhuaweicloud.com": must be the id of a region',
            id="address for a region",
        ),
        pytest.param(
            account(region="cn-north-4", auth={}),
            "spec.auth: Invalid value: set exactly one of token and password",
            id="no way to log in",
        ),
        pytest.param(
            account(region="cn-north-4", auth=TOKEN | {"password": LOGIN}),
            "spec.auth: Invalid value: set exactly one of token and password",
            id="two ways to log in",
        ),
        pytest.param(
            account(region="cn-north-4", auth={"token": {"secretRef": {"name": "Scm_Token"}}}),
            'spec.auth.token.secretRef.name: Invalid value: "Scm_Token": must be the name of a Secret',
            id="token in what can't be a Secret",
        ),
        pytest.param(
            login(iamEndpoint=None),
            "spec.auth.password.iamEndpoint: Required value: set it to the address of IAM, such as https://iam.",
            id="neither an address of IAM nor a region",
        ),
        pytest.param(
            login(iamEndpoint="https://iam.example.com/v3/auth/tokens"),
            "spec.auth.password.iamEndpoint: Forbidden: must end after the host and port",
            id="address of IAM with a path",
        ),
        pytest.param(login(domain=None), "spec.auth.password.domain: Required value", id="no domain"),
        pytest.param(login(scope=None), "spec.auth.password.scope: Required value", id="no scope"),
        pytest.param(
            login(scope={}),
            "spec.auth.password.scope: Invalid value: set exactly one of project, projectID, domain and domainID",
            id="empty scope",
        ),
        pytest.param(
            login(scope={"project": "cn-north-4", "domain": "acme"}),
            "spec.auth.password.scope: Invalid value: set exactly one of project, projectID, domain and domainID",
            id="two scopes",
        ),
        pytest.param(
            account(region="cn-north-4", caBundle="LS0tLS1CRUdJTg=="),
            "spec.caBundle: Required value: must hold at least one certificate in PEM",
            id="authorities in base64",
        ),
        pytest.param(
            account(region="cn-north-4", caBundle=CERTIFICATE + PRIVATE_KEY),
            "spec.caBundle: Forbidden: must hold certificates only, and there is a private key in it",
            id="authorities with a private key",
        ),
    ],
)
def test_a_mistake_in_an_account_is_refused(control_plane: ControlPlane, resource: Manifest, message: str) -> None:
    """The refusal names the field and says what is wrong with it."""
    assert message in refusal(control_plane, resource)


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("", "must be https:// and a host, such as"),
        ("scm.example.com", "must be https:// and a host, such as"),
        ("ftp://scm.example.com", "must be https:// and a host, such as"),
        ("https://", "must be https:// and a host, such as"),
        ("https://:443", "must be https:// and a host, such as"),
        ("https://scm.example.com:https", "must be https:// and a host, such as"),
        ("https://scm example.com", "must be https:// and a host, such as"),
        ("https://scm.example.com\n", "must be https:// and a host, such as"),
        ("https://scm.example.com:65536", "the port must be a number from 1 to 65535"),
        ("https://scm.example.com:0", "the port must be a number from 1 to 65535"),
        ("https://scm.example.com/", "must end after the host and port, with no path, query or fragment, and no slash"),
        ("https://scm.example.com/v3", "must end after the host and port"),
        ("https://scm.example.com?x=1", "must end after the host and port"),
        ("https://scm.example.com#top", "must end after the host and port"),
        ("http://scm.example.com", "must begin with https://, since credentials go there"),
        ("http://localhost.example.com", "must begin with https://, since credentials go there"),
        ("http://127.0.0.1.example.com", "must begin with https://, since credentials go there"),
        ("http://10.0.0.1", "must begin with https://, since credentials go there"),
    ],
)
def test_an_endpoint_is_refused(control_plane: ControlPlane, endpoint: str, message: str) -> None:
    """An endpoint is https, a host and a port; each fault has one message, and only that."""
    (answer,) = [line for line in refusal(control_plane, account(endpoint=endpoint)).splitlines() if "spec." in line]

    assert "spec.endpoint: " in answer
    assert message in answer


@pytest.mark.parametrize(
    "endpoint", ["https://bot:hunter2@scm.example.com", "https://bot:hunter2@:0/", "http://hunter2@"]
)
def test_a_password_in_an_endpoint_is_refused_and_not_repeated(control_plane: ControlPlane, endpoint: str) -> None:
    """The answer says where credentials belong, and leaves the one that it saw out of terminals and CI logs."""
    answer = refusal(control_plane, account(endpoint=endpoint))

    assert "must not name a user or a password: credentials belong in the Secret that auth refers to" in answer
    assert "hunter2" not in answer


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"requestsPerSecond": 0}, "should be greater than or equal to 1"),
        ({"requestsPerSecond": 1001}, "should be less than or equal to 1000"),
        ({"requestsPerSecond": 0.5}, "must be of type integer"),
        ({"concurrency": 0}, "should be greater than or equal to 1"),
        ({"concurrency": 101}, "should be less than or equal to 100"),
        ({"timeout": "x" * 17}, "may not be more than 16"),
        ({"timeout": 30}, "must be of type string"),
        ({"timeout": ""}, "should be at least 1 chars long"),
        *(({"timeout": text}, TIMEOUT) for text in ("30", "soon", "1.5s", "-5s", " 5s", "5s\n", "999ms", "0s")),
        *(({"timeout": text}, TIMEOUT) for text in ("31s", "30001ms", "1m", "0s30s", "99999s", "100000s")),
    ],
    ids=str,
)
def test_a_limit_is_refused(control_plane: ControlPlane, limit: Manifest, message: str) -> None:
    """A limit has a least and a greatest value, and a time is written in seconds or milliseconds."""
    (field,) = limit
    answer = refusal(control_plane, account(region="cn-north-4", limits=limit))

    assert f"spec.limits.{field}" in answer
    assert message in answer


@pytest.mark.parametrize("bundle", [PRIVATE_KEY, CERTIFICATE + PRIVATE_KEY], ids=["alone", "after a certificate"])
def test_a_private_key_in_a_ca_bundle_is_not_repeated(control_plane: ControlPlane, bundle: str) -> None:
    """A key pasted by mistake stays out of terminals and CI logs."""
    assert "MIGH" not in refusal(control_plane, account(region="cn-north-4", caBundle=bundle))


@pytest.mark.parametrize(
    "resource",
    [
        pytest.param(account(endpoint="https://scm.example.com:65535"), id="port"),
        pytest.param(account(endpoint="https://192.0.2.1:8443"), id="IPv4 address"),
        pytest.param(account(endpoint="https://[2001:db8::1]:8443"), id="IPv6 address"),
        pytest.param(account(endpoint="http://localhost:8080"), id="plain http to localhost"),
        pytest.param(account(endpoint="http://127.1.2.3"), id="plain http to a loopback address"),
        pytest.param(account(endpoint="http://[::1]:8080"), id="plain http to the IPv6 loopback address"),
        pytest.param(account(region="cn-north-4", caBundle=CERTIFICATE), id="own authorities"),
        *(
            pytest.param(account(region="cn-north-4", limits={"timeout": text}), id=f"timeout of {text}")
            for text in ("1s", "1000ms", "2500ms", "30s", "30000ms")
        ),
        pytest.param(
            account(region="cn-north-4", limits={"requestsPerSecond": 1, "concurrency": 1}), id="least limits"
        ),
        pytest.param(
            account(region="cn-north-4", limits={"requestsPerSecond": 1000, "concurrency": 100}), id="greatest limits"
        ),
        pytest.param(login(scope={"domainID": "0123456789abcdef0123456789abcdef"}), id="scope by id"),
        pytest.param(
            account(region="cn-north-4", auth={"password": {**LOGIN, "iamEndpoint": "https://iam.example.com"}}),
            id="region and an address of IAM",
        ),
        pytest.param(
            account(region="cn-north-4", auth={"password": {k: v for k, v in LOGIN.items() if k != "iamEndpoint"}}),
            id="region and no address of IAM",
        ),
    ],
)
def test_an_unusual_account_is_accepted(control_plane: ControlPlane, resource: Manifest) -> None:
    """What a tenant may need, the schema allows."""
    assert accepted(control_plane, resource)["kind"] == "ScmAccount"


def test_an_upload_has_its_defaults_written_out(control_plane: ControlPlane) -> None:
    """`kubectl get -o yaml` shows what the fields that nobody set amount to."""
    resource = upload(privateKeySecretRef={"name": "shop-tls"}, accountRef={"name": "production"})

    assert accepted(control_plane, resource)["spec"] == {
        "csrSecretRef": {"name": "shop-tls", "key": "tls.csr"},
        "privateKeySecretRef": {"name": "shop-tls", "key": "tls.key"},
        "accountRef": {"kind": "ScmAccount", "name": "production"},
        "deletionPolicy": "Retain",
        "adoptionPolicy": "Never",
        "suspend": False,
    }


def test_an_account_has_its_defaults_written_out(control_plane: ControlPlane) -> None:
    """The keys of the Secrets are named like what is in them."""
    token = accepted(control_plane, account(region="cn-north-4"))["spec"]["auth"]["token"]
    password = accepted(control_plane, login())["spec"]["auth"]["password"]

    assert token["secretRef"] == {"name": "scm-token", "key": "token"}
    assert password["secretRef"] == {"name": "scm-iam", "key": "password"}


@pytest.mark.parametrize("kind", ["ScmAccount", "ClusterScmAccount"])
@pytest.mark.parametrize("given", [{}, {"limits": {}}, {"limits": {"concurrency": 2}}], ids=["none", "empty", "one"])
def test_a_limit_that_nobody_set_is_written_out(control_plane: ControlPlane, kind: str, given: dict[str, Any]) -> None:
    """`kubectl get -o yaml` shows the limits that hold, whichever of them were set."""
    stored = accepted(control_plane, account(region="cn-north-4", **given) | {"kind": kind})

    usual = {"requestsPerSecond": 10, "concurrency": 8, "timeout": "30s"}
    assert stored["spec"]["limits"] == usual | given.get("limits", {})


@pytest.mark.parametrize(
    "resource",
    [
        upload(),
        account(region="cn-north-4"),
        account(region="cn-north-4") | {"kind": "ClusterScmAccount"},
    ],
    ids=lambda resource: resource["kind"],
)
def test_a_new_resource_is_in_progress_from_the_first_second(control_plane: ControlPlane, resource: Manifest) -> None:
    """Its status is about no generation yet, so that tools which wait don't take it for done."""
    assert accepted(control_plane, resource)["status"] == {"observedGeneration": -1}


def test_kubectl_explains_a_field(control_plane: ControlPlane) -> None:
    """`kubectl explain` prints the description that the CRD has."""
    explained = control_plane.kubectl("explain", "cru.spec.csrSecretRef.key").stdout

    assert "The key in the Secret's data whose value is the CSR" in explained


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_can_be_applied(control_plane: ControlPlane, path: Path) -> None:
    """The API server accepts every document of the example."""
    applied = control_plane.kubectl("apply", "--dry-run=server", "-f", path)

    assert applied.stdout.count("(server dry run)") == path.read_text().count("apiVersion:")
