"""What happened to entries in SCM behind the operator's back: found by the resync, or when somebody asks."""

import json
from collections.abc import Iterator

import pytest

from tests.support import pem
from tests.support import world as worlds
from tests.support.accounts import event_reasons
from tests.support.waiting import until
from tests.support.world import REQUESTED_AT, Namespace, Object, World, condition, delete_by_hand, rename_by_hand

_CSR = pem.csr(pem.ec_key())


@pytest.fixture(scope="module")
def own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose operator looks at each entry every second."""
    with worlds.running(tmp_path_factory.mktemp("resync"), flags={"--resync-interval": "1"}) as world:
        yield world


@pytest.fixture
def place(own_world: World, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace in that world, with an account and a CSR."""
    own_world.operator.check()
    namespace = own_world.namespace_for(request.node.name)
    namespace.account()
    namespace.secret("content", {"tls.csr": _CSR})
    yield namespace
    own_world.simulator.faults()
    namespace.kubectl("delete", "scmaccounts", "--all")


def _uploaded(namespace: Namespace, name: str = "one") -> str:
    """Create a resource whose entry has a name that no other test uses; return the entry's id."""
    namespace.upload(name, csr="content", name=_csr_name(namespace, name))
    scm_id: str = namespace.ready(name)["scmID"]
    return scm_id


def _many(namespace: Namespace, count: int) -> dict[str, str]:
    """Create so many resources, named like their entries; return the entries' ids by their names."""
    names = [f"{namespace.name[:55]}-{number}" for number in range(count)]
    namespace.uploads(names, csrSecretRef={"name": "content"})
    until(lambda: namespace.count_ready() == count, what="all to be Ready")
    items: list[Object] = json.loads(namespace.kubectl("get", "cru", "-o", "json"))["items"]
    return {item["metadata"]["name"]: item["status"]["scmID"] for item in items}


def _csr_name(namespace: Namespace, name: str = "one") -> str:
    return f"{namespace.name}-{name}"


def _sent(namespace: Namespace, name: str = "one") -> int:
    return len(namespace.simulator.requests(name=_csr_name(namespace, name)))


def _looks(namespace: Namespace, scm_id: str) -> int:
    """Return how often an entry was looked at."""
    requests = namespace.simulator.requests(operation="ShowCsr")
    return sum(request["path"].endswith(scm_id) for request in requests)


def _until_looked_at(namespace: Namespace, scm_id: str) -> None:
    """Wait until an entry has been looked at twice from now on: what the first look showed is then reported."""
    before = _looks(namespace, scm_id)
    until(lambda: _looks(namespace, scm_id) >= before + 2, what="two more looks at the entry")


def _degraded(namespace: Namespace) -> Object:
    return condition(namespace.get("default", kind="scmaccount"), "Degraded")


def _until_degraded(namespace: Namespace, reason: str) -> Object:
    """Wait until the account has the condition Degraded with that reason, or, with none, hasn't it."""
    until(lambda: _degraded(namespace).get("reason", "") == reason, what=f"the account's Degraded to be '{reason}'")
    return _degraded(namespace)


def test_a_deleted_entry_is_uploaded_again(place: Namespace) -> None:
    """The resync finds that an entry is gone, says EntryMissing, and a new entry is made."""
    gone = _uploaded(place)
    delete_by_hand(place.simulator, gone)

    status = place.new_entry("one", after=gone)

    (event,) = place.events("one", reason="EntryMissing")
    assert f"{gone} ('{_csr_name(place)}') is not in SCM any more" in event["message"]
    assert event["type"] == "Warning"
    assert (place.ready("one")["origin"], _sent(place), status.get("history")) == ("Uploaded", 2, None)
    assert [entry["id"] for entry in place.simulator.entries(name=_csr_name(place))] == [status["scmID"]]
    assert _degraded(place) == {}


def test_a_renamed_entry_is_left_alone(place: Namespace) -> None:
    """An entry that somebody has renamed stays so: Ready stays, its message tells, and no PUT is sent."""
    entry = _uploaded(place)
    rename_by_hand(place.simulator, entry, "by-hand")
    asked = len(place.simulator.requests(operation="UpdateCsr"))

    def look() -> Object | None:
        ready = condition(place.get("one"), "Ready")
        return ready if "by-hand" in ready["message"] else None

    ready = until(look, what="the message to tell of the new name")

    _until_looked_at(place, entry)
    assert (ready["status"], ready["reason"]) == ("True", "Uploaded")
    assert "Somebody has renamed it there to 'by-hand'; it stays so." in ready["message"]
    assert len(place.simulator.requests(operation="UpdateCsr")) == asked
    assert place.status("one")["scmName"] == _csr_name(place)


