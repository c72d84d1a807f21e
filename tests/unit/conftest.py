"""An API server of a script, for whatever talks to one."""

from collections.abc import AsyncIterator

import pytest

from scm_operator.kube import client
from tests.unit.kube import server


@pytest.fixture
async def api() -> AsyncIterator[server.FakeApiServer]:
    """Return an API server without a script."""
    async with server.serving() as running:
        yield running


@pytest.fixture
async def kubernetes(api: server.FakeApiServer) -> AsyncIterator[client.Kubernetes]:
    """Return a client of it."""
    async with server.connected(api.url) as connected:
        yield connected
