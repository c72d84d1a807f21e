"""A POST whose outcome is unknown is never followed by another, whatever happens."""

import asyncio
from collections.abc import Callable

import pytest

from scm_operator.domain import csr, errors, ports
from scm_operator.reconcile import queue
from tests.support import fake_cluster, fakes
from tests.unit.reconcile import world as worlds

World = worlds.World


def _other_csr(world: World) -> None:
    world.secrets.put("web-csr", {"tls.csr": fakes.csr_pem(1)})


def _other_name(world: World) -> None:
    world.cluster.change(worlds.WEB, {"name": "other"})


def _other_account(world: World) -> None:
    world.add_account("second")
    world.cluster.change(worlds.WEB, {"accountRef": {"name": "second"}})


def _other_credential(world: World) -> None:
    world.secrets.put("scm-token", {"token": b"a new token"})


def _request(world: World) -> None:
    world.cluster.change(worlds.WEB, annotations={"scm.certops.dev/reconcile-requested-at": "now"})


def _suspend_and_resume(world: World) -> None:
    world.cluster.change(worlds.WEB, {"suspend": True})
    world.watch()
    world.cluster.change(worlds.WEB, {"suspend": False})


CHANGES = pytest.mark.parametrize(
    "change",
    [_other_csr, _other_name, _other_account, _other_credential, _request, _suspend_and_resume],
    ids=["Secret", "name", "account", "credential", "request", "suspended and resumed"],
)


@CHANGES
@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "restarted"])
async def test_unknown_outcome_is_never_followed_by_a_post(
    world: World, change: Callable[[World], None], *, restarted: bool
) -> None:
    """Nothing is sent any more, whatever changes, also in a process that only knows the status."""
    world.scm.say(errors.OutcomeUnknown("connection reset."))
    await world.reconcile()
    assert world.reason() == "OutcomeUnknown"
    if restarted:
        world.restart()
    change(world)
    world.watch()
    await world.settle()
    await world.settle()
    assert (len(world.scm.posts), world.reason()) == (1, "OutcomeUnknown")


@CHANGES
async def test_unknown_outcome_that_is_not_in_the_status_yet_is_not_followed_by_a_post(
    world: World, change: Callable[[World], None]
) -> None:
    """While the status can't say that an outcome is unknown, memory does, whatever changes meanwhile."""
    world.scm.say(errors.OutcomeUnknown("connection reset."))
    world.cluster.faults.extend([fake_cluster.Fault.REFUSED, fake_cluster.Fault.REFUSED, fake_cluster.Fault.CONFLICT])
    assert await world.reconcile() == queue.Retry(at_least=7.0)
    assert world.upload_reconciler.unwritten == (worlds.WEB,)
    change(world)
    world.watch()
    await world.settle()
    assert (len(world.scm.posts), world.reason()) == (1, "OutcomeUnknown")
    assert not world.upload_reconciler.unwritten


async def test_unknown_outcome_stays_in_the_journal(world: World) -> None:
    """An attempt whose outcome is unknown is not concluded."""
    world.scm.say(errors.OutcomeUnknown("connection reset."))
    await world.settle()
    assert len(world.journal.attempts) == 1


async def test_unknown_outcome_keeps_an_earlier_record(world: World) -> None:
    """The id of an earlier upload survives an unknown outcome of a later one."""
    await world.settle()
    before = world.scm_id()
    _other_csr(world)
    world.scm.say(errors.OutcomeUnknown("connection reset."))
    await world.settle()
    assert (world.scm_id(), world.reason()) == (before, "OutcomeUnknown")


async def test_unknown_outcome_tells_a_person_what_to_do(world: World) -> None:
    """The message names the time, the cause and the name to look for in SCM."""
    world.scm.say(errors.OutcomeUnknown("the connection was reset."))
    await world.reconcile()
    ready = world.status().ready
    assert ready is not None
    assert ready.status == "Unknown"
    for part in ("2026-01-02T12:00:00Z", "the connection was reset.", "'web'"):
        assert part in ready.message


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
    assert world.upload_reconciler.unwritten == (worlds.WEB,)
    await world.settle()
    assert (len(world.scm.posts), world.reason()) == (1, "OutcomeUnknown")
    ready = world.status().ready
    assert ready is not None
    assert type(surprise).__name__ in ready.message
    assert "canary" not in ready.message


async def test_cancelled_post_counts_as_unknown(world: World) -> None:
    """A POST that is cut off by a cancellation counts as an unknown outcome, and the cancellation goes on."""
    sent = asyncio.Event()

    async def hang(_content: csr.Content, _name: str) -> ports.Entry:
        sent.set()
        await asyncio.Event().wait()
        raise AssertionError

    world.scm.say(hang)
    uploading = asyncio.create_task(world.reconcile())
    await sent.wait()
    uploading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await uploading
    await world.settle()
    assert (len(world.scm.posts), world.reason()) == (1, "OutcomeUnknown")
