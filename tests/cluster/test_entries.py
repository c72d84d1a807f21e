"""The entries that a resource has had: newer content replaces one, and older content takes it back."""

import datetime
from collections.abc import Iterator

import pytest

from tests.support import pem
from tests.support.accounts import account, make_user, put, secret
from tests.support.world import Namespace, Object, World, condition, delete_by_hand

_A, _B = pem.csr(pem.ec_key()), pem.csr(pem.ec_key())


@pytest.fixture(autouse=True)
def _no_faults_left(world: World) -> Iterator[None]:
    yield
    world.simulator.faults()


@pytest.fixture
def name(namespace: Namespace) -> str:
    """The name of a resource and of its entries that no other test uses: its namespace's."""
    return namespace.name


def _uploaded(namespace: Namespace, csr: bytes) -> str:
    """Create the resource with that content; return its entry's id."""
    namespace.secret("content", {"tls.csr": csr})
    namespace.upload(namespace.name, csr="content")
    scm_id: str = namespace.ready(namespace.name)["scmID"]
    return scm_id


def _changed(namespace: Namespace, csr: bytes, *, after: str) -> str:
    """Change the content to one that has no entry yet; return its entry's id."""
    namespace.secret("content", {"tls.csr": csr})
    scm_id: str = namespace.new_entry(namespace.name, after=after)["scmID"]
    return scm_id


def _until_current(namespace: Namespace, scm_id: str) -> Object:
    """Wait until an entry is the current one; return the status."""
    namespace.kubectl("wait", f"--for=jsonpath={{.status.scmID}}={scm_id}", f"cru/{namespace.name}", "--timeout=20s")
    return namespace.status(namespace.name)


def _history(status: Object) -> list[str]:
    return [entry["scmID"] for entry in status.get("history", [])]


def test_newer_content_leaves_the_older_entry_in_the_history(namespace: Namespace, name: str) -> None:
    """A, then B: the status moves to B, and A stands in the history with when it was replaced, and stays in SCM."""
    first = _uploaded(namespace, _A)
    before = namespace.status(name)
    second = _changed(namespace, _B, after=first)

    status = namespace.status(name)

    (replaced,) = status["history"]
    kept = ("scmID", "scmName", "createTime", "contentHash", "attemptID", "origin", "account", "tenant")
    assert {field: replaced[field] for field in kept} == {field: before[field] for field in kept}
    assert datetime.datetime.fromisoformat(replaced["replacedTime"]).tzinfo is not None
    assert not replaced["deleting"]
    assert [entry["id"] for entry in namespace.simulator.entries(name=name)] == [first, second]


def test_going_back_takes_the_entry_back(namespace: Namespace, name: str) -> None:
    """A, B, then A again: A's own entry is the current one again, without a POST, and B is in the history."""
    first = _uploaded(namespace, _A)
    before = namespace.status(name)
    second = _changed(namespace, _B, after=first)
    namespace.secret("content", {"tls.csr": _A})

    status = _until_current(namespace, first)

    assert _history(status) == [second]
    same = ("createTime", "contentHash", "attemptID", "origin", "csr")
    assert {field: status[field] for field in same} == {field: before[field] for field in same}
    assert condition({"status": status}, "Ready")["status"] == "True"
    assert len(namespace.simulator.requests(name=name)) == 2


def test_going_back_to_an_entry_that_is_gone_uploads_it_anew(namespace: Namespace, name: str) -> None:
    """A, B, A's entry deleted in SCM by hand, then A again: a new entry, and the gone one is in no status any more."""
    first = _uploaded(namespace, _A)
    second = _changed(namespace, _B, after=first)
    delete_by_hand(namespace.simulator, first)

    third = _changed(namespace, _A, after=second)

    assert third != first
    assert _history(namespace.status(name)) == [second]
    assert [entry["id"] for entry in namespace.simulator.entries(name=name)] == [second, third]


def test_going_back_without_permission_to_look(namespace: Namespace, name: str) -> None:
    """A user who may upload and nothing else: A's entry is taken back all the same, and the message says unverified."""
    first = _uploaded(namespace, _A)
    _changed(namespace, _B, after=first)
    denied = {"status": {"code": 403, "errorCode": "SCM.0002"}}
    namespace.simulator.faults({"match": {"operation": "ShowCsr", "path": f"*/{first}"}, "do": denied})
    namespace.secret("content", {"tls.csr": _A})

    ready = condition({"status": _until_current(namespace, first)}, "Ready")

    assert (ready["status"], ready["reason"]) == ("True", "Uploaded")
    assert "not verified" in ready["message"]
    assert len(namespace.simulator.requests(name=name)) == 2


