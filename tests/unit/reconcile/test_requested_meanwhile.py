"""A fresh look that is asked for while an upload is worked on: what was seen before it doesn't meet it."""

import pytest

from tests.unit.reconcile import world as worlds

World = worlds.World


@pytest.fixture
async def uploaded(world: World) -> World:
    """Return a world whose upload ``web`` is Ready."""
    await world.settle()
    return world


def _request(world: World, value: str) -> None:
    world.cluster.change(worlds.WEB, annotations={worlds.REQUESTED: value})


async def test_request_while_the_entry_is_shown_has_it_shown_again(uploaded: World) -> None:
    """The answer may be older than what the person means: only the second look is echoed."""
    _request(uploaded, "first")
    uploaded.watch()
    uploaded.scm.at["show"] = uploaded.once(lambda: _request(uploaded, "second"))
    await uploaded.settle()
    assert (uploaded.status().last_handled_reconcile_at, uploaded.log.count("show")) == ("second", 2)


async def test_request_while_the_entry_is_renamed_has_it_shown(uploaded: World) -> None:
    """An upload that was under way for another cause looks in SCM before it says that it has."""
    uploaded.change({"name": "other"})
    uploaded.scm.at["rename"] = uploaded.once(lambda: _request(uploaded, "now"))
    await uploaded.settle()
    assert (uploaded.status().last_handled_reconcile_at, uploaded.log.count("show")) == ("now", 1)


async def test_resync_that_comes_round_meanwhile_is_not_forgotten(uploaded: World) -> None:
    """An entry that is due while its upload is worked on is looked at the next time."""
    uploaded.change({"name": "other"})
    uploaded.scm.at["rename"] = uploaded.once(lambda: uploaded.memory.resync.add(worlds.WEB))
    for _ in range(2):
        await uploaded.settle()
    assert uploaded.log.count("show") == 1
