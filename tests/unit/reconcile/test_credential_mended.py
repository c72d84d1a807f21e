"""A credential that led elsewhere for a while: what was found gone with it is looked for again, not sent again."""

from collections.abc import Sequence

from tests.support import fake_scm
from tests.unit.reconcile import world as worlds

World = worlds.World
_OTHERS = 7


def _lead_elsewhere(world: World) -> dict[str, fake_scm.Stored]:
    """Put in a token of another project, where nothing is; return the entries that can't be seen with it."""
    hidden = dict(world.scm.entries)
    world.secrets.put("scm-token", {"token": b"of another project"})
    world.scm.entries.clear()
    return hidden


def _mend(world: World, hidden: dict[str, fake_scm.Stored]) -> None:
    """Put in a token that leads where it should."""
    world.secrets.put("scm-token", {"token": b"of the right project"})
    world.scm.entries.update(hidden)


async def _look(world: World, keys: Sequence[worlds.Key]) -> None:
    """Let a resync come round to uploads."""
    for key in keys:
        world.memory.resync.add(key)
        world.clock.advance(1)
        await world.reconcile(key)


async def _after_a_while(world: World, keys: Sequence[worlds.Key]) -> None:
    """Let what is held back for a while go on."""
    world.clock.advance(worlds.SETTLE)
    for key in keys:
        await world.settle(key)


async def test_entry_is_looked_for_again_before_it_is_sent_again(world: World) -> None:
    """A token that is mended while an entry found gone with it is held back: the entry is there, and stays alone."""
    await world.settle()
    hidden = _lead_elsewhere(world)
    await _look(world, [worlds.WEB])
    _mend(world, hidden)
    await _after_a_while(world, [worlds.WEB])
    assert (len(world.scm.posts), world.reason(), set(world.scm.entries)) == (1, "Uploaded", set(hidden))


async def test_entry_that_stays_gone_is_sent_again(world: World) -> None:
    """A token that changed meanwhile costs one more look, and no more than that."""
    await world.settle()
    _lead_elsewhere(world)
    await _look(world, [worlds.WEB])
    _mend(world, {})
    await _after_a_while(world, [worlds.WEB])
    assert (len(world.scm.posts), world.log[: world.log.index("write EntryMissing")].count("show")) == (2, 2)


async def _many_missing(world: World) -> tuple[list[worlds.Key], dict[str, fake_scm.Stored]]:
    keys = [worlds.WEB, *(world.add_upload(f"more-{number}", number=number + 1) for number in range(_OTHERS))]
    for key in keys:
        await world.settle(key)
    hidden = _lead_elsewhere(world)
    await _look(world, keys)
    assert (await world.account_says())["Degraded"] == "ManyEntriesMissing"
    return keys, hidden


async def test_many_missing_ends_when_the_entries_are_seen_again(world: World) -> None:
    """The account says so no more once its uploads have looked again, without a person's word."""
    keys, hidden = await _many_missing(world)
    _mend(world, hidden)
    world.account_queue.added_later.clear()
    await _after_a_while(world, keys)
    assert worlds.DEFAULT in world.account_queue.added_later
    assert await world.account_says() == {"Ready": "Ready"}


async def test_word_of_a_person_doubles_nothing_that_is_there(world: World) -> None:
    """The account's message asks to check it and then to say so: what is there by then is not sent again."""
    keys, hidden = await _many_missing(world)
    _mend(world, hidden)
    world.change(annotations={worlds.REQUESTED: "now"}, key=worlds.DEFAULT)
    await world.account_says()
    await _after_a_while(world, keys)
    assert len(world.scm.posts) == len(keys)
    assert set(world.scm.entries) == set(hidden)
