"""What must hold of a built image, by its configuration and by the files in it; each check returns what is wrong."""

import os
import pathlib
import re
import stat
from collections.abc import Iterator, Mapping
from typing import Any

UID = GID = 65532
"""The user whom the Dockerfile names."""

APPLICATION = "opt/scm-csr-operator"
"""Where the operator is, below the root."""

LABELS = ("title", "description", "version", "revision", "source", "licenses")
"""The labels that tell what the image is, without their prefix org.opencontainers.image."""

_PREFIX = "org.opencontainers.image."
_FOR_BUILDING = re.compile(
    r"(\w+-linux-gnu\w*-)?(gcc|g\+\+|cc|c\+\+|cpp|clang|ld|as|make|cmake|cargo|rustc)(-[\d.]+)?"
    r"|(pip|easy_install|hatch|uv|wheel)[\d.]*|python[\d.]*-config"
)
_FOR_PACKAGING = re.compile(
    r"(pip|setuptools|pkg_resources|ensurepip|wheel|hatchling)(-[\w.]+\.(dist|egg)-info)?|.+\.whl"
)
_SHELLS = re.compile(r"/(usr/)?bin/(env|\w*sh)\b")
_UNCHECKED_HASH = (1).to_bytes(4, "little")  # PEP 552: the flags, after the magic number

Config = Mapping[str, Any]


def user(config: Config) -> list[str]:
    """It runs as a number, so that a cluster can see that it isn't root."""
    found = config.get("User")
    return [] if found == f"{UID}:{GID}" else [f"User is {found!r}, not {UID}:{GID}"]


def entrypoint(config: Config, root: pathlib.Path) -> list[str]:
    """It starts without a shell."""
    command = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    if command != [f"/{APPLICATION}/bin/scm-operator"]:
        return [f"the command is {command}"]
    program = root / command[0].lstrip("/")
    first = program.read_bytes().split(b"\n", 1)[0].decode(errors="replace")
    return [f"{command[0]} begins with {first}"] if _SHELLS.search(first) or not first.startswith("#!/") else []


def environment(config: Config) -> list[str]:
    """Nothing is imported from elsewhere, nothing is written, and nothing of the machine that built it is left."""
    found = dict(each.split("=", 1) for each in config.get("Env", []))
    wanted = {"PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    problems = [
        f"{name} is {found.get(name)!r}, not {value}" for name, value in wanted.items() if value != found.get(name)
    ]
    strange = found.keys() - {*wanted, "HOME", "PATH"}
    return [*problems, *(f"{name} is set" for name in sorted(strange))]


def labels(config: Config, *, facts: Mapping[str, str]) -> list[str]:
    """It says what it is and what it was built from; the facts are the build's arguments."""
    found = config.get("Labels") or {}
    missing = [f"no label {_PREFIX}{name}" for name in LABELS if not found.get(_PREFIX + name)]
    wrong = [
        f"{_PREFIX}{name.lower()} is {found.get(_PREFIX + name.lower())!r}, not {value}"
        for name, value in facts.items()
        if found.get(_PREFIX + name.lower()) != value
    ]
    return [*missing, *wrong]


def no_build_tools(root: pathlib.Path) -> list[str]:
    """There is no compiler, no pip, and nothing that either was installed from."""
    return [
        f"/{path.relative_to(root)}"
        for path in _files_and_folders(root)
        if _FOR_PACKAGING.fullmatch(path.name)
        or (path.parent.name in {"bin", "sbin"} and _FOR_BUILDING.fullmatch(path.name))
    ]


def no_simulator(root: pathlib.Path) -> list[str]:
    """What plays the remote service isn't in it."""
    return [
        f"/{path.relative_to(root)}"
        for path in _files_and_folders(root)
        if path.name in {"scm_simulator", "scm-simulator"}
    ]


def nothing_to_rise_by(root: pathlib.Path) -> list[str]:
    """No program runs as another user than the one who starts it."""
    bits = stat.S_ISUID | stat.S_ISGID
    return [
        f"/{path.relative_to(root)} has mode {found.st_mode & 0o7777:o}"
        for path in _files_and_folders(root)
        if stat.S_ISREG((found := path.lstat()).st_mode) and found.st_mode & bits
    ]


def nothing_writable(root: pathlib.Path, *, uid: int = UID, gid: int = GID) -> list[str]:
    """Its user may write to nothing but /tmp, wherever it runs with a root that isn't read-only."""
    return [
        f"/{path.relative_to(root)} has mode {found.st_mode & 0o7777:o}, owner {found.st_uid}:{found.st_gid}"
        for path in _files_and_folders(root)
        if path != root / "tmp" and _may_be_written(found := path.lstat(), uid=uid, gid=gid)
    ]


def bytecode(root: pathlib.Path) -> list[str]:
    """Every module of the operator and of what it needs is compiled, and is taken as it is whatever its time stamp."""
    problems = []
    for source in (root / APPLICATION).rglob("*.py"):
        compiled = list((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"))
        if not compiled:
            problems.append(f"/{source.relative_to(root)} is not compiled")
        problems += [
            f"/{path.relative_to(root)} is checked against its source at every start"
            for path in compiled
            if path.read_bytes()[4:8] != _UNCHECKED_HASH
        ]
    return problems


def no_trace(image: Mapping[str, Any], root: pathlib.Path, *, of: str) -> list[str]:
    """What the build was told in secret is nowhere: not in a file, not in the configuration, not in the history."""
    told = ["it is in the image's configuration or history"] if of in str(image) else []
    files = (path for path in _files_and_folders(root) if stat.S_ISREG(path.lstat().st_mode))
    return [*told, *(f"it is in /{path.relative_to(root)}" for path in files if of.encode() in path.read_bytes())]


def size(root: pathlib.Path) -> int:
    """Count the bytes of all files."""
    found = [path.lstat() for path in _files_and_folders(root)]
    return sum(each.st_size for each in found if stat.S_ISREG(each.st_mode))


def _files_and_folders(root: pathlib.Path) -> Iterator[pathlib.Path]:
    yield root
    for folder, folders, files in os.walk(root):
        yield from (pathlib.Path(folder, name) for name in (*folders, *files))


def _may_be_written(found: os.stat_result, *, uid: int, gid: int) -> bool:
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return False  # a link's own mode says nothing, and devices are the runtime's
    mine = found.st_uid == uid
    return bool(
        mine  # whoever owns it can give himself the right
        or found.st_mode & stat.S_IWOTH
        or (found.st_gid == gid and found.st_mode & stat.S_IWGRP)
    )
