"""Fixtures of the reconcilers' tests."""

import pytest

from tests.unit.reconcile import handling
from tests.unit.reconcile import world as worlds


@pytest.fixture
def world() -> worlds.World:
    """Return a world with a default account, and an upload ``shop/web`` that nobody has looked at."""
    made = worlds.World()
    made.add_account()
    made.add_upload()
    return made


@pytest.fixture
def handler() -> handling.FakeHandler:
    """Return a handler that is done at once."""
    return handling.FakeHandler()
