"""Accounts: the connection of each, and what its status says."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from scm_operator.domain import account as accounts
from scm_operator.domain import csr, errors, reasons
from scm_operator.domain.entry import Entry
from scm_operator.reconcile import queue
from tests.support import fake_cluster, fake_scm
from tests.unit.reconcile import world as worlds

World = worlds.World
REFUSED = errors.AccountObstacle(
    reasons.Reason.AUTHENTICATION_FAILED, "401.", account_reason=reasons.AccountReason.LOGIN_FAILED
)

DENIED = errors.AccountObstacle(
    reasons.Reason.ACCESS_DENIED, "403.", account_reason=reasons.AccountReason.ACCESS_DENIED
)


async def _account_reason(world: World, key: accounts.AccountKey = worlds.DEFAULT) -> tuple[str, str]:
    retry = await world.account_reconciler.reconcile(key)
    assert retry is None
    world.watch()
    ready = world.cluster.account_of(key).status.conditions[0]
    return ready.status, ready.reason


async def test_valid_account_is_ready_before_any_call(world: World) -> None:
    """A valid spec and a readable credential make an account Ready, and that is told."""
    assert await _account_reason(world) == ("True", "Ready")
    assert [(told.about, told.reason, told.warning) for told in world.events] == [(worlds.DEFAULT, "Ready", False)]
    assert world.cluster.account_of(worlds.DEFAULT).status.observed_generation == 1


async def test_account_status_is_written_once(world: World) -> None:
    """An account whose status says it all is not written again."""
    for _ in range(3):
        await _account_reason(world)
        world.clock.advance(60)
    assert world.log == ["write Ready"]


def _delete_secret(world: World) -> None:
    world.secrets.delete("scm-token")


def _take_key(world: World) -> None:
    world.secrets.put("scm-token", {"other": b"x"})


def _refuse_credential(world: World) -> None:
    world.scm.fault = errors.AccountFault(reasons.AccountReason.CREDENTIAL_INVALID, "empty.")


def _refuse_endpoint(world: World) -> None:
    world.scm.fault = errors.AccountFault(reasons.AccountReason.ENDPOINT_NOT_ALLOWED, "http.")


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (_delete_secret, "CredentialNotFound"),
        (_take_key, "CredentialNotFound"),
        (_refuse_credential, "CredentialInvalid"),
        (_refuse_endpoint, "EndpointNotAllowed"),
    ],
    ids=["no Secret", "no key", "bad credential", "bad endpoint"],
)
async def test_fault_that_is_known_here_stops_its_uploads_without_a_call(
    world: World, break_it: Callable[[World], None], reason: str
) -> None:
    """A fault of an account stands in its status, its uploads wait as AccountNotReady, and its end wakes them."""
    break_it(world)
    assert await _account_reason(world) == ("False", reason)
    await world.settle()
    ready = world.status().ready
    assert ready is not None
    assert ready.reason == "AccountNotReady"
    assert f"ScmAccount/shop/default is not ready ({reason})" in ready.message
    assert not world.scm.posts
    world.scm.fault = None
    world.secrets.put("scm-token", {"token": b"good"})
    world.upload_queue.added.clear()
    assert await _account_reason(world) == ("True", "Ready")
    assert (worlds.WEB, queue.Lane.FRESH) in world.upload_queue.added
    await world.settle()
    assert world.reason() == "Uploaded"
    assert [told.reason for told in world.events if told.about == worlds.DEFAULT] == [reason, "Ready"]


async def test_credential_that_may_not_be_read_is_looked_at_again_slowly(world: World) -> None:
    """A Secret that may not be read is CredentialNotFound, tried again slowly, and noticed once it may."""
    name = accounts.SecretName("shop", "scm-token")
    world.secrets.forbidden.add(name)
    del world.secrets.shown[name]
    assert await world.account_reconciler.reconcile(worlds.DEFAULT) == queue.Retry(slow=True)
    assert world.cluster.account_of(worlds.DEFAULT).status.conditions[0].reason == "CredentialNotFound"
    world.secrets.forbidden.clear()
    assert await _account_reason(world) == ("True", "Ready")


async def test_refused_login_stands_on_the_account_until_a_call_works(world: World) -> None:
    """A refused login is for the account to say; the next call that works takes it back and wakes its uploads."""
    world.scm.say(REFUSED)
    await world.reconcile()
    assert world.account_queue.added_later == [worlds.DEFAULT]
    assert world.reason() == "AuthenticationFailed"
    assert await _account_reason(world) == ("False", "LoginFailed")
    world.upload_queue.added.clear()
    await world.reconcile()
    assert world.account_queue.added_later == [worlds.DEFAULT] * 2
    assert [key for key, _ in world.upload_queue.added] == [worlds.WEB]
    assert await _account_reason(world) == ("True", "Ready")
    assert [told.reason for told in world.events if told.about == worlds.DEFAULT] == ["LoginFailed", "Ready"]


async def test_lacking_permission_that_ends_wakes_no_other_upload(world: World) -> None:
    """A permission may be lacking for some uploads only: a success of another is for the account alone to say."""
    world.scm.say(DENIED)
    await world.reconcile()
    assert await _account_reason(world) == ("False", "AccessDenied")
    world.upload_queue.added.clear()
    await world.reconcile(worlds.WEB)
    assert not world.upload_queue.added
    assert await _account_reason(world) == ("True", "Ready")


async def test_same_refusal_is_noted_once(world: World) -> None:
    """A refusal that repeats itself is no news for the account."""
    for _ in range(3):
        world.scm.say(REFUSED)
        await world.reconcile()
    assert world.account_queue.added_later == [worlds.DEFAULT]


async def test_call_on_a_replaced_connection_says_nothing_of_the_account(world: World) -> None:
    """A call that fails on a connection that was replaced meanwhile is no verdict on the new one."""

    async def refuse_late(_content: csr.Content, _name: str) -> Entry:
        world.secrets.put("scm-token", {"token": b"a new token"})
        await world.account_reconciler.reconcile(worlds.DEFAULT)
        raise REFUSED

    world.scm.say(refuse_late)
    await world.reconcile()
    assert not world.account_queue.added_later
    assert await _account_reason(world) == ("True", "Ready")


async def test_obstacle_of_the_upload_alone_says_nothing_of_the_account(world: World) -> None:
    """A rejected CSR is no fault of the account."""
    world.scm.say(errors.NeedsChange(reasons.Reason.REJECTED, "bad name."))
    await world.reconcile()
    assert await _account_reason(world) == ("True", "Ready")


async def test_new_connection_wakes_the_uploads_of_that_account_alone(world: World) -> None:
    """Another credential wakes the uploads that go to this account and no other."""
    world.add_account("second")
    world.add_upload("api", spec={"accountRef": {"name": "second"}})
    await world.reconcile()
    world.secrets.put("scm-token", {"token": b"new"})
    world.upload_queue.added.clear()
    await world.account_reconciler.reconcile(worlds.DEFAULT)
    assert {key for key, _ in world.upload_queue.added} == {worlds.WEB}


async def test_connection_is_kept_while_nothing_changes(world: World) -> None:
    """Uploads share one connection of an account; its credential is read once."""
    for name in ("web", "api", "pay"):
        await world.reconcile(world.add_upload(name))
    await world.account_reconciler.reconcile(worlds.DEFAULT)
    assert len(world.scm.stores) == 1
    assert [name.name for name, _ in world.secrets.reads].count("scm-token") == 1


async def test_credential_of_a_cluster_account_is_the_operators(world: World) -> None:
    """A ClusterScmAccount's Secret is read in the operator's namespace, for the named key alone."""
    world.add_account("all", namespace="")
    key = accounts.AccountKey(accounts.AccountKind.CLUSTER, "", "all")
    assert await _account_reason(world, key) == ("True", "Ready")
    assert world.secrets.reads == [(accounts.SecretName(worlds.OPERATOR_NAMESPACE, "scm-token"), ["token"])]


async def test_deleted_account_is_disconnected(world: World) -> None:
    """The connection of an account that is gone is closed, and its uploads are woken."""
    await world.reconcile()
    del world.cluster.bodies[worlds.DEFAULT]
    world.watch()
    world.upload_queue.added.clear()
    assert await world.account_reconciler.reconcile(worlds.DEFAULT) is None
    assert world.scm.stores[0].closed
    assert [key for key, _ in world.upload_queue.added] == [worlds.WEB]


async def test_recreated_account_is_connected_anew(world: World) -> None:
    """A namesake of another uid gets a connection of its own."""
    await world.reconcile()
    world.cluster.recreate(worlds.DEFAULT)
    world.watch()
    await world.reconcile(world.add_upload("api"))
    assert [store.closed for store in world.scm.stores] == [True, False]


async def test_all_connections_are_closed_at_the_end(world: World) -> None:
    """At the end every store that is open is closed."""
    world.add_account("second")
    await world.reconcile()
    await world.reconcile(world.add_upload("api", spec={"accountRef": {"name": "second"}}))
    await world.account_reconciler.aclose()
    assert [store.closed for store in world.scm.stores] == [True, True]


@pytest.mark.parametrize(
    ("fault", "retry"),
    [
        (fake_cluster.Fault.REFUSED, queue.Retry(at_least=7.0)),
        (fake_cluster.Fault.CONFLICT, queue.Retry()),
        (fake_cluster.Fault.LOST, queue.Retry()),
        (fake_cluster.Fault.DELETED, None),
    ],
    ids=lambda value: value.name if isinstance(value, fake_cluster.Fault) else "",
)
async def test_failed_write_of_an_account_is_tried_again(
    world: World, fault: fake_cluster.Fault, retry: queue.Retry | None
) -> None:
    """A status write of an account that fails is a retry, unless the account is gone; and tells no Event."""
    world.cluster.faults.append(fault)
    assert await world.account_reconciler.reconcile(worlds.DEFAULT) == retry
    assert not world.events


async def test_fault_of_an_account_is_logged_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A transition of an account is logged once, by level: a fault is a warning."""
    caplog.set_level(logging.INFO, logger="scm_operator")
    _delete_secret(world)
    await _account_reason(world)
    await _account_reason(world)
    assert [(record.levelname, "CredentialNotFound" in record.getMessage()) for record in caplog.records] == [
        ("WARNING", True)
    ]


