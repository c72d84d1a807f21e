import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import control_plane, toolchain

CHECKOUT = Path(__file__).resolve().parents[2]

ACCOUNTS = """
apiVersion: v1
kind: Namespace
metadata: {name: team}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: team}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: team}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: team}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: team}]
"""

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.test.example}
spec:
  group: test.example
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object}}
"""

PARENT = """
import signal
from dev import control_plane, toolchain
with control_plane.ControlPlane.start() as plane:
    print(*(child.process.pid for child in plane.children), plane.folder, flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def plane() -> Iterator[control_plane.ControlPlane]:
    """One control plane for the tests of this module that don't stop it."""
    with control_plane.ControlPlane.start() as running:
        yield running


def test_it_is_ready_when_it_has_started(plane: control_plane.ControlPlane) -> None:
    """/readyz says ok, to a client that verifies the API server's certificate."""
    assert plane.kubectl("get", "--raw", "/readyz").stdout == "ok"


def test_the_api_server_reports_the_pinned_version(plane: control_plane.ControlPlane) -> None:
    """Clients see the version that go.mod pins."""
    version = toolchain.Pins.read().version("kube-apiserver")
    assert f'"gitVersion": "{version}"' in plane.kubectl("get", "--raw", "/version").stdout


def test_a_service_account_can_do_what_rbac_grants_and_no_more(
    plane: control_plane.ControlPlane,
    tmp_path: Path,
) -> None:
    """A ServiceAccount's kubeconfig reads what its Role names, and is refused everything else."""
    plane.apply(ACCOUNTS)
    reader = plane.service_account_kubeconfig("team", "reader", tmp_path / "reader")
    assert plane.kubectl("get", "configmaps", kubeconfig=reader).returncode == 0
    refused = plane.kubectl("get", "secrets", kubeconfig=reader, check=False)
    assert refused.returncode == 1
    assert 'User "system:serviceaccount:team:reader" cannot list resource "secrets"' in refused.stderr


def test_crds_are_served_when_they_are_installed(plane: control_plane.ControlPlane, tmp_path: Path) -> None:
    """After install_crds a resource of the new kind can be made at once; a folder without any is no error."""
    plane.install_crds(tmp_path)
    (tmp_path / "widgets.yaml").write_text(CRD)
    plane.install_crds(tmp_path)
    plane.apply("{apiVersion: test.example/v1, kind: Widget, metadata: {name: one}}")
    assert plane.kubectl("get", "widgets", "-o", "name").stdout == "widget.test.example/one\n"


def test_a_kubectl_error_has_its_message(plane: control_plane.ControlPlane) -> None:
    """A failing kubectl is an exception with what it said, unless the caller wants to look for itself."""
    with pytest.raises(control_plane.ControlPlaneError, match=r'kubectl get pod nobody: .*pods "nobody" not found'):
        plane.kubectl("get", "pod", "nobody")
    assert plane.kubectl("get", "pod", "nobody", check=False).returncode == 1


def test_nothing_remains_after_stop() -> None:
    """Both servers have ended and the data is gone; stopping again does nothing."""
    plane = control_plane.ControlPlane.start()
    plane.check()
    plane.stop()
    assert [child.name for child in plane.children] == ["etcd", "kube-apiserver"]
    assert not any(child.running for child in plane.children)
    assert not plane.folder.exists()
    plane.stop()


def test_the_servers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """A test run that gets SIGKILL leaves no etcd and no kube-apiserver behind."""
    environ = {**os.environ, "TMPDIR": str(tmp_path)}  # what a killed process can't remove stays in the test's folder
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, cwd=CHECKOUT, env=environ, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        *pids, _folder = parent.stdout.readline().split()
        ends = [os.pidfd_open(int(pid)) for pid in pids]
        parent.kill()
    for end in ends:  # a pidfd can be read when its process has ended
        assert select.select([end], [], [], 10) == ([end], [], [])
        os.close(end)


def test_run_stays_until_it_is_asked_to_stop_and_ends_well(tmp_path: Path) -> None:
    """`make cluster` prints how to use it, and on a signal stops everything and exits 0."""
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "dev.control_plane", "run"]
    with subprocess.Popen(command, cwd=CHECKOUT, env=environ, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        lines = iter(run.stdout.readline, "")
        assert any(f"export KUBECONFIG={tmp_path}/control-plane-" in line for line in lines)
        assert any(line.startswith("Ctrl-C stops it") for line in lines)
        run.send_signal(signal.SIGINT)
        assert list(lines)[-1] == "stopped\n"
    assert run.returncode == 0
    assert list(tmp_path.iterdir()) == []
