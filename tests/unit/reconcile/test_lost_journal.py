"""After the journal was lost: each resource that may have been sent is looked for before anything is sent."""

from scm_operator.domain.attempt import JournalLost
from tests.support import fake_scm
from tests.unit.reconcile import world as worlds

World = worlds.World
_ADOPT = {"adoptionPolicy": "IfIdentical"}


def _lost(world: World) -> JournalLost:
    return JournalLost(world.journal.term + 1, world.clock.now())


async def test_lost_journal_is_made_up_for_by_a_look_up(world: World) -> None:
    """A resource that was there before the journal was lost is looked for before it is sent: found, it is recorded."""
    await world.crash()
    world.clock.advance(10)
    world.restart(lost=_lost(world))
    await world.settle()
    assert (len(world.scm.posts), world.record().origin) == (1, "Recovered")
    assert world.record().attempt_id == "lost-3"
    assert world.calls()[:2] == ["write term 3", "write ResolvingOutcome"]


async def test_lost_journal_and_nothing_in_scm_is_written_before_it_is_sent(world: World) -> None:
    """What is surely absent is noted in the status as looked for, and only then sent; the next term asks no more."""
    world.clock.advance(10)
    world.restart(lost=_lost(world))
    seen: list[str | None] = []
    world.scm.at["post"] = lambda: seen.append(world.status().concluded_attempt_id)
    await world.settle()
    assert (seen, world.reason()) == (["lost-2"], "Uploaded")
    world.put_csr(1)
    world.restart()
    await world.settle()
    assert world.log.count("list web") == 1


async def test_lost_journal_does_not_concern_what_came_after_or_is_recorded(world: World) -> None:
    """What was created later, and what has an entry of the wanted content, is not looked for."""
    await world.settle()
    world.clock.advance(10)
    world.restart(lost=_lost(world))
    world.clock.advance(10)
    world.add_upload("api", number=1)
    world.cluster.bodies[worlds.API]["metadata"]["creationTimestamp"] = "2026-01-02T12:00:20Z"
    world.change(key=worlds.API)
    for name in (worlds.WEB, worlds.API):
        world.change(annotations={worlds.REQUESTED: "now"}, key=name)
        await world.settle(name)
    assert not [line for line in world.log if line.startswith("list")]
    assert world.reason(worlds.API) == "Uploaded"


async def test_lost_journal_that_can_not_be_looked_up_is_for_a_person(world: World) -> None:
    """Where the list isn't permitted the stand-in can be confirmed like any attempt."""
    world.clock.advance(10)
    world.restart(lost=_lost(world))
    world.scm.refusals["list"] = fake_scm.DENIED
    await world.settle()
    assert (world.reason(), world.scm.posts) == ("OutcomeUnknown", [])
    assert "not permitted" in world.message()
    assert f"{worlds.CONFIRM}=lost-2" in world.message()
    world.change(annotations={worlds.CONFIRM: "lost-2"})
    await world.settle()
    assert (world.reason(), len(world.scm.posts)) == ("Uploaded", 1)


async def test_answer_about_earlier_content_is_not_taken_for_the_new_one(world: World) -> None:
    """A resource that is renamed while it is looked for never records what was found under its new name."""
    await world.crash()
    world.clock.advance(10)
    world.restart(lost=_lost(world))

    def rename() -> None:
        del world.scm.at["list"]
        world.change({"name": "another"})

    world.scm.at["list"] = rename
    await world.settle()
    record = world.record()
    assert (record.scm_name, world.scm.entries[record.scm_id].name) == ("another", "another")


def _a_little_older(world: World) -> str:
    """Put an entry that is a minute older than the resource: by clocks that are wrong it may be the resource's."""
    tenant = world.cluster.account_of(worlds.DEFAULT).tenant
    return world.scm.put("web", worlds.hash_of(0), tenant, age=60)


async def _restored(world: World) -> str:
    """Restore a resource without its status, a minute after it was uploaded; return the id of its entry."""
    scm_id = _a_little_older(world)
    world.clock.advance(10)
    world.restart(lost=_lost(world))
    await world.settle()
    return scm_id


async def test_entry_that_is_a_little_older_is_for_a_person(world: World) -> None:
    """With adoptionPolicy Never, an entry that may be somebody else's is neither taken nor passed over."""
    await _restored(world)
    assert (world.reason(), world.scm.posts) == ("OutcomeUnknown", [])
    assert "is a little older than the POST" in world.message()


async def test_entry_that_is_a_little_older_is_taken_over_by_the_policy(world: World) -> None:
    """With IfIdentical it doesn't matter who has made it: it is adopted, and nothing is sent."""
    world.change(_ADOPT)
    scm_id = await _restored(world)
    assert (world.record().scm_id, world.record().origin, world.scm.posts) == (scm_id, "Adopted", [])
    assert world.reason() == "Uploaded"


async def test_entry_that_goes_away_before_it_is_adopted_is_for_a_person(world: World) -> None:
    """An entry that was there a moment ago, and isn't any more, is no reason to send."""
    world.change(_ADOPT)
    world.scm.at["list"] = lambda: world.scm.entries.clear() if world.log.count("list web") == 2 else None
    await _restored(world)
    assert (world.reason(), world.scm.posts) == ("OutcomeUnknown", [])


async def test_own_entry_stays_recovered_under_the_policy(world: World) -> None:
    """What the lost POST surely made is recorded as the resource's own, and deletionPolicy Delete deletes it."""
    await world.crash()
    world.clock.advance(10)
    world.restart(lost=_lost(world))
    world.change(_ADOPT)
    await world.settle()
    assert (world.record().origin, len(world.scm.posts)) == ("Recovered", 1)
