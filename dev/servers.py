"""How the servers of the control plane are called, and how to see that the API server is ready.

Paths are relative: each server's working folder is the control plane's own.
Flags: https://kubernetes.io/docs/reference/command-line-tools-reference/ and https://etcd.io/docs/
"""

import contextlib
import http.client
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

AUTHORITY = "certificates/apiserver.crt"
"""Where the API server writes its certificate and the one that signed it, both made when it starts."""


def etcd() -> list[str]:
    """Return the arguments of an etcd that listens on a socket in its working folder."""
    # etcd and gRPC take the host of such a URL as a path from the working folder: no port, and nobody else's etcd.
    client, peer = "unix://etcd:0", "unix://peer:0"
    return [
        "--data-dir=etcd-data",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # the data doesn't outlive the process
        "--log-level=error",
    ]


def api_server(*, port: int) -> list[str]:
    """Return the arguments of an API server on that loopback port, over the etcd of the same working folder."""
    return [
        "--etcd-servers=unix://etcd:0",
        "--cert-dir=certificates",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",  # else it looks for an interface with a default route
        "--endpoint-reconciler-type=none",  # and loopback can't be an endpoint of the Service `kubernetes`
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=service-accounts.key",
        "--service-account-signing-key-file=service-accounts.key",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC",
        "--token-auth-file=tokens.csv",
    ]


def controller_manager(kubeconfig: Path, *, controllers: Sequence[str]) -> list[str]:
    """Return the arguments of a controller manager that runs only these controllers, and serves nothing."""
    return [
        f"--controllers={','.join(controllers)}",
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def write_identities(folder: Path, *, token: str) -> None:
    """Write the key that signs ServiceAccounts' tokens, and the administrator's own token."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    (folder / "service-accounts.key").write_bytes(pem)
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')


def is_ready(port: int, *, authority: Path, token: str) -> bool:
    """Ask for /readyz, and for the namespace `default`: it is made a moment later, and events go there."""
    try:
        context = ssl.create_default_context(cafile=str(authority))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
        with contextlib.closing(connection):
            return all(_answers(connection, path, token=token) for path in ("/readyz", "/api/v1/namespaces/default"))
    except (OSError, http.client.HTTPException):  # no certificate, no listener, no answer yet
        return False


def _answers(connection: http.client.HTTPSConnection, path: str, *, token: str) -> bool:
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    response.read()
    return response.status == 200