@pytest.mark.parametrize("answer", ["403", "500"])
def test_a_look_that_fails_changes_nothing_but_the_account(place: Namespace, answer: str) -> None:
    """Where SCM can't be looked at, Ready stays as it is and the account says ResyncFailed, until it works again."""
    entry = _uploaded(place)
    before = place.status("one")
    status = {"code": int(answer), "errorCode": "SCM.0002" if answer == "403" else "SCM.4001"}
    place.simulator.faults({"match": {"path": f"*/{entry}"}, "do": {"status": status}})

    degraded = _until_degraded(place, "ResyncFailed")

    account = place.get("default", kind="scmaccount")
    place.simulator.faults()
    _until_degraded(place, "")
    assert degraded["status"] == "True"
    assert f"answered {answer}" in degraded["message"]
    assert condition(account, "Ready")["status"] == "True"
    assert (place.status("one"), _sent(place)) == (before, 1)
    assert event_reasons(place, "one", kind="CertificateRequestUpload") == ["Uploaded"]


def test_many_that_are_gone_are_not_uploaded_again_unasked(place: Namespace) -> None:
    """Eight of ten are gone at once: the account says so and nothing is sent, until a person asks for it."""
    ids = _many(place, 10)
    gone, left = list(ids)[:8], list(ids)[8:]
    for name in gone:
        delete_by_hand(place.simulator, ids[name])

    degraded = _until_degraded(place, "ManyEntriesMissing")

    _until_looked_at(place, ids[left[0]])
    sent = [len(place.simulator.requests(name=name)) for name in ids]
    still_ready = place.count_ready()
    place.kubectl("annotate", "scmaccount", "default", f"{REQUESTED_AT}=now")
    after = {place.new_entry(name, after=ids[name])["scmID"] for name in gone}
    _until_degraded(place, "")
    until(lambda: place.count_ready() == len(ids), what="all to be Ready")
    assert (sent, still_ready) == ([1] * 10, 10)
    assert "entries that were looked at are not in SCM any more" in degraded["message"]
    assert f"set its annotation {REQUESTED_AT} to a new value" in degraded["message"]
    (event,) = place.events("default", reason="ManyEntriesMissing")
    assert event["type"] == "Warning"
    assert [len(place.simulator.requests(name=name)) for name in ids] == [2] * 8 + [1] * 2
    in_scm = {entry["id"] for entry in place.simulator.entries() if entry["name"] in ids}
    assert in_scm == after | {ids[name] for name in left}


def test_other_content_of_a_missing_one_is_uploaded(place: Namespace) -> None:
    """While many are missing, a resource whose content changes is uploaded all the same: that isn't a repetition."""
    ids = _many(place, 7)
    for scm_id in ids.values():
        delete_by_hand(place.simulator, scm_id)
    degraded = _until_degraded(place, "ManyEntriesMissing")
    changed = next(iter(ids))
    place.secret("other", {"tls.csr": pem.csr(pem.ec_key())})

    place.upload(changed, csr="other")

    place.new_entry(changed, after=ids[changed])
    assert "are not in SCM any more" in degraded["message"]
    assert [len(place.simulator.requests(name=name)) for name in ids] == [2] + [1] * 6


# --- Without a resync: the shared world's is far away ----------------------------------------------------------------


def test_a_request_looks_at_the_entry(namespace: Namespace) -> None:
    """The annotation reconcile-requested-at on an upload has its entry looked at, once, and nothing is sent."""
    namespace.secret("content", {"tls.csr": _CSR})
    entry = _uploaded(namespace)
    before = _looks(namespace, entry)

    status = namespace.look_again("one")

    assert (before, _looks(namespace, entry)) == (0, 1)
    assert (status["scmID"], _sent(namespace)) == (entry, 1)


def test_a_request_finds_that_an_entry_is_gone(namespace: Namespace) -> None:
    """Asked for, an entry that was deleted by hand is uploaded again at once."""
    namespace.secret("content", {"tls.csr": _CSR})
    gone = _uploaded(namespace)
    delete_by_hand(namespace.simulator, gone)
    namespace.look_again("one")

    status = namespace.new_entry("one", after=gone)

    assert condition({"status": status}, "Ready")["reason"] in {"Uploaded", "EntryMissing"}
    assert namespace.ready("one")["scmID"] == status["scmID"]
    assert _sent(namespace) == 2
