"""A POST whose outcome is unknown: nothing is sent for its resource before that is resolved, whatever happens."""

import asyncio
import dataclasses
from collections.abc import Callable

import pytest

from scm_operator.domain import csr, errors
from scm_operator.domain.entry import Entry
from scm_operator.reconcile import queue
from tests.support import fake_cluster, fake_scm
from tests.unit.reconcile import world as worlds

World = worlds.World
RESET = errors.OutcomeUnknown("the connection was reset.")


def _other_csr(world: World) -> None:
    world.put_csr(1)


def _other_name(world: World) -> None:
    world.cluster.change(worlds.WEB, {"name": "other"})


def _other_account(world: World) -> None:
    world.add_account("second")
    world.cluster.change(worlds.WEB, {"accountRef": {"name": "second"}})


def _other_credential(world: World) -> None:
    world.secrets.put("scm-token", {"token": b"a new token"})


def _request(world: World) -> None:
    world.cluster.change(worlds.WEB, annotations={worlds.REQUESTED: "now"})


def _suspend_and_resume(world: World) -> None:
    world.cluster.change(worlds.WEB, {"suspend": True})
    world.watch()
    world.cluster.change(worlds.WEB, {"suspend": False})


def _no_secret(world: World) -> None:
    world.secrets.delete("web-csr")


CHANGES = pytest.mark.parametrize(
    "change",
    [_other_csr, _other_name, _other_account, _other_credential, _request, _suspend_and_resume],
    ids=["Secret", "name", "account", "credential", "request", "suspended and resumed"],
)
RESTARTED = pytest.mark.parametrize("restarted", [False, True], ids=["same process", "restarted"])


async def test_unknown_outcome_is_a_server_error_until_its_group_has_settled(world: World) -> None:
    """An unknown outcome is told as ServerError, stays in the journal, and is looked for when the time has passed."""
    world.scm.say(RESET)
    assert await world.reconcile() == queue.Retry(at_least=worlds.CALL + worlds.SETTLE)
    assert world.reason() == "ServerError"
    assert len(world.journal.attempts()) == 1
    world.clock.advance(worlds.CALL + worlds.SETTLE - 1)
    assert await world.reconcile() == queue.Again(1.0)
    assert "list web" not in world.log
    world.clock.advance(1)
    await world.reconcile()
    assert "list web" in world.log


@CHANGES
@RESTARTED
async def test_nothing_is_sent_before_an_unknown_outcome_has_settled(
    world: World, change: Callable[[World], None], *, restarted: bool
) -> None:
    """Nothing is sent, whatever changes, also in a process that only knows the journal; that is said."""
    world.scm.say(RESET)
    await world.reconcile()
    if restarted:
        world.restart()
    change(world)
    world.watch()
    for _ in range(3):
        await world.reconcile()
        world.clock.advance(worlds.SETTLE / 2)
    assert len(world.scm.posts) == 1
    assert world.reason() in {"ServerError", "ResolvingOutcome"}


@CHANGES
@RESTARTED
@pytest.mark.parametrize("stored", [True, False], ids=["stored", "not stored"])
async def test_unknown_outcome_ends_with_one_entry_for_each_content(
    world: World, change: Callable[[World], None], *, restarted: bool, stored: bool
) -> None:
    """What was stored is found and is the resource's; what was not is sent again if it is still wanted."""
    if stored:
        world.scm.lose_answer()
    else:
        world.scm.say(RESET)
    await world.reconcile()
    if restarted:
        world.restart()
    change(world)
    world.watch()
    await world.settle()
    assert world.reason() == "Uploaded"
    contents = [(entry.content_hash, entry.tenant) for entry in world.scm.entries.values()]
    assert len(contents) == len(set(contents))
    assert sorted(record.scm_id for record in world.status().records) == sorted(world.scm.entries)
    assert not world.journal.attempts()


@CHANGES
async def test_unknown_outcome_that_is_not_in_the_status_yet_is_not_followed_by_a_post(
    world: World, change: Callable[[World], None]
) -> None:
    """While the status can't say that an outcome is unknown, the journal does, whatever changes meanwhile."""
    world.scm.say(RESET)
    world.cluster.faults.extend([fake_cluster.Fault.REFUSED, fake_cluster.Fault.REFUSED, fake_cluster.Fault.CONFLICT])
    assert await world.reconcile() == queue.Retry(at_least=7.0)
    change(world)
    world.watch()
    for _ in range(3):
        await world.reconcile()
    assert len(world.scm.posts) == 1
    await world.settle()
    assert (len(world.scm.posts), world.reason()) == (2, "Uploaded")


