"""Entries that newer content replaced: kept, taken back when their content is wanted again, and never made twice."""

import pytest

from scm_operator.domain import errors, reasons
from scm_operator.reconcile import queue
from tests.support import fake_cluster, fake_scm
from tests.unit.reconcile import world as worlds

World = worlds.World


@pytest.fixture
async def replaced(world: World) -> World:
    """Return a world in which content 0 of ``web`` was replaced by content 1."""
    await world.settle()
    world.put_csr(1)
    await world.settle()
    world.log.clear()
    return world


def _ids(world: World) -> list[str]:
    return [record.scm_id for record in world.status().records]


async def test_replaced_entry_stays_in_scm_and_in_the_history(replaced: World) -> None:
    """With deletionPolicy Retain the old entry is kept, and the status says which it was."""
    (old,) = replaced.status().history
    assert old.record.content_hash == worlds.hash_of(0)
    assert sorted(_ids(replaced)) == sorted(replaced.scm.entries)


@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "restarted"])
async def test_content_that_comes_back_takes_its_entry_back(replaced: World, *, restarted: bool) -> None:
    """A → B → A: the entry of A is looked at and taken back, B's goes to the history, and nothing is sent."""
    current, old = _ids(replaced)
    if restarted:
        replaced.restart()
    replaced.put_csr(0)
    await replaced.settle()
    assert _ids(replaced) == [old, current]
    assert (len(replaced.scm.posts), replaced.log.count("show"), replaced.reason()) == (2, 1, "Uploaded")
    assert "not verified" not in replaced.message()
    assert replaced.record().csr is not None


async def test_entry_that_is_gone_when_its_content_comes_back_is_made_anew(replaced: World) -> None:
    """A → B → A, and A's entry was deleted in SCM: it leaves the history, and A is uploaded again."""
    current, old = _ids(replaced)
    del replaced.scm.entries[old]
    replaced.put_csr(0)
    await replaced.settle()
    assert _ids(replaced)[1:] == [current]
    assert old not in _ids(replaced)
    assert (len(replaced.scm.posts), replaced.record().content_hash) == (3, worlds.hash_of(0))


async def test_entry_that_may_not_be_looked_at_is_taken_back_unverified(replaced: World) -> None:
    """Without the permission to show an entry it is taken back all the same, and the message says so."""
    _, old = _ids(replaced)
    replaced.scm.refusals["show"] = fake_scm.DENIED
    replaced.put_csr(0)
    await replaced.settle()
    assert (replaced.scm_id(), len(replaced.scm.posts)) == (old, 2)
    assert "not verified" in replaced.message()


@pytest.mark.parametrize(
    "obstacle",
    [
        errors.RetryLater(reasons.Reason.SERVER_ERROR, "500."),
        errors.AccountObstacle(
            reasons.Reason.AUTHENTICATION_FAILED, "401.", account_reason=reasons.AccountReason.LOGIN_FAILED
        ),
    ],
    ids=["500", "401"],
)
async def test_entry_that_can_not_be_looked_at_now_waits(replaced: World, obstacle: errors.RetryLater) -> None:
    """Any other failure to look at it is a retry: nothing is taken back or sent meanwhile."""
    before = _ids(replaced)
    replaced.scm.refusals["show"] = obstacle
    replaced.put_csr(0)
    assert isinstance(await replaced.reconcile(), queue.Retry)
    assert (_ids(replaced), replaced.reason(), len(replaced.scm.posts)) == (before, obstacle.reason, 2)
    replaced.scm.refusals.clear()
    await replaced.settle()
    assert _ids(replaced) == before[::-1]


@pytest.mark.parametrize("fault", list(fake_cluster.Fault)[:3], ids=lambda fault: fault.name)
async def test_taking_back_survives_a_failed_write(replaced: World, fault: fake_cluster.Fault) -> None:
    """A status write that fails on the way loses neither entry."""
    before = _ids(replaced)
    replaced.put_csr(0)
    replaced.cluster.faults.append(fault)
    await replaced.settle()
    assert (_ids(replaced), len(replaced.scm.posts)) == (before[::-1], 2)


async def test_entry_in_another_tenant_is_not_taken_back(replaced: World) -> None:
    """What the history has of the content in another tenant is no entry of this one."""
    replaced.add_account("second")
    replaced.change({"accountRef": {"name": "second"}})
    replaced.put_csr(0)
    await replaced.settle()
    assert len(replaced.scm.posts) == 3
    assert replaced.scm.posts[-1].tenant.account == "ScmAccount/shop/second"


async def test_entry_taken_back_under_an_old_name_is_renamed(world: World) -> None:
    """An entry of the history that has another name than is wanted by now takes the wanted one."""
    await world.settle()
    world.put_csr(1)
    world.change({"name": "new"})
    await world.settle()
    world.put_csr(0)
    await world.settle()
    assert world.scm.entries[world.record().scm_id].name == "new"
    assert world.record().scm_name == "new"


async def test_rename_of_an_entry_that_is_gone_uploads_anew_with_an_event(world: World) -> None:
    """A PUT that finds no entry says EntryMissing first; what is wanted goes out under the new name after the hold."""
    await world.settle()
    world.scm.entries.clear()
    world.change({"name": "new"})
    assert await world.reconcile() == queue.Again(worlds.SETTLE)
    assert len(world.scm.posts) == 1
    await world.settle()
    assert world.events.reasons == ["Uploaded", "EntryMissing", "Uploaded"]
    assert [entry.name for entry in world.scm.entries.values()] == ["new"]


async def test_history_does_not_grow_without_end(world: World) -> None:
    """Of entries that stay in SCM the status names the ten that were replaced last."""
    for number in range(13):
        world.clock.advance(1)
        world.put_csr(number)
        await world.settle()
    hashes = [record.content_hash for record in world.status().records]
    assert hashes == [worlds.hash_of(number) for number in range(12, 1, -1)]
