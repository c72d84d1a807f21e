"""A real Kubernetes control plane on this machine, etcd and kube-apiserver, without containers and without a kubelet.

``python -m dev.control_plane build`` builds its programs, ``run`` starts it and stays until Ctrl-C. Tests and the demo
use `ControlPlane`. The folder of the same name beside this module holds the Go modules that the programs are built
from.
"""

import argparse
import atexit
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Self

from dev import golang, kubeconfig, processes, servers, toolchain

CRDS = Path(__file__).resolve().parents[1] / "crds"

START_TIMEOUT = 60.0
"""Seconds until the API server must be ready; it takes two or three."""

_KUBECTL_TIMEOUT = 60.0
_ATTEMPTS = 3
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ControlPlaneError(Exception):
    """The control plane could not start, or kubectl failed; the message has the program's last words."""


class _PortTakenError(ControlPlaneError):
    """Somebody took the free port between our look and the API server's."""


@dataclass(frozen=True, slots=True, eq=False)
class ControlPlane:
    """A running etcd and kube-apiserver; several of them can run on one machine.

    The API server listens on a free port of the loopback interface, etcd on a socket in the folder of its data. The
    administrator's kubeconfig, the data and the logs are in that folder, and go with it.
    """

    server: str
    """The API server's URL."""
    token: str
    """The administrator's bearer token."""
    folder: Path
    programs: Mapping[str, Path]
    """etcd, kube-apiserver, kubectl and what else was needed, by name."""
    children: list[processes.Child] = field(default_factory=list)
    """The running servers, in the order of their start."""
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    @classmethod
    def start(
        cls,
        *,
        controllers: Sequence[str] = (),
        scheduler: bool = False,
        audit: bool = False,
        timeout: float = START_TIMEOUT,
    ) -> Self:
        """Build what is not built yet, start, and return when the API server is ready.

        With names of controllers, such as `servers.WORKLOADS`, kube-controller-manager runs these; with an audit the
        API server writes one. The timeout is in seconds and doesn't count the build. Call it in the main thread, see
        `processes.start`.

        Raises:
            ControlPlaneError: A program died, or was not ready in time.
            golang.NoGoError: Something must be built, and no Go is new enough.
            golang.BuildError: Go ended with an error.

        """
        beside = {"kube-controller-manager": bool(controllers), "kube-scheduler": scheduler}
        programs = toolchain.obtain([*toolchain.ASSETS, *(name for name, wanted in beside.items() if wanted)])
        for _ in range(_ATTEMPTS - 1):
            with contextlib.suppress(_PortTakenError):
                return cls._start(programs, controllers=controllers, audit=audit, timeout=timeout)
        return cls._start(programs, controllers=controllers, audit=audit, timeout=timeout)

    @classmethod
    def _start(cls, programs: Mapping[str, Path], *, controllers: Sequence[str], audit: bool, timeout: float) -> Self:
        port, token = processes.free_port(), secrets.token_urlsafe(32)
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="control-plane-")))
            plane = cls(server=f"https://127.0.0.1:{port}", token=token, folder=folder, programs=programs, _stack=stack)
            servers.write_identities(folder, token=token)
            servers.write_audit_policy(folder)
            plane._launch("etcd", arguments=servers.etcd())
            plane._launch("kube-apiserver", arguments=servers.api_server(port=port, audit=audit))
            plane._wait_until_ready(port, timeout=timeout)
            plane._write_kubeconfig(plane.kubeconfig, user="admin", token=token)
            if controllers:
                arguments = servers.controller_manager(plane.kubeconfig, controllers=controllers)
                plane._launch("kube-controller-manager", arguments=arguments)
            if "kube-scheduler" in programs:
                plane._launch("kube-scheduler", arguments=servers.scheduler(plane.kubeconfig))
            plane = replace(plane, _stack=stack.pop_all())
        atexit.register(plane.stop)
        return plane

    def _launch(self, name: str, *, arguments: Sequence[str]) -> None:
        command = [str(self.programs[name]), *arguments]
        child = processes.start(name, command=command, folder=self.folder, log=self.folder / f"{name}.log")
        self.children.append(self._stack.enter_context(child))

    def _wait_until_ready(self, port: int, *, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not servers.is_ready(port, authority=self.authority, token=self.token):
            self.check()
            if time.monotonic() > deadline:
                last = "\n\n".join(f"{child.name}:\n{child.tail()}" for child in self.children)
                raise ControlPlaneError(f"kube-apiserver was not ready in {timeout:g} s\n\n{last}")
            time.sleep(0.05)

    def _write_kubeconfig(self, path: Path, *, user: str, token: str, namespace: str = "default") -> Path:
        authority = self.authority.read_bytes()
        return kubeconfig.write(
            path, server=self.server, authority=authority, user=user, token=token, namespace=namespace
        )

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """Where the API server writes its audit, if it was started with one."""
        return self.folder / servers.AUDIT_LOG

    @property
    def authority(self) -> Path:
        """The certificates, in PEM, that the API server's own is verified by."""
        return self.folder / servers.AUTHORITY

    def __enter__(self) -> Self:
        """Hand out the running control plane."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it, however the block was left."""
        self.stop()

    def stop(self) -> None:
        """Stop the processes in order and remove their data; a second call does nothing."""
        atexit.unregister(self.stop)
        self._stack.close()

    def check(self) -> None:
        """Look whether all servers run.

        Raises:
            ControlPlaneError: One has ended.

        """
        for child in self.children:
            if not child.running:
                last = child.tail()
                kind = _PortTakenError if "address already in use" in last else ControlPlaneError
                raise kind(f"{child.name} has ended with exit code {child.process.returncode}\n\n{last}")

    def kubectl(
        self,
        *args: str | Path,
        input: str | None = None,  # noqa: A002 - the name that subprocess.run has for it
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout: float = _KUBECTL_TIMEOUT,
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl to its end, as the administrator or with another kubeconfig; the timeout is in seconds.

        Raises:
            ControlPlaneError: It failed and check is true, or it did not end in time.

        """
        command = [str(self.programs["kubectl"]), *map(str, args)]
        # A home of its own: neither the user's preferences, nor what an API server on the same port served before.
        environ = {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
        }
        try:
            done = subprocess.run(
                command,
                env=environ,
                input=input,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ControlPlaneError(f"kubectl {' '.join(command[1:])} did not end in {timeout:g} s") from error
        if check and done.returncode:
            raise ControlPlaneError(f"kubectl {' '.join(command[1:])}: {done.stderr.strip()}")
        return done

    def apply(self, manifest: Path | str) -> None:
        """Apply a file or folder of manifests (a path), or manifests (a text).

        Raises:
            ControlPlaneError: The API server refused.

        """
        if isinstance(manifest, Path):
            self.kubectl("apply", "-f", manifest)
        else:
            self.kubectl("apply", "-f", "-", input=manifest)

    def install_crds(self, folder: Path = CRDS) -> None:
        """Apply the folder's CustomResourceDefinitions, if it has any, and wait until they are served.

        Raises:
            ControlPlaneError: The API server refused one, or did not serve it in time.

        """
        if files := [part for file in sorted(folder.glob("*.yaml")) for part in ("-f", file)]:
            # Server-side: the last-applied annotation would have no room for a long schema.
            self.kubectl("apply", "--server-side", *files)
            self.kubectl("wait", "--for=condition=Established", "--timeout=30s", *files)

    def service_account_kubeconfig(self, namespace: str, name: str, path: Path, *, duration: str = "24h") -> Path:
        """Write a kubeconfig with a token of an existing ServiceAccount, valid so long, and return its path.

        A program that uses it can do what RBAC grants to the ServiceAccount.

        Raises:
            ControlPlaneError: There is no such ServiceAccount.

        """
        token = self.kubectl("create", "token", name, "--namespace", namespace, f"--duration={duration}").stdout.strip()
        return self._write_kubeconfig(path, user=name, token=token, namespace=namespace)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End as Ctrl-C does, and let nothing disturb the stopping."""
    for each in _ENDINGS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _build() -> None:
    programs = toolchain.obtain()
    folders = dict.fromkeys(path.parent for path in programs.values())
    print(f"control plane {toolchain.Pins.read().version('kube-apiserver')}: {', '.join(map(str, folders))}")


def _run() -> NoReturn:
    programs = toolchain.obtain()
    print("starting etcd and kube-apiserver ...", flush=True)
    with ControlPlane.start() as plane:
        plane.install_crds()
        print(f"ready at {plane.server}; in another terminal:\n")
        print(f"  export KUBECONFIG={plane.kubeconfig}")
        print(f"  {programs['kubectl']}\n  {programs['helm']}\n")
        print("Ctrl-C stops it and removes its data.", flush=True)
        while True:
            plane.check()
            time.sleep(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build or run the control plane; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.control_plane", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=("build", "run"))
    command = parser.parse_args(arguments).command
    for each in _ENDINGS:
        signal.signal(each, _interrupt)
    try:
        (_build if command == "build" else _run)()
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print("\nstopped" if command == "run" else "\ninterrupted; what is built already is kept", flush=True)
        return 0 if command == "run" else 130
    except (ControlPlaneError, golang.NoGoError, golang.BuildError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
