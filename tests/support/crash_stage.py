"""What crash runs are played on: one control plane, one simulator, a proxy for each replica, and the times."""

import contextlib
import multiprocessing
import multiprocessing.process
import pathlib
import queue
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from dev.control_plane import ControlPlane
from tests.support import api_proxy, crash_cluster, crash_plan, permissions
from tests.support import simulator as simulators
from tests.support.crash_plan import Plan
from tests.support.crash_run import Outcome, Run, Stage, Times
from tests.support.world import OPERATOR_NAMESPACE

_MOST_REPLICAS: Final = 2
_ALWAYS: Final = {
    "SCM_OPERATOR_ALLOW_INSECURE_LOOPBACK": "true",
    "SCM_OPERATOR_LISTEN": "127.0.0.1:0",
    "SCM_OPERATOR_LOG_LEVEL": "debug",
}
_SHORT: Final = {
    "SCM_OPERATOR_LEASE_DURATION": "1.5",
    "SCM_OPERATOR_RENEW_DEADLINE": "1",
    "SCM_OPERATOR_RETRY_PERIOD": "0.2",
    "SCM_OPERATOR_CALL_TIMEOUT": "1",
    "SCM_OPERATOR_RETRY_FIRST": "0.1",
    "SCM_OPERATOR_RETRY_SLOW": "0.2",
    "SCM_OPERATOR_RETRY_LONGEST": "1",
    "SCM_OPERATOR_SHUTDOWN_TIMEOUT": "10",
}


def times(plan: Plan, *, real: bool) -> Times:
    """Return the times of a run: the real ones, or short ones whose ratios are those of the real."""
    if real:
        return Times(_ALWAYS, patience=900, quiet=2)
    # A service that is slow, or whose list lags, must still be done within the settle time: that is the guarantee's.
    settle = "1" if plan.fault in {"slow commit", "stale list"} else "0.6"
    grace = "8" if plan.fault == "throttling" else "4"  # a delete that is only slow must not be given up
    changing = {"SCM_OPERATOR_SETTLE_TIME": settle, "SCM_OPERATOR_DELETION_DEADLINE": grace}
    return Times(_ALWAYS | _SHORT | changing, patience=40, quiet=0.3)


@contextlib.contextmanager
def opened(folder: pathlib.Path) -> Iterator[Stage]:
    """Start everything but the operator; what the runs log is in the folder."""
    with contextlib.ExitStack() as stack:
        plane = stack.enter_context(ControlPlane.start())
        plane.install_crds()
        permissions.grant(plane)
        source = plane.service_account_kubeconfig(OPERATOR_NAMESPACE, "scm-csr-operator", folder / "kubeconfig")
        yield Stage(
            cluster=stack.enter_context(crash_cluster.connected(plane)),
            simulator=stack.enter_context(simulators.running(folder)),
            proxies=[stack.enter_context(api_proxy.running(source)) for _ in range(_MOST_REPLICAS)],
            folder=folder,
        )


def play_each(seeds: Sequence[int], folder: pathlib.Path, *, real: bool, tell: Callable[[Outcome], None]) -> None:
    """Play the runs of these seeds one after another on a stage of their own, and tell how each ended.

    What the operator logged is kept where a run failed.
    """
    folder.mkdir(exist_ok=True)
    with opened(folder) as stage:
        for seed in seeds:
            outcome = play(crash_plan.make(seed), stage, real=real)
            if not outcome.verdict.problems:
                shutil.rmtree(folder / f"seed-{seed}")
            tell(outcome)


def play_beside(seeds: Sequence[int], folder: pathlib.Path, *, real: bool, jobs: int) -> Iterator[Outcome]:
    """Play the runs in so many processes beside each other; yield how each ended.

    Raises: RuntimeError when a process has ended before its last run.
    """
    context = multiprocessing.get_context("spawn")
    told: queue.Queue[Outcome] = context.Queue()  # type: ignore[assignment] # it has the same methods
    workers = [
        context.Process(target=_work, args=(seeds[n::jobs], folder / f"job-{n}", real, told), daemon=True)
        for n in range(jobs)
    ]
    for worker in workers:
        worker.start()
    try:
        for _ in seeds:
            yield _next(told, workers)
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _next(told: "queue.Queue[Outcome]", workers: Sequence[multiprocessing.process.BaseProcess]) -> Outcome:
    while True:
        try:
            return told.get(timeout=1)
        except queue.Empty:
            if any(worker.exitcode for worker in workers):
                raise RuntimeError("a job has ended before its last run") from None


def _work(seeds: Sequence[int], folder: pathlib.Path, real: bool, told: "queue.Queue[Outcome]") -> None:  # noqa: FBT001
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    play_each(seeds, folder, real=real, tell=told.put)


def play(plan: Plan, stage: Stage, *, real: bool = False) -> Outcome:
    """Play one run."""
    return Run(plan, stage, times(plan, real=real)).play()
