"""Paths of the API server's resources.

https://kubernetes.io/docs/reference/using-api/api-concepts/, section "Resource URIs".
"""

import urllib.parse

from scm_operator import kube
from scm_operator.domain import account, upload


def path_of(*names: str) -> str:
    """Return the path of names: ``/api/v1/namespaces/shop/secrets/tls``."""
    return "".join(f"/{urllib.parse.quote(name, safe='')}" for name in names)


def secrets(namespace: str = "") -> str:
    """Return the path of all Secrets, of one namespace if it is given."""
    return path_of("api", "v1", *(("namespaces", namespace) if namespace else ()), "secrets")


def secret(name: account.SecretName) -> str:
    """Return the path of a Secret."""
    return secrets(name.namespace) + path_of(name.name)


def events(namespace: str) -> str:
    """Return the path to create Events at."""
    return path_of("apis", "events.k8s.io", "v1", "namespaces", namespace, "events")


def leases(namespace: str) -> str:
    """Return the path to create a Lease at."""
    return path_of("apis", "coordination.k8s.io", "v1", "namespaces", namespace, "leases")


def lease(namespace: str, name: str) -> str:
    """Return the path of a Lease."""
    return leases(namespace) + path_of(name)


def kind(plural: str, *, namespace: str = "") -> str:
    """Return the path of all resources of one of our kinds, of one namespace if it is given."""
    return path_of("apis", kube.GROUP, kube.VERSION, *(("namespaces", namespace) if namespace else ()), plural)


def of(key: upload.UploadKey | account.AccountKey) -> str:
    """Return the path of a resource of one of our kinds."""
    if isinstance(key, upload.UploadKey):
        plural = kube.UPLOADS
    elif key.kind is account.AccountKind.NAMESPACED:
        plural = kube.ACCOUNTS
    else:
        return kind(kube.CLUSTER_ACCOUNTS) + path_of(key.name)
    return kind(plural, namespace=key.namespace) + path_of(key.name)
