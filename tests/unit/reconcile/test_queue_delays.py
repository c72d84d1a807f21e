"""The work queue's delays: what a handler asks for, backoff with full jitter, and what ends a delay."""

import logging

import pytest

from scm_operator.reconcile import queue
from tests.unit.reconcile import handling

# Time jumps: a test that waits an hour for a retry takes no time.
pytestmark = pytest.mark.looptime


async def test_backoff_is_added_to_what_was_asked_for(handler: handling.FakeHandler) -> None:
    """The jitter comes on top, so that many keys told the same moment don't come back at the same moment."""
    work = handling.make_queue(workers=50, backoff=queue.Backoff(first=100.0))
    handler.answers.extend([queue.Retry(at_least=60.0)] * 50)
    for number in range(50):
        work.add(f"k{number}")
    async with handling.running(work, handler):
        await handling.until(1000.0)
    again = handler.times[50:]
    assert len(again) == 50
    assert all(60.0 <= time <= 160.0 for time in again)
    assert len(set(again)) > 40


@pytest.mark.parametrize(
    ("failures", "slow", "most"),
    [
        *[(1, False, 1.0), (2, False, 2.0), (5, False, 16.0), (9, False, 256.0), (10, False, 300.0)],
        *[(10_000, False, 300.0), (1, True, 30.0), (2, True, 60.0), (4, True, 240.0), (5, True, 300.0)],
    ],
)
def test_backoff_doubles_with_full_jitter_up_to_the_longest(failures: int, most: float, *, slow: bool) -> None:
    """A delay is spread over all from 0 to first times 2 to the failures, never beyond the longest."""
    backoff = queue.Backoff(first=1.0, slow=30.0, longest=300.0)
    delays = [backoff.delay(failures, slow=slow) for _ in range(500)]
    assert 0.0 <= min(delays) < most * 0.1
    assert most * 0.9 < max(delays) <= most


def test_backoff_takes_its_jitter_from_outside() -> None:
    """Where in the spread a delay lies is up to the function that was handed in."""
    backoff = queue.Backoff(first=8.0, uniform=lambda low, high: low + (high - low) / 4)
    assert backoff.delay(2, slow=False) == 4.0


class FakeBackoff(queue.Backoff):
    """A backoff without jitter: one second for each failure, a thousand for each where only a person can help."""

    def delay(self, failures: int, *, slow: bool) -> float:
        """Return it."""
        return float(failures) * (1000.0 if slow else 1.0)


async def test_failures_in_a_row_are_counted_and_forgotten_after_a_success(handler: handling.FakeHandler) -> None:
    """Each retry in a row waits longer; a success starts anew."""
    work = handling.make_queue(backoff=FakeBackoff())
    handler.answers.extend([queue.Retry()] * 3 + [None, queue.Retry(slow=True)])
    work.add("a")
    async with handling.running(work, handler):
        await handling.until(100.0)
        assert handler.times == [0.0, 1.0, 3.0, 6.0]
        work.add("a")
        await handling.until(2000.0)
        assert handler.times[4:] == [100.0, 1100.0]


async def test_failures_of_one_key_do_not_delay_another(handler: handling.FakeHandler) -> None:
    """Each key has a backoff of its own."""
    work = handling.make_queue(backoff=FakeBackoff())
    handler.answers.extend([queue.Retry()] * 3)
    work.add("a")
    async with handling.running(work, handler):
        await handling.until(10.0)
        handler.answers.append(queue.Retry())
        work.add("b")
        await handling.until(20.0)
    assert handler.handled[-2:] == ["b", "b"]
    assert handler.times[-2:] == [10.0, 11.0]


async def test_add_ends_a_delay(handler: handling.FakeHandler) -> None:
    """A key whose retry isn't due is handled at once when it is added, and not once more when it would be due."""
    work = handling.make_queue()
    handler.answers.append(queue.Retry(at_least=300.0))
    work.add("a")
    async with handling.running(work, handler):
        await handling.until(10.0)
        work.add("a")
        await handling.until(1000.0)
    assert handler.times == [0.0, 10.0]


async def test_add_during_the_handling_replaces_the_retry(handler: handling.FakeHandler) -> None:
    """A key that changed while its handling failed is handled at once, and no delayed retry is left."""
    work, gate = handling.make_queue(), handler.gate("a")
    handler.answers.append(queue.Retry(at_least=300.0))
    work.add("a")
    async with handling.running(work, handler):
        work.add("a")
        gate.set()
        await handling.until(1000.0)
    assert handler.times == [0.0, 0.0]


