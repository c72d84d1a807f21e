"""The journal in the Lease: what is added stands there, whatever becomes of the write that says so."""

import asyncio
import dataclasses
import logging

import pytest

from scm_operator.domain import errors, reasons
from scm_operator.kube import held_lease, journal_format, lease_object
from tests.unit.kube import leases
from tests.unit.kube.leases import Fault, an_attempt

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> leases.World:
    """Return a place without a Lease."""
    return leases.World()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def test_what_is_added_stands_in_the_lease(world: leases.World) -> None:
    """When `add` returns, the attempt is in the Lease and among the attempts, since it was added."""
    async with world.leader() as journal:
        await asyncio.sleep(1)
        added = an_attempt()
        await journal.add(added)
        assert (world.api.ids, _now()) == ([added.id], 1.0)
        assert (journal.attempts(), journal.of(added.uid), journal.of("other")) == ((added,), (added,), ())
        assert (journal.added_at(added), journal.since) == (1.0, 0.0)
        assert journal.holds()


async def test_what_is_concluded_is_out_at_once_and_of_the_lease_with_the_next_write(world: leases.World) -> None:
    """Concluding writes nothing: the next write, at the latest the renewal, leaves the attempt out."""
    async with world.leader() as journal:
        first, second = an_attempt(), an_attempt()
        await journal.add(first)
        journal.conclude(first)
        assert (journal.attempts(), world.api.ids, len(world.api.written)) == ((), [first.id], 2)
        await journal.add(second)
        assert world.api.ids == [second.id]
        journal.conclude(second)
        await asyncio.sleep(2.5)
        assert world.api.ids == []


async def test_two_hundred_at_once_are_one_or_two_writes(world: leases.World) -> None:
    """All that wait at a moment go in one write."""
    async with world.leader() as journal:
        added = [
            an_attempt(tenant=dataclasses.replace(leases.TENANT, account=f"ScmAccount/shop/{number % 4}"))
            for number in range(200)
        ]
        await asyncio.gather(*map(journal.add, added))
        assert world.api.ids == [each.id for each in added]
        assert len(world.api.written) <= 1 + 2


async def test_what_comes_during_a_write_goes_in_the_next(world: leases.World) -> None:
    """Attempts added while a write is under way wait for the next one, together."""
    async with world.leader() as journal:
        first = asyncio.create_task(journal.add(an_attempt()))
        while len(world.api.asked) < 3:  # noqa: ASYNC110 - each look lets the loop go on
            await asyncio.sleep(0)
        await asyncio.gather(first, *(journal.add(an_attempt()) for _ in range(10)))
        assert (len(world.api.written), len(world.api.ids)) == (3, 11)


async def test_idle_it_renews_each_retry_period(world: leases.World) -> None:
    """An idle leader makes one PUT each retry period and nothing else; a journal write is a renewal."""
    async with world.leader() as journal:
        await asyncio.sleep(9)
        assert world.api.times_of("PUT") == [2.0, 4.0, 6.0, 8.0]
        await journal.add(an_attempt())
        await asyncio.sleep(3)
        assert world.api.times_of("PUT")[4:] == [9.0, 11.0]
        assert len(world.api.times_of("GET")) == 1
        assert len({each["spec"]["renewTime"] for each in world.api.written}) == len(world.api.written)


@pytest.mark.parametrize("status", [None, 500, 503, 429, 408, 409], ids=str)
async def test_lost_answer_of_a_write_that_was_done(world: leases.World, status: int | None) -> None:
    """A write that was done but not answered is read back: `add` returns by it, and nothing is written again."""
    async with world.leader() as journal:
        world.api.faults.append(Fault(status, done=True))
        added = an_attempt()
        await journal.add(added)
        assert (world.api.ids, len(world.api.written)) == ([added.id], 2)
        assert _now() == (1.5 if status is None else 0.0)


@pytest.mark.parametrize("status", [None, 500, 429], ids=str)
async def test_lost_answer_of_a_write_that_was_not_done(world: leases.World, status: int | None) -> None:
    """A write that wasn't done and not answered is written again."""
    async with world.leader() as journal:
        world.api.faults.append(Fault(status))
        added = an_attempt()
        await journal.add(added)
        assert (world.api.ids, len(world.api.written)) == ([added.id], 2)
        assert world.api.late() == 409


async def test_validity_counts_from_when_the_write_was_sent(world: leases.World) -> None:
    """A renewal that is read back long after it was sent counts from when it was sent."""
    async with world.leader() as journal:
        world.api.faults.extend([Fault(done=True), *[Fault(503)] * 50])
        await asyncio.sleep(11.9)
        assert journal.holds()
        await asyncio.sleep(0.1)
        assert not journal.holds()


