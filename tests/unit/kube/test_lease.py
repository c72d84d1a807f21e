"""The elector: who takes the Lease, when, and with what in it."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from scm_operator.domain import attempt, errors
from scm_operator.kube import held_lease, journal_format, lease, lease_object
from tests.unit.kube import leases, server
from tests.unit.kube.leases import Fault

pytestmark = pytest.mark.looptime
_EMPTY = journal_format.encode(())


@pytest.fixture
def world() -> leases.World:
    """Return a place without a Lease."""
    return leases.World()


@pytest.fixture(autouse=True)
def info(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Log what the operator logs."""
    with caplog.at_level(logging.INFO, logger="scm_operator"):
        yield


def _events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["event"] for record in caplog.records]


def _now() -> float:
    return asyncio.get_running_loop().time()


async def test_first_installation_creates_it(world: leases.World, caplog: pytest.LogCaptureFixture) -> None:
    """Without a Lease and without a term in any status it is created in term 1, with an empty journal and no mark."""
    held = await world.elector("a").acquire()
    assert (held.term, held.holds(), held.lease.lost, world.asked_for_terms) == (1, True, None, 1)
    assert world.api.spec == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "leaseTransitions": 1,
        "acquireTime": "2026-01-02T12:00:00.000000Z",
        "renewTime": "2026-01-02T12:00:00.000001Z",
    }
    assert world.api.annotations == {lease_object.JOURNAL: _EMPTY}
    assert _events(caplog) == ["LeaseAcquired"]


async def test_lost_lease_is_marked(world: leases.World) -> None:
    """Without a Lease, though a status has a term, the creating write says that the journal is lost, as of when."""
    world.terms_exist, world.highest_term = True, 7
    held = await world.elector().acquire()
    assert held.term == 8
    assert world.api.annotations[lease_object.JOURNAL_LOST] == '{"term":8,"time":"2026-01-02T12:00:00Z"}'
    assert held.lease.lost is not None
    assert held.lease.lost.term == 8


async def test_the_mark_stays(world: leases.World) -> None:
    """Renewals, a release and later leaders keep the mark as it is."""
    world.terms_exist, world.highest_term = True, 7
    first = await world.elector("a").acquire()
    await first.write(_EMPTY)
    await first.give_back(_EMPTY)
    second = await world.elector("b").acquire()
    assert second.lease.lost == first.lease.lost
    assert (second.term, world.asked_for_terms) == (9, 1)


async def test_the_mark_is_not_before_the_leases_own_creation(world: leases.World) -> None:
    """A process whose clock is behind the API server's still counts what was created before the Lease was."""
    mark = '{"term":3,"time":"2025-01-01T00:00:00Z"}'
    world.api.create(annotations={lease_object.JOURNAL: _EMPTY, lease_object.JOURNAL_LOST: mark}, leaseTransitions=3)
    lost = (await world.elector().acquire()).lease.lost
    assert isinstance(lost, attempt.JournalLost)
    assert lost.time.isoformat() == "2026-01-02T12:00:01+00:00"


@pytest.mark.parametrize(
    ("spec", "exist", "is_lost"),
    [({}, False, False), ({}, True, True), ({"leaseTransitions": 3}, False, True)],
    ids=["new", "status", "was held"],
)
async def test_lease_without_a_journal(world: leases.World, spec: dict[str, int], exist: bool, is_lost: bool) -> None:  # noqa: FBT001
    """A Lease without a journal in it is as good as none: whether it was lost, statuses and its own term say."""
    world.api.create(**spec)
    world.terms_exist = exist
    held = await world.elector().acquire()
    assert held.lease.journal == _EMPTY
    assert (held.lease.lost is not None) == is_lost


@pytest.mark.parametrize("journal", ["", "{", '{"v":2}'])
async def test_unreadable_journal_is_not_taken_over(world: leases.World, journal: str) -> None:
    """A journal that can't be read ends the wish to lead, with a message that says where it is; nothing is written."""
    world.api.create(annotations={lease_object.JOURNAL: journal})
    with pytest.raises(journal_format.Unreadable, match=r"Lease ops/lease, annotations scm.certops.dev/journal"):
        await world.elector().acquire()
    assert len(world.api.written) == 1


