"""What a real API server makes of the three kinds: what it refuses and with which words, and what kubectl shows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.control_plane import ControlPlane

EXAMPLES = Path(__file__).parents[2] / "crds" / "examples"

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
ELSEWHERE = "another tenant is another account; create a new account and name it in the accountRef of the uploads"

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
        "suspend": False,
    }


def test_an_account_has_its_defaults_written_out(control_plane: ControlPlane) -> None:
    """The keys of the Secrets are named like what is in them."""
    token = accepted(control_plane, account(region="cn-north-4"))["spec"]["auth"]["token"]
    password = accepted(control_plane, login())["spec"]["auth"]["password"]

    assert token["secretRef"] == {"name": "scm-token", "key": "token"}
    assert password["secretRef"] == {"name": "scm-iam", "key": "password"}


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


FINISHED: dict[str, Any] = {
    "observedGeneration": 1,
    "scmID": "474a519e2c884c34a2d01033a6493b3c",
    "scmName": "shop-tls-2026",
    "createTime": "2023-05-29T01:56:39.000Z",
    "origin": "Uploaded",
    "account": {"kind": "ClusterScmAccount", "name": "production"},
    "tenant": {
        "endpoint": "https://scm.cn-north-4.myhuaweicloud.com",
        "domain": "acme",
        "scope": "project=cn-north-4",
        "account": "ClusterScmAccount/production",
    },
    "contentHash": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "csr": {"commonName": "shop.example.com", "dnsNameCount": 2, "keyAlgorithm": "EC_P256"},
    "observedSecrets": [
        {"name": "shop-tls", "uid": "0b0c1b0e-6f0c-4f59-9d0f-3b1f6c1f4a11", "resourceVersion": "123"},
    ],
    "lastHandledReconcileAt": "2026-11-24T10:00:00Z",
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Uploaded",
            "message": "SCM has the CSR.",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-11-24T10:00:00Z",
        },
    ],
}
"""The status of an upload that went well, every field set."""

READY = {
    "observedGeneration": 1,
    "conditions": [FINISHED["conditions"][0] | {"reason": "Ready"}],
}
"""The status of an account that can be used."""


@pytest.fixture(scope="module")
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """Store one finished upload and an account of each kind that are ready, all named crd-test, in this namespace."""
    resources = [
        upload(called="crd-test", suspend=True),
        login() | {"metadata": {"name": "crd-test"}},
        account(region="cn-north-4") | {"kind": "ClusterScmAccount", "metadata": {"name": "crd-test"}},
    ]
    control_plane.kubectl("create", "namespace", "crd-test")
    control_plane.kubectl(
        "create", "-n", "crd-test", "-f", "-", input="\n---\n".join(json.dumps(resource) for resource in resources)
    )
    for kind, status in (("cru", FINISHED), ("scma", READY), ("cscma", READY)):
        patch = json.dumps({"status": status})
        control_plane.kubectl(
            "patch", kind, "crd-test", "-n", "crd-test", "--subresource=status", "--type=merge", "-p", patch
        )
    yield "crd-test"
    control_plane.kubectl("delete", "cru,scma,cscma", "crd-test", "-n", "crd-test")
    control_plane.kubectl("delete", "namespace", "crd-test", "--wait=false")


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        pytest.param(
            {"endpoint": "https://other.example.com"}, "spec.endpoint: Forbidden: can't be edited", id="endpoint"
        ),
        pytest.param(
            {"endpoint": None, "region": "cn-north-4"}, "spec.region: Forbidden: can't be edited", id="region"
        ),
        pytest.param(
            {"auth": {"password": {"domain": "other"}}},
            "spec.auth.password.domain: Forbidden: can't be edited",
            id="domain",
        ),
        pytest.param(
            {"auth": {"password": {"scope": {"project": "cn-south-1"}}}},
            "spec.auth.password.scope: Forbidden: can't be edited",
            id="scope by another name",
        ),
        pytest.param(
            {"auth": {"password": {"scope": {"project": None, "domain": "acme"}}}},
            "spec.auth.password.scope: Forbidden: can't be edited",
            id="scope of another kind",
        ),
        pytest.param(
            {"auth": {"password": None} | TOKEN},
            "spec.auth: Forbidden: can't be changed between token and password",
            id="password to token",
        ),
    ],
)
def test_an_account_stays_with_its_tenant(
    control_plane: ControlPlane, namespace: str, patch: Manifest, message: str
) -> None:
    """What decides the tenant can't be edited, and the refusal says what to do instead."""
    answer = edited("scma", patch, control_plane=control_plane, namespace=namespace, check=False)

    assert message in answer
    assert ELSEWHERE in answer


