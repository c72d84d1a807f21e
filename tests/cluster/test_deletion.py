"""deletionPolicy: what becomes of a resource's entries in SCM when newer content comes, and when it is deleted."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.support import pem
from tests.support import simulator as simulators
from tests.support.accounts import account, put, secret, upload
from tests.support.waiting import until
from tests.support.world import (
    OPERATOR_NAMESPACE,
    Namespace,
    Object,
    World,
    add_by_hand,
    delete_by_hand,
    password_spec,
)

_FINALIZER = "scm.certops.dev/entries"
_A, _B, _C = (pem.csr(pem.ec_key()) for _ in range(3))


@pytest.fixture(autouse=True)
def _no_faults_left(world: World) -> Iterator[None]:
    yield
    world.simulator.faults()
    world.simulator.release()


@pytest.fixture
def name(namespace: Namespace) -> str:
    """The name of a resource and of its entries that no other test uses: its namespace's; its content is there."""
    namespace.secret("content", {"tls.csr": _A})
    return namespace.name


def _uploaded(namespace: Namespace, policy: str = "Delete", *, adoption: str = "Never") -> str:
    """Create the resource; return its entry's id."""
    namespace.upload(namespace.name, csr="content", deletionPolicy=policy, adoptionPolicy=adoption)
    scm_id: str = namespace.ready(namespace.name)["scmID"]
    return scm_id


def _changed(namespace: Namespace, csr: bytes, *, after: str) -> str:
    namespace.secret("content", {"tls.csr": csr})
    scm_id: str = namespace.new_entry(namespace.name, after=after)["scmID"]
    return scm_id


def _finalizers(namespace: Namespace) -> list[str]:
    found: list[str] = namespace.get(namespace.name)["metadata"].get("finalizers", [])
    return found


def _in_scm(namespace: Namespace) -> list[str]:
    return [entry["id"] for entry in namespace.simulator.entries(name=namespace.name)]


def _deletes(namespace: Namespace, scm_id: str) -> list[Any]:
    """Return how SCM answered each request to delete an entry."""
    requests = namespace.simulator.requests(operation="DeleteCsr")
    return [request["status"] for request in requests if request["path"].endswith(scm_id)]


def _blocked(*scm_ids: str) -> list[Object]:
    """Return the rules by which SCM refuses to delete these entries."""
    do = {"status": {"code": 403, "errorCode": "SCM.0002"}}
    return [{"match": {"operation": "DeleteCsr", "path": f"*/{scm_id}"}, "do": do} for scm_id in scm_ids]


def _orphaned(world: World, namespace: Namespace) -> list[Object]:
    """Return the Events in the operator's namespace that name resources of this one."""
    command = ("get", "events", "-n", OPERATOR_NAMESPACE, "--field-selector", "reason=Orphaned", "-o", "json")
    found: list[Object] = json.loads(world.plane.kubectl(*command).stdout)["items"]
    return [event for event in found if event["message"].startswith(f"{namespace.name}/")]


def test_the_finalizer_stands_before_the_post_arrives(namespace: Namespace, name: str) -> None:
    """With policy Delete the resource has its finalizer by the time that SCM gets the POST."""
    namespace.simulator.faults({"name": "post", "match": {"operation": "UploadCsr", "name": name}, "hold": True})
    namespace.upload(name, csr="content", deletionPolicy="Delete")
    namespace.simulator.held(rule="post")

    finalizers = _finalizers(namespace)

    namespace.simulator.release()
    assert finalizers == [_FINALIZER]
    namespace.ready(name)


def test_an_entry_is_deleted_after_its_successor_is_recorded(namespace: Namespace, name: str) -> None:
    """The old entry is deleted once the new id is in the status; until then the history says that it is going."""
    old = _uploaded(namespace)
    rule = {"name": "delete", "match": {"operation": "DeleteCsr", "path": f"*/{old}"}, "hold": "before-store"}
    namespace.simulator.faults(rule)
    namespace.secret("content", {"tls.csr": _B})
    namespace.simulator.held(rule="delete")

    during = namespace.status(name)

    namespace.simulator.release()
    until(lambda: not namespace.status(name).get("history"), what="the history to be empty")
    assert during["scmID"] not in {None, old}
    assert [(entry["scmID"], entry["deleting"]) for entry in during["history"]] == [(old, True)]
    assert (_in_scm(namespace), _deletes(namespace, old)) == ([during["scmID"]], [204])
    messages = [event["message"] for event in namespace.events(name, reason="Uploaded", count=2)]
    assert any(f"It replaces {old}, which is deleted there next." in message for message in messages)