async def test_retry_that_is_due_waits_in_the_later_lane(handler: handling.FakeHandler) -> None:
    """A retry that is due lets fresh keys go first."""
    work, gate = handling.make_queue(), handler.gate("busy")
    handler.answers.append(queue.Retry(at_least=5.0))
    work.add("retry")
    async with handling.running(work, handler):
        work.add("busy")
        await handling.until(10.0)
        work.add("fresh")
        gate.set()
        await handling.idle()
    assert handler.handled == ["retry", "busy", "fresh", "retry"]


async def test_many_calls_for_later_are_one(handler: handling.FakeHandler) -> None:
    """A key that is wanted a little later is handled once, however often that is said, counted from the first time."""
    work = handling.make_queue()
    async with handling.running(work, handler):
        work.add_later("a", delay=5.0)
        await handling.until(3.0)
        work.add_later("a", delay=5.0)
        await handling.until(100.0)
    assert handler.times == [5.0]


async def test_add_ends_a_wait_for_later(handler: handling.FakeHandler) -> None:
    """A key that is added is not handled once more when its later time comes."""
    work = handling.make_queue()
    async with handling.running(work, handler):
        work.add_later("a", delay=5.0)
        work.add("a")
        await handling.until(100.0)
    assert handler.times == [0.0]


async def test_bug_in_a_handler_is_a_retry_and_its_message_is_not_logged(
    handler: handling.FakeHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception is logged with type and place, without its message; the key backs off and the worker goes on."""
    work = handling.make_queue(backoff=FakeBackoff())
    handler.answers.extend([ValueError("canary"), None, ValueError("canary")])
    work.add("a")
    async with handling.running(work, handler):
        work.add("b")
        await handling.until(100.0)
    assert handler.handled.count("a") == 3
    assert handler.handled.count("b") == 1
    errors_logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors_logged) == 2
    text = caplog.text
    assert "bug while handling a: ValueError" in text
    assert "handling.py" in text
    assert "canary" not in text


@pytest.mark.looptime
async def test_add_later_while_handled_comes_before_a_retry() -> None:
    """A key that is to be looked at in a while, and fails meanwhile, is looked at in that while."""
    work, handler = handling.make_queue(), handling.FakeHandler()
    gate = handler.gate("a")
    handler.answers.append(queue.Retry(at_least=100.0))
    work.add("a")
    async with handling.running(work, handler):
        work.add_later("a", delay=0.5)
        gate.set()
        await handling.until(500.0)
    assert handler.times == [0.0, 0.5]


async def test_again_comes_after_exactly_the_time_asked_for(handler: handling.FakeHandler) -> None:
    """A key that is told when to come back comes then, without jitter, as often as it is told."""
    work = handling.make_queue(backoff=queue.Backoff(first=100.0))
    handler.answers.extend([queue.Again(30.0), queue.Again(5.0)])
    work.add("a")
    async with handling.running(work, handler):
        await handling.until(1000.0)
    assert handler.times == [0.0, 30.0, 35.0]


async def test_again_is_no_failure_and_forgets_none(handler: handling.FakeHandler) -> None:
    """The failures before it are still counted after it, and it isn't one of them."""
    work = handling.make_queue(backoff=FakeBackoff())
    handler.answers.extend([queue.Retry(), queue.Retry(), queue.Again(50.0), queue.Retry()])
    work.add("a")
    async with handling.running(work, handler):
        await handling.until(1000.0)
    assert handler.times == [0.0, 1.0, 3.0, 53.0, 56.0]


async def test_add_ends_the_wait_of_an_again(handler: handling.FakeHandler) -> None:
    """A key that is added before its time is handled at once, and not once more."""
    work = handling.make_queue()
    handler.answers.append(queue.Again(300.0))
    work.add("a")
    async with handling.running(work, handler):
        await handling.until(10.0)
        work.add("a")
        await handling.until(1000.0)
    assert handler.times == [0.0, 10.0]


async def test_add_during_the_handling_replaces_the_again(handler: handling.FakeHandler) -> None:
    """A key that was added while it was handled is handled at once, and no timer is left."""
    work, gate = handling.make_queue(), handler.gate("a")
    handler.answers.append(queue.Again(300.0))
    work.add("a")
    async with handling.running(work, handler):
        work.add("a")
        gate.set()
        await handling.until(1000.0)
    assert handler.times == [0.0, 0.0]


@pytest.mark.parametrize(("first", "then"), [(5.0, 50.0), (50.0, 5.0)])
async def test_of_two_times_the_sooner_counts(handler: handling.FakeHandler, first: float, then: float) -> None:
    """A key that is to come back at two times comes back once, at the sooner."""
    work = handling.make_queue()
    async with handling.running(work, handler):
        work.add_later("a", delay=first)
        work.add_later("a", delay=then)
        await handling.until(100.0)
    assert handler.times == [5.0]
