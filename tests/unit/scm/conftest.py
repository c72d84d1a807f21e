"""Fixtures of the SCM client's tests."""

from collections.abc import AsyncIterator

import pytest

from scm_operator.domain import ports
from tests.unit.scm import service as fakes


@pytest.fixture
def clock() -> fakes.FakeClock:
    """Return a clock that stands still."""
    return fakes.FakeClock()


@pytest.fixture
async def service() -> AsyncIterator[fakes.FakeService]:
    """Return a service that says yes until it is told otherwise."""
    async with fakes.serving() as running:
        yield running


@pytest.fixture
async def store(service: fakes.FakeService, clock: fakes.FakeClock) -> AsyncIterator[ports.CsrStore]:
    """Return a client with a ready token."""
    opened = fakes.store(fakes.token_account(service.endpoint), clock=clock)
    yield opened
    await opened.aclose()


@pytest.fixture
async def password_store(service: fakes.FakeService, clock: fakes.FakeClock) -> AsyncIterator[ports.CsrStore]:
    """Return a client with an IAM user."""
    opened = fakes.store(fakes.password_account(service.endpoint), clock=clock)
    yield opened
    await opened.aclose()