def test_going_back_while_the_entry_is_going_is_a_new_upload(namespace: Namespace, name: str) -> None:
    """A, B, then A again while A's entry can't be deleted yet: it is deleted all the same, and A is uploaded anew."""
    first = _uploaded(namespace)
    namespace.simulator.faults(*_blocked(first))
    second = _changed(namespace, _B, after=first)
    until(lambda: _deletes(namespace, first), what="a try to delete the first entry")
    namespace.secret("content", {"tls.csr": _A})
    namespace.simulator.faults()

    third = namespace.new_entry(name, after=second)["scmID"]

    until(lambda: _in_scm(namespace) == [third], what="the first two entries to be deleted")
    assert third != first


def test_deleting_takes_all_entries_but_adopted_ones(namespace: Namespace, name: str) -> None:
    """Current and history entries go with the resource, the one that it had adopted stays."""
    foreign = add_by_hand(namespace.simulator, name, _A)
    adopted = _uploaded(namespace, adoption="IfIdentical")
    second = _changed(namespace, _B, after=adopted)
    namespace.simulator.faults(*_blocked(second))
    third = _changed(namespace, _C, after=second)
    before = {entry["scmID"] for entry in namespace.status(name)["history"]}
    namespace.simulator.faults()

    namespace.kubectl("delete", "cru", name, "--timeout=20s")

    assert before == {foreign, second}
    assert (adopted, _in_scm(namespace)) == (foreign, [foreign])
    assert _deletes(namespace, foreign) == []
    assert (_deletes(namespace, second)[-1], _deletes(namespace, third)) == (204, [204])


@pytest.mark.usefixtures("name")
def test_an_entry_that_is_gone_already_is_fine(world: World, namespace: Namespace) -> None:
    """Somebody was faster: the resource goes, and nobody is told of anything left behind."""
    entry = _uploaded(namespace)
    delete_by_hand(namespace.simulator, entry)

    namespace.kubectl("delete", "cru", namespace.name, "--timeout=20s")

    assert _orphaned(world, namespace) == []


@pytest.mark.usefixtures("name")
def test_retain_leaves_the_entry(namespace: Namespace) -> None:
    """The default has no finalizer: the resource goes at once and its entry stays."""
    entry = _uploaded(namespace, "Retain")
    finalizers = _finalizers(namespace)

    namespace.kubectl("delete", "cru", namespace.name, "--timeout=20s")

    assert (finalizers, _in_scm(namespace), _deletes(namespace, entry)) == ([], [entry], [])


def test_the_policy_of_a_live_resource_can_be_changed(namespace: Namespace, name: str) -> None:
    """Retain, Delete, Retain: the finalizer comes and goes, nothing is sent again, and the last one counts."""
    entry = _uploaded(namespace, "Retain")
    namespace.kubectl("patch", "cru", name, "--type=merge", "-p", '{"spec":{"deletionPolicy":"Delete"}}')
    until(lambda: _finalizers(namespace) == [_FINALIZER], what="the finalizer to be added")
    namespace.kubectl("patch", "cru", name, "--type=merge", "-p", '{"spec":{"deletionPolicy":"Retain"}}')
    until(lambda: _finalizers(namespace) == [], what="the finalizer to be removed")

    namespace.kubectl("delete", "cru", name, "--timeout=20s")

    assert (_in_scm(namespace), len(namespace.simulator.requests(name=name))) == ([entry], 1)


def test_a_post_without_an_answer_is_found_and_deleted(namespace: Namespace, name: str) -> None:
    """Deleted while it isn't known whether its POST was stored: that is found out first, and the entry goes too."""
    rule = {"match": {"operation": "UploadCsr", "name": name}, "do": {"reset": "after-store"}}
    namespace.simulator.faults(rule)
    namespace.upload(name, csr="content", deletionPolicy="Delete")
    namespace.reason(name, "ServerError")
    stored = _in_scm(namespace)

    namespace.kubectl("delete", "cru", name, "--timeout=20s")

    assert (len(stored), _in_scm(namespace)) == (1, [])
    assert len(namespace.simulator.requests(name=name)) == 1


def test_a_whole_namespace_leaves_nothing(world: World, namespace: Namespace) -> None:
    """Account, credential, content and uploads deleted at once, as with their namespace: all entries go, at once."""
    names = [f"{namespace.name[:50]}-{number}" for number in range(6)]
    namespace.secret("content", {"tls.csr": _A})
    namespace.uploads(names, csrSecretRef={"name": "content"}, deletionPolicy="Delete")
    until(lambda: namespace.count_ready() == len(names), what="the uploads to be Ready")
    namespace.kubectl("delete", "namespace", namespace.name, "--wait=false")

    # As the namespace controller does, in an order that makes it hard.
    namespace.kubectl("delete", "scmaccounts,secrets", "--all")
    namespace.kubectl("delete", "cru", "--all", "--timeout=20s")

    assert [entry for entry in namespace.simulator.entries() if entry["name"] in names] == []
    assert _orphaned(world, namespace) == []


