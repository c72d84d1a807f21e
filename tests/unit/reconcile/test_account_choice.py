"""Which account an upload goes to, and what is said where there is none."""

import pytest

from scm_operator.domain import account as accounts
from scm_operator.reconcile import choice
from tests.unit.reconcile import world as worlds

World = worlds.World


@pytest.mark.parametrize(
    ("reference", "recorded", "expected"),
    [
        (None, None, [worlds.DEFAULT, worlds.CLUSTER_DEFAULT]),
        ({"name": "own"}, None, [accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "own")]),
        (
            {"kind": "ClusterScmAccount", "name": "all"},
            None,
            [accounts.AccountKey(accounts.AccountKind.CLUSTER, "", "all")],
        ),
        (None, "second", [accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "second")]),
        ({"name": "own"}, "second", [accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "own")]),
    ],
    ids=["none", "named", "cluster", "kept", "named after another"],
)
async def test_candidates(
    world: World,
    reference: dict[str, str] | None,
    recorded: str | None,
    expected: list[accounts.AccountKey],
) -> None:
    """The accountRef decides; else the account that was resolved once is kept; else the two defaults in order."""
    if recorded:
        world.add_account(recorded)
        world.cluster.change(worlds.WEB, {"accountRef": {"name": recorded}})
        world.watch()
        await world.settle()
    world.cluster.change(worlds.WEB, {"accountRef": reference})
    assert choice.candidates_of(world.cluster.upload_of(worlds.WEB)) == tuple(expected)


@pytest.mark.parametrize("namespaced", [True, False], ids=["both exist", "only the cluster's"])
async def test_own_default_goes_before_the_clusters(*, namespaced: bool) -> None:
    """Without accountRef the namespace's default account is taken, else the cluster's."""
    world = World()
    world.add_account(namespace="")
    if namespaced:
        world.add_account()
    world.add_upload()
    await world.settle()
    record = world.status().record
    assert record is not None
    assert record.account == (worlds.DEFAULT if namespaced else worlds.CLUSTER_DEFAULT)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, ["no spec.accountRef", "ScmAccount/shop/default", "ClusterScmAccount/default"]),
        ({"accountRef": {"name": "absent"}}, ["spec.accountRef names ScmAccount/shop/absent"]),
    ],
    ids=["no default", "named"],
)
async def test_account_that_does_not_exist_is_said(spec: dict[str, object], words: list[str]) -> None:
    """An upload without an account names the account or accounts that would do, reads nothing and sends nothing."""
    world = World()
    world.add_upload(spec=spec)
    await world.settle()
    ready = world.status().ready
    assert ready is not None
    assert ready.reason == "AccountNotFound"
    assert all(word.lower() in ready.message.lower() for word in words)
    assert not world.secrets.reads


@pytest.mark.parametrize(
    ("reference", "namespace", "words"),
    [
        ({"name": "all"}, "", "There is ClusterScmAccount/all: set spec.accountRef.kind to ClusterScmAccount"),
        (
            {"kind": "ClusterScmAccount", "name": "all"},
            "shop",
            "There is ScmAccount/shop/all: set spec.accountRef.kind",
        ),
        ({"name": "all"}, "elsewhere", "Create it, or name another"),
    ],
    ids=["the cluster's", "the namespace's", "another namespace's"],
)
async def test_account_of_the_other_kind_is_pointed_at(reference: dict[str, str], namespace: str, words: str) -> None:
    """An accountRef whose kind is wrong, or was left out, is told of the account that has this name."""
    world = World()
    world.add_account("all", namespace=namespace)
    world.add_upload(spec={"accountRef": reference})
    await world.settle()
    ready = world.status().ready
    assert ready is not None
    assert (ready.reason, words in ready.message) == ("AccountNotFound", True)
    assert not world.scm.posts


async def test_account_deleted_after_the_upload_is_said_when_a_call_is_needed(world: World) -> None:
    """An uploaded resource whose account is gone stays Ready until a call is needed, and then names that account."""
    await world.settle()
    del world.cluster.bodies[worlds.DEFAULT]
    world.watch()
    await world.settle()
    assert world.reason() == "Uploaded"
    world.cluster.change(worlds.WEB, {"name": "other"})
    world.watch()
    await world.settle()
    ready = world.status().ready
    assert ready is not None
    assert (ready.reason, ready.status) == ("AccountNotFound", "False")
    assert "to which this was uploaded, does not exist any more" in ready.message
