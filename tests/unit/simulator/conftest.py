"""Fixtures of the simulator's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.simulator import harness


@pytest.fixture
async def client() -> AsyncIterator[harness.Client]:
    """Return a client of a fresh simulator."""
    async with harness.running() as talking:
        yield talking