# --- What can't be deleted -------------------------------------------------------------------------------------------


class Obstacle(NamedTuple):
    """What stands in the way: what the message says of it, and what is named as left behind (else the entry)."""

    says: str
    left: str = ""


OBSTACLES = {
    "error-500": Obstacle("answered 500 SCM.4001"),
    "denied-403": Obstacle("answered 403 SCM.0002"),
    "account-gone": Obstacle("with which it was made, is gone"),
    "not-to-be-listed": Obstacle("scm::listCsr", "whatever the POST of"),
}


class Stuck(NamedTuple):
    """A namespace in which each obstacle stood in the way of a resource, and what each one's message was."""

    namespace: Namespace
    ids: dict[str, str]
    messages: dict[str, str]


@pytest.fixture(scope="module")
def stuck(world: World) -> Stuck:
    """Delete a resource for each obstacle at the same time, and wait until all of them are let go."""
    namespace = world.namespace("stuck")
    ids = {name: _make_stuck(namespace, name) for name in OBSTACLES}
    failing = {"match": {"path": f"*/{ids['error-500']}"}, "do": {"status": {"code": 500, "errorCode": "SCM.4001"}}}
    unlisted = {"match": {"operation": "ListCsr"}, "do": {"status": {"code": 403, "errorCode": "SCM.0002"}}}
    world.simulator.faults(failing, *_blocked(ids["denied-403"]), unlisted)
    namespace.kubectl("delete", "cru", "--all", "--wait=false")
    messages = {name: namespace.reason(name, "DeleteBlocked")["message"] for name in OBSTACLES}
    namespace.kubectl("wait", "--for=delete", "cru", "--all", "--timeout=30s")
    world.simulator.faults()
    return Stuck(namespace, ids, messages)


def _make_stuck(namespace: Namespace, name: str) -> str:
    """Create the resource that an obstacle is for, and its account; return the id of its entry."""
    csr_name, url = f"{namespace.name}-{name}", namespace.simulator.url
    namespace.secret("scm-iam", {"password": simulators.PASSWORD.encode()})
    put(namespace, secret("content", {"tls.csr": _A}), account(name, password_spec(url)))
    if name == "not-to-be-listed":
        lost = {"match": {"operation": "UploadCsr", "name": csr_name}, "do": {"reset": "after-store"}}
        namespace.simulator.faults(lost)
        put(namespace, upload(name, csr="content", account=name, name=csr_name, deletionPolicy="Delete"))
        namespace.reason(name, "ServerError")
        return str(namespace.simulator.entries(name=csr_name)[0]["id"])
    policy = "Retain" if name == "account-gone" else "Delete"
    put(namespace, upload(name, csr="content", account=name, name=csr_name, deletionPolicy=policy))
    scm_id: str = namespace.ready(name)["scmID"]
    if name == "account-gone":  # with policy Delete its credential would be kept for this
        namespace.kubectl("delete", "scmaccount", name)
        until(lambda: namespace.look_again(name), what="its account to be gone")
        put(namespace, upload(name, csr="content", account=name, name=csr_name, deletionPolicy="Delete"))
        until(lambda: namespace.get(name)["metadata"].get("finalizers"), what="the finalizer to be added")
    return scm_id


@pytest.mark.parametrize("name", OBSTACLES)
def test_what_blocks_a_deletion_is_said(stuck: Stuck, name: str) -> None:
    """DeleteBlocked says why an entry can't be deleted."""
    assert OBSTACLES[name].says in stuck.messages[name]


@pytest.mark.parametrize("name", OBSTACLES)
def test_what_is_left_behind_is_told(world: World, stuck: Stuck, name: str) -> None:
    """After its deadline the resource is let go: an Event by the operator and a warning name what is left."""
    left = OBSTACLES[name].left or stuck.ids[name]
    about = f"{stuck.namespace.name}/{name}"

    def look() -> list[Object]:
        return [event for event in _orphaned(world, stuck.namespace) if event["message"].startswith(f"{about}:")]

    (event,) = until(look, what=f"an Event Orphaned about {about}")
    (line,) = [line for line in world.operator.events("Orphaned") if line["upload"] == about]
    assert (event["type"], line["level"]) == ("Warning", "WARNING")
    for told in (event["message"], line["message"]):
        assert left in told
        assert f"'{stuck.namespace.name}-{name}'" in told
    assert [entry["id"] for entry in world.simulator.entries(name=f"{stuck.namespace.name}-{name}")] == [
        stuck.ids[name]
    ]
