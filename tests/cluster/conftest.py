from collections.abc import Iterator

import pytest

from dev.control_plane import ControlPlane
from tests.support import world as worlds
from tests.support.world import Namespace, World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all tests that don't stop or restart a part of it."""
    with worlds.running(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A control plane with the CRDs, and nobody who writes a status."""
    with ControlPlane.start() as plane:
        plane.install_crds()
        yield plane


@pytest.fixture
def namespace(world: World, request: pytest.FixtureRequest) -> Namespace:
    """A namespace of the test's own, with an account to upload to."""
    world.operator.check()
    namespace = world.namespace_for(request.node.name)
    namespace.account()
    return namespace
