"""What a real API server makes of stored resources: the edits that it refuses, the status, and what kubectl shows."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dev.control_plane import ControlPlane
from tests.cluster.crd_manifests import CERTIFICATE, LOGIN, TOKEN, Manifest, account, login, upload

ELSEWHERE = "another tenant is another account; create a new account and name it in the accountRef of the uploads"

REPLACED: Manifest = {
    "scmID": "6f1f5e7f0a4c4a7c9d1c2b3a4d5e6f70",
    "scmName": "shop-tls-2025",
    "createTime": "2022-05-29T01:56:39.000Z",
    "contentHash": "sha256:01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b+key",
    "origin": "Recovered",
    "account": {"kind": "ScmAccount", "name": "default"},
    "tenant": {"endpoint": "https://scm.example.com", "account": "ScmAccount/shop/default"},
    "replacedTime": "2023-05-29T01:56:39Z",
}
"""An entry of the history, with the fields that each has."""

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
    "attemptID": "5c3a1f0e9b7d4826a1c0de5f",
    "term": 3,
    "concludedAttemptID": "0d9e8c7b6a5f4e3d2c1b0a99",
    "history": [
        REPLACED | {"attemptID": "77aa66bb55cc44dd33ee22ff", "deleting": True},
        REPLACED | {"origin": "Adopted", "tenant": {"endpoint": "https://scm.example.com"}},
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
    "lastHandledReconcileAt": "2026-11-24T10:00:00Z",
    "conditions": [
        FINISHED["conditions"][0] | {"reason": "Ready"},
        FINISHED["conditions"][0] | {"type": "Degraded", "reason": "ManyEntriesMissing"},
    ],
}
"""The status of an account that can be used, and about which there is something else to say; every field set."""


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
    """Another user, Secret or address of IAM, other authorities and other limits, are the same tenant."""
    password = {
        "user": "other",
        "secretRef": {"name": "other", "key": "other"},
        "iamEndpoint": "https://other.example.com",
    }
    patch = {"auth": {"password": password}, "caBundle": CERTIFICATE, "limits": {"concurrency": 1}}

    assert "patched" in edited("scma", patch, control_plane=control_plane, namespace=namespace)


def edited(kind: str, spec: Manifest, *, control_plane: ControlPlane, namespace: str, check: bool = True) -> str:
    """Change the spec of the stored account in a dry run, and return what kubectl prints."""
    patch = json.dumps({"spec": spec})
    done = control_plane.kubectl(
        *("patch", kind, "crd-test", "-n", namespace, "--dry-run=server", "--type=merge", "-p", patch), check=check
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(("kind", "status"), [("cru", FINISHED), ("scma", READY), ("cscma", READY)])
def test_a_full_status_is_stored_as_it_was_written(
    control_plane: ControlPlane, namespace: str, kind: str, status: Manifest
) -> None:
    """The schema knows every field of the status: none is dropped."""
    stored = control_plane.kubectl("get", kind, "crd-test", "-n", namespace, "-o", "json")

    assert json.loads(stored.stdout)["status"] == status


def reported(status: Manifest, *, control_plane: ControlPlane, namespace: str) -> str:
    """Write to the status of the stored upload in a dry run, and return what kubectl prints."""
    patch = json.dumps({"status": status})
    done = control_plane.kubectl(
        *("patch", "cru", "crd-test", "-n", namespace, "--subresource=status", "--dry-run=server"),
        *("--type=merge", "--patch-file=/dev/stdin"),
        check=False,
        input=patch,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("status", "message"),
    [
        pytest.param(
            {"origin": "Found"},
            'status.origin: Unsupported value: "Found": supported values: "Uploaded", "Recovered", "Adopted"',
            id="unknown origin",
        ),
        pytest.param(
            {"term": -1},
            "status.term: Invalid value: -1: term in body should be greater than or equal to 0",
            id="negative term",
        ),
        pytest.param(
            {"term": 1_000_000_001},
            "status.term: Invalid value: 1000000001: term in body should be less than or equal to 1000000000",
            id="term that no Lease can follow",
        ),
        pytest.param(
            {"history": [REPLACED | {"origin": "Found"}]},
            'status.history[0].origin: Unsupported value: "Found"',
            id="unknown origin in the history",
        ),
        pytest.param({"history": [REPLACED] * 1001}, "status.history: Too many: 1001", id="endless history"),
        *(
            pytest.param(
                {"history": [{name: value for name, value in REPLACED.items() if name != field}]},
                f"status.history[0].{field}: Required value",
                id=f"history without {field}",
            )
            for field in REPLACED
        ),
    ],
)
def test_a_status_that_no_operator_writes_is_refused(
    control_plane: ControlPlane, namespace: str, status: Manifest, message: str
) -> None:
    """What the next leader must be able to rely on is checked when it is written."""
    assert message in reported(status, control_plane=control_plane, namespace=namespace)


@pytest.mark.parametrize(
    "status",
    [
        *(pytest.param({"origin": origin}, id=origin) for origin in ("Uploaded", "Recovered", "Adopted")),
        *(pytest.param({"term": term}, id=f"term {term}") for term in (0, 1_000_000_000)),
        pytest.param({"history": []}, id="empty history"),
        pytest.param({"history": [REPLACED] * 1000}, id="long history, and an id twice"),
    ],
)
def test_a_status_that_an_operator_may_write_is_accepted(
    control_plane: ControlPlane, namespace: str, status: Manifest
) -> None:
    """No entry's id is lost because the API server refuses the status that holds it."""
    assert "patched" in reported(status, control_plane=control_plane, namespace=namespace)


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
    """`kubectl get -o wide` shows an account's state, what else is wrong with it, and where it leads."""
    header, row = table(control_plane, kind, "crd-test", "-n", namespace, "-o", "wide")

    assert header == ["NAME", "READY", "REASON", "DEGRADED", "ENDPOINT", "REGION", "AGE"]
    assert row[:-1] == ["crd-test", "True", "Ready", "ManyEntriesMissing", place]


def test_kubectl_get_scm_lists_all_three_kinds(control_plane: ControlPlane, namespace: str) -> None:
    """One word asks for everything that belongs to the operator."""
    listed = control_plane.kubectl("get", "scm", "-n", namespace, "-o", "name").stdout.split()

    assert {
        "certificaterequestupload.scm.certops.dev/crd-test",
        "scmaccount.scm.certops.dev/crd-test",
        "clusterscmaccount.scm.certops.dev/crd-test",
    } <= set(listed)
