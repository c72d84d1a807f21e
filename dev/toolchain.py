"""The programs of the control plane: built once from pinned Go modules, kept in the user's cache folder.

What was built is found again by every checkout of the same pins, whoever's clone it is; a checkout with other pins
has a folder of its own.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from dev import golang, progress

MODULE = Path(__file__).with_name("control_plane")
"""The folder of go.mod and go.sum."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program, the main package that it is built from, and the module whose version is its version."""

    name: str
    package: str
    module: str


_KUBERNETES = "k8s.io/kubernetes"
_ETCD = "go.etcd.io/etcd/server/v3"
_HELM = "helm.sh/helm/v4"
_NAMED = (("kubernetes", _KUBERNETES), ("etcd", _ETCD), ("helm", _HELM))

PROGRAMS = {
    program.name: program
    for program in (
        Program(name="etcd", package=_ETCD, module=_ETCD),
        Program(name="kube-apiserver", package=f"{_KUBERNETES}/cmd/kube-apiserver", module=_KUBERNETES),
        Program(name="kubectl", package=f"{_KUBERNETES}/cmd/kubectl", module=_KUBERNETES),
        Program(name="helm", package=f"{_HELM}/cmd/helm", module=_HELM),
        Program(
            name="kube-controller-manager", package=f"{_KUBERNETES}/cmd/kube-controller-manager", module=_KUBERNETES
        ),
        Program(name="kube-scheduler", package=f"{_KUBERNETES}/cmd/kube-scheduler", module=_KUBERNETES),
    )
}
"""Everything that can be built, by name."""

USUAL = tuple(PROGRAMS)
"""What ``make test``, ``make demo`` and ``make cluster`` need."""

ASSETS = ("etcd", "kube-apiserver", "kubectl")
"""What KUBEBUILDER_ASSETS may hold: https://book.kubebuilder.io/reference/envtest.html."""


@dataclass(frozen=True, slots=True)
class Pins:
    """What go.mod pins: Go's least version, each module's version, and a digest of it all."""

    go: golang.Version
    versions: Mapping[str, str]
    digest: str

    @classmethod
    def read(cls, folder: Path = MODULE) -> "Pins":
        """Read go.mod and go.sum in the folder.

        Raises:
            ValueError: A version is missing in go.mod.

        """
        text = (folder / "go.mod").read_text()
        versions = dict(re.findall(r"^(?:require)?\s+(\S+) (v\S+)", text, flags=re.MULTILINE))
        go = golang.parse_version(next(iter(re.findall(r"^go .*$", text, flags=re.MULTILINE)), ""))
        missing = {program.module for program in PROGRAMS.values()} - versions.keys()
        if go is None or missing:
            raise ValueError(f"{folder / 'go.mod'} pins no version of {', '.join(sorted(missing)) or 'Go'}")
        digest = hashlib.sha256(text.encode() + (folder / "go.sum").read_bytes()).hexdigest()
        return cls(go=go, versions=versions, digest=digest)

    def version(self, name: str) -> str:
        """Return the version of the program of this name, with its leading v."""
        return self.versions[PROGRAMS[name].module]

    @property
    def ldflags(self) -> tuple[str, ...]:
        """The linker's flags: no debug information, and the versions that the programs report.

        Without them, clients and Helm's ``kubeVersion`` see v0.0.0.
        """
        kubernetes = self.versions[_KUBERNETES]
        major, minor, _ = kubernetes.removeprefix("v").split(".", 2)
        base = "k8s.io/component-base/version"
        variables = {
            f"{base}.gitVersion": kubernetes,
            f"{base}.gitMajor": major,
            f"{base}.gitMinor": minor,
            f"{_HELM}/internal/version.version": self.versions[_HELM],
        }
        return ("-s", "-w", *(f"-X {name}={value}" for name, value in variables.items()))


def cache_folder(pins: Pins, *, environ: Mapping[str, str]) -> Path:
    """Name the folder of what these pins build on this machine."""
    home = environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    base = Path(home) if home.startswith("/") else Path(environ.get("HOME") or Path.home(), ".cache")
    versions = "-".join(f"{name}-{pins.versions[module]}" for name, module in _NAMED)
    flags = hashlib.sha256(" ".join((pins.digest, *pins.ldflags)).encode()).hexdigest()
    return base / "scm-csr-operator" / f"control-plane-{versions}-{_machine()}-{flags[:8]}"


def _machine() -> str:
    machine = platform.machine().lower()
    return f"{platform.system().lower()}-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def obtain(
    names: Iterable[str] = USUAL,
    *,
    environ: Mapping[str, str] = os.environ,
    stream: TextIO | None = None,
) -> dict[str, Path]:
    """Return the paths of programs by name; build those that neither KUBEBUILDER_ASSETS nor the cache has.

    The first build takes minutes; what it is doing is written to the stream, by default standard output.

    Raises:
        golang.NoGoError: Something must be built, and no Go is new enough.
        golang.BuildError: Go ended with an error.

    """
    pins = Pins.read()
    folder = cache_folder(pins, environ=environ)
    paths = {name: _asset(name, environ=environ) or folder / name for name in names}
    if missing := [name for name, path in paths.items() if not path.is_file()]:
        show = progress.Progress(stream or sys.stdout)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.with_name(f"{folder.name}.lock"), show=show):
            _build(missing, pins=pins, folder=folder, environ=environ, show=show)
    return paths


def _asset(name: str, *, environ: Mapping[str, str]) -> Path | None:
    assets = environ.get("KUBEBUILDER_ASSETS", "")
    path = Path(assets).absolute() / name
    return path if assets and name in ASSETS and os.access(path, os.X_OK) else None


@contextlib.contextmanager
def _alone(lock: Path, *, show: progress.Progress) -> Iterator[None]:
    """Hold the lock file; the kernel lets go of it when this process ends, however it ends."""
    with lock.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                show.show("waiting for another build of the control plane", detail=f"lock {lock}")
                time.sleep(0.5)
        show.stop()
        yield


def _build(
    names: Iterable[str],
    *,
    pins: Pins,
    folder: Path,
    environ: Mapping[str, str],
    show: progress.Progress,
) -> None:
    """Build beside the folder, and move each program into it when it is complete.

    An interrupted build so keeps what it finished, and leaves nothing else that could be taken for a program.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if not missing:  # whoever held the lock has built them
        return
    go = golang.Go.find(needed=pins.go, environ=environ)
    workshop = folder.with_name(f"{folder.name}.building")
    shutil.rmtree(workshop, ignore_errors=True)
    workshop.mkdir()
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(missing, start=1):
        version = pins.version(name)
        go.build(
            PROGRAMS[name].package,
            output=workshop / name,
            module=MODULE,
            ldflags=pins.ldflags,
            environ=environ,
            show=show,
            step=f"building {name} {version} ({number} of {len(missing)})",
        )
        (workshop / name).rename(folder / name)
        show.done(f"built {name} {version}")
    shutil.rmtree(workshop)
