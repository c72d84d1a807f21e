"""What is wrong with an account without making it less Ready, and what happens to accounts that are gone."""

import asyncio

import pytest

from scm_operator.domain import account as accounts
from scm_operator.domain import errors, reasons
from scm_operator.reconcile import queue
from tests.unit.reconcile import world as worlds

World = worlds.World
FULL = errors.RetryLater(reasons.Reason.JOURNAL_FULL, "100 outcomes of it aren't known.")
REFUSED = errors.AccountObstacle(
    reasons.Reason.AUTHENTICATION_FAILED, "401.", account_reason=reasons.AccountReason.LOGIN_FAILED
)
POLICY = {"deletionPolicy": "Delete"}


async def test_full_journal_is_told_on_upload_and_account(world: World) -> None:
    """No room for the attempt: nothing is sent, both say JournalFull, and the account stays Ready."""
    world.journal.refusals.append(FULL)
    assert await world.reconcile() == queue.Retry()
    assert (world.reason(), world.scm.posts) == ("JournalFull", [])
    assert world.account_queue.added_later == [worlds.DEFAULT]
    assert await world.account_says() == {"Ready": "Ready", "Degraded": "JournalFull"}
    assert ("JournalFull", True) in [
        (told.reason, told.warning) for told in world.events if told.about == worlds.DEFAULT
    ]


async def test_journal_that_has_room_again_clears_it(world: World) -> None:
    """The next attempt that fits in ends it on both."""
    world.journal.refusals.append(FULL)
    await world.reconcile()
    assert await world.account_says() != {"Ready": "Ready"}
    await world.settle()
    assert world.reason() == "Uploaded"
    assert await world.account_says() == {"Ready": "Ready"}


async def test_api_server_error_of_the_journal_is_no_fault_of_the_account(world: World) -> None:
    """A Lease that can't be written is not the account's affair."""
    world.journal.refusals.append(errors.ApiServerError("503"))
    await world.reconcile()
    assert await world.account_says() == {"Ready": "Ready"}


def _account_gone(world: World) -> None:
    world.delete(worlds.DEFAULT)


def _credential_gone(world: World) -> None:
    world.secrets.delete("scm-token")


@pytest.fixture
async def departing(world: World) -> World:
    """Return a world with an uploaded ``web`` and ``api`` that have deletionPolicy Delete."""
    world.change(POLICY)
    await world.settle()
    await world.settle(world.add_upload("api", number=1, spec=POLICY))
    return world


@pytest.mark.parametrize("go", [_account_gone, _credential_gone])
async def test_account_that_is_gone_serves_the_uploads_that_are_being_deleted(
    departing: World, go: worlds.Change
) -> None:
    """A namespace that is deleted at once: the credential is kept until the last entry is deleted, and then closed."""
    go(departing)
    await departing.account_reconciler.reconcile(worlds.DEFAULT)
    (store,) = departing.scm.stores
    for key in (worlds.WEB, worlds.API):
        assert not store.closed
        departing.delete(key)
        await departing.settle(key)
        assert key not in departing.cluster.bodies
    await departing.settle()
    await departing.settle(worlds.API)
    assert (departing.scm.entries, departing.events.orphans) == ({}, [])
    assert store.closed


async def test_account_that_is_gone_takes_no_upload(departing: World) -> None:
    """What is kept for deletions is not used to send anything."""
    _account_gone(departing)
    await departing.account_reconciler.reconcile(worlds.DEFAULT)
    departing.put_csr(2)
    await departing.settle()
    assert (departing.reason(), len(departing.scm.posts)) == ("AccountNotFound", 2)


async def test_account_that_nobody_waits_for_is_closed_at_once(world: World) -> None:
    """Without a finalizer that waits for it nothing is kept."""
    await world.settle()
    _account_gone(world)
    await world.account_reconciler.reconcile(worlds.DEFAULT)
    assert world.scm.stores[0].closed


async def test_credential_that_comes_back_replaces_what_was_kept(departing: World) -> None:
    """A new credential is used, and the old connection closed."""
    _credential_gone(departing)
    await departing.account_reconciler.reconcile(worlds.DEFAULT)
    departing.secrets.put("scm-token", {"token": b"a new token"})
    await departing.account_reconciler.reconcile(worlds.DEFAULT)
    assert [store.closed for store in departing.scm.stores] == [True, False]


