"""What changes while SCM is asked: an answer belongs to what it was asked for, and to where."""

from scm_operator.domain import account as accounts
from tests.support import fakes
from tests.unit.reconcile import world as worlds

World = worlds.World
_ADOPT = {"adoptionPolicy": "IfIdentical"}


def _tenant(world: World) -> accounts.Tenant:
    return world.cluster.account_of(worlds.DEFAULT).tenant


def _move(world: World) -> None:
    world.cluster.change(worlds.DEFAULT, {"endpoint": "https://elsewhere.example.com"})


def _theirs(world: World) -> str:
    """Put an entry of somebody else's, a day old, where the account leads."""
    return world.scm.put("web", worlds.hash_of(0), _tenant(world), age=86400)


async def test_what_was_found_elsewhere_is_not_adopted(world: World) -> None:
    """An account that moves while its list is asked for an adoption: the entry found is none of the new tenant's."""
    world.change(_ADOPT)
    theirs = _theirs(world)
    world.scm.at["list"] = world.once(lambda: _move(world))
    await world.settle()
    record = world.record()
    assert record.scm_id != theirs
    assert world.scm.entries[record.scm_id].tenant == record.tenant == _tenant(world)


async def test_what_is_absent_elsewhere_is_looked_for_here(world: World) -> None:
    """An account that moves while its list is asked for an adoption: what is there is looked for and adopted."""
    world.change(_ADOPT)

    def move() -> None:
        _move(world)
        _theirs(world)

    world.scm.at["list"] = world.once(move)
    await world.settle()
    assert (world.scm.posts, world.record().origin) == ([], "Adopted")


async def _lose_answer(world: World) -> None:
    """Store an entry whose POST was not answered, and let its time pass."""
    world.scm.lose_answer()
    await world.reconcile()
    world.clock.advance(worlds.CALL + worlds.SETTLE)


async def test_what_was_found_before_its_account_went_is_recorded(world: World) -> None:
    """An account that is deleted while an entry is looked for takes no id along."""
    await _lose_answer(world)
    world.scm.at["list"] = world.once(lambda: world.cluster.delete(worlds.DEFAULT))
    await world.settle()
    record = world.record()
    assert (record.origin, record.account) == ("Recovered", worlds.DEFAULT)


async def test_what_was_found_is_recorded_under_the_account_that_sent_it(world: World) -> None:
    """An upload that is pointed to another account, and its first deleted, while its entry is looked for."""
    other = accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "other")
    world.add_account("other", spec={"endpoint": "https://elsewhere.example.com"})
    await _lose_answer(world)

    def point_elsewhere() -> None:
        world.cluster.change(worlds.WEB, {"accountRef": {"name": "other"}})
        world.cluster.delete(worlds.DEFAULT)

    world.scm.at["list"] = world.once(point_elsewhere)
    await world.settle()
    (replaced,) = world.status().history
    assert (replaced.record.account, world.record().account) == (worlds.DEFAULT, other)


async def test_what_one_has_found_and_does_not_want_is_there_for_the_other(world: World) -> None:
    """A twin that adopts finds the entry as soon as the one that had found it wants another name."""
    world.change(_ADOPT)
    world.add_upload("api", spec=_ADOPT | {"name": "web"})
    world.secrets.put("api-csr", {"tls.csr": fakes.csr_pem(0)})
    theirs = _theirs(world)
    changed = {"name": "other", "adoptionPolicy": "Never"}
    world.scm.at["list"] = world.once(lambda: world.cluster.change(worlds.WEB, changed))
    seen: list[frozenset[str]] = []
    world.scm.at["post"] = lambda: seen.append(world.memory.claimed())
    await world.settle()
    assert seen == [frozenset()]
    await world.settle(worlds.API)
    assert world.scm_id(worlds.API) == theirs


async def test_upload_suspended_while_a_credential_is_read_is_not_sent(world: World) -> None:
    """A new credential that is read between journal and POST gives a change of the spec no time to be passed over."""

    def suspend(name: accounts.SecretName) -> None:
        if name.name == "scm-token":
            world.secrets.after_read = lambda _: None
            world.change({"suspend": True})

    def renew() -> None:
        world.secrets.put("scm-token", {"token": b"a new token"})
        world.secrets.after_read = suspend

    world.journal.after_add = renew
    await world.settle()
    assert (world.scm.posts, world.reason()) == ([], "Suspended")
