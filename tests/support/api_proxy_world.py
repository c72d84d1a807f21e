"""A world with the API proxy between the operator and the API server, and what must hold of it whatever goes wrong."""

import base64
import collections
import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Iterator, Mapping
from typing import Self

from dev.control_plane import ControlPlane
from tests.support import api_proxy, crash_cluster, pem, permissions
from tests.support import simulator as simulators
from tests.support import world as worlds
from tests.support.api_proxy import ApiProxy
from tests.support.operator import Operator
from tests.support.waiting import until

UPLOADS = "*/certificaterequestuploads"
STATUS = "*/certificaterequestuploads/*/status"
LEASE = "*/leases/*"
OWN_KINDS = "/apis/scm.certops.dev/*"
SECRETS = "/api/v1/secrets"
WATCH = {"watch": "true"}
LIST = {"watch": None}
AT_MOST = 60
"""Requests in any second: twice what a start costs, a fiftieth of kopf's busy loop on a single watch."""
_NAMESPACE = "shop"
_FOR_A_WHILE = 1.1  # seconds: a watch that ends before has ended at once
_WATCHES = 4  # its three kinds, and Secrets


@dataclasses.dataclass(frozen=True, slots=True)
class ProxiedWorld:
    """Everything that runs; ``cluster`` goes past the proxy, as users do."""

    plane: ControlPlane
    simulator: simulators.Simulator
    cluster: crash_cluster.Cluster
    proxy: ApiProxy
    operator: Operator
    kubeconfig: pathlib.Path

    def upload(self, name: str) -> None:
        """Make a Secret with a CSR, and an upload of it."""
        data = {"tls.csr": base64.b64encode(pem.csr(pem.ec_key())).decode()}
        self.cluster.put(_NAMESPACE, "Secret", name, data=data)
        self.cluster.put(_NAMESPACE, "CertificateRequestUpload", name, spec={"csrSecretRef": {"name": name}})

    def crowd(self, number: int) -> None:
        """Make so many uploads that are suspended, wait until all is written of it, and count from then on."""
        spec = {"csrSecretRef": {"name": "none"}, "suspend": True}
        self.cluster.create_namespace("crowd")
        for n in range(number):
            self.cluster.put("crowd", "CertificateRequestUpload", f"crowd-{n}", spec=spec)
        until(lambda: all(upload.get("status") for upload in self.cluster.uploads()), what="each to have a status")
        path = "*/namespaces/crowd/events"
        until(lambda: len(self.proxy.asked(method="POST", path=path)) >= number, what="each to have its Event")
        self.proxy.forget()

    def wait_uploaded_once(self, name: str, *, timeout: float = 20.0) -> None:
        """Wait until an upload has its id, and see that it is not doubled and the API server was not flooded; seconds.

        The operator must be alive.
        """
        scm_id = until(lambda: self._scm_id(name), what=f"{name} to be Ready", timeout=timeout)
        assert [entry["id"] for entry in self.simulator.entries(name=name)] == [scm_id]
        assert len(self.simulator.requests(name=name)) == 1
        assert self.proxy.busiest() <= AT_MOST, collections.Counter(
            (asked.method, asked.path.rsplit("/", 1)[1]) for asked in self.proxy.asked()
        )
        self.operator.check()

    @contextlib.contextmanager
    def rested(self) -> Iterator[Self]:
        """Begin without a fault and with the operator at work, and leave it so."""
        until(self._stands, what="all watches to be open for a while")
        self.cluster.put(_NAMESPACE, "Secret", "nobody-s", stringData={"now": str(time.monotonic())})  # all have a say
        self.proxy.forget()
        yield self
        self.proxy.clear()
        if not self.operator.running:
            self.operator.start()

    def recovers(self) -> contextlib.AbstractContextManager[None]:
        """Let everything go wrong within, and see that the operator is the same process after as before."""
        return _same_process(self.operator)

    def restart(self) -> None:
        """End all faults, and do what the supervisor does after exit code 1."""
        assert self.operator.wait() == 1
        self.proxy.clear()
        self.operator.start()

    def _stands(self) -> bool:
        newest = max((asked.at for asked in self.proxy.asked(query=WATCH)), default=0.0)
        return self.proxy.watches() == _WATCHES and time.monotonic() - newest > _FOR_A_WHILE

    def _scm_id(self, name: str) -> str | None:
        for upload in self.cluster.uploads():
            if upload["metadata"]["name"] == name:
                ready = worlds.condition(upload, "Ready").get("status") == "True"
                return upload["status"]["scmID"] if ready else None
        return None


@contextlib.contextmanager
def _same_process(operator: Operator) -> Iterator[None]:
    before = len(operator.events("Started"))
    yield
    operator.check()
    assert len(operator.events("Started")) == before


@contextlib.contextmanager
def running(folder: pathlib.Path, *, flags: Mapping[str, str] | None = None) -> Iterator[ProxiedWorld]:
    """Start a world of its own with an account; the operator runs already, with the permissions that it ships with."""
    with (
        ControlPlane.start() as plane,
        simulators.running(folder) as simulator,
        crash_cluster.connected(_installed(plane)) as cluster,
    ):
        source = plane.service_account_kubeconfig(worlds.OPERATOR_NAMESPACE, "scm-csr-operator", folder / "direct")
        cluster.create_namespace(_NAMESPACE)
        password = base64.b64encode(simulators.PASSWORD.encode()).decode()
        cluster.put(_NAMESPACE, "Secret", "scm-iam", data={"password": password})
        cluster.put(_NAMESPACE, "ScmAccount", "default", spec=worlds.password_spec(simulator.url))
        with api_proxy.running(source) as proxy:
            operator = Operator(proxy.kubeconfig(folder / "proxied"), log=folder / "operator.log", flags=flags)
            operator.start()
            try:
                yield ProxiedWorld(plane, simulator, cluster, proxy, operator, source)
            finally:
                proxy.clear()
                operator.stop()


def _installed(plane: ControlPlane) -> ControlPlane:
    plane.install_crds()
    permissions.grant(plane)
    return plane
