"""From kubectl apply to Ready, and what happens when things change afterwards."""

import hashlib
import pathlib
from collections.abc import Iterator

import pytest

from tests.support import pem
from tests.support import world as worlds
from tests.support.waiting import until
from tests.support.world import Namespace, World, api_requests, condition


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_csr_alone_is_uploaded(namespace: Namespace) -> None:
    """A CSR without a key becomes Ready with the id and create time that SCM gave it."""
    csr = pem.csr(pem.ec_key(), dns_names=("a.example.com", "b.example.com"))
    namespace.secret("alone", {"tls.csr": csr})
    namespace.upload("alone")

    status = namespace.ready("alone")

    (entry,) = namespace.simulator.entries(name="alone")
    assert (status["scmID"], status["scmName"], status["origin"]) == (entry["id"], "alone", "Uploaded")
    assert (entry["csr"].encode(), entry["hasPrivateKey"]) == (csr, False)
    assert status["csr"] == {"commonName": "shop.example.com", "dnsNameCount": 2, "keyAlgorithm": "EC_P256"}
    assert status["observedGeneration"] == 1


@pytest.mark.parametrize("type_", ["Opaque", "kubernetes.io/tls"])
def test_csr_and_key_in_one_secret(namespace: Namespace, type_: str) -> None:
    """CSR and key of one Secret, of whatever type, go along in one POST."""
    key = pem.ec_key()
    name = f"one-{type_[:6].lower()}"
    data = {"tls.csr": pem.csr(key), "tls.key": pem.private_key(key), "tls.crt": b""}
    namespace.secret(name, data, type=type_)
    namespace.upload(name, key=name)

    namespace.ready(name)

    (entry,) = namespace.simulator.entries(name=name)
    assert entry["privateKeySha256"] == _sha256(data["tls.key"])
    assert len(namespace.simulator.requests(name=name)) == 1


def test_csr_and_key_in_two_secrets(namespace: Namespace) -> None:
    """CSR and key may come from two Secrets, under keys of any name."""
    key = pem.ec_key()
    namespace.secret("two-csr", {"request": pem.csr(key)})
    namespace.secret("two-key", {"private": pem.private_key(key)})
    namespace.upload(
        "two",
        csrSecretRef={"name": "two-csr", "key": "request"},
        privateKeySecretRef={"name": "two-key", "key": "private"},
    )

    status = namespace.ready("two")

    assert [secret["name"] for secret in status["observedSecrets"]] == ["two-csr", "two-key"]
    assert namespace.simulator.entries(name="two")[0]["hasPrivateKey"]


def test_an_rsa_4096_key_is_uploaded(namespace: Namespace) -> None:
    """A key far longer than the 63 characters of the contract's table is uploaded: no PEM key would fit them."""
    key = pem.rsa_key(4096)
    namespace.secret("rsa", {"tls.csr": pem.csr(key), "tls.key": pem.private_key(key)})
    namespace.upload("rsa", key="rsa")

    assert namespace.ready("rsa")["csr"]["keyAlgorithm"] == "RSA_4096"


def test_an_upload_waits_for_its_secret(namespace: Namespace) -> None:
    """A Secret that appears later is uploaded when it appears; until then the upload says what it waits for."""
    namespace.upload("later")
    waiting = namespace.reason("later", "WaitingForSecret")
    namespace.secret("later", {"tls.csr": pem.csr(pem.ec_key())})

    namespace.ready("later")

    assert "'later'" in waiting["message"]
    assert condition(namespace.get("later"), "Reconciling") == {}


def test_an_upload_waits_for_a_key_of_its_secret(namespace: Namespace) -> None:
    """A Secret that lacks the key is SecretKeyMissing until it has it."""
    namespace.secret("keyless", {"other": b"x"})
    namespace.upload("keyless")
    namespace.reason("keyless", "SecretKeyMissing")
    namespace.secret("keyless", {"tls.csr": pem.csr(pem.ec_key())})

    namespace.ready("keyless")


def test_changed_content_is_a_new_upload(namespace: Namespace) -> None:
    """A Secret with a new CSR is uploaded as a new entry, and the status moves to it."""
    namespace.secret("changed", {"tls.csr": pem.csr(pem.ec_key())})
    namespace.upload("changed")
    old = namespace.ready("changed")["scmID"]
    namespace.secret("changed", {"tls.csr": pem.csr(pem.ec_key())})

    status = namespace.new_entry("changed", after=old)

    first, second = namespace.simulator.entries(name="changed")
    assert (first["id"], second["id"]) == (old, status["scmID"])
    messages = [event["message"] for event in namespace.events("changed", reason="Uploaded", count=2)]
    assert any(f"It replaces {old}, which stays in SCM." in message for message in messages)


