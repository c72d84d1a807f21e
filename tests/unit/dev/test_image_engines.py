from collections.abc import Callable
from pathlib import Path

import pytest

from dev.image import engines

Install = Callable[..., dict[str, str]]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Put programs on a PATH of their own, each by what it does; return the environment."""

    def make(**programs: str) -> dict[str, str]:
        for name, script in programs.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        return {"PATH": str(tmp_path)}

    return make


def test_docker_goes_before_podman_and_podman_before_buildah(install: Install) -> None:
    """What most people have, and have configured, is taken first."""
    environ = install(docker="echo 28.2.2", podman="echo 5.4.0", buildah="echo 'buildah version 1.28.2 (spec 1.1)'")
    assert engines.Engine.find(environ=environ).name == "docker"
    Path(environ["PATH"], "docker").unlink()
    assert engines.Engine.find(environ=environ).name == "podman"
    Path(environ["PATH"], "podman").unlink()
    found = engines.Engine.find(environ=environ)
    assert (found.name, found.version) == ("buildah", "1.28.2")


def test_a_docker_client_without_an_engine_is_passed_over(install: Install) -> None:
    """The client alone is often installed, and builds nothing."""
    environ = install(docker="echo Cannot connect to the Docker daemon >&2; exit 1", buildah="echo version 1.28.2")
    assert engines.Engine.find(environ=environ).name == "buildah"


def test_where_nothing_builds_the_message_says_what_was_tried_and_what_to_install(install: Install) -> None:
    """An engine that doesn't answer has its own last word in the message."""
    environ = install(docker="echo Is it running? >&2; exit 1", podman="echo no version")
    with pytest.raises(engines.NoEngineError) as error:
        engines.Engine.find(environ=environ)
    said = str(error.value)
    assert "doesn't answer: Is it running?" in said
    assert "podman doesn't answer: no version" in said
    assert "buildah: not installed" in said
    assert "apt-get install podman" in said
