"""Paths of the API server's resources.

https://kubernetes.io/docs/reference/using-api/api-concepts/, section "Resource URIs".
"""

import urllib.parse

from scm_operator import kube
from scm_operator.domain import account, upload


def path_of(*names: str) -> str:
    """Return the path of names: ``/api/v1/namespaces/shop/secrets/tls``."""
    return "".join(f"/{urllib.parse.quote(name, safe='')}" for name in names)


SECRETS = path_of("api", "v1", "secrets")


def secret(name: account.SecretName) -> str:
    """Return the path of a Secret."""
    return path_of("api", "v1", "namespaces", name.namespace, "secrets", name.name)


def events(namespace: str) -> str:
    """Return the path to create Events at."""
    return path_of("apis", "events.k8s.io", "v1", "namespaces", namespace, "events")


def leases(namespace: str) -> str:
    """Return the path to create a Lease at."""
    return path_of("apis", "coordination.k8s.io", "v1", "namespaces", namespace, "leases")


def lease(namespace: str, name: str) -> str:
    """Return the path of a Lease."""
    return leases(namespace) + path_of(name)


def kind(plural: str) -> str:
    """Return the path of all resources of one of our kinds, in all namespaces."""
    return path_of("apis", kube.GROUP, kube.VERSION, plural)


def of(key: upload.UploadKey | account.AccountKey) -> str:
    """Return the path of a resource of one of our kinds."""
    if isinstance(key, upload.UploadKey):
        plural = kube.UPLOADS
    elif key.kind is account.AccountKind.NAMESPACED:
        plural = kube.ACCOUNTS
    else:
        return kind(kube.CLUSTER_ACCOUNTS) + path_of(key.name)
    return path_of("apis", kube.GROUP, kube.VERSION, "namespaces", key.namespace, plural, key.name)
