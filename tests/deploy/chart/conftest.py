from collections.abc import Iterator

import pytest

from dev import toolchain
from dev.control_plane import ControlPlane
from dev.helm import Helm
from tests.support.releases import Cluster


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm without a cluster, to render."""
    return Helm(program=toolchain.obtain(["helm"])["helm"], home=tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane on which releases come and go."""
    with ControlPlane.start() as plane:
        program = toolchain.obtain(["helm"])["helm"]
        yield Cluster(
            plane, Helm(program=program, home=tmp_path_factory.mktemp("cluster"), kubeconfig=plane.kubeconfig)
        )


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Cluster:
    """The same for one test, with no release and no account; there may be CRDs of an earlier release."""
    shared_cluster.clear()
    return shared_cluster


@pytest.fixture
def bare_cluster(cluster: Cluster) -> Cluster:
    """A cluster that has never seen the chart."""
    cluster.clear_crds()
    return cluster
