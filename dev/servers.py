"""How the servers of the control plane are called, and how to see that the API server is ready.

Paths are relative: each server's working folder is the control plane's own.
Flags: https://kubernetes.io/docs/reference/command-line-tools-reference/ and https://etcd.io/docs/
"""

import contextlib
import http.client
import json
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

AUTHORITY = "certificates/apiserver.crt"
"""Where the API server writes its certificate and the one that signed it, both made when it starts."""

AUDIT_LOG = "audit.log"
"""Where the API server writes its audit, an object a line."""

AUDIT_POLICY = "audit-policy.json"

WORKLOADS = (
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
)
"""The controllers that make Pods of Deployments and Jobs, and clean up after them."""


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


def api_server(*, port: int, audit: bool = False) -> list[str]:
    """Return the arguments of an API server on that loopback port, over the etcd of the same working folder.

    With an audit it writes who did what into `AUDIT_LOG`: https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
    """
    audited = [f"--audit-policy-file={AUDIT_POLICY}", f"--audit-log-path={AUDIT_LOG}"] if audit else []
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
        *audited,
    ]


def controller_manager(kubeconfig: Path, *, controllers: Sequence[str]) -> list[str]:
    """Return the arguments of a controller manager that runs only these controllers, and serves nothing."""
    return [
        f"--controllers={','.join(controllers)}",
        f"--kubeconfig={kubeconfig}",
        f"--root-ca-file={AUTHORITY}",  # what Pods find in the ConfigMap kube-root-ca.crt
        "--leader-elect=false",
        "--secure-port=0",
    ]


def scheduler(kubeconfig: Path) -> list[str]:
    """Return the arguments of a scheduler that serves nothing."""
    return [f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0"]


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


def write_audit_policy(folder: Path) -> None:
    """Write the policy of an audit: of each request who made it, of what and with which answer; of no body a word.

    JSON is YAML. A watch is told of twice: when it begins and when it ends.
    """
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }
    (folder / AUDIT_POLICY).write_text(json.dumps(policy))


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