async def test_account_replaced_during_a_call_is_closed_after_it(world: World) -> None:
    """A connection that is replaced while a POST is out on it is closed when that POST has ended, not before."""
    sent, answer = asyncio.Event(), asyncio.Event()

    async def slow(content: csr.Content, name: str) -> Entry:
        sent.set()
        await answer.wait()
        return world.scm.store(fake_scm.Posted(name, content.hash, world.scm.posts[0].tenant))

    world.scm.say(slow)
    uploading = asyncio.create_task(world.reconcile())
    await sent.wait()
    world.secrets.put("scm-token", {"token": b"a new token"})
    await world.reconcile(world.add_upload("api"))
    old, new = world.scm.stores
    assert (old.credential, old.closed) == (b"a token", False)
    assert (new.credential, new.closed) == (b"a new token", False)
    answer.set()
    await uploading
    assert (old.closed, new.closed) == (True, False)
    assert world.reason() == "Uploaded"


async def test_idle_connection_is_closed_when_replaced(world: World) -> None:
    """A connection without a call is closed at once when the credential changes."""
    await world.reconcile()
    world.secrets.put("scm-token", {"token": b"a new token"})
    await world.reconcile(world.add_upload("api"))
    assert [store.closed for store in world.scm.stores] == [True, False]


async def test_one_denial_of_an_account_that_works_is_the_uploads_affair(world: World) -> None:
    """After a call that worked a single denial says nothing of the account; a second in a row does."""
    await world.reconcile()
    for denials, noted in ((1, []), (2, [worlds.DEFAULT])):
        world.scm.say(DENIED)
        await world.reconcile(world.add_upload(f"denied-{denials}"))
        assert world.account_queue.added_later == noted
    assert await _account_reason(world) == ("False", "AccessDenied")


async def test_credential_written_again_with_the_same_value_is_no_change(world: World) -> None:
    """A Secret that only gets a new version keeps the connection, and a refused login stays refused."""
    world.scm.say(REFUSED)
    await world.reconcile()
    world.secrets.put("scm-token", {"token": b"a token"})
    world.upload_queue.added.clear()
    assert await _account_reason(world) == ("False", "LoginFailed")
    assert not world.upload_queue.added
    first, unused = world.scm.stores
    assert (first.closed, unused.closed) == (False, True)