async def test_damaged_mark_is_not_taken_over(world: leases.World) -> None:
    """A mark that can't be read is no different."""
    world.api.create(annotations={lease_object.JOURNAL: _EMPTY, lease_object.JOURNAL_LOST: "x"})
    with pytest.raises(journal_format.Unreadable):
        await world.elector().acquire()


async def test_standby_of_a_newer_version_waits(world: leases.World) -> None:
    """While its holder renews it, a journal of a newer version is nothing that a standby looks at."""
    world.api.create(annotations={lease_object.JOURNAL: '{"v":2}'}, holderIdentity="b", leaseDurationSeconds=15)
    waiting = asyncio.create_task(world.elector().acquire())
    await asyncio.sleep(14)
    assert not waiting.done()
    waiting.cancel()


async def test_takes_over_after_silence(world: leases.World, caplog: pytest.LogCaptureFixture) -> None:
    """A Lease that hasn't changed for as long as it says, since the first look, is taken over in the next term."""
    world.api.create(
        annotations={lease_object.JOURNAL: _EMPTY, "other": "kept"},
        holderIdentity="b",
        leaseDurationSeconds=5,
        leaseTransitions=41,
        renewTime="1999-01-01T00:00:00.000000Z",
        strategy="kept",
    )
    held = await world.elector("a").acquire()
    assert (held.term, held.since, _now()) == (42, 5.0, 5.0)
    assert (world.api.spec["holderIdentity"], world.api.spec["strategy"]) == ("a", "kept")
    assert world.api.annotations["other"] == "kept"
    assert world.asked_for_terms == 0
    assert _events(caplog) == ["Standby", "LeaseAcquired", "LeaseTakenOver"]
    assert "managedFields" not in world.api.written[-1]["metadata"]


async def test_each_renewal_puts_it_off(world: leases.World) -> None:
    """Each change of the record starts the wait anew; a foreign annotation is no such change."""
    world.api.create(annotations={lease_object.JOURNAL: _EMPTY}, holderIdentity="b", leaseDurationSeconds=5)
    waiting = asyncio.create_task(world.elector().acquire())
    for number in range(10):
        await asyncio.sleep(3)
        world.api.change(renewTime=f"{number}")
    assert not waiting.done()
    begin = _now()
    while not waiting.done():
        world.api.change(annotations={"foreign": f"{_now()}"})
        await asyncio.sleep(0.5)
    assert 5 <= _now() - begin <= 8


async def test_released_lease_is_taken_at_once(world: leases.World) -> None:
    """A Lease without a holder is free, and taking it raises the term too."""
    first = await world.elector("a").acquire()
    await first.give_back(_EMPTY)
    assert (world.api.spec["holderIdentity"], world.api.spec["leaseDurationSeconds"]) == ("", 1)
    second = await world.elector("b").acquire()
    assert (first.term, second.term, _now()) == (1, 2, 0.0)
    assert not first.holds()


async def test_term_is_more_than_any_that_was_seen(world: leases.World) -> None:
    """A status with a higher term than the Lease's is overtaken."""
    world.api.create(annotations={lease_object.JOURNAL: _EMPTY}, leaseTransitions=3)
    world.highest_term = 100
    assert (await world.elector().acquire()).term == 101


async def test_no_term_is_left(world: leases.World, caplog: pytest.LogCaptureFixture) -> None:
    """A term that doesn't fit the field is said, and not written."""
    world.highest_term = 2**31 - 1
    waiting = asyncio.create_task(world.elector().acquire())
    await asyncio.sleep(30)
    waiting.cancel()
    assert not world.api.written
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_of_two_one_gets_it(world: leases.World, caplog: pytest.LogCaptureFixture) -> None:
    """Two that find no Lease at the same time: one creates it, the other waits, and says so once."""
    tasks = [asyncio.create_task(world.elector(identity).acquire()) for identity in "ab"]
    await asyncio.sleep(9)
    assert [task.done() for task in tasks] == [True, False]
    tasks[1].cancel()
    assert _events(caplog) == ["LeaseAcquired", "Standby"]
    assert world.api.times_of("GET")[-4:] == [5.0, 6.0, 7.0, 8.0]