async def test_account_that_leads_elsewhere_now_does_not_serve(departing: World) -> None:
    """An account of the same name and another endpoint is another tenant's: no entry is deleted there."""
    departing.change({"endpoint": "https://elsewhere.example.com"}, key=worlds.DEFAULT)
    departing.delete()
    await departing.reconcile()
    assert departing.reason() == "DeleteBlocked"
    assert len(departing.scm.entries) == 2


async def test_all_that_is_kept_is_closed_at_the_end(departing: World) -> None:
    """At the end of the process connections that were kept are closed as well."""
    _account_gone(departing)
    await departing.account_reconciler.reconcile(worlds.DEFAULT)
    await departing.account_reconciler.aclose()
    assert [store.closed for store in departing.scm.stores] == [True]


async def test_connection_that_is_kept_is_closed_after_its_last_call(departing: World) -> None:
    """The end of the last deletion closes it, not a moment before its call has ended."""
    _account_gone(departing)
    await departing.account_reconciler.reconcile(worlds.DEFAULT)
    departing.scm.gates["delete"] = asyncio.Event()
    departing.delete()
    going = asyncio.create_task(departing.reconcile())
    await worlds.idle()
    (store,) = departing.scm.stores
    assert not store.closed
    departing.scm.gates["delete"].set()
    await going
    assert worlds.WEB not in departing.cluster.bodies


async def test_accounts_of_one_tenant_reach_each_others_entries(world: World) -> None:
    """Moved to an account of the same domain and scope nothing is sent, and later that account deletes the entry."""
    auth = {
        "password": {
            "iamEndpoint": "https://iam.example.com",
            "domain": "acme",
            "user": "bot",
            "scope": {"project": "p"},
            "secretRef": {"name": "scm-token", "key": "token"},
        }
    }
    for name in ("one", "two"):
        world.add_account(name, spec={"auth": auth})
    world.change(POLICY | {"accountRef": {"name": "one"}})
    await world.settle()
    world.change({"accountRef": {"name": "two"}})
    await world.settle()
    assert len(world.scm.posts) == 1
    assert world.record().account == accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "two")
    world.delete(accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "one"))
    world.delete()
    await world.settle()
    assert world.scm.entries == {}


async def test_rename_that_works_ends_a_refusal(world: World) -> None:
    """A refused rename is for the account to say, and one that works takes it back."""
    await world.settle()
    world.scm.refusals["rename"] = REFUSED
    world.change({"name": "other"})
    await world.reconcile()
    assert (await world.account_says())["Ready"] == "LoginFailed"
    world.scm.refusals.clear()
    await world.settle()
    assert (await world.account_says())["Ready"] == "Ready"


async def test_account_that_is_created_anew_is_not_degraded_by_its_predecessor(world: World) -> None:
    """What was wrong with an account goes with it."""
    world.journal.refusals.append(FULL)
    await world.reconcile()
    world.delete(worlds.DEFAULT)
    await world.account_reconciler.reconcile(worlds.DEFAULT)
    world.add_account()
    assert await world.account_says() == {"Ready": "Ready"}


async def test_request_on_the_account_ends_its_pause(world: World) -> None:
    """Who waits for a pause to end goes on when a person asks."""
    world.scm.say(errors.RetryLater(reasons.Reason.THROTTLED, "429.", retry_after=3600.0))
    await world.reconcile()
    await world.reconcile()
    assert len(world.scm.posts) == 1
    world.change(annotations={worlds.REQUESTED: "now"}, key=worlds.DEFAULT)
    await world.account_reconciler.reconcile(worlds.DEFAULT)
    await world.reconcile()
    assert (len(world.scm.posts), world.reason()) == (2, "Uploaded")


async def test_what_is_kept_of_an_account_serves_its_own_tenant_alone(departing: World) -> None:
    """An account that moved, and then lost its credential, deletes nothing of where it was before."""
    departing.change({"endpoint": "https://elsewhere.example.com"}, key=worlds.DEFAULT)
    await departing.account_reconciler.reconcile(worlds.DEFAULT)
    _credential_gone(departing)
    await departing.account_reconciler.reconcile(worlds.DEFAULT)
    departing.delete()
    await departing.reconcile()
    assert departing.reason() == "DeleteBlocked"
