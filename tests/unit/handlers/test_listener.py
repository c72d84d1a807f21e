"""From what a watch shows to the triggers."""

import asyncio
import logging

import pytest

from scm_operator import kube
from scm_operator.domain import account
from scm_operator.handlers import listener
from tests.support import fake_cluster
from tests.unit.reconcile import world as worlds


@pytest.fixture
def world() -> worlds.World:
    """Return a process that has seen nothing."""
    return worlds.World()


@pytest.fixture
def told(world: worlds.World) -> listener.TriggerListener:
    """Return a listener to its watches."""
    return listener.TriggerListener(world.triggers, uploads=kube.UPLOADS)


def test_upload_that_is_seen_is_known_and_queued(world: worlds.World, told: listener.TriggerListener) -> None:
    """An upload that appears is parsed, kept and queued; shown again it is no news."""
    for _ in range(2):
        told.seen(kube.UPLOADS, fake_cluster.as_stored(fake_cluster.upload_body()))
    assert world.uploads.get(worlds.WEB) is not None
    assert [key for key, _ in world.upload_queue.added] == [worlds.WEB]


@pytest.mark.parametrize(
    ("plural", "namespace", "key"),
    [(kube.ACCOUNTS, "shop", worlds.DEFAULT), (kube.CLUSTER_ACCOUNTS, "", worlds.CLUSTER_DEFAULT)],
    ids=["ScmAccount", "ClusterScmAccount"],
)
def test_account_is_known_until_it_is_gone(
    world: worlds.World, told: listener.TriggerListener, plural: str, namespace: str, key: account.AccountKey
) -> None:
    """An account of either kind is kept and queued when it appears, and again when it goes."""
    body = fake_cluster.as_stored(fake_cluster.account_body(namespace=namespace))
    told.seen(plural, body)
    assert world.accounts.get(key) is not None
    told.gone(plural, body)
    assert world.accounts.get(key) is None
    assert [added for added, _ in world.account_queue.added] == [key, key]


def test_newer_version_is_news(world: worlds.World, told: listener.TriggerListener) -> None:
    """A change is taken over; what is older than known is not."""
    for version in (9, 10, 8):
        told.seen(kube.UPLOADS, fake_cluster.as_stored(fake_cluster.upload_body(), version=version))
    known = world.uploads.get(worlds.WEB)
    assert known is not None
    assert known.resource_version == "10"
    assert len(world.upload_queue.added) == 1


def test_deletion_counts_for_its_uid(world: worlds.World, told: listener.TriggerListener) -> None:
    """The deletion of an old uid that comes after its namesake's creation leaves the namesake alone."""
    told.seen(kube.UPLOADS, fake_cluster.as_stored(fake_cluster.upload_body(), uid="uid-2", version=5))
    told.gone(kube.UPLOADS, fake_cluster.as_stored(fake_cluster.upload_body(), uid="uid-1", version=4))
    assert world.uploads.get(worlds.WEB) is not None
    told.gone(kube.UPLOADS, fake_cluster.as_stored(fake_cluster.upload_body(), uid="uid-2", version=6))
    assert world.uploads.get(worlds.WEB) is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (fake_cluster.upload_body() | {"spec": {"csrSecretRef": "canary"}}, "spec.csrSecretRef"),
        (fake_cluster.upload_body() | {"spec": None}, "spec"),
        (fake_cluster.account_body() | {"spec": {"endpoint": "https://canary"}}, "spec.auth"),
    ],
    ids=["upload", "no spec", "account"],
)
def test_what_can_not_be_parsed_is_logged_and_not_raised(
    world: worlds.World,
    told: listener.TriggerListener,
    caplog: pytest.LogCaptureFixture,
    body: fake_cluster.Body,
    field: str,
) -> None:
    """A resource that a loosened schema let through is one line of ERROR that names it and the field, not the value."""
    plural = kube.ACCOUNTS if body["kind"] == "ScmAccount" else kube.UPLOADS
    told.seen(plural, fake_cluster.as_stored(body))
    (record,) = caplog.records
    assert (record.levelno, record.exc_info) == (logging.ERROR, None)
    for part in (plural, "shop", body["metadata"]["name"], f"{field}: expected"):
        assert part in record.getMessage()
    assert "canary" not in caplog.text
    assert len(world.uploads) == len(world.accounts) == 0


async def test_listed_all_waits_for_each_watch(told: listener.TriggerListener) -> None:
    """Work begins when each of the watches has listed once, in any order."""
    waiting = asyncio.create_task(told.listed_all(("a", "b")))
    for plural in ("b", "other", "b"):
        told.listed(plural)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    told.listed("a")
    await waiting
    await told.listed_all(("a", "b"))


async def test_listed_again_tells_each_later_list_once(told: listener.TriggerListener) -> None:
    """A list that was made since the last call is told, several at once as one."""
    told.listed("a")
    await told.listed_again()
    waiting = asyncio.create_task(told.listed_again())
    await asyncio.sleep(0)
    assert not waiting.done()
    told.listed("a")
    told.listed("b")
    await waiting
    waiting = asyncio.create_task(told.listed_again())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
