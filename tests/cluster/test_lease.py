"""The Lease on a real API server: two electors with short times, under the permissions that the operator ships with."""

import asyncio
import dataclasses
import datetime
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from dev.control_plane import ControlPlane
from scm_operator.domain import errors, upload
from scm_operator.kube import client, events, held_lease, journal_format, lease, lease_object, status
from scm_operator.kube import journal as journals
from tests.support import permissions
from tests.support import world as worlds
from tests.support.waiting import until
from tests.unit.kube import leases

_NAMESPACE = worlds.OPERATOR_NAMESPACE
_NAME = "scm-csr-operator"
_TIMES = held_lease.Times(duration=2, renew_deadline=1.6, retry_period=0.4)


class _Clock:
    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with the operator's permissions and without an operator."""
    with ControlPlane.start() as plane:
        plane.install_crds()
        permissions.grant(plane)
        folder = tmp_path_factory.mktemp("lease")
        plane.service_account_kubeconfig(_NAMESPACE, _NAME, folder / "kubeconfig")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KUBECONFIG", str(folder / "kubeconfig"))
            yield plane


@pytest.fixture(autouse=True)
def _no_lease(plane: ControlPlane) -> None:
    plane.kubectl("-n", _NAMESPACE, "delete", "lease", "--all")


@pytest.fixture
async def kubernetes(plane: ControlPlane) -> AsyncIterator[client.Kubernetes]:
    """Connect as the operator's ServiceAccount."""
    plane.check()
    async with client.connect(connections=4) as connected:
        yield connected


def _journal(kubernetes: client.Kubernetes, identity: str, *, exist: bool = False) -> journals.LeaseJournal:
    async def status_terms_exist() -> bool:
        return exist

    elector = lease.Elector(
        kubernetes,
        namespace=_NAMESPACE,
        name=_NAME,
        identity=identity,
        clock=_Clock(),
        highest_term=lambda: 6,
        status_terms_exist=status_terms_exist,
        times=_TIMES,
    )
    return journals.LeaseJournal(elector, clock=_Clock())


def _get(plane: ControlPlane) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(plane.kubectl("-n", _NAMESPACE, "get", "lease", _NAME, "-o", "json").stdout)
    return found


def _ids(plane: ControlPlane) -> list[str]:
    text = _get(plane)["metadata"]["annotations"][lease_object.JOURNAL]
    return [each.id for each in journal_format.decode(text)]


async def test_takeover_after_silence(plane: ControlPlane, kubernetes: client.Kubernetes) -> None:
    """A leader that falls silent is followed by the standby in the next term, with the journal as it was left."""
    added = leases.an_attempt()
    first, second = _journal(kubernetes, "first"), _journal(kubernetes, "second")
    await first.acquire()
    async with leases.running(first):
        await first.add(added)
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(2 * _TIMES.duration)  # longer than a leader may be silent
        assert not waiting.done()
        assert first.holds()
    await waiting
    assert not first.holds()
    assert (first.term, second.term, second.attempts()) == (7, 8, (added,))
    spec = _get(plane)["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"], spec["leaseDurationSeconds"]) == ("second", 8, 2)
    assert _ids(plane) == [added.id]


async def test_release_and_takeover(plane: ControlPlane, kubernetes: client.Kubernetes) -> None:
    """A leader that stops cleanly is followed at once, in the next term; what is unknown is left in the journal."""
    unknown, concluded = leases.an_attempt(), leases.an_attempt()
    first, second = _journal(kubernetes, "first"), _journal(kubernetes, "second")
    await first.acquire()
    async with leases.running(first):
        await asyncio.gather(first.add(unknown), first.add(concluded))
        first.conclude(concluded)
    await first.release()
    assert _get(plane)["spec"].get("holderIdentity", "") == ""
    assert _ids(plane) == [unknown.id]
    await second.acquire()
    assert (first.term, second.term, second.attempts()) == (7, 8, (unknown,))
    assert second.lost is None


async def test_old_leader_cannot_write_any_more(kubernetes: client.Kubernetes) -> None:
    """What a frozen leader writes once it is thawed is refused: another holds the Lease."""
    first, second = _journal(kubernetes, "first"), _journal(kubernetes, "second")
    await first.acquire()
    await second.acquire()
    frozen = first._held  # noqa: SLF001 - as if its clock had stood still
    assert frozen is not None
    frozen._renewed = time.monotonic()  # noqa: SLF001 - the same
    with pytest.raises(held_lease.Lost, match="held by second"):
        await frozen.write(journal_format.encode([leases.an_attempt()]))


async def test_two_hundred_at_once_are_few_writes(plane: ControlPlane, kubernetes: client.Kubernetes) -> None:
    """Two hundred attempts at once cost one or two writes, beside renewals."""
    journal = _journal(kubernetes, "first")
    await journal.acquire()
    async with leases.running(journal):
        before = worlds.api_requests(plane)["PUT", "leases"]
        tenants = [dataclasses.replace(leases.TENANT, account=f"ScmAccount/shop/{number}") for number in range(4)]
        added = [leases.an_attempt(tenant=tenants[number % 4]) for number in range(200)]
        await asyncio.gather(*map(journal.add, added))
        assert worlds.api_requests(plane)["PUT", "leases"] - before <= 4
    assert _ids(plane) == [each.id for each in added]


