import re
import subprocess
from pathlib import Path

import pytest
import yaml

from dev.image import building, engines, pip_settings

ENGINE = engines.Engine("podman", ("podman", "--root", "/store"), "5.4.0")
HASH = re.compile(r"[0-9a-f]{40}")


def command(**changes: object) -> list[str]:
    """Make the command line of a build without anything special, but for the changes."""
    usual: dict[str, object] = {"tag": "t", "base": None, "arguments": {}, "secrets": {}, "environ": {}}
    return building.command(ENGINE, **(usual | changes))  # type: ignore[arg-type]


def test_a_base_is_an_argument_of_the_build() -> None:
    """Without one, the Dockerfile's own holds."""
    assert "BASE=debian:mine" in command(base="debian:mine")
    assert not [word for word in command() if word.startswith("BASE=")]


def test_proxies_go_to_the_build_by_name() -> None:
    """Their values, which may hold a password, are on no command line."""
    line = command(environ={"https_proxy": "http://me:secret@proxy:3128", "HOME": "/root"})
    assert line[line.index("https_proxy") - 1] == "--build-arg"
    assert "secret" not in " ".join(line)
    assert "HOME" not in line


def test_secrets_are_files_of_this_machine() -> None:
    """Engines mount them while a step runs, and leave them out of the image."""
    line = command(secrets={"pip-conf": Path("/elsewhere/pip.conf")})
    assert line[line.index("--secret") + 1] == "id=pip-conf,src=/elsewhere/pip.conf"


def test_the_labels_come_from_pyproject_and_the_commit(tmp_path: Path) -> None:
    """A checkout that isn't what the commit says is marked; without version control, the revision is unknown."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\nlicense = "MIT"\n')
    assert building.facts(tmp_path) == {"VERSION": "1.2.3", "LICENSES": "MIT", "REVISION": "unknown"}
    git = ("git", "-C", str(tmp_path), "-c", "user.name=me", "-c", "user.email=me@example.com")
    for step in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message", "first")):
        subprocess.run([*git, *step], check=True)
    assert HASH.fullmatch(building.facts(tmp_path)["REVISION"])
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.4"\n')
    assert re.fullmatch(HASH.pattern + "-dirty", building.facts(tmp_path)["REVISION"])


def test_the_manifest_runs_the_image_that_is_built_as_the_user_that_it_has() -> None:
    """The name, the version and the user are typed in several places, which must agree."""
    documents = yaml.safe_load_all((building.CHECKOUT / "deploy" / "install.yaml").read_text())
    (pod,) = [each["spec"]["template"]["spec"] for each in documents if each["kind"] == "Deployment"]
    assert [each["image"] for each in pod["containers"]] == [f"{building.REPOSITORY}:{building.facts()['VERSION']}"]
    dockerfile = (building.CHECKOUT / "Dockerfile").read_text()
    assert (
        f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" in dockerfile.splitlines()
    )


def test_the_dockerfile_installs_locked_wheels_and_asks_no_index_twice() -> None:
    """Each pip that reaches the index checks hashes and mounts the secrets; each other one reaches none."""
    text = (building.CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ")
    steps = [line for line in text.splitlines() if line.startswith("RUN ") and " -m pip " in line]
    assert steps
    for step in steps:
        for part in re.split(r"&&", step):
            if " -m pip " in part:
                assert ("--require-hashes" in part) != ("--no-index" in part)
        secrets = {f"--mount=type=secret,id={each}" for each in (pip_settings.CONFIGURATION, pip_settings.AUTHORITY)}
        assert ("--require-hashes" in step) == all(secret in step for secret in secrets)


@pytest.mark.parametrize("path", ["operator/scm_operator/app.py", "pyproject.toml", "requirements/runtime.txt"])
def test_the_build_gets_what_it_needs(path: str) -> None:
    """.dockerignore names what goes to the engine; everything else, the simulator too, stays behind."""
    allowed = [
        line[1:] for line in (building.CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    assert any(path == each or path.startswith(f"{each}/") for each in allowed)
    assert not any("operator/scm_simulator".startswith(each) for each in allowed)
