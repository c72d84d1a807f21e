"""Starting, stopping and starting again: what is done stays done, and nothing in flight is cut in half."""

import collections
import pathlib
import signal
from collections.abc import Iterator

import pytest

from dev.control_plane import ControlPlane
from tests.support import pem
from tests.support import world as worlds
from tests.support.operator import Operator
from tests.support.waiting import until
from tests.support.world import Namespace, World, api_requests, condition


@pytest.fixture(scope="module")
def own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose operator these tests stop and start."""
    with worlds.running(tmp_path_factory.mktemp("lifecycle")) as world:
        yield world


@pytest.fixture
def place(own_world: World, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace with an account; the operator runs before and after."""
    namespace = own_world.namespace_for(request.node.name)
    namespace.account()
    yield namespace
    own_world.simulator.faults()
    own_world.simulator.release()
    if not own_world.operator.running:
        own_world.operator.start()


def _upload(namespace: Namespace, name: str) -> str:
    namespace.secret(name, {"tls.csr": pem.csr(pem.ec_key())})
    namespace.upload(name)
    scm_id: str = namespace.ready(name)["scmID"]
    return scm_id


def test_a_restart_costs_nothing(own_world: World, place: Namespace) -> None:
    """A restart with finished uploads writes nothing, reads none of their Secrets and calls SCM for none."""
    key = pem.ec_key()
    place.secret("done", {"tls.csr": pem.csr(key), "tls.key": pem.private_key(key)})
    names = [f"done-{n}" for n in range(20)]
    place.uploads(names, csrSecretRef={"name": "done"}, privateKeySecretRef={"name": "done"})
    until(lambda: place.count_ready() == len(names), what="20 uploads to be Ready")
    own_world.operator.stop()
    before, sent = api_requests(own_world.plane), len(own_world.simulator.requests())

    own_world.operator.start()
    place.upload("barrier", csr="done")  # queued after all that was listed
    place.ready("barrier")

    cost = api_requests(own_world.plane) - before
    written = collections.Counter({verb: cost[verb, "certificaterequestuploads/status"] for verb in ("PATCH", "PUT")})
    assert written == {"PATCH": 1, "PUT": 0}
    assert cost["GET", "secrets"] == 2  # the barrier's, and the account's credential for it
    assert len(own_world.simulator.requests()) - sent == 1


def test_what_changed_while_it_was_down_is_seen(own_world: World, place: Namespace) -> None:
    """A Secret that changed while the operator was down is uploaded after the restart."""
    old = _upload(place, "meanwhile")
    own_world.operator.stop()
    place.secret("meanwhile", {"tls.csr": pem.csr(pem.ec_key())})

    own_world.operator.start()

    assert place.new_entry("meanwhile", after=old)["scmName"] == "meanwhile"


def test_sigterm_lets_a_post_in_flight_end(own_world: World, place: Namespace) -> None:
    """SIGTERM while a POST is in flight: its answer is awaited and its id written before the process ends."""
    own_world.simulator.faults({"name": "slow", "match": {"operation": "UploadCsr"}, "hold": "after-store"})
    place.secret("inflight", {"tls.csr": pem.csr(pem.ec_key())})
    place.upload("inflight")
    own_world.simulator.held(rule="slow")

    own_world.operator.signal(signal.SIGTERM)
    until(lambda: own_world.operator.events("Stopping"), what="the stop to begin")
    own_world.simulator.release()

    assert own_world.operator.wait() == 0
    (entry,) = place.simulator.entries(name="inflight")
    assert place.status("inflight")["scmID"] == entry["id"]


def test_sigterm_says_that_an_outcome_is_unknown(own_world: World, place: Namespace) -> None:
    """SIGTERM while a POST never gets an answer: after its deadline the status says so, and the Lease is given back."""
    own_world.simulator.faults({"name": "never", "match": {"operation": "UploadCsr"}, "hold": "after-store"})
    place.secret("never", {"tls.csr": pem.csr(pem.ec_key())})
    place.upload("never")
    own_world.simulator.held(rule="never")

    assert own_world.operator.stop() == 0

    assert condition(place.get("never"), "Ready")["reason"] == "ServerError"
    assert own_world.operator.events("LeaseReleased")


def test_an_unknown_outcome_is_found_by_the_next_process(own_world: World, place: Namespace) -> None:
    """A POST without an answer before a restart is found after it; other content by then is a second entry."""
    own_world.simulator.faults({"match": {"operation": "UploadCsr", "name": "unknown"}, "do": {"reset": "after-store"}})
    place.secret("unknown", {"tls.csr": pem.csr(pem.ec_key())})
    place.upload("unknown")
    place.reason("unknown", "ServerError")
    own_world.simulator.faults()
    own_world.operator.stop()
    place.secret("unknown", {"tls.csr": pem.csr(pem.ec_key())})

    own_world.operator.start()

    status = place.ready("unknown")
    (old, new) = (entry["id"] for entry in place.simulator.entries(name="unknown"))
    assert (status["scmID"], status["origin"]) == (new, "Uploaded")
    assert [(entry["scmID"], entry["origin"]) for entry in status["history"]] == [(old, "Recovered")]


def test_a_kill_in_flight_is_resolved_by_the_next_process(own_world: World, place: Namespace) -> None:
    """SIGKILL between the store and the answer: the next process finds the entry, and sends nothing."""
    own_world.simulator.faults({"name": "kill", "match": {"operation": "UploadCsr"}, "hold": "after-store"})
    place.secret("killed", {"tls.csr": pem.csr(pem.ec_key())})
    place.upload("killed")
    own_world.simulator.held(rule="kill")

    own_world.operator.kill()
    own_world.simulator.faults()
    own_world.operator.start()

    status = place.ready("killed")
    (entry,) = place.simulator.entries(name="killed")
    assert (status["scmID"], status["origin"]) == (entry["id"], "Recovered")
    assert len(place.simulator.requests(name="killed")) == 1