@RESTARTED
async def test_rename_meanwhile_is_made_after_the_entry_is_found(world: World, *, restarted: bool) -> None:
    """An entry that is found under the name of its POST then takes the name that is wanted by now."""
    world.scm.lose_answer()
    await world.reconcile()
    if restarted:
        world.restart()
    _other_name(world)
    world.watch()
    await world.settle()
    (entry,) = world.scm.entries.values()
    assert (entry.name, world.record().scm_name) == ("other", "other")


async def test_unknown_outcome_keeps_an_earlier_record(world: World) -> None:
    """The id of an earlier upload survives an unknown outcome of a later one."""
    await world.settle()
    before = world.scm_id()
    _other_csr(world)
    world.scm.say(RESET)
    await world.reconcile()
    assert (world.scm_id(), world.reason()) == (before, "ServerError")


async def test_entry_found_for_content_that_is_not_wanted_any_more_goes_to_the_history(world: World) -> None:
    """What is found for content that was replaced meanwhile is remembered, not reported as what is wanted."""
    await world.settle()
    _other_csr(world)
    world.scm.lose_answer()
    await world.reconcile()
    world.put_csr(2)
    await world.settle()
    hashes = [record.content_hash for record in world.status().records]
    assert hashes == [worlds.hash_of(2), worlds.hash_of(0), worlds.hash_of(1)]
    assert len(world.scm.entries) == 3


async def test_entry_is_recorded_although_what_is_wanted_can_not_be_read(world: World) -> None:
    """An entry that is found is the current one where there is none, also when the Secret is gone by then."""
    world.scm.lose_answer()
    await world.reconcile()
    _no_secret(world)
    await world.settle()
    assert world.scm_id() in world.scm.entries
    assert world.reason() == "WaitingForSecret"


async def test_unknown_outcome_tells_a_person_what_happened(world: World) -> None:
    """The message names the time and the cause."""
    world.scm.say(RESET)
    await world.reconcile()
    for part in ("2026-01-02T12:00:00Z", "the connection was reset.", "looked for in SCM before anything"):
        assert part in world.message()


@pytest.mark.parametrize(
    "surprise",
    [ValueError("canary"), AssertionError(), KeyError("id"), RuntimeError("loop")],
    ids=lambda error: type(error).__name__,
)
async def test_failure_outside_the_tree_counts_as_unknown(world: World, surprise: Exception) -> None:
    """A bug that strikes while a POST is out counts as an unknown outcome, and its message stays out of the status."""
    world.scm.say(surprise)
    with pytest.raises(type(surprise)):
        await world.reconcile()
    await world.reconcile()
    assert (len(world.scm.posts), world.reason()) == (1, "ServerError")
    assert type(surprise).__name__ in world.message()
    assert "canary" not in world.message()


async def test_cancelled_post_counts_as_unknown(world: World) -> None:
    """A POST that is cut off by a cancellation counts as an unknown outcome, and the cancellation goes on."""
    sent = asyncio.Event()

    async def hang(_content: csr.Content, _name: str) -> Entry:
        sent.set()
        await asyncio.Event().wait()
        raise AssertionError

    world.scm.say(hang)
    uploading = asyncio.create_task(world.reconcile())
    await sent.wait()
    uploading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await uploading
    await world.reconcile()
    assert (len(world.scm.posts), world.reason()) == (1, "ServerError")


async def test_late_entry_is_found_as_long_as_it_comes_within_the_settle_time(world: World) -> None:
    """An entry that the service stores only after the answer was lost is found by the look-up, not made twice."""
    world.scm.say(RESET)
    await world.reconcile()
    world.clock.advance(worlds.CALL + worlds.SETTLE - 1)
    world.scm.store(world.scm.posts[0])
    await world.settle()
    assert (len(world.scm.posts), world.record().origin) == (1, "Recovered")


async def test_namesakes_entry_in_another_tenant_is_none_of_it(world: World) -> None:
    """An entry of the same name and CSR that another account has is not taken for the POST's."""
    world.scm.say(RESET)
    await world.reconcile()
    posted = world.scm.posts[0]
    world.scm.store(fake_scm.Posted("web", posted.content_hash, dataclasses.replace(posted.tenant, account="other")))
    await world.settle()
    assert (len(world.scm.posts), world.record().origin) == (2, "Uploaded")