def test_going_back_waits_while_it_cannot_be_looked_at(namespace: Namespace, name: str) -> None:
    """A look that fails for the moment is tried again, and nothing is sent: A's entry is taken back when it works."""
    first = _uploaded(namespace, _A)
    second = _changed(namespace, _B, after=first)
    fault = {"match": {"operation": "ShowCsr", "path": f"*/{first}"}, "do": {"status": {"code": 503, "form": "html"}}}
    namespace.simulator.faults(fault)
    namespace.secret("content", {"tls.csr": _A})
    namespace.reason(name, "ServerError")
    meanwhile = namespace.status(name)["scmID"]
    namespace.simulator.faults()

    _until_current(namespace, first)

    assert meanwhile == second
    assert len(namespace.simulator.requests(name=name)) == 2


def test_a_key_added_later_is_a_new_entry(namespace: Namespace, name: str) -> None:
    """The same CSR, now with its key, is other content: a second entry; without the key again, the first one."""
    key = pem.ec_key()
    namespace.secret("content", {"tls.csr": pem.csr(key), "tls.key": pem.private_key(key)})
    namespace.upload(name, csr="content")
    first = namespace.ready(name)
    namespace.upload(name, csr="content", key="content")
    second = namespace.new_entry(name, after=first["scmID"])

    namespace.kubectl("patch", "cru", name, "--type=merge", "-p", '{"spec":{"privateKeySecretRef":null}}')

    assert _history(_until_current(namespace, first["scmID"])) == [second["scmID"]]
    assert second["contentHash"] == f"{first['contentHash']}+key"
    assert [entry["hasPrivateKey"] for entry in namespace.simulator.entries(name=name)] == [False, True]


def test_another_tenant_is_another_upload(namespace: Namespace, name: str) -> None:
    """An accountRef to another tenant uploads there and keeps the old entry; back again, it is taken back."""
    user = make_user(namespace.simulator, name)
    put(namespace, secret("iam", {"password": user.password}), account("other", user.spec()))
    first = _uploaded(namespace, _A)
    namespace.upload(name, csr="content", accountRef={"name": "other"})
    moved = namespace.new_entry(name, after=first)

    namespace.upload(name, csr="content", accountRef={"name": "default"})

    back = _until_current(namespace, first)
    assert (moved["account"]["name"], moved["tenant"]["domain"]) == ("other", user.domain)
    assert [(old["scmID"], old["tenant"]["domain"]) for old in moved["history"]] == [(first, "acme")]
    assert (back["account"]["name"], _history(back)) == ("default", [moved["scmID"]])
    assert [entry["domain"] for entry in namespace.simulator.entries(name=name)] == ["acme", user.domain]
    assert len(namespace.simulator.requests(name=name)) == 2


def test_the_history_has_at_most_ten_entries(namespace: Namespace, name: str) -> None:
    """Of eleven replaced entries the newest ten are kept, newest first; the oldest is only forgotten, not deleted."""
    key = pem.ec_key()
    ids = [_uploaded(namespace, pem.csr(key, name="0.example.com"))]
    for number in range(1, 12):
        ids.append(_changed(namespace, pem.csr(key, name=f"{number}.example.com"), after=ids[-1]))

    assert _history(namespace.status(name)) == ids[-2::-1][:10]
    assert [entry["id"] for entry in namespace.simulator.entries(name=name)] == ids


def test_an_entry_in_the_history_is_taken_by_nobody_else(namespace: Namespace, name: str) -> None:
    """What stands in a resource's history is its own: another of the same name and CSR that may adopt has a new one."""
    first = _uploaded(namespace, _A)
    _changed(namespace, _B, after=first)
    namespace.secret("same", {"tls.csr": _A})
    namespace.upload("twin", csr="same", name=name, adoptionPolicy="IfIdentical")

    status = namespace.ready("twin")

    assert (status["origin"], status["scmID"] == first) == ("Uploaded", False)
