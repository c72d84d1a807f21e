import json
from pathlib import Path

import pytest

from dev import helm


def fake(folder: Path, script: str) -> helm.Helm:
    """Write a program down that stands in for Helm."""
    program = folder / "helm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return helm.Helm(program=program, home=folder, kubeconfig=folder / "kubeconfig")


def test_values_are_handed_over_as_a_file(tmp_path: Path) -> None:
    """On standard input, so that nothing is left of them, and no shell or `--set` bends them."""
    done = fake(tmp_path, 'echo "$@"; cat').run("install", "x", values={"a": {"b": "c,d"}})

    command, text = done.stdout.splitlines()
    assert command == "install x --values=-"
    assert json.loads(text) == {"a": {"b": "c,d"}}


def test_nothing_of_the_users_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither their settings, nor their plugins or caches, nor their cluster."""
    monkeypatch.setenv("HELM_NAMESPACE", "mine")
    monkeypatch.setenv("KUBECONFIG", "/mine")

    environ = fake(tmp_path, "env").run("list").stdout.splitlines()

    assert {f"HOME={tmp_path}", f"KUBECONFIG={tmp_path}/kubeconfig"} <= set(environ)
    assert not any(line.startswith("HELM_") for line in environ)


def test_a_failure_has_helms_words(tmp_path: Path) -> None:
    """Unless the caller wants to look for itself."""
    failing = fake(tmp_path, "echo out of luck >&2; exit 3")

    with pytest.raises(helm.HelmError, match=r"^helm upgrade x: out of luck$"):
        failing.run("upgrade", "x")
    assert failing.run("upgrade", "x", check=False).returncode == 3


def test_a_helm_that_hangs_is_ended(tmp_path: Path) -> None:
    """The message says for how long it was waited for."""
    with pytest.raises(helm.HelmError, match=r"helm list did not end in 0\.1 s"):
        fake(tmp_path, "exec sleep 60").run("list", timeout=0.1)