def test_deleted_while_its_post_is_in_flight_is_reported(own_world: World, place: Namespace) -> None:
    """A resource deleted before its id could be written leaves an entry behind, and the log names it."""
    own_world.simulator.faults({"name": "late", "match": {"operation": "UploadCsr"}, "hold": "after-store"})
    place.secret("orphan", {"tls.csr": pem.csr(pem.ec_key())})
    place.upload("orphan")
    own_world.simulator.held(rule="late")
    place.kubectl("delete", "cru", "orphan")
    own_world.simulator.release()

    (orphan,) = until(lambda: own_world.operator.events("Orphaned"), what="the orphan to be reported")

    assert place.simulator.entries(name="orphan")[0]["id"] in orphan["message"]


def test_a_namesake_does_not_inherit_an_id(own_world: World, place: Namespace) -> None:
    """Deleted and re-created under the same name while its POST is in flight: each has an entry of its own."""
    own_world.simulator.faults(
        {"name": "first", "match": {"operation": "UploadCsr", "name": "twin", "calls": [1]}, "hold": "after-store"}
    )
    place.secret("twin", {"tls.csr": pem.csr(pem.ec_key())})
    place.upload("twin")
    own_world.simulator.held(rule="first")
    place.kubectl("delete", "cru", "twin")
    place.upload("twin")
    own_world.simulator.release()

    scm_id = place.ready("twin")["scmID"]

    first, second = place.simulator.entries(name="twin")
    assert scm_id == second["id"] != first["id"]


def test_the_control_plane_may_go_away_for_a_while(own_world: World, place: Namespace) -> None:
    """Uploads applied after the API server froze for a while become Ready without a restart."""
    (server,) = [child for child in own_world.plane.children if child.name == "kube-apiserver"]
    server.process.send_signal(signal.SIGSTOP)
    try:
        until(
            lambda: not own_world.plane.kubectl("get", "--raw", "/readyz", "--request-timeout=1s", check=False).stdout,
            what="the API server to freeze",
        )
    finally:
        server.process.send_signal(signal.SIGCONT)

    assert _upload(place, "thawed")
    own_world.operator.check()


def test_a_cluster_without_any_secret_is_no_trouble(own_world: World, place: Namespace) -> None:
    """The operator starts where there is no Secret at all, and sees the first one."""
    own_world.operator.stop()
    own_world.plane.kubectl("delete", "secrets", "--all", "--all-namespaces")

    own_world.operator.start()

    place.account()
    assert _upload(place, "first-secret")


def test_missing_crds_are_said_in_words(tmp_path: pathlib.Path) -> None:
    """Without its CRDs the operator ends with 1 and names the one that is missing."""
    with ControlPlane.start() as plane:
        operator = Operator(plane.kubeconfig, log=tmp_path / "log")
        operator.start(wait=False)

        assert operator.wait() == 1

    (line,) = operator.errors()
    assert line["message"].startswith("the CRD certificaterequestuploads.scm.certops.dev is not installed")


def test_missing_permissions_are_said_in_words(own_world: World, tmp_path: pathlib.Path) -> None:
    """A ServiceAccount that may not list the operator's kinds ends it with 1, and the message says so."""
    own_world.plane.kubectl("create", "serviceaccount", "nobody")
    kubeconfig = own_world.plane.service_account_kubeconfig("default", "nobody", tmp_path / "kubeconfig")
    operator = Operator(kubeconfig, log=tmp_path / "log")
    operator.start(wait=False)

    assert operator.wait() == 1
    (line,) = operator.errors()
    assert "403" in line["message"]
    assert "certificaterequestuploads" in line["message"]


def test_a_watch_that_ends_ends_the_process(tmp_path: pathlib.Path) -> None:
    """A CRD that is deleted ends the watch, and with it the process: no zombie that sees nothing any more."""
    with worlds.running(tmp_path) as world:
        world.plane.kubectl("delete", "crd", "certificaterequestuploads.scm.certops.dev")

        assert world.operator.wait() == 1

        said = [line["message"] for line in world.operator.lines()]  # kopf's thread may have the last word
        assert any("the watches ended (APINotFoundError)" in message for message in said)


def test_a_stop_begins_no_call(own_world: World, place: Namespace) -> None:
    """SIGTERM while a rename finds its entry gone: what has to be uploaded then waits for the next process."""
    _upload(place, "ending")
    own_world.simulator.faults(
        {
            "name": "gone",
            "match": {"operation": "UpdateCsr"},
            "hold": "before-store",
            "do": {"status": {"code": 400, "errorCode": "SCM.0707"}},
        }
    )
    place.upload("ending", name="ending-anew")
    own_world.simulator.held(rule="gone")

    own_world.operator.signal(signal.SIGTERM)
    until(lambda: own_world.operator.events("Stopping"), what="the stop to begin")
    own_world.simulator.release()

    assert own_world.operator.wait() == 0
    assert place.simulator.requests(name="ending-anew", operation="UploadCsr") == []
    own_world.simulator.faults()
    own_world.operator.start()
    place.kubectl("wait", "--for=jsonpath={.status.scmName}=ending-anew", "cru/ending", "--timeout=20s")
    assert len(place.simulator.entries(name="ending-anew")) == 1
