import os
import py_compile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import image_checks, image_wheels

PROGRAM = "opt/scm-csr-operator/bin/scm-operator"
CONFIG = {
    "User": "65532:65532",
    "Entrypoint": [f"/{PROGRAM}"],
    "Env": ["PATH=/bin", "PYTHONSAFEPATH=1", "PYTHONDONTWRITEBYTECODE=1"],
}
LABELS = {f"org.opencontainers.image.{name}": "x" for name in image_checks.LABELS}

Tree = Callable[[str, str], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Put a file into a root, which has the program and /tmp already; return the root."""

    def add(path: str, text: str = "") -> Path:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        return tmp_path

    add(PROGRAM, "#!/opt/scm-csr-operator/bin/python\n")
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    return add


def test_a_sound_configuration_passes(tree: Tree) -> None:
    """The checks find nothing wrong with what the Dockerfile says."""
    root = tree("etc/os-release", "")
    assert not image_checks.user(CONFIG)
    assert not image_checks.entrypoint(CONFIG, root)
    assert not image_checks.environment(CONFIG)
    assert not image_checks.labels({"Labels": LABELS}, facts={"VERSION": "x"})


@pytest.mark.parametrize("user", [None, "", "root", "0", "scm-operator", "65532"])
def test_a_user_that_is_no_number_or_root_is_found(user: str | None) -> None:
    """A kubelet that must run it as non-root refuses a name."""
    assert image_checks.user(CONFIG | {"User": user})


@pytest.mark.parametrize("first", ["#!/bin/sh", "#!/usr/bin/env python3", "\x7fELF"])
def test_a_command_that_needs_a_shell_is_found(first: str, tree: Tree) -> None:
    """Neither a shell, nor env, nor a program of another kind starts the operator."""
    assert image_checks.entrypoint(CONFIG, tree(PROGRAM, f"{first}\n"))
    assert image_checks.entrypoint(CONFIG | {"Entrypoint": ["/bin/sh", "-c", "scm-operator"]}, tree(PROGRAM, ""))


@pytest.mark.parametrize("change", [("PYTHONSAFEPATH=1", "PYTHONSAFEPATH="), ("PATH=/bin", "PIP_INDEX_URL=x")])
def test_an_environment_that_is_unsafe_or_has_more_is_found(change: tuple[str, str]) -> None:
    """A variable of the build has no place in the image."""
    assert image_checks.environment({"Env": [each.replace(*change) for each in CONFIG["Env"]]})


def test_a_label_that_is_missing_or_wrong_is_found() -> None:
    """Every label is there, and those that the build was given say it."""
    without = {name: value for name, value in LABELS.items() if not name.endswith("licenses")}
    assert image_checks.labels({"Labels": without}, facts={})
    assert image_checks.labels({"Labels": LABELS}, facts={"REVISION": "abc"})


@pytest.mark.parametrize(
    "path",
    [
        "usr/bin/gcc-12",
        "usr/bin/x86_64-linux-gnu-ld",
        "usr/bin/make",
        "usr/local/bin/pip3.14",
        "usr/lib/python3/dist-packages/setuptools/__init__.py",
        "opt/scm-csr-operator/lib/python3.14/site-packages/pip-26.0.dist-info/RECORD",
        "usr/lib/python3.11/ensurepip/__init__.py",
        "usr/share/python-wheels/pip-23.0.1-py3-none-any.whl",
    ],
)
def test_a_build_tool_is_found(path: str, tree: Tree) -> None:
    """A compiler, pip, or what pip is installed from, wherever a base has it."""
    assert not image_checks.no_build_tools(tree("usr/bin/ls", ""))
    assert image_checks.no_build_tools(tree(path, ""))


def test_the_simulator_is_found(tree: Tree) -> None:
    """Neither its package nor its command is in the image."""
    assert not image_checks.no_simulator(tree("usr/bin/ls", ""))
    assert image_checks.no_simulator(tree("opt/scm-csr-operator/bin/scm-simulator", ""))


def test_a_program_that_runs_as_another_user_is_found(tree: Tree) -> None:
    """Set-user-id and set-group-id, on files."""
    root = tree("usr/bin/su", "")
    assert not image_checks.nothing_to_rise_by(root)
    (root / "usr/bin/su").chmod(0o4755)
    assert image_checks.nothing_to_rise_by(root) == ["/usr/bin/su has mode 4755"]


@pytest.mark.parametrize("mode", [0o1777, 0o757])
def test_a_folder_that_everybody_may_write_is_found(mode: int, tree: Tree) -> None:
    """The folder for temporary files is the exception, and the only one."""
    root = tree("var/lib/shared/x", "")
    assert not image_checks.nothing_writable(root, uid=4711, gid=4711)
    (root / "var/lib/shared").chmod(mode)
    (found,) = image_checks.nothing_writable(root, uid=4711, gid=4711)
    assert found.startswith("/var/lib/shared has mode")


def test_what_belongs_to_the_user_is_found(tree: Tree) -> None:
    """An owner may give himself the right to write."""
    root = tree("etc/mine", "")
    (root / "etc/mine").chmod(0o444)
    assert image_checks.nothing_writable(root, uid=os.getuid(), gid=4711)


def test_a_module_without_bytecode_or_with_one_that_is_checked_is_found(tree: Tree) -> None:
    """With a read-only root, either costs at every start."""
    root = tree("opt/scm-csr-operator/lib/module.py", "x = 1\n")
    module = root / "opt/scm-csr-operator/lib/module.py"
    assert "is not compiled" in image_checks.bytecode(root)[0]
    py_compile.compile(str(module), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
    assert "is checked against its source" in image_checks.bytecode(root)[0]
    py_compile.compile(str(module), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    assert not image_checks.bytecode(root)


def test_a_secret_is_found_in_a_file_and_in_the_history(tree: Tree) -> None:
    """What a build was told must not be read out of its image."""
    root = tree("etc/os-release", "NAME=Debian")
    assert not image_checks.no_trace({"history": [{"created_by": "RUN pip"}]}, root, of="canary")
    assert image_checks.no_trace({"history": [{"created_by": "RUN pip -i canary"}]}, root, of="canary")
    assert image_checks.no_trace({}, tree("etc/pip.conf", "index-url=canary"), of="canary") == [
        "it is in /etc/pip.conf"
    ]


def test_the_wheels_are_looked_for_with_the_python_of_the_dockerfile() -> None:
    """Its own base is a python image whose tag names the version."""
    major, minor = image_wheels.python_version().split(".")
    assert (int(major), int(minor)) >= (3, 11)
