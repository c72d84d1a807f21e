"""adoptionPolicy IfIdentical: an entry of the same name and CSR that somebody else made is taken over."""

import asyncio

import pytest

from scm_operator.domain import errors, reasons
from scm_operator.reconcile import queue
from tests.support import fake_cluster, fake_scm
from tests.unit.reconcile import world as worlds

World = worlds.World
POLICY = {"adoptionPolicy": "IfIdentical"}


@pytest.fixture
def adopting(world: World) -> World:
    """Return a world whose upload ``web`` has adoptionPolicy IfIdentical."""
    world.change(POLICY)
    return world


def _theirs(world: World, number: int = 0, name: str = "web") -> str:
    """Put an entry of somebody else's, a day old."""
    tenant = world.cluster.account_of(worlds.DEFAULT).tenant
    return world.scm.put(name, worlds.hash_of(number), tenant, age=86400)


async def test_identical_entry_of_any_age_is_adopted(adopting: World) -> None:
    """It is recorded as Adopted, without an attempt; the message says that its key can't be seen."""
    scm_id = _theirs(adopting)
    await adopting.settle()
    record = adopting.record()
    assert (record.scm_id, record.origin, record.attempt_id) == (scm_id, "Adopted", None)
    assert (adopting.scm.posts, adopting.journal.attempts(), adopting.reason()) == ([], (), "Uploaded")
    assert "whether it has a private key can't be seen" in adopting.message()


async def test_without_the_policy_nothing_is_looked_for(world: World) -> None:
    """With adoptionPolicy Never it needs no permission but the upload's."""
    _theirs(world)
    await world.settle()
    assert "list web" not in world.log
    assert world.record().origin == "Uploaded"


@pytest.mark.parametrize(("number", "name"), [(1, "web"), (0, "web-2")], ids=["other CSR", "other name"])
async def test_absent_is_sent(adopting: World, number: int, name: str) -> None:
    """Only the exact name and CSR count: else it is uploaded."""
    _theirs(adopting, number, name)
    await adopting.settle()
    assert (len(adopting.scm.posts), adopting.record().origin) == (1, "Uploaded")
    assert adopting.log.index("list web") < adopting.log.index("post web")


def _deny(world: World) -> None:
    world.scm.refusals["list"] = fake_scm.DENIED


def _full_page(world: World) -> None:
    for number in range(fake_scm.PAGE):
        _theirs(world, 1, f"web-{number}")


def _unreadable(world: World) -> None:
    world.scm.change(_theirs(world), readable=False)


@pytest.mark.parametrize("hide", [_deny, _full_page, _unreadable])
async def test_what_can_not_be_told_sends_nothing(adopting: World, hide: worlds.Change) -> None:
    """Where it can't be told whether there is one nothing is sent; a request of a person looks again."""
    hide(adopting)
    for _ in range(2):
        await adopting.settle()
    assert (adopting.reason(), adopting.scm.posts) == ("AdoptionUnknown", [])
    assert {condition.type for condition in adopting.status().conditions} == {"Ready", "Stalled"}
    adopting.scm.refusals.clear()
    adopting.scm.entries.clear()
    adopting.change(annotations={worlds.REQUESTED: "now"})
    await adopting.settle()
    assert adopting.reason() == "Uploaded"


async def test_look_that_fails_backs_off(adopting: World) -> None:
    """A list that can't be made now is a retry with its own reason."""
    _theirs(adopting)
    adopting.scm.refusals["list"] = errors.RetryLater(reasons.Reason.SERVER_ERROR, "500.")
    assert await adopting.reconcile() == queue.Retry()
    assert (adopting.reason(), adopting.scm.posts) == ("ServerError", [])
    adopting.scm.refusals.clear()
    await adopting.settle()
    assert adopting.record().origin == "Adopted"


async def test_entry_of_another_resource_is_not_adopted(adopting: World) -> None:
    """What another resource names is its own."""
    adopting.change({"adoptionPolicy": "Never"})
    await adopting.settle()
    adopting.add_upload("api", spec={"name": "web"} | POLICY)
    await adopting.settle(worlds.API)
    assert adopting.record(worlds.API).origin == "Uploaded"
    assert len(adopting.scm.entries) == 2