def test_the_same_content_in_another_form_is_no_new_upload(namespace: Namespace) -> None:
    """A Secret that was re-written with the same CSR is looked at, and nothing is sent."""
    csr = pem.csr(pem.ec_key())
    namespace.secret("same", {"tls.csr": csr})
    namespace.upload("same")
    scm_id = namespace.ready("same")["scmID"]
    namespace.secret("same", {"tls.csr": csr.replace(b"\n", b"\r\n"), "comment": b"x"})

    status = namespace.look_again("same")

    assert status["scmID"] == scm_id
    assert len(namespace.simulator.requests(name="same")) == 1


def test_a_deleted_secret_takes_nothing_back(namespace: Namespace) -> None:
    """An uploaded resource stays Ready when its Secret is deleted."""
    namespace.secret("gone", {"tls.csr": pem.csr(pem.ec_key())})
    namespace.upload("gone")
    namespace.ready("gone")
    namespace.kubectl("delete", "secret", "gone")

    assert condition({"status": namespace.look_again("gone")}, "Ready")["status"] == "True"


def test_a_new_name_renames_the_entry(namespace: Namespace) -> None:
    """When only spec.name changes, the entry is renamed in SCM and nothing is uploaded again."""
    namespace.secret("renamed", {"tls.csr": pem.csr(pem.ec_key())})
    namespace.upload("renamed", name="name-before")
    before = namespace.ready("renamed")["scmID"]
    namespace.upload("renamed", name="name-after")

    namespace.kubectl("wait", "--for=jsonpath={.status.scmName}=name-after", "cru/renamed", "--timeout=20s")

    (entry,) = namespace.simulator.entries(name="name-after")
    assert (entry["id"], namespace.simulator.entries(name="name-before")) == (before, [])


def test_suspend_stops_and_resume_starts(namespace: Namespace) -> None:
    """A suspended upload says so and is not sent; resumed, it is."""
    namespace.secret("paused", {"tls.csr": pem.csr(pem.ec_key())})
    namespace.upload("paused", suspend=True)
    namespace.reason("paused", "Suspended")
    sent_while_suspended = namespace.simulator.requests(name="paused")
    namespace.upload("paused", suspend=False)

    namespace.ready("paused")

    assert sent_while_suspended == []


def test_an_uploaded_resource_stays_ready_when_suspended(namespace: Namespace) -> None:
    """Suspending what was uploaded leaves it Ready, and a changed Secret is not sent meanwhile."""
    namespace.secret("kept", {"tls.csr": pem.csr(pem.ec_key())})
    namespace.upload("kept")
    namespace.ready("kept")
    namespace.upload("kept", suspend=True)
    namespace.secret("kept", {"tls.csr": pem.csr(pem.ec_key())})

    status = namespace.look_again("kept")

    assert condition({"status": status}, "Ready")["reason"] == "Uploaded"
    assert len(namespace.simulator.requests(name="kept")) == 1


def test_a_reconcile_request_is_echoed(namespace: Namespace) -> None:
    """The annotation reconcile-requested-at makes the operator look again, and its value comes back in the status."""
    namespace.secret("asked", {"tls.csr": pem.csr(pem.ec_key())})
    namespace.upload("asked")
    namespace.ready("asked")

    assert namespace.look_again("asked")["lastHandledReconcileAt"].startswith("request-")
    assert len(namespace.simulator.requests(name="asked")) == 1


def test_two_hundred_uploads_at_once(namespace: Namespace) -> None:
    """Two hundred uploads applied together become Ready, each by one POST."""
    csr = pem.csr(pem.ec_key())
    namespace.secret("burst", {"tls.csr": csr})
    names = [f"burst-{n}" for n in range(200)]
    namespace.uploads(names, csrSecretRef={"name": "burst"})

    until(lambda: namespace.count_ready() == len(names), what="200 uploads to be Ready")  # kubectl wait: 20 s for these

    sent = [
        request["body"]["name"] for request in namespace.simulator.requests() if "burst-" in request["body"]["name"]
    ]
    assert sorted(sent) == sorted(names)


@pytest.fixture
def quiet_world(tmp_path: pathlib.Path) -> Iterator[World]:
    """A world in which nobody else is at work: the API server counts for all."""
    with worlds.running(tmp_path) as world:
        yield world


def test_an_upload_costs_one_read_one_post_and_one_write(quiet_world: World) -> None:
    """CSR and key of one Secret: 1 Secret GET, 1 POST to SCM, 1 status PATCH, 1 Event."""
    world, key = quiet_world, pem.ec_key()
    namespace = world.namespace("cost")
    namespace.account()
    namespace.secret("first", {"tls.csr": pem.csr(key), "tls.key": pem.private_key(key)})
    namespace.upload("first", key="first")
    namespace.ready("first")  # the account is connected and logged in
    namespace.events("first", reason="Uploaded")
    before = api_requests(world.plane)
    namespace.upload("cheap", csr="first", key="first")

    namespace.ready("cheap")

    namespace.events("cheap", reason="Uploaded")
    cost = api_requests(world.plane) - before
    assert cost["GET", "secrets"] == 1
    assert cost["PATCH", "certificaterequestuploads/status"] == 1
    assert cost["POST", "events"] == 1
    assert len(namespace.simulator.requests(name="cheap")) == 1