async def test_slow_answer_does_not_prolong_it(world: leases.World) -> None:
    """A renewal whose answer takes a second counts from when it was sent."""
    async with world.leader() as journal:
        world.api.faults.extend([Fault(200, done=True, delay=1.0), *[Fault(503)] * 50])
        await asyncio.sleep(11.9)
        assert journal.holds()
        await asyncio.sleep(0.1)
        assert not journal.holds()


async def test_late_write_is_no_foreign_one(world: leases.World) -> None:
    """A write that comes through after it was given up is known by its renewTime; what it lacks is written again."""
    async with world.leader() as journal:
        world.api.faults.extend([Fault(), None])
        first, second = an_attempt(), an_attempt()
        adding = asyncio.create_task(journal.add(first))
        await asyncio.sleep(1.6)  # read back: not done
        world.api.before_write = lambda: world.api.unanswered and world.api.late()
        await asyncio.gather(adding, journal.add(second))
        assert world.api.ids == [first.id, second.id]
        assert journal.holds()


async def test_late_write_that_has_it_all_is_enough(world: leases.World) -> None:
    """`add` returns by a late write too, and it counts from when it was sent."""
    async with world.leader() as journal:
        world.api.faults.extend([Fault(), None, *[Fault(503)] * 50])
        adding = asyncio.create_task(journal.add(an_attempt()))
        await asyncio.sleep(1.6)
        world.api.before_write = lambda: world.api.unanswered and world.api.late()
        await adding
        assert len(world.api.written) == 2
        world.api.before_write = lambda: None
        await asyncio.sleep(9.9 - _now())
        assert journal.holds()
        await asyncio.sleep(0.1)
        assert not journal.holds()


async def test_unknown_stays_unknown_until_a_write_is_known(world: leases.World) -> None:
    """A refusal after a write without an answer says nothing about that one: `add` goes on trying."""
    async with world.leader() as journal:
        world.api.faults.extend([Fault(503), Fault(403), Fault(403)])
        adding = asyncio.create_task(journal.add(an_attempt()))
        await asyncio.sleep(0.9)
        assert not adding.done()
        await adding
        assert len(world.api.ids) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 413, 422], ids=str)
async def test_refused_write_leaves_no_trace(world: leases.World, status: int) -> None:
    """A write that was surely not done fails its `add`, and nothing of the attempt is left; the next one works."""
    async with world.leader() as journal:
        world.api.faults.append(Fault(status))
        refused, added = an_attempt(), an_attempt()
        with pytest.raises(errors.ApiServerError, match=str(status)):
            await journal.add(refused)
        assert (journal.attempts(), journal.of(refused.uid)) == ((), ())
        await journal.add(added)
        assert world.api.ids == [added.id]


async def test_cancelled_add_leaves_no_trace(world: leases.World) -> None:
    """Whoever is cancelled while adding sends nothing: the attempt is concluded."""
    async with world.leader() as journal:
        adding = asyncio.create_task(journal.add(an_attempt()))
        while len(world.api.asked) < 3:  # noqa: ASYNC110 - each look lets the loop go on
            await asyncio.sleep(0)
        adding.cancel()
        await asyncio.wait({adding})
        assert not journal.attempts()
        await asyncio.sleep(2.5)
        assert world.api.ids == []


async def test_foreign_annotation_is_kept(world: leases.World) -> None:
    """Somebody who annotates the Lease makes a conflict, no end: the write is made again on top of theirs."""
    async with world.leader() as journal:
        world.api.change(annotations={"theirs": "1"})
        added = an_attempt()
        await journal.add(added)
        assert (world.api.ids, world.api.annotations["theirs"], _now()) == ([added.id], "1", 0.0)


async def test_journal_that_somebody_took_out_is_put_back(world: leases.World) -> None:
    """The leader's memory is what counts: an edit of its annotation is overwritten by the next renewal."""
    async with world.leader() as journal:
        added = an_attempt()
        await journal.add(added)
        world.api.change(annotations={lease_object.JOURNAL: "{}"})
        await asyncio.sleep(2.5)
        assert world.api.ids == [added.id]


async def test_another_holder_is_the_end(world: leases.World) -> None:
    """A conflict with a new holder: `add` fails, the Lease is lost, and the reason says to whom."""
    journal = world.journal("a")
    await journal.acquire()
    async with leases.running(journal) as task:
        world.api.change(holderIdentity="b", renewTime="later", leaseTransitions=2)
        with pytest.raises(errors.ApiServerError, match="held by b"):
            await journal.add(an_attempt())
        assert await task == "it is now held by b"
    assert not journal.holds()
    with pytest.raises(errors.ApiServerError):
        await journal.add(an_attempt())
    written = len(world.api.written)
    await journal.release()
    assert len(world.api.written) == written
    assert world.api.spec["holderIdentity"] == "b"


