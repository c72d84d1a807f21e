import fcntl
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dev import golang, toolchain

MakeGo = Callable[..., dict[str, str]]

CHECKOUT = Path(__file__).resolve().parents[3]


def builds(tmp_path: Path) -> list[str]:
    """The package of each build that the fake Go was asked for."""
    log = tmp_path / "builds"
    return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []


def files(environ: dict[str, str]) -> set[str]:
    """The names of the programs that the cache holds."""
    folder = toolchain.cache_folder(toolchain.Pins.read(), environ=environ)
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_each_program_is_a_tool_of_the_go_module() -> None:
    """What the table names is what go.mod pins as tools, so that go.sum covers it."""
    tools = re.findall(r"^tool \((.*?)^\)", (toolchain.MODULE / "go.mod").read_text(), flags=re.DOTALL | re.MULTILINE)
    assert {program.package for program in toolchain.PROGRAMS.values()} <= set(tools[0].split())


def test_the_programs_report_the_versions_of_go_mod() -> None:
    """The linker sets the versions that clients and Helm's kubeVersion see."""
    pins = toolchain.Pins.read()
    version = pins.version("kube-apiserver")
    assert re.fullmatch(r"v1\.\d+\.\d+", version)
    assert f"-X k8s.io/component-base/version.gitVersion={version}" in pins.ldflags
    assert f"-X k8s.io/component-base/version.gitMinor={version.split('.')[1]}" in pins.ldflags


def test_a_go_mod_without_a_needed_version_is_refused(tmp_path: Path) -> None:
    """A pin that is missing is named, not guessed."""
    (tmp_path / "go.mod").write_text("module m\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v1.36.3 // indirect\n")
    (tmp_path / "go.sum").write_text("")
    with pytest.raises(ValueError, match=r"pins no version of go\.etcd\.io/etcd/server/v3, helm\.sh/helm/v4"):
        toolchain.Pins.read(tmp_path)


@pytest.mark.parametrize(
    ("environ", "base"),
    [
        ({"XDG_CACHE_HOME": "/caches", "HOME": "/home/me"}, "/caches"),
        ({"HOME": "/home/me"}, "/home/me/.cache"),
        ({"XDG_CACHE_HOME": "", "HOME": "/home/me"}, "/home/me/.cache"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.cache"),
    ],
)
def test_the_programs_are_kept_in_the_users_cache_folder(environ: dict[str, str], base: str) -> None:
    """The folder is outside the checkout, and its name holds the versions and the platform."""
    pins = toolchain.Pins.read()
    folder = toolchain.cache_folder(pins, environ=environ)
    assert folder.parent == Path(base, "scm-csr-operator")
    assert pins.version("kubectl") in folder.name
    assert pins.version("helm") in folder.name


def test_programs_are_built_once(make_go: MakeGo, tmp_path: Path) -> None:
    """The second time nothing is built, and nothing is said."""
    environ, said = make_go(), io.StringIO()
    first = toolchain.obtain(("etcd", "kubectl"), environ=environ, stream=said)
    assert "building etcd v" in said.getvalue()
    said = io.StringIO()
    assert toolchain.obtain(("etcd", "kubectl"), environ=environ, stream=said) == first
    assert said.getvalue() == ""
    assert builds(tmp_path) == [toolchain.PROGRAMS["etcd"].package, toolchain.PROGRAMS["kubectl"].package]
    assert all(os.access(path, os.X_OK) for path in first.values())


def test_the_build_is_reproducible_and_downloads_no_toolchain(make_go: MakeGo, tmp_path: Path) -> None:
    """Whatever the user has set, Go builds without C, with the pinned modules, and is itself as found."""
    environ = {**make_go(), "CGO_ENABLED": "1", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "auto"}
    toolchain.obtain(("etcd",), environ=environ, stream=io.StringIO())
    assert (tmp_path / "builds").read_text().split()[1:] == ["0", "local", "-mod=readonly"]


def test_what_kubebuilder_assets_has_is_not_built(make_go: MakeGo, tmp_path: Path) -> None:
    """Whoever has etcd, kube-apiserver and kubectl builds only the rest."""
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver", "helm"):
        (assets / name).touch(mode=0o755)
    environ = {**make_go(), "KUBEBUILDER_ASSETS": str(assets)}
    programs = toolchain.obtain(environ=environ, stream=io.StringIO())
    assert {name for name, path in programs.items() if path.parent == assets} == {"etcd", "kube-apiserver"}
    assert files(environ) == programs.keys() - {"etcd", "kube-apiserver"}


def test_a_failed_build_leaves_nothing_that_looks_finished(make_go: MakeGo) -> None:
    """What Go wrote before it failed is not taken for a program; the error has its last words and what to do."""
    environ = make_go(build='echo half > "$output"; echo "dial tcp: lookup proxy: no such host"; exit 1')
    with pytest.raises(golang.BuildError) as error:
        toolchain.obtain(("etcd",), environ=environ, stream=io.StringIO())
    assert "no such host" in str(error.value)
    assert "GOPROXY" in str(error.value)
    assert files(environ) == set()


def test_a_failed_build_keeps_what_was_finished_before(make_go: MakeGo) -> None:
    """The next build goes on where this one failed."""
    environ = make_go(build='case "$1" in *kubectl) exit 1;; *) touch "$output";; esac')
    with pytest.raises(golang.BuildError):
        toolchain.obtain(("etcd", "kubectl"), environ=environ, stream=io.StringIO())
    assert files(environ) == {"etcd"}


def test_a_second_build_waits_for_the_first_and_says_so(make_go: MakeGo, tmp_path: Path) -> None:
    """While another process builds, the command says that it waits; then it takes what is there."""
    environ = make_go()
    folder = toolchain.cache_folder(toolchain.Pins.read(), environ=environ)
    folder.mkdir(parents=True)
    with folder.with_name(f"{folder.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, "-u", "-m", "dev.control_plane", "build"]
        with subprocess.Popen(command, cwd=CHECKOUT, env=environ, stdout=subprocess.PIPE, text=True) as second:
            assert second.stdout
            assert second.stdout.readline().startswith("waiting for another build of the control plane … 0s")
            for name in toolchain.USUAL:
                (folder / name).touch(mode=0o755)
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert second.stdout.read().startswith("control plane v")
    assert second.returncode == 0
    assert builds(tmp_path) == []


def test_a_failing_command_ends_with_a_message_and_no_traceback(make_go: MakeGo) -> None:
    """The exit code is 1, and standard error is for people."""
    environ = make_go(build="echo something broke; exit 2")
    command = [sys.executable, "-m", "dev.control_plane", "build"]
    done = subprocess.run(command, cwd=CHECKOUT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "something broke" in done.stderr
    assert "Traceback" not in done.stderr
