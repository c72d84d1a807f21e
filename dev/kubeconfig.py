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
    token: str,
    namespace: str = "default",
) -> Path:
    """Write a kubeconfig with one context, readable by its owner alone, and return its path.

    The authority is a bundle of PEM certificates. JSON is YAML, so every client reads it:
    https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
    """
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": user, "namespace": namespace}}],
        "current-context": "local",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path
