"""deletionPolicy Delete: the resource's entries go with it, or with their content, and nothing is ever wedged."""

import pytest

from scm_operator.domain import errors, reasons, upload
from tests.support import fake_cluster, fake_scm
from tests.unit.reconcile import world as worlds

World = worlds.World
POLICY = {"deletionPolicy": "Delete"}
RESET = errors.OutcomeUnknown("the connection was reset.")
BROKEN = errors.RetryLater(reasons.Reason.SERVER_ERROR, "500.")


@pytest.fixture
def deleting(world: World) -> World:
    """Return a world whose upload ``web`` has deletionPolicy Delete."""
    world.change(POLICY)
    return world


def _finalizers(world: World) -> tuple[str, ...]:
    return world.cluster.upload_of(worlds.WEB).finalizers


def _vanish(world: World) -> None:
    del world.cluster.bodies[worlds.WEB]


def _is_gone(world: World) -> bool:
    return worlds.WEB not in world.cluster.bodies


async def test_finalizer_is_written_before_anything_is_sent(deleting: World) -> None:
    """The finalizer stands before the POST: an entry is never made that its resource's deletion could miss."""
    await deleting.settle()
    assert deleting.log[:4] == ["add finalizer", "prepare", "journal web", "post web"]
    assert _finalizers(deleting) == (upload.FINALIZER,)


@pytest.mark.parametrize("fault", list(fake_cluster.Fault)[:3], ids=lambda fault: fault.name)
async def test_finalizer_that_is_not_surely_written_sends_nothing(deleting: World, fault: fake_cluster.Fault) -> None:
    """A finalizer write that fails, or may have failed, is made sure of before the POST."""
    deleting.cluster.faults.append(fault)
    seen: list[tuple[str, ...]] = []
    deleting.scm.at["post"] = lambda: seen.append(_finalizers(deleting))
    await deleting.settle()
    assert seen == [(upload.FINALIZER,)]


async def test_foreign_finalizers_are_left_alone(deleting: World) -> None:
    """Somebody else's finalizer stays, before and after."""
    deleting.cluster.bodies[worlds.WEB]["metadata"]["finalizers"] = ["example.com/theirs"]
    deleting.change()
    await deleting.settle()
    assert _finalizers(deleting) == ("example.com/theirs", upload.FINALIZER)
    deleting.delete()
    await deleting.settle()
    assert _finalizers(deleting) == ("example.com/theirs",)
    assert deleting.scm.entries == {}


async def test_retain_needs_no_finalizer_and_no_call(world: World) -> None:
    """Without the policy a resource goes at once, and its entry stays."""
    await world.settle()
    world.log.clear()
    world.delete()
    await world.settle()
    assert (world.log, len(world.scm.entries)) == ([], 1)
    assert not world.events.orphans


async def test_replaced_entry_is_marked_then_deleted_then_dropped(deleting: World) -> None:
    """After the new id is in the status the old entry is marked there, deleted in SCM, and taken out."""
    await deleting.settle()
    old = deleting.scm_id()
    deleting.put_csr(1)
    seen: list[tuple[str | None, bool]] = []
    deleting.scm.at["delete"] = lambda: seen.extend(
        (replaced.record.scm_id, replaced.deleting) for replaced in deleting.status().history
    )
    await deleting.settle()
    assert seen == [(old, True)]
    assert deleting.status().history == ()
    assert list(deleting.scm.entries) == [deleting.scm_id()]
    assert any("which is deleted there next" in told.message for told in deleting.events)


async def test_entry_that_is_marked_is_not_taken_back(deleting: World) -> None:
    """A → B → A while A's entry is being deleted: the deletion is finished first, then A is uploaded anew."""
    await deleting.settle()
    old = deleting.scm_id()
    deleting.put_csr(1)
    deleting.scm.refusals["delete"] = BROKEN
    await deleting.reconcile()
    assert [replaced.deleting for replaced in deleting.status().history] == [True]
    deleting.restart()
    deleting.scm.refusals.clear()
    deleting.put_csr(0)
    await deleting.settle()
    assert deleting.record().content_hash == worlds.hash_of(0)
    assert deleting.scm_id() != old
    assert list(deleting.scm.entries) == [deleting.scm_id()]


