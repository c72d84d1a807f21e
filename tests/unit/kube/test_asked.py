"""What a request asks for, named as in RBAC."""

import pytest

from scm_operator.kube import asked

OURS = "/apis/scm.certops.dev/v1alpha1"


@pytest.mark.parametrize(
    ("method", "path", "verb", "resource"),
    [
        ("GET", "/api/v1/secrets", "list", "secrets"),
        ("GET", "/api/v1/namespaces/shop/secrets", "list", "secrets"),
        ("GET", "/api/v1/namespaces/shop/secrets/web", "get", "secrets"),
        ("GET", "/api/v1/namespaces/shop", "get", "namespaces"),
        ("GET", "/api/v1/namespaces", "list", "namespaces"),
        ("GET", f"{OURS}/certificaterequestuploads", "list", "certificaterequestuploads"),
        ("GET", f"{OURS}/namespaces/shop/certificaterequestuploads/web", "get", "certificaterequestuploads"),
        ("PATCH", f"{OURS}/namespaces/shop/scmaccounts/default/status", "patch", "scmaccounts/status"),
        ("PATCH", f"{OURS}/clusterscmaccounts/default/status", "patch", "clusterscmaccounts/status"),
        ("PATCH", f"{OURS}/namespaces/shop/certificaterequestuploads/web", "patch", "certificaterequestuploads"),
        ("POST", "/apis/events.k8s.io/v1/namespaces/shop/events", "create", "events"),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/shop/leases/lease", "update", "leases"),
        ("DELETE", "/api/v1/namespaces/shop/secrets/web", "delete", "secrets"),
        ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/wide", "get", "clusterroles"),
        ("GET", "/api", "get", "discovery"),
        ("GET", "/apis", "get", "discovery"),
        ("GET", "/api/v1", "get", "discovery"),
        ("GET", OURS, "get", "discovery"),
        ("OPTIONS", "/api/v1/secrets", "other", "secrets"),
    ],
)
def test_verb_and_resource_are_those_of_rbac(method: str, path: str, verb: str, resource: str) -> None:
    """A path gives the resource, with its subresource and without any name, and with the method the verb."""
    assert asked.verb_and_resource(method, path) == (verb, resource)


@pytest.mark.parametrize("path", ["/api/v1/secrets", f"{OURS}/namespaces/shop/certificaterequestuploads"])
def test_watch_is_a_verb_of_its_own(path: str) -> None:
    """A list that is watched is no list."""
    assert asked.verb_and_resource("GET", path, watch=True) == ("watch", path.rpartition("/")[2])