@pytest.mark.parametrize("again", [False, True], ids=["deleted", "created again"])
async def test_deleted_lease_is_the_end(world: leases.World, again: bool) -> None:  # noqa: FBT001
    """A Lease that was deleted is lost, also if one with the same name and holder stands there."""
    journal = world.journal("a")
    await journal.acquire()
    async with leases.running(journal) as task:
        spec, annotations = world.api.spec, world.api.annotations
        world.api.lease = None
        if again:
            world.api.create(annotations=annotations, **spec)
        assert await task == "somebody has deleted it"
    assert _now() == 2.0


async def test_somebody_who_releases_it_ends_it(world: leases.World) -> None:
    """A holder that somebody has emptied is no holder any more."""
    journal = world.journal("a")
    await journal.acquire()
    async with leases.running(journal) as task:
        world.api.change(holderIdentity="")
        assert await task == "somebody has released it"


@pytest.mark.parametrize("fault", [Fault(), Fault(503), Fault(403)], ids=["silence", "503", "403"])
async def test_without_renewals_it_ends_by_the_own_clock(world: leases.World, fault: Fault) -> None:
    """When no renewal succeeds any more, it is lost ten seconds after the last good one was sent, not earlier."""
    journal = world.journal("a")
    await journal.acquire()
    async with leases.running(journal) as task:
        await asyncio.sleep(2.5)
        world.api.always = fault
        adding = asyncio.create_task(journal.add(an_attempt()))
        await asyncio.sleep(11.9 - _now())
        assert journal.holds()
        assert not task.done()
        assert "10 s" in await task
        assert _now() == 12.0
        assert not journal.holds()
        with pytest.raises(errors.ApiServerError):
            await adding
        assert len(world.api.asked) < 50


async def test_a_while_without_the_api_server_is_survived(
    world: leases.World, caplog: pytest.LogCaptureFixture
) -> None:
    """An outage that is shorter than the renew deadline costs time, and the attempt goes through after it."""
    async with world.leader() as journal:
        caplog.set_level(logging.WARNING, logger="scm_operator")
        world.api.always = Fault(503, retry_after="1")
        adding = asyncio.create_task(journal.add(an_attempt()))
        await asyncio.sleep(8)
        world.api.always = None
        await adding
        assert journal.holds()
        assert len(world.api.asked) <= 2 + 2 * 9


async def test_release_leaves_what_is_unknown(world: leases.World) -> None:
    """A clean end leaves the attempts that aren't concluded, and the next leader finds them, of an earlier term."""
    unknown, concluded = an_attempt("uid-1"), an_attempt("uid-1")
    async with world.leader("a") as first:
        await first.add(unknown)
        await first.add(concluded)
        first.conclude(concluded)
    await first.release()
    assert (world.api.ids, world.api.spec["holderIdentity"], first.holds()) == ([unknown.id], "", False)
    await asyncio.sleep(3)
    second = world.journal("b")
    await second.acquire()
    assert (second.attempts(), second.of("uid-1"), second.term) == ((unknown,), (unknown,), 2)
    assert (second.added_at(unknown), second.since) == (3.0, 3.0)


@pytest.mark.parametrize("fault", [Fault(503), Fault(503, done=True), Fault(done=True)], ids=str)
async def test_release_is_read_back_and_tried_again(world: leases.World, fault: Fault) -> None:
    """A release whose answer is lost is read back, and made again if it wasn't done."""
    async with world.leader("a") as journal:
        pass
    world.api.faults.append(fault)
    await journal.release()
    assert world.api.spec["holderIdentity"] == ""
    assert len(world.api.written) == 2


async def test_release_after_a_write_that_was_cut_off(world: leases.World) -> None:
    """A write that was done though its task was cancelled doesn't hinder the release."""
    async with world.leader("a") as journal:
        world.api.faults.append(Fault(done=True))
        adding = asyncio.create_task(journal.add(an_attempt()))
        await asyncio.sleep(1)
    with pytest.raises(errors.ApiServerError):
        await adding
    await journal.release()
    assert (world.api.spec["holderIdentity"], world.api.ids) == ("", [])


async def test_nothing_is_added_once_it_is_given_back(world: leases.World) -> None:
    """From the moment that the release begins nothing holds."""
    async with world.leader("a") as journal:
        pass
    world.api.faults.append(Fault())
    releasing = asyncio.create_task(journal.release())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not journal.holds()
    with pytest.raises(errors.ApiServerError):
        await journal.add(an_attempt())
    await releasing