async def test_deletion_that_fails_leaves_the_upload_its_id(deleting: World) -> None:
    """An old entry that can't be deleted is tried again; the new one is recorded all the while."""
    await deleting.settle()
    deleting.put_csr(1)
    deleting.scm.refusals["delete"] = BROKEN
    await deleting.reconcile()
    assert (deleting.record().content_hash, deleting.reason()) == (worlds.hash_of(1), "ServerError")
    deleting.scm.refusals.clear()
    await deleting.settle()
    assert (len(deleting.scm.entries), deleting.reason()) == (1, "Uploaded")


async def test_deleted_resource_takes_all_its_entries_along(world: World) -> None:
    """Current and former entries are deleted, then the resource is let go; nothing is sent any more."""
    for number in range(3):
        world.put_csr(number)
        await world.settle()
    world.cluster.change(worlds.WEB, POLICY)
    world.watch()
    world.scm.refusals["delete"] = BROKEN
    await world.reconcile()
    world.delete()
    await world.reconcile()
    assert (len(world.scm.entries), world.reason()) == (3, "DeleteBlocked")
    world.scm.refusals.clear()
    world.log.clear()
    await world.settle()
    assert world.log == ["delete"] * 3 + ["remove finalizer"]
    assert (world.scm.entries, _is_gone(world), len(world.scm.posts)) == ({}, True, 3)
    assert not world.events.orphans


async def test_policy_that_is_switched_on_later_finds_the_history(world: World) -> None:
    """A live resource that takes up the policy gets its finalizer, and its former entries are deleted."""
    await world.settle()
    world.put_csr(1)
    await world.settle()
    world.change(POLICY)
    await world.settle()
    assert _finalizers(world) == (upload.FINALIZER,)
    assert (list(world.scm.entries), world.status().history) == ([world.scm_id()], ())


async def test_policy_that_is_switched_off_releases_the_resource(deleting: World) -> None:
    """A resource that gives the policy up loses its finalizer and keeps its entry; so does one on its way out."""
    await deleting.settle()
    deleting.change({"deletionPolicy": "Retain"})
    await deleting.settle()
    assert _finalizers(deleting) == ()
    deleting.change(POLICY)
    await deleting.settle()
    deleting.scm.refusals["delete"] = BROKEN
    deleting.delete()
    await deleting.reconcile()
    deleting.change({"deletionPolicy": "Retain"})
    await deleting.settle()
    assert (_is_gone(deleting), len(deleting.scm.entries)) == (True, 1)


async def test_adopted_entry_is_never_deleted(deleting: World) -> None:
    """What somebody else made stays in SCM, when it is replaced and when the resource goes."""
    deleting.change({"adoptionPolicy": "IfIdentical"})
    tenant = deleting.cluster.account_of(worlds.DEFAULT).tenant
    theirs = [deleting.scm.put("web", worlds.hash_of(number), tenant, age=9999) for number in (0, 1)]
    for number in (0, 1):
        deleting.put_csr(number)
        await deleting.settle()
    assert [record.origin for record in deleting.status().records] == ["Adopted", "Adopted"]
    deleting.delete()
    await deleting.settle()
    assert (_is_gone(deleting), list(deleting.scm.entries)) == (True, theirs)


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "not stored"])
async def test_unknown_outcome_is_resolved_before_the_resource_goes(deleting: World, *, stored: bool) -> None:
    """A POST that may have been stored is looked for, deleted if it was, and not sent again."""
    if stored:
        deleting.scm.lose_answer()
    else:
        deleting.scm.say(RESET)
    await deleting.reconcile()
    deleting.delete()
    await deleting.reconcile()
    assert not _is_gone(deleting)
    await deleting.settle()
    assert (_is_gone(deleting), deleting.scm.entries, len(deleting.scm.posts)) == (True, {}, 1)


