"""How long nobody uploads when the leader goes, with many finished uploads in the cluster.

Two replicas with the operator's own times (Lease 15/10/2 s) on a real control plane and the simulator. A fresh upload
is created in the moment of the signal; what is measured is the time until it is Ready. SCM's log says that nothing else
was called for. `python -m bench.takeover --help`
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import pathlib
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from bench import machine
from dev import progress
from dev.control_plane import ControlPlane
from scm_operator.settings import Settings
from tests.support import crash_cluster, pem, permissions
from tests.support import simulator as simulators
from tests.support.operator import FLAGS, Operator
from tests.support.world import OPERATOR_NAMESPACE, password_spec

_NAMESPACE = "bench"
_SECRETS = 100
_CREATORS = 4
_LONGEST = 600.0
_IDLE = 0.2  # of a core
_BUDGETS = {signal.SIGTERM: 3.0, signal.SIGKILL: 20.0}


@dataclasses.dataclass(frozen=True, slots=True)
class Takeover:
    """One takeover: after which signal, the seconds until a fresh upload was Ready, and the calls for finished ones."""

    signal: signal.Signals
    seconds: float
    other_calls: int


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs."""

    cluster: crash_cluster.Cluster
    simulator: simulators.Simulator
    replicas: tuple[Operator, Operator]

    def fill(self, count: int) -> None:
        """Create uploads and return when all are Ready."""
        self.cluster.create_namespace(_NAMESPACE)
        self.cluster.put(_NAMESPACE, "Secret", "scm-iam", stringData={"password": simulators.PASSWORD})
        spec = password_spec(self.simulator.url) | {"limits": {"requestsPerSecond": 1000, "concurrency": 64}}
        self.cluster.put(_NAMESPACE, "ScmAccount", "default", spec=spec)
        for number in range(_SECRETS):
            csr = pem.csr(pem.ec_key()).decode()
            self.cluster.put(_NAMESPACE, "Secret", f"csr-{number}", stringData={"tls.csr": csr})
        shown = progress.Progress(sys.stderr)
        with concurrent.futures.ThreadPoolExecutor(_CREATORS) as creators:
            made = [creators.submit(self.create, f"done-{number}", number % _SECRETS) for number in range(count)]
            until = time.monotonic() + _LONGEST
            while (ready := self.count_ready()) < count and time.monotonic() < until:
                shown.show("making finished uploads", detail=f"{ready} of {count}")
                time.sleep(1)
        for each in made:
            each.result()
        if ready < count:
            raise SystemExit(f"only {ready} of {count} uploads became Ready in {_LONGEST:g} s")
        shown.done(f"{count} uploads are Ready,")

    def create(self, name: str, secret: int) -> None:
        """Create an upload."""
        self.cluster.put(_NAMESPACE, "CertificateRequestUpload", name, spec={"csrSecretRef": {"name": f"csr-{secret}"}})

    def count_ready(self) -> int:
        """Return how many uploads are Ready, as the leader counts."""
        return int(self.leader.metrics().value("scm_operator_uploads", reason="Uploaded"))

    @property
    def leader(self) -> Operator:
        """Return the replica that leads."""
        while True:
            for replica in self.replicas:
                if replica.running and replica.metrics().value("scm_operator_leader"):
                    return replica
            time.sleep(0.1)

    def take_over(self, number: int, kind: signal.Signals) -> Takeover:
        """Send the leader a signal, and measure."""
        leader = self.leader
        calls = self.simulator.requests(operation="UploadCsr")[-1]["n"]
        name = f"fresh-{number}"
        print(f"{kind.name} to the leader ...", file=sys.stderr, flush=True)
        began = time.monotonic()
        leader.signal(kind)
        self.create(name, number % _SECRETS)
        while not self.cluster.is_ready(_NAMESPACE, name):
            if time.monotonic() - began > _LONGEST:
                raise SystemExit(f"{name} did not become Ready in {_LONGEST:g} s")
            time.sleep(0.02)
        seconds = time.monotonic() - began
        leader.wait()
        others = [call for call in self.simulator.since(calls) if (call["body"] or {}).get("name") != name]
        self._stand_by(leader)
        return Takeover(kind, seconds, sum(call["operation"] != "CreateToken" for call in others))

    def _stand_by(self, replica: Operator) -> None:
        """Start a replica again and return when it is ready: it knows everything, and waits."""
        replica.start(wait=False)
        while replica.get("/readyz")[0] != 200 or _is_busy(replica):
            time.sleep(0.1)


def _is_busy(replica: Operator) -> bool:
    """Say whether it still takes in what its watches have listed."""
    before = replica.metrics().value("process_cpu_seconds_total")
    time.sleep(1)
    return replica.metrics().value("process_cpu_seconds_total") - before > _IDLE


@contextlib.contextmanager
def _staged() -> Iterator[Stage]:
    own = {flag: str(Settings.model_fields[flag[2:].replace("-", "_")].default) for flag in FLAGS}
    flags = own | {"--listen": "127.0.0.1:0", "--log-level": "info"}
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plane = stack.enter_context(ControlPlane.start())
        plane.install_crds()
        permissions.grant(plane)
        kubeconfig = plane.service_account_kubeconfig(OPERATOR_NAMESPACE, "scm-csr-operator", folder / "kubeconfig")
        simulator = stack.enter_context(simulators.running(folder))
        cluster = stack.enter_context(crash_cluster.connected(plane))
        first = Operator(kubeconfig, log=folder / "first.log", flags=flags)
        second = first.replica(folder / "second.log")
        for replica in (first, second):
            stack.callback(replica.stop)
            replica.start(wait=replica is first)
        yield Stage(cluster, simulator, (first, second))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a table; the exit code says whether the budgets were met."""
    parser = argparse.ArgumentParser(prog="python -m bench.takeover", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--uploads", type=int, default=10_000, help="finished uploads in the cluster (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="takeovers of each kind (%(default)s)")
    given = parser.parse_args(arguments)
    with _staged() as stage:
        stage.fill(given.uploads)
        kinds = [kind for _ in range(given.rounds) for kind in _BUDGETS]
        done = [stage.take_over(number, kind) for number, kind in enumerate(kinds)]
    print(f"{given.uploads} finished uploads, two replicas; {machine.describe()}\n")
    print(
        f"{'signal':<8} {'rounds':>6} {'min s':>6} {'median':>6} {'max s':>6} {'budget':>7}  calls for finished uploads"
    )
    met = True
    for kind, budget in _BUDGETS.items():
        of_kind = [each for each in done if each.signal is kind]
        seconds = [each.seconds for each in of_kind]
        calls = sum(each.other_calls for each in of_kind)
        met = met and max(seconds) < budget and not calls
        figures = (min(seconds), statistics.median(seconds), max(seconds))
        row = " ".join(f"{figure:>6.2f}" for figure in figures)
        print(f"{kind.name:<8} {len(seconds):>6} {row} {'< ' + format(budget, 'g') + ' s':>7}  {calls}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
