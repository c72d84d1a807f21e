"""adoptionPolicy IfIdentical: an entry that SCM has already is taken over, if it is certain which."""

import time
from collections.abc import Iterator

import pytest

from tests.support import pem
from tests.support.world import Namespace, Object, World, add_by_hand, condition

_DAY = 86_400
_CSR = pem.csr(pem.ec_key())


@pytest.fixture(autouse=True)
def _no_faults_left(world: World) -> Iterator[None]:
    yield
    world.simulator.faults()


@pytest.fixture
def name(namespace: Namespace) -> str:
    """The name of a resource and of its entries that no other test uses: its namespace's; its content is there."""
    namespace.secret("content", {"tls.csr": _CSR})
    return namespace.name


def _foreign(namespace: Namespace, csr: bytes = _CSR, *, name: str | None = None) -> str:
    """Put an entry into SCM that somebody made yesterday; return its id."""
    yesterday = int((time.time() - _DAY) * 1000)
    return add_by_hand(namespace.simulator, name or namespace.name, csr, createTime=yesterday)


def _adopting(namespace: Namespace, resource: str | None = None) -> Object:
    """Create a resource that may adopt, of the namespace's entry name; return its status once it is Ready."""
    resource = resource or namespace.name
    namespace.upload(resource, csr="content", name=namespace.name, adoptionPolicy="IfIdentical")
    return namespace.ready(resource)


def _sent(namespace: Namespace) -> int:
    return len(namespace.simulator.requests(name=namespace.name))


def test_an_identical_entry_is_taken_over(namespace: Namespace, name: str) -> None:
    """An older entry of the same name and CSR is adopted without a POST, and the message says what can't be seen."""
    foreign = _foreign(namespace)

    status = _adopting(namespace)

    (entry,) = namespace.simulator.entries(name=name)
    assert (status["scmID"], status["origin"], entry["id"]) == (foreign, "Adopted", foreign)
    assert "attemptID" not in status
    assert "whether it has a private key can't be seen" in condition({"status": status}, "Ready")["message"]
    assert _sent(namespace) == 0
    (event,) = namespace.events(name, reason="Uploaded")
    assert f"Adopted entry {foreign}" in event["message"]


def test_a_resource_made_anew_takes_its_entry_over(namespace: Namespace, name: str) -> None:
    """Deleted (Retain) and created again, a resource that may adopt finds the entry that it left."""
    left = _adopting(namespace)["scmID"]
    namespace.kubectl("delete", "cru", name)

    status = _adopting(namespace)

    assert (status["scmID"], status["origin"]) == (left, "Adopted")
    assert _sent(namespace) == 1


@pytest.mark.parametrize("what", ["csr", "name"])
def test_an_entry_that_differs_is_left_alone(namespace: Namespace, name: str, what: str) -> None:
    """Another CSR of that name, or that CSR under a name that only begins alike, is not adopted."""
    if what == "csr":
        foreign = _foreign(namespace, pem.csr(pem.ec_key()))
    else:
        foreign = _foreign(namespace, name=f"{name}-and-more")

    status = _adopting(namespace)

    assert (status["origin"], status["scmID"] == foreign, _sent(namespace)) == ("Uploaded", False, 1)
    assert foreign in {entry["id"] for entry in namespace.simulator.entries()}


def test_an_entry_of_another_resource_is_left_to_it(namespace: Namespace, name: str) -> None:
    """What another resource has in its status is not adopted: each has an entry of its own."""
    namespace.upload(name, csr="content")
    first = namespace.ready(name)["scmID"]

    second = _adopting(namespace, "second")

    assert (second["origin"], second["scmID"] == first) == ("Uploaded", False)
    assert _sent(namespace) == 2


def test_one_entry_is_adopted_once(namespace: Namespace, name: str) -> None:
    """Of two resources that may both adopt the one entry, one does, and the other uploads."""
    foreign = _foreign(namespace)
    names = [f"{name[:50]}-{number}" for number in range(2)]
    namespace.uploads(names, csrSecretRef={"name": "content"}, name=name, adoptionPolicy="IfIdentical")

    found = [namespace.ready(each) for each in names]

    assert sorted(status["origin"] for status in found) == ["Adopted", "Uploaded"]
    ids = {entry["id"] for entry in namespace.simulator.entries(name=name)}
    assert {status["scmID"] for status in found} == ids >= {foreign}


@pytest.mark.usefixtures("name")
def test_without_an_entry_it_is_uploaded(namespace: Namespace) -> None:
    """Where there is nothing to adopt, the CSR is uploaded as always."""
    status = _adopting(namespace)

    assert (status["origin"], _sent(namespace)) == ("Uploaded", 1)


def test_without_the_policy_nothing_is_looked_for(namespace: Namespace, name: str) -> None:
    """With adoptionPolicy Never, the default, it uploads beside an identical entry, and asks for no list."""
    foreign = _foreign(namespace)
    listed = len(namespace.simulator.requests(operation="ListCsr"))
    namespace.upload(name, csr="content")

    status = namespace.ready(name)

    assert (status["origin"], status["scmID"] == foreign) == ("Uploaded", False)
    assert len(namespace.simulator.requests(operation="ListCsr")) == listed


def test_without_permission_to_list_nothing_is_sent(namespace: Namespace, name: str) -> None:
    """A user who may not list: AdoptionUnknown, Stalled, nothing sent; once permitted, a request adopts."""
    foreign = _foreign(namespace)
    denied = {"status": {"code": 403, "errorCode": "SCM.0002"}}
    namespace.simulator.faults({"match": {"operation": "ListCsr"}, "do": denied})
    namespace.upload(name, csr="content", adoptionPolicy="IfIdentical")
    unknown = namespace.reason(name, "AdoptionUnknown")
    asked = namespace.look_again(name)
    sent = _sent(namespace)
    namespace.simulator.faults()

    namespace.look_again(name)

    assert (namespace.ready(name)["scmID"], _sent(namespace)) == (foreign, 0)
    assert (unknown["status"], sent) == ("False", 0)
    assert "Allow the account's user to list CSRs" in unknown["message"]
    assert condition({"status": asked}, "Stalled")["status"] == "True"
    assert condition(namespace.get(name), "Stalled") == {}


def test_another_policy_ends_the_doubt(namespace: Namespace, name: str) -> None:
    """AdoptionUnknown ends as well when the spec says Never: then it is uploaded."""
    denied = {"status": {"code": 403, "errorCode": "SCM.0002"}}
    namespace.simulator.faults({"match": {"operation": "ListCsr"}, "do": denied})
    namespace.upload(name, csr="content", adoptionPolicy="IfIdentical")
    namespace.reason(name, "AdoptionUnknown")

    namespace.upload(name, csr="content", adoptionPolicy="Never")

    assert (namespace.ready(name)["origin"], _sent(namespace)) == ("Uploaded", 1)


def test_a_look_that_fails_is_tried_again(namespace: Namespace, name: str) -> None:
    """A list that fails for the moment is asked for again, and nothing is sent before it has answered."""
    foreign = _foreign(namespace)
    fault = {"match": {"operation": "ListCsr", "times": 2}, "do": {"status": {"code": 503, "form": "html"}}}
    namespace.simulator.faults(fault)

    status = _adopting(namespace)

    assert (status["scmID"], _sent(namespace)) == (foreign, 0)
    (event,) = namespace.events(name, reason="ServerError")
    assert event["type"] == "Warning"