async def test_attempt_that_was_not_sent_is_concluded_when_the_resource_goes(deleting: World) -> None:
    """A resource deleted between journal and POST sends nothing and goes."""
    deleting.journal.after_add = deleting.once(lambda: deleting.cluster.delete(worlds.WEB))
    await deleting.settle()
    assert (_is_gone(deleting), deleting.scm.posts, deleting.journal.attempts()) == (True, [], ())


async def test_resource_deleted_during_its_post_loses_its_entry_too(deleting: World) -> None:
    """An id that comes while the resource is being deleted is recorded, and then deleted like any other."""
    deleting.scm.at["post"] = deleting.once(lambda: deleting.cluster.delete(worlds.WEB))
    await deleting.settle()
    assert (_is_gone(deleting), deleting.scm.entries, len(deleting.scm.posts)) == (True, {}, 1)


def _no_permission(world: World) -> None:
    world.scm.refusals["delete"] = fake_scm.DENIED


def _outage(world: World) -> None:
    world.scm.refusals["delete"] = BROKEN


def _other_place(world: World) -> None:
    world.change({"endpoint": "https://elsewhere.example.com"}, key=worlds.DEFAULT)


@pytest.mark.parametrize("block", [_no_permission, _outage, _other_place])
async def test_blocked_deletion_is_told_and_let_go_after_its_deadline(deleting: World, block: worlds.Change) -> None:
    """What is in the way is DeleteBlocked; ten minutes after the first try the resource goes, and its id is told."""
    await deleting.settle()
    scm_id = deleting.scm_id()
    block(deleting)
    deleting.delete()
    await deleting.reconcile()
    assert deleting.reason() == "DeleteBlocked"
    deleting.clock.advance(worlds.DELETION - 1)
    await deleting.reconcile()
    assert not _is_gone(deleting)
    assert not deleting.events.orphans
    deleting.clock.advance(1)
    await deleting.reconcile()
    assert _is_gone(deleting)
    (orphan,) = deleting.events.orphans
    assert f"{scm_id} ('web')" in orphan.message


async def test_outcome_that_can_not_be_told_does_not_hold_the_resource_for_ever(deleting: World) -> None:
    """A POST that nobody can look for blocks the deletion until the deadline; what may be left is told then."""
    deleting.scm.say(RESET)
    deleting.scm.refusals["list"] = fake_scm.DENIED
    await deleting.reconcile()
    deleting.delete()
    await deleting.settle()
    assert (deleting.reason(), _is_gone(deleting)) == ("DeleteBlocked", False)
    deleting.clock.advance(worlds.DELETION)
    await deleting.settle()
    assert _is_gone(deleting)
    assert any("whatever the POST of" in orphan.message for orphan in deleting.events.orphans)


@pytest.mark.looptime
async def test_deadline_wakes_the_resource_by_itself(deleting: World) -> None:
    """Nothing has to happen for the deadline to be noticed."""
    await deleting.settle()
    deleting.delete()
    deleting.secrets.delete("scm-token")
    await deleting.reconcile()
    deleting.upload_queue.added.clear()
    await worlds.sleep(worlds.DELETION + 1)
    assert worlds.WEB in [key for key, _ in deleting.upload_queue.added]


async def test_entry_of_a_resource_that_vanished_is_deleted(deleting: World) -> None:
    """A resource that was taken away by force during its POST: the entry is deleted by its policy."""
    deleting.scm.at["post"] = deleting.once(lambda: deleting.cluster.recreate(worlds.WEB))
    await deleting.settle()
    assert list(deleting.scm.entries) == [deleting.scm_id()]
    assert (len(deleting.scm.posts), deleting.events.orphans) == (2, [])


async def test_entry_of_a_resource_that_vanished_and_can_not_be_deleted_is_told(deleting: World) -> None:
    """Where that deletion fails a person is told of the entry."""
    deleting.scm.refusals["delete"] = BROKEN
    deleting.scm.at["post"] = deleting.once(lambda: _vanish(deleting))
    await deleting.settle()
    (scm_id,) = deleting.scm.entries
    (orphan,) = deleting.events.orphans
    assert scm_id in orphan.message
    assert not deleting.journal.attempts()
