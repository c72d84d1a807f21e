"""A cluster that runs Pods: control plane with its controllers, the node, Helm and the simulator."""

import contextlib
import dataclasses
import itertools
import json
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from dev import helm as helms
from dev import servers, toolchain
from dev.control_plane import ControlPlane
from dev.helm import Helm
from dev.node import launch
from dev.node.launch import Node
from tests.support import operator, simulator
from tests.support.metrics import Metrics
from tests.support.releases import Cluster
from tests.support.simulator import Simulator
from tests.support.waiting import until
from tests.support.world import Namespace

Object = dict[str, Any]

PYTHON = "example.com/python"
"""An image whose entrypoint is this Python, for Pods that tests write."""

IMAGES = {
    "ghcr.io/certops/scm-csr-operator": [sys.executable, "-m", "scm_operator"],
    PYTHON: [sys.executable, "-u"],
}

ENVIRONMENT = {
    f"SCM_OPERATOR_{flag.removeprefix('--').replace('-', '_').upper()}": value for flag, value in operator.FLAGS.items()
} | {
    "SCM_OPERATOR_ALLOW_INSECURE_LOOPBACK": "true",
    "SCM_OPERATOR_LISTEN": "$(POD_IP):8080",  # all Pods share one network, so each listens at its own address alone
}
"""The operator's variables that make its times short, and let it work in Pods of the node."""

_PROBES = {name: {"periodSeconds": 1} for name in ("startupProbe", "readinessProbe", "livenessProbe")}
_numbers = itertools.count(1)


def values(*, environment: Mapping[str, str] | None = None, **changes: object) -> Object:
    """Return values with which the chart's Pods run on the node; ``environment`` has more variables for them."""
    address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    variables = ENVIRONMENT | dict(environment or {})
    extra = [address, *({"name": name, "value": value} for name, value in variables.items())]
    return {"extraEnv": extra} | _PROBES | changes


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs beside the operator; the operator is what tests install."""

    cluster: Cluster
    node: Node
    simulator: Simulator

    @property
    def plane(self) -> ControlPlane:
        """The control plane."""
        return self.cluster.plane

    def install(self, **changes: Any) -> None:  # noqa: ANN401 - values of the chart
        """Install the chart in a namespace that enforces Pod Security "restricted", and wait as users do."""
        self.cluster.namespace()
        self._helm("install", "60s", values(**changes))

    def upgrade(self, *, timeout: str = "60s", **changes: Any) -> None:  # noqa: ANN401 - values of the chart
        """Upgrade the release to these values, and wait as users do. Raises: helm.HelmError."""
        self._helm("upgrade", timeout, values(**changes))

    def _helm(self, command: str, timeout: str, given: Object) -> None:
        place = ("--namespace", helms.NAMESPACE)
        self.cluster.helm.run(command, helms.RELEASE, helms.CHART, *place, "--wait", "--timeout", timeout, values=given)

    def uninstall(self) -> None:
        """Uninstall the release, if it is there, and wait for its Pods to be gone; its Lease goes too."""
        self.cluster.clear()
        selector = ("-n", helms.NAMESPACE, "-l", f"app.kubernetes.io/instance={helms.RELEASE}")
        self.plane.kubectl("wait", "pods", *selector, "--for=delete", "--timeout=60s")
        self.plane.kubectl("-n", helms.NAMESPACE, "delete", "lease", helms.RELEASE, "--ignore-not-found")

    def replicas(self) -> list[str]:
        """Return the names of the operator's Pods that nobody has deleted."""
        return [pod["metadata"]["name"] for pod in self.objects("pods") if "deletionTimestamp" not in pod["metadata"]]

    def metrics(self, name: str) -> Metrics:
        """Return what one of the operator's Pods says of itself; nothing, if it doesn't answer."""
        pod = self.cluster.find("pod", name)
        try:
            return Metrics(httpx.get(self.url(pod, "/metrics"), timeout=10).text if pod else "")
        except (KeyError, httpx.HTTPError):  # it has no address yet, or doesn't listen
            return Metrics("")

    def url(self, pod: Object, path: str) -> str:
        """Return where a Pod of the operator's really is."""
        return f"http://{launch.reached_at(pod['status']['podIP'])}:8080{path}"

    def leader(self, *, other_than: str = "") -> str:
        """Wait until one of the operator's Pods is the leader, and another than that one; return its name."""

        def look() -> str | None:
            others = [name for name in self.replicas() if name != other_than]
            return next((name for name in others if self.metrics(name).value("scm_operator_leader") == 1), None)

        return until(look, what=f"a leader other than {other_than or 'nobody'}")

    def namespace(self, hint: str) -> Namespace:
        """Create a namespace of its own for a test, in which Pods can be made."""
        name = f"{hint[:40].strip('-')}-{next(_numbers)}"
        self.plane.kubectl("create", "namespace", name)
        self.plane.kubectl("-n", name, "wait", "--for=create", "--timeout=20s", "serviceaccount/default")
        return Namespace(name, self.plane, self.simulator)

    def namespace_for(self, test: str) -> Namespace:
        """Create a namespace of its own for a test, named like it."""
        return self.namespace(test.split("[", maxsplit=1)[0].removeprefix("test_").replace("_", "-"))

    def objects(self, kind: str, *, namespace: str = helms.NAMESPACE) -> list[Object]:
        """Return all objects of a kind in a namespace."""
        shown = self.plane.kubectl("-n", namespace, "get", kind, "-o", "json").stdout
        items: list[Object] = json.loads(shown)["items"]
        return items


@contextlib.contextmanager
def running(folder: pathlib.Path, **settings: object) -> Iterator[Stage]:
    """Start a cluster whose API server writes an audit, without the operator; ``settings`` are the node's."""
    program = toolchain.obtain(["helm"])["helm"]
    with (
        ControlPlane.start(controllers=servers.WORKLOADS, scheduler=True, audit=True) as plane,
        Node.start(plane, images=IMAGES, folder=folder / "node", **settings) as node,
        simulator.running(folder) as scm,
    ):
        yield Stage(Cluster(plane, Helm(program=program, home=folder, kubeconfig=plane.kubeconfig)), node, scm)