async def test_two_that_look_at_once_do_not_share_an_entry(adopting: World) -> None:
    """Of two that would adopt the same entry one gets it, the other is uploaded."""
    adopting.add_upload("api", spec={"name": "web"} | POLICY)
    _theirs(adopting)
    await asyncio.gather(*(adopting.reconcile(key) for key in (worlds.WEB, worlds.API)))
    for key in (worlds.WEB, worlds.API):
        await adopting.settle(key)
    assert sorted(adopting.record(key).origin for key in (worlds.WEB, worlds.API)) == ["Adopted", "Uploaded"]
    assert len({adopting.scm_id(key) for key in (worlds.WEB, worlds.API)}) == 2


async def test_adoption_waits_for_posts_that_may_still_be_stored(adopting: World) -> None:
    """While a POST of the same CSR is open its entry could be taken for somebody else's: adoption waits."""
    adopting.add_upload("api", spec={"name": "web"})
    adopting.scm.lose_answer()
    await adopting.reconcile(worlds.API)
    assert await adopting.reconcile() == queue.Again(worlds.CALL + worlds.SETTLE)
    assert (adopting.reason(), "list web" in adopting.log) == ("ResolvingOutcome", False)
    await adopting.settle(worlds.API)
    await adopting.settle()
    assert [adopting.record(key).origin for key in (worlds.API, worlds.WEB)] == ["Recovered", "Uploaded"]


async def test_adopted_entry_survives_failed_writes_and_is_found_again_after_a_crash(adopting: World) -> None:
    """An entry that couldn't be recorded is kept in memory, and found again by the next process."""
    scm_id = _theirs(adopting)
    adopting.cluster.faults.append(fake_cluster.Fault.REFUSED)
    await adopting.reconcile()
    assert adopting.upload_reconciler.unwritten == (worlds.WEB,)
    adopting.restart()
    await adopting.settle()
    assert (adopting.scm_id(), adopting.scm.posts) == (scm_id, [])


async def test_vanished_resource_leaves_what_it_adopted(adopting: World) -> None:
    """With deletionPolicy Delete as well: what somebody else made is not deleted when its resource vanishes."""
    adopting.change({"deletionPolicy": "Delete"})
    scm_id = _theirs(adopting)
    adopting.cluster.faults.extend([None, fake_cluster.Fault.DELETED])
    await adopting.reconcile()
    adopting.watch()
    await adopting.reconcile()
    assert list(adopting.scm.entries) == [scm_id]


async def test_content_that_changed_during_the_look_is_looked_for_itself(adopting: World) -> None:
    """A look-up that a conflict has made stale says nothing of other content."""
    _theirs(adopting)
    adopting.scm.at["list"] = adopting.once(lambda: adopting.put_csr(1))
    await adopting.settle()
    assert adopting.record().content_hash in {worlds.hash_of(0), worlds.hash_of(1)}
    assert adopting.scm.entries[adopting.record().scm_id].content_hash == adopting.record().content_hash
    await adopting.settle()
    assert adopting.record().content_hash == worlds.hash_of(1)


async def test_nothing_of_the_group_is_sent_while_adoption_looks(adopting: World) -> None:
    """What a twin sent meanwhile could be taken for somebody else's entry: its journaled POST waits."""
    adopting.add_upload("api", spec={"name": "web"})
    adopting.scm.gates["list"] = asyncio.Event()
    looking = asyncio.create_task(adopting.reconcile())
    await worlds.idle()
    assert isinstance(await adopting.reconcile(worlds.API), queue.Again)
    assert adopting.scm.posts == []
    adopting.scm.gates["list"].set()
    await looking
    for key in (worlds.API, worlds.WEB):
        await adopting.settle(key)
    assert [adopting.record(key).origin for key in (worlds.API, worlds.WEB)] == ["Uploaded", "Uploaded"]


async def test_entry_that_was_found_is_found_again_when_the_spec_changes_just_then(adopting: World) -> None:
    """A change of the spec while the list is asked for asks for it anew, and what it had found is no other's."""
    scm_id = _theirs(adopting)

    def change() -> None:
        del adopting.scm.at["list"]
        adopting.change({"deletionPolicy": "Delete"})

    adopting.scm.at["list"] = change
    await adopting.settle()
    assert (adopting.record().scm_id, adopting.scm.posts) == (scm_id, [])
    assert adopting.log.count("list web") == 2


async def test_entry_that_one_has_found_is_kept_from_the_other_until_it_is_claimed(adopting: World) -> None:
    """Two names of one CSR in one list: what one look-up has found is taken before its record is written."""
    adopting.memory.reserve(_theirs(adopting), worlds.API)
    await adopting.settle()
    assert adopting.record().origin == "Uploaded"
    adopting.memory.release(worlds.API)
    assert adopting.memory.claimed() == {adopting.scm_id()}
