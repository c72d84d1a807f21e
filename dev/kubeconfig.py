"""Kubeconfig files for the control plane on this machine."""

import base64
import json
from pathlib import Path


def write(  # noqa: PLR0913 - keyword-only past the first: the fields of the file
    path: Path,
    *,
    server: str,
    authority: bytes,
    user: str,
    token: str | Path,
    namespace: str = "default",
) -> Path:
    """Write a kubeconfig with one context, readable by its owner alone, and return its path.

    A token that is a path is a file that holds it, and that clients read again: the token may be replaced there. The
    authority is a bundle of PEM certificates. JSON is YAML, so every client reads it:
    https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
    """
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()}
    credential = {"tokenFile": str(token)} if isinstance(token, Path) else {"token": token}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": cluster}],
        "users": [{"name": user, "user": credential}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": user, "namespace": namespace}}],
        "current-context": "local",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path
