from collections.abc import Iterator

import pytest

from tests.support import installation
from tests.support.installation import Stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One cluster that runs Pods, for all tests that don't stop a part of it."""
    with installation.running(tmp_path_factory.mktemp("stage"), first_back_off=0.5) as stage:
        yield stage
