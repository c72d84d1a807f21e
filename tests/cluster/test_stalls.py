"""A real operator whose watch or worker stands still: /livez says so within seconds, and only then."""

import base64
import json
import pathlib
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support import api_proxy_world, pem
from tests.support.api_proxy_rules import Hold
from tests.support.api_proxy_world import ProxiedWorld
from tests.support.waiting import until
from tests.support.world import GROUP_VERSION, Object

_STALL = "8"
_UPLOADS = "/apis/scm.certops.dev/v1alpha1/certificaterequestuploads"
_SECRETS = "/api/v1/secrets"


def _moving(now: float) -> list[Object]:
    """Make one object of each kind that is watched, which is another each time."""
    metadata = {"name": "moving", "namespace": "shop", "annotations": {"now": str(now)}}
    account = {"region": "x", "auth": {"token": {"secretRef": {"name": "none"}}}}
    specs = {
        "CertificateRequestUpload": {"csrSecretRef": {"name": "none"}, "suspend": True},
        "ScmAccount": account,
        "ClusterScmAccount": account,
    }
    ours = [
        {"apiVersion": GROUP_VERSION, "kind": kind, "metadata": metadata, "spec": spec} for kind, spec in specs.items()
    ]
    return [*ours, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedWorld]:
    """An operator behind the API proxy that is told to take seconds of silence for a stall."""
    with api_proxy_world.running(tmp_path_factory.mktemp("stalls"), flags={"--stall-timeout": _STALL}) as running:
        yield running


@pytest.fixture
def moved(world: ProxiedWorld) -> Iterator[Callable[[], str]]:
    """Make something happen on each watch, then ask the probe; all watches are well before and after."""

    def look() -> str:
        world.plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": _moving(time.monotonic())}))
        _, text = world.operator.get("/livez")
        return text

    until(lambda: "livez check passed" in look(), what="all watches to move")
    yield look
    world.proxy.clear()
    until(lambda: "livez check passed" in look(), what="all watches to move again", timeout=40.0)
    world.operator.check()


@pytest.mark.parametrize("path", [_UPLOADS, _SECRETS], ids=["a watch of kopf's", "the watch on Secrets"])
def test_watch_that_is_frozen_fails_livez(world: ProxiedWorld, moved: Callable[[], str], path: str) -> None:
    """A watch that nothing comes of, with its connection open, is named, and no other; opened again, all is well."""
    world.proxy.silence(path)
    only = f"[-]watches failed: nothing of {path} for "
    text = until(lambda: text if only in (text := moved()) and ";" not in text else None, what=f"{path} to be missed")
    assert text.endswith("livez check failed\n")
    assert world.operator.get("/livez")[0] == 503
    assert world.operator.metrics().value("scm_operator_check_passing", probe="livez", check="watches") == 0
    world.proxy.cut(path)


def test_worker_that_is_stuck_fails_livez(world: ProxiedWorld, moved: Callable[[], str]) -> None:
    """A worker that waits for an answer that doesn't come is a stall; the log says which key it has."""
    held = world.proxy.rule(Hold(), method="GET", path="*/secrets/stuck", times=1)
    spec = {"csrSecretRef": {"name": "stuck"}}
    data = {"tls.csr": base64.b64encode(pem.csr(pem.ec_key())).decode()}
    world.cluster.put("shop", "Secret", "stuck", data=data)
    world.cluster.put("shop", "CertificateRequestUpload", "stuck", spec=spec)
    held.wait_held()
    until(lambda: "[-]uploads failed: 1 of " in moved(), what="the stuck worker to be missed")
    (line,) = world.operator.events("Stuck")
    assert line["message"].startswith("shop/stuck: ")
    held.release()
    world.wait_uploaded_once("stuck")


def test_blocked_loop_answers_nobody(world: ProxiedWorld, moved: Callable[[], str]) -> None:
    """A process that doesn't turn any more gives no answer at all, which is what a kubelet takes for a failure."""
    assert "livez check passed" in moved()
    world.operator.signal(signal.SIGSTOP)
    try:
        assert world.operator.probe("/livez", timeout=0.5) is None
    finally:
        world.operator.signal(signal.SIGCONT)
    if not world.operator.running:
        world.operator.start()


def test_start_lives_before_its_first_list(world: ProxiedWorld, tmp_path: pathlib.Path) -> None:
    """While a first list takes its time the process lives and is not ready; after it a standby is ready."""
    listed = world.proxy.rule(Hold(), method="GET", path=_UPLOADS, query={"limit": "500"})
    standby = world.operator.replica(tmp_path / "standby.log")
    standby.start(wait=False)
    try:
        listed.wait_held()
        assert standby.get("/livez")[0] == 200
        status, text = standby.get("/readyz")
        assert status == 503
        assert "[-]caches failed: the first lists are not complete" in text
        world.proxy.clear()
        until(lambda: standby.get("/readyz")[0] == 200, what="the standby to be ready", timeout=40.0)
    finally:
        world.proxy.clear()
        standby.stop()
