import base64
from pathlib import Path

import yaml

from dev import kubeconfig


def test_a_kubeconfig_is_complete_and_private(tmp_path: Path) -> None:
    """It verifies the server by the given certificates, and nobody else on the machine reads the token."""
    path = kubeconfig.write(
        tmp_path / "config",
        server="https://127.0.0.1:6443",
        authority=b"PEM",
        user="operator",
        token="secret",  # noqa: S106 - a made-up one
        namespace="team",
    )
    document = yaml.safe_load(path.read_text())
    [cluster], [user], [context] = document["clusters"], document["users"], document["contexts"]
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]) == b"PEM"
    assert "insecure-skip-tls-verify" not in cluster["cluster"]
    assert user == {"name": "operator", "user": {"token": "secret"}}
    assert context["context"] == {"cluster": cluster["name"], "user": "operator", "namespace": "team"}
    assert document["current-context"] == context["name"]
    assert path.stat().st_mode & 0o077 == 0


def test_a_token_may_be_in_a_file(tmp_path: Path) -> None:
    """A path in place of a token is named, not read: the file may be replaced."""
    path = kubeconfig.write(
        tmp_path / "config", server="https://127.0.0.1:6443", authority=b"", user="pod", token=tmp_path / "token"
    )
    [user] = yaml.safe_load(path.read_text())["users"]
    assert user["user"] == {"tokenFile": str(tmp_path / "token")}