@pytest.mark.parametrize("status", [None, 500, 503, 429, 409, 408], ids=str)
@pytest.mark.parametrize("exists", [False, True], ids=["create", "replace"])
async def test_claim_without_an_answer_that_was_done(world: leases.World, status: int | None, exists: bool) -> None:  # noqa: FBT001
    """A claim whose answer is lost is read back: it holds, from when it was sent."""
    if exists:
        world.api.create(annotations={lease_object.JOURNAL: _EMPTY})
    world.api.faults.append(Fault(status, done=True))
    held = await world.elector("a").acquire()
    assert (held.term, held.renewed) == (1, 0.0)
    assert held.since == (1.5 if status is None else 0.0)


@pytest.mark.parametrize("exists", [False, True], ids=["create", "replace"])
async def test_claim_that_is_done_late_is_claimed_again(world: leases.World, exists: bool) -> None:  # noqa: FBT001
    """A claim that comes through after it was given up makes no leader of it: the next claim does, in the next term."""
    if exists:
        world.api.create(annotations={lease_object.JOURNAL: _EMPTY})
    world.api.faults.extend([Fault(), *[Fault(503)] * 8])
    waiting = asyncio.create_task(world.elector("a").acquire())
    await asyncio.sleep(30)
    assert not waiting.done()
    assert world.api.late() == 200
    held = await waiting
    assert held.term == 2
    assert held.renewed >= 30


async def test_claim_that_is_read_back_too_late_is_made_again(world: leases.World) -> None:
    """A claim that was done, but is found only after the renew deadline, is no more good: it is claimed anew."""
    world.api.faults.append(Fault(503, done=True))
    world.api.read_faults.extend([Fault(404), *[Fault(503)] * 5])
    held = await world.elector("a").acquire()
    assert _now() > 10
    assert (held.term, held.renewed, held.holds()) == (2, _now(), True)


async def test_claim_that_is_refused_is_said_once(world: leases.World, caplog: pytest.LogCaptureFixture) -> None:
    """Without permission, or without the namespace, it says what is missing, once, and tries on."""
    world.api.always = Fault(403)
    waiting = asyncio.create_task(world.elector().acquire())
    await asyncio.sleep(60)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "get Lease ops/lease: 403" in record.message
    assert "allow create, and get and update of this one, for leases.coordination.k8s.io" in record.message
    assert len(world.api.asked) < 12
    world.api.always = None
    assert (await waiting).term == 1


async def test_missing_namespace_is_said(world: leases.World, caplog: pytest.LogCaptureFixture) -> None:
    """A namespace that doesn't exist answers 404 to the creation."""
    world.api.faults.append(Fault(404))
    held = await world.elector().acquire()
    assert held.renewed == 2.0
    assert "create Lease ops/lease: 404" in caplog.records[0].message


async def test_statuses_that_cannot_be_listed_delay_it(world: leases.World) -> None:
    """Without a Lease nothing is created before it is known whether there was one."""
    failures = [errors.ApiServerError("list: 503"), errors.ApiServerError("list: 503")]

    async def fails_twice() -> bool:
        if failures:
            raise failures.pop()
        return True

    elector = lease.Elector(
        server.over(world.api),
        namespace="ops",
        name="lease",
        identity="a",
        clock=world.clock,
        highest_term=lambda: 0,
        status_terms_exist=fails_twice,
    )
    held = await elector.acquire()
    assert held.lease.lost is not None
    assert len(world.api.written) == 1


def test_identities_differ() -> None:
    """No process has the identity of another, on the same machine neither."""
    assert lease.new_identity("pod-1").startswith("pod-1_")
    assert lease.new_identity("pod-1") != lease.new_identity("pod-1")


def test_requests_end_before_the_next_renewal() -> None:
    """A request has less time than there is between two renewals, at most 5 s; seconds in the Lease are whole."""
    assert held_lease.Times().request == 1.5
    assert held_lease.Times(1.5, 1.0, 0.2).request == pytest.approx(0.15)
    assert held_lease.Times(60, 40, 15).request == 5.0
    assert held_lease.Times(1.5, 1.0, 0.2).seconds == 2