async def test_foreign_annotation_is_kept(plane: ControlPlane, kubernetes: client.Kubernetes) -> None:
    """A person who annotates or labels the Lease disturbs nobody."""
    journal = _journal(kubernetes, "first")
    await journal.acquire()
    async with leases.running(journal) as task:
        plane.kubectl("-n", _NAMESPACE, "annotate", "lease", _NAME, "theirs=1")
        plane.kubectl("-n", _NAMESPACE, "label", "lease", _NAME, "theirs=2")
        await journal.add(leases.an_attempt())
        assert not task.done()
    metadata = _get(plane)["metadata"]
    assert (metadata["annotations"]["theirs"], metadata["labels"]["theirs"]) == ("1", "2")


@pytest.mark.parametrize("again", [False, True], ids=["deleted", "created again"])
async def test_deleted_lease_is_lost(plane: ControlPlane, kubernetes: client.Kubernetes, again: bool) -> None:  # noqa: FBT001
    """A deleted Lease is lost, and not created by a write over it; the next leader knows that the journal is lost."""
    journal = _journal(kubernetes, "first")
    await journal.acquire()
    async with leases.running(journal) as task:
        found = _get(plane)
        plane.kubectl("-n", _NAMESPACE, "delete", "lease", _NAME)
        if again:
            del found["metadata"]["resourceVersion"], found["metadata"]["uid"]
            plane.kubectl("create", "-f", "-", input=json.dumps(found))
        assert await task == "somebody has deleted it"
    plane.kubectl("-n", _NAMESPACE, "delete", "lease", "--all")
    following = _journal(kubernetes, "second", exist=True)
    await following.acquire()
    assert following.lost is not None
    assert following.lost.term == following.term == 7


async def test_lost_answers_are_read_back(kubernetes: client.Kubernetes) -> None:
    """An attempt whose write has no answer within the deadline still gets into the journal, once."""
    journal = _journal(kubernetes, "first")
    await journal.acquire()
    async with leases.running(journal):
        held = journal._held  # noqa: SLF001 - its requests are cut short
        assert held is not None
        held._api._timeout = 0.002  # noqa: SLF001 - the same
        adding = asyncio.create_task(journal.add(leases.an_attempt()))
        await asyncio.sleep(0.3)
        held._api._timeout = _TIMES.request  # noqa: SLF001 - the same
        await adding


async def test_orphan_is_reported_in_the_operators_namespace(
    plane: ControlPlane, kubernetes: client.Kubernetes
) -> None:
    """The API server takes an Event about the Lease whose related object is of another namespace, gone or not."""
    sink = events.EventSink(kubernetes, instance="pod-1", clock=_Clock(), namespace=_NAMESPACE, lease=_NAME)
    sink.publish_orphan(upload.UploadKey("gone", "web"), uid="11111111-2222-4333-8444-555555555555", message="Left.")
    await sink.flush()
    (event,) = json.loads(plane.kubectl("-n", _NAMESPACE, "get", "events", "-o", "json").stdout)["items"]
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "Orphaned", "gone/web: Left.")
    assert (event["related"]["namespace"], event["involvedObject"]["kind"]) == ("gone", "Lease")


async def test_finalizers(plane: ControlPlane, kubernetes: client.Kubernetes) -> None:
    """Finalizers are put where there were none, a stale write conflicts, and with the last one a resource goes."""
    manifest = {
        "apiVersion": worlds.GROUP_VERSION,
        "kind": "CertificateRequestUpload",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"csrSecretRef": {"name": "web"}},
    }
    plane.apply(json.dumps(manifest))
    writer = status.StatusWriter(kubernetes)
    made = _upload(plane)
    held = await writer.write_finalizers(made, (upload.FINALIZER,))
    assert held.finalizers == (upload.FINALIZER,)
    with pytest.raises(errors.Conflict):
        await writer.write_finalizers(made, ())
    with pytest.raises(errors.Gone):
        await writer.write_finalizers(dataclasses.replace(held, uid="another"), ())
    plane.kubectl("delete", "cru", "web", "--wait=false")
    going = _upload(plane)
    assert going.deleting
    gone = await writer.write_finalizers(going, ())
    assert gone.finalizers == ()
    until(lambda: not plane.kubectl("get", "cru", "-o", "name").stdout, what="the resource to go")
    with pytest.raises(errors.Gone):
        await writer.write_finalizers(gone, ())


def _upload(plane: ControlPlane) -> upload.Upload:
    return upload.parse_upload(json.loads(plane.kubectl("get", "cru", "web", "-o", "json").stdout))