def test_a_cluster_account_stays_with_its_tenant(control_plane: ControlPlane, namespace: str) -> None:
    """A cluster account's region can't be edited, nor its token exchanged for a password."""
    patch = {"region": "cn-south-1", "auth": {"token": None, "password": LOGIN}}
    answer = edited("cscma", patch, control_plane=control_plane, namespace=namespace, check=False)

    assert "spec.region: Forbidden: can't be edited" in answer
    assert "spec.auth: Forbidden: can't be changed between token and password" in answer


def test_the_rest_of_an_account_can_be_edited(control_plane: ControlPlane, namespace: str) -> None:
    """Another user, Secret or address of IAM, and other authorities, are the same tenant."""
    password = {
        "user": "other",
        "secretRef": {"name": "other", "key": "other"},
        "iamEndpoint": "https://other.example.com",
    }
    patch = {"auth": {"password": password}, "caBundle": CERTIFICATE}

    assert "patched" in edited("scma", patch, control_plane=control_plane, namespace=namespace)


def edited(kind: str, spec: Manifest, *, control_plane: ControlPlane, namespace: str, check: bool = True) -> str:
    """Change the spec of the stored account in a dry run, and return what kubectl prints."""
    patch = json.dumps({"spec": spec})
    done = control_plane.kubectl(
        *("patch", kind, "crd-test", "-n", namespace, "--dry-run=server", "--type=merge", "-p", patch), check=check
    )
    return done.stdout + done.stderr


def test_a_finished_status_is_stored_as_it_was_written(control_plane: ControlPlane, namespace: str) -> None:
    """The schema knows every field of the status: none is dropped."""
    stored = control_plane.kubectl("get", "cru", "crd-test", "-n", namespace, "-o", "json")

    assert json.loads(stored.stdout)["status"] == FINISHED


def table(control_plane: ControlPlane, *args: str) -> list[list[str]]:
    """Return what `kubectl get` prints, by row and column."""
    return [line.split() for line in control_plane.kubectl("get", *args).stdout.splitlines()]


def test_kubectl_shows_an_upload_in_five_columns(control_plane: ControlPlane, namespace: str) -> None:
    """`kubectl get` shows the id and whether it is ready, and fits a terminal."""
    header, row = table(control_plane, "cru", "-n", namespace)

    assert header == ["NAME", "SCM-ID", "READY", "REASON", "AGE"]
    assert row[:-1] == ["crd-test", "474a519e2c884c34a2d01033a6493b3c", "True", "Uploaded"]


def test_kubectl_shows_more_of_an_upload_when_asked(control_plane: ControlPlane, namespace: str) -> None:
    """`kubectl get -o wide` adds the name, the account and the time, which is a time and not an age."""
    header, row = table(control_plane, "cru", "-n", namespace, "-o", "wide")

    assert header == ["NAME", "SCM-ID", "NAME-IN-SCM", "READY", "REASON", "ACCOUNT", "CREATED", "AGE"]
    assert row[1:-1] == [
        *("474a519e2c884c34a2d01033a6493b3c", "shop-tls-2026", "True", "Uploaded", "production"),
        "2023-05-29T01:56:39.000Z",
    ]


@pytest.mark.parametrize(("kind", "place"), [("scma", "https://scm.example.com"), ("cscma", "cn-north-4")])
def test_kubectl_shows_whether_an_account_is_ready(
    control_plane: ControlPlane, namespace: str, kind: str, place: str
) -> None:
    """`kubectl get -o wide` shows an account's state and where it leads."""
    header, row = table(control_plane, kind, "crd-test", "-n", namespace, "-o", "wide")

    assert header == ["NAME", "READY", "REASON", "ENDPOINT", "REGION", "AGE"]
    assert row[:-1] == ["crd-test", "True", "Ready", place]


def test_kubectl_get_scm_lists_all_three_kinds(control_plane: ControlPlane, namespace: str) -> None:
    """One word asks for everything that belongs to the operator."""
    listed = control_plane.kubectl("get", "scm", "-n", namespace, "-o", "name").stdout.split()

    assert {
        "certificaterequestupload.scm.certops.dev/crd-test",
        "scmaccount.scm.certops.dev/crd-test",
        "clusterscmaccount.scm.certops.dev/crd-test",
    } <= set(listed)


def test_kubectl_explains_a_field(control_plane: ControlPlane) -> None:
    """`kubectl explain` prints the description that the CRD has."""
    explained = control_plane.kubectl("explain", "cru.spec.csrSecretRef.key").stdout

    assert "The key in the Secret's data whose value is the CSR" in explained


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_can_be_applied(control_plane: ControlPlane, path: Path) -> None:
    """The API server accepts every document of the example."""
    applied = control_plane.kubectl("apply", "--dry-run=server", "-f", path)

    assert applied.stdout.count("(server dry run)") == path.read_text().count("apiVersion:")