async def test_before_it_is_acquired_it_holds_nothing(world: leases.World) -> None:
    """A standby has no term, no attempts, and adds none; a release is nothing."""
    standby = world.journal()
    assert (standby.term, standby.holds(), standby.attempts(), standby.lost, standby.since) == (0, False, (), None, 0.0)
    with pytest.raises(errors.ApiServerError):
        await standby.add(an_attempt())
    await standby.release()
    assert not world.api.asked


async def test_lost_journal_is_told(world: leases.World) -> None:
    """A leader that finds the Lease gone, and each later one, says so."""
    world.terms_exist, world.highest_term = True, 4
    async with world.leader("a") as first:
        assert first.lost is not None
        assert first.lost.term == first.term == 5
    await first.release()
    async with world.leader("b") as second:
        assert (second.lost, second.term) == (first.lost, 6)
        await asyncio.sleep(5)
    assert lease_object.JOURNAL_LOST in world.api.annotations


async def test_an_account_has_a_hundred_at_most(world: leases.World) -> None:
    """The hundred and first attempt of an account waits for one to be concluded; other accounts don't."""
    async with world.leader() as journal:
        added = [an_attempt() for _ in range(100)]
        await asyncio.gather(*map(journal.add, added))
        with pytest.raises(errors.RetryLater) as caught:
            await journal.add(an_attempt())
        assert caught.value.reason is reasons.Reason.JOURNAL_FULL
        assert "100 uploads of ScmAccount/shop/default" in caught.value.message
        await journal.add(an_attempt(tenant=dataclasses.replace(leases.TENANT, account="other")))
        journal.conclude(added[0])
        await journal.add(an_attempt())
        assert len(world.api.ids) == 101


async def test_the_whole_is_bounded(world: leases.World) -> None:
    """Above 150 KiB an account with ten or more adds none, others do, and above 200 KiB nobody."""
    async with world.leader() as journal:

        async def fill(prefix: str, *, count: int) -> int:
            done = 0
            for number in range(count):
                tenant = dataclasses.replace(leases.TENANT, account=f"{prefix}{number // 99}")
                try:
                    await journal.add(an_attempt(tenant=tenant, name="n" * 150))
                except errors.RetryLater:
                    return done
                done += 1
            return done

        assert await fill("a", count=2000) < 2000
        assert 147 * 1024 < len(world.api.annotations[lease_object.JOURNAL]) <= 150 * 1024
        for number in range(1000):
            tenant = dataclasses.replace(leases.TENANT, account=f"b{number // 10}")
            try:
                await journal.add(an_attempt(tenant=tenant, name="n" * 150))
            except errors.RetryLater as full:
                assert "KiB" in full.message  # noqa: PT017 - which is part of it
                break
        assert 197 * 1024 < len(world.api.annotations[lease_object.JOURNAL]) < 200 * 1024


async def test_what_is_being_added_is_seen_by_others(world: leases.World) -> None:
    """An attempt is among the attempts from the moment that it is added, before it is written."""
    async with world.leader() as journal:
        first = an_attempt()
        adding = asyncio.create_task(journal.add(first))
        await asyncio.sleep(0)
        assert journal.attempts() == (first,)
        await adding


async def test_takeover_keeps_the_journal_as_it_is(world: leases.World) -> None:
    """A leader that is killed leaves its attempts to the next; what it writes later is refused."""
    added = an_attempt()
    async with world.leader("a") as first:
        await first.add(added)
        world.api.faults.append(Fault())
        adding = asyncio.create_task(first.add(an_attempt()))
        await asyncio.sleep(1)
    await asyncio.wait({adding})
    second = world.journal("b")
    await second.acquire()
    assert _now() > 15
    assert (second.attempts(), second.term) == ((added,), 2)
    assert world.api.late() == 409
    assert journal_format.decode(world.api.annotations[lease_object.JOURNAL]) == (added,)


async def test_run_needs_the_lease(world: leases.World) -> None:
    """Running before it is acquired is a mistake of the caller."""
    with pytest.raises(RuntimeError):
        await world.journal().run()


async def test_write_that_others_always_come_before_is_no_loss(world: leases.World) -> None:
    """Somebody who writes the Lease all the time makes `add` fail in the end, not the process."""
    count = iter(range(1000))
    async with world.leader("a") as journal:
        world.api.before_write = lambda: world.api.change(annotations={"theirs": f"{next(count)}"})
        with pytest.raises(errors.ApiServerError, match="others write it"):
            await journal.add(an_attempt())
        world.api.before_write = lambda: None
        await journal.add(an_attempt())
        assert isinstance(world.api.ids, list)


def test_lost_is_an_api_server_error() -> None:
    """Who adds needs to know one kind of failure."""
    assert issubclass(held_lease.Lost, errors.ApiServerError)
    assert issubclass(held_lease.Unknown, errors.ApiServerError)
