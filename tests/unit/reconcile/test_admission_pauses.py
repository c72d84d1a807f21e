"""Pauses: a throttled or failing account is left alone, then tried by one call."""

import asyncio

import pytest

from scm_operator.domain import errors, reasons
from scm_operator.reconcile import queue
from tests.unit.reconcile import admitting, handling

# Time jumps: a test that waits an hour takes no time.
pytestmark = pytest.mark.looptime


def _open(door: admitting.Door) -> None:
    """Fail five times in a row."""
    for number in range(5):
        assert door.visit(f"failing{number}", admitting.unreachable())
    assert door.admission.paused


def _four() -> admitting.Door:
    """Return the admission of an account that allows four calls at a time."""
    return admitting.Door(concurrency=4)


async def test_throttling_pauses_at_once_for_as_long_as_asked() -> None:
    """After one 429 nobody is admitted before Retry-After is over."""
    door = _four()
    door.visit("a", admitting.throttled(60.0))
    assert not door.admits("b")
    await handling.until(59.9)
    assert door.woken == []
    await handling.until(100.0)
    assert door.times == [60.0]


async def test_throttling_is_jittered_and_never_shorter_than_asked() -> None:
    """The pause lies between what was asked for and the backoff, wherever chance puts it."""
    spreads: list[tuple[float, float]] = []

    def lowest(low: float, high: float) -> float:
        spreads.append((low, high))
        return low

    door = admitting.Door(backoff=queue.Backoff(first=1.0, longest=300.0, uniform=lowest))
    for retry_after in (None, 2.0, 3.0, None, 400.0):
        assert door.visit("a", admitting.throttled(retry_after))
        await asyncio.sleep(spreads[-1][0])
    assert spreads == [(1.0, 1.0), (2.0, 2.0), (3.0, 4.0), (1.0, 8.0), (400.0, 400.0)]


@pytest.mark.parametrize("reason", ["Unreachable", "ServerError", "EndpointNotFound"])
async def test_five_failures_in_a_row_pause(reason: str) -> None:
    """Four failures of the account change nothing, the fifth pauses it."""
    door = _four()
    obstacle = errors.RetryLater(reasons.Reason(reason), "it failed.")
    for key in "abcd":
        door.visit(key, obstacle)
    assert door.visit("e", obstacle)
    assert not door.admits("f")
    assert door.admission.paused
    assert door.admission.paused.reason.value == reason


async def test_unknown_outcomes_count_as_failures_of_the_service() -> None:
    """Five POSTs with unknown outcomes pause the account; others, of which nothing is unknown, are told ServerError."""
    door = _four()
    for key in "abcde":
        door.visit(key, errors.OutcomeUnknown("SCM answered 500."))
    reason, message = door.told("f") or ("", "")
    assert reason == "ServerError"
    assert "SCM answered 500." in message


@pytest.mark.parametrize(
    "answer",
    [
        None,
        errors.NeedsChange(reasons.Reason.REJECTED, "no."),
        errors.Blocked(reasons.Reason.ENTRY_MISSING, "gone."),
        errors.AccountObstacle(
            reasons.Reason.ACCESS_DENIED, "denied.", account_reason=reasons.AccountReason.ACCESS_DENIED
        ),
    ],
)
async def test_any_answer_of_the_service_ends_the_row(
    answer: errors.Obstacle | None,
) -> None:
    """A success, a refusal of the upload or of the login shows that the service is there."""
    door = _four()
    for number in range(30):
        assert door.visit("a", answer if number % 5 == 4 else admitting.unreachable())
    assert door.admission.paused is None


async def test_one_call_tries_and_its_success_lets_the_others_go() -> None:
    """When the pause is over one key is woken; its success wakes the others, as many as there are slots."""
    door = _four()
    _open(door)
    for key in "abcdef":
        door.admits(key)
    await handling.until(100.0)
    assert door.woken == ["a"]
    assert not door.admits("g")
    assert door.admits("a")
    door.call("a")
    assert door.admission.paused is None
    await handling.until(101.0)
    assert door.woken == ["a", "b", "c", "d"]
    door.admission.leave("a")
    assert door.woken == ["a", "b", "c", "d", "e"]


async def test_failed_try_pauses_longer() -> None:
    """The pause doubles with each failed try, up to five minutes, and begins anew after a success."""
    door = _four()
    _open(door)
    for _ in range(11):
        door.admits("a")
        await asyncio.sleep(400.0)
        door.visit("a", admitting.unreachable())
    waits = [woken - 400.0 * number for number, woken in enumerate(door.times)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0]
    await asyncio.sleep(400.0)
    assert door.visit("a")
    door.visit("a", admitting.throttled())
    since = asyncio.get_running_loop().time()
    assert not door.admits("a")
    await asyncio.sleep(400.0)
    assert door.times[-1] == since + 1.0


async def test_one_call_tries_after_throttling_too() -> None:
    """After the pause for a 429 the account isn't asked by all at once."""
    door = _four()
    door.visit("a", admitting.throttled(10.0))
    for key in "bcd":
        door.admits(key)
    await handling.until(100.0)
    assert door.woken == ["b"]


async def test_probe_that_makes_no_call_hands_on() -> None:
    """If the key that was to try makes no call, or is gone, another tries."""
    door = _four()
    _open(door)
    for key in "abc":
        door.admits(key)
    await handling.until(100.0)
    door.admission.leave("a")
    door.admission.forget("b")
    assert door.woken == ["a", "b", "c"]
    assert not door.admits("d")


async def test_probe_that_ends_without_an_answer_pauses_again() -> None:
    """A bug or a cancellation in the call that tries says nothing of the account: it is tried again, later."""
    door = _four()
    _open(door)
    door.admits("a")
    await handling.until(100.0)
    door.visit("a", RuntimeError())
    assert not door.admits("b")
    await handling.until(1000.0)
    assert door.woken == ["a", "b"]
    assert door.times == [1.0, 102.0]


async def test_bug_in_a_call_pauses_no_account() -> None:
    """What has nothing to do with the account doesn't count."""
    door = _four()
    for _ in range(20):
        assert door.visit("a", RuntimeError())


async def test_calls_from_before_the_pause_do_not_lengthen_it() -> None:
    """Of four calls under way that all fail the first begins the pause, and the others change nothing."""
    door = _four()
    for key in "abcd":
        door.admits(key)
    for key in "abcd":
        door.call(key, admitting.throttled())
        door.admission.leave(key)
    door.admits("e")
    await handling.until(100.0)
    assert door.times == [1.0]


async def test_calls_from_before_the_pause_do_not_end_it() -> None:
    """A success that was under way before says nothing of the time after, nor does it later count as the try."""
    door = _four()
    for key in "abcd":
        door.admits(key)
    door.call("a", admitting.throttled(50.0))
    door.admission.leave("a")
    door.call("b")
    assert not door.admits("e")
    await handling.until(60.0)
    door.call("c")
    door.call("d", admitting.unreachable())
    assert door.woken == ["e"]
    assert door.admission.paused
    assert door.visit("e")
    assert door.admission.paused is None


async def test_window_that_the_service_asks_for_is_kept_whoever_is_told() -> None:
    """Of several 429s to calls under way the longest Retry-After counts."""
    door = _four()
    for key in "ab":
        door.admits(key)
    for key, retry_after in (("a", 5.0), ("b", 20.0)):
        door.call(key, admitting.throttled(retry_after))
        door.admission.leave(key)
    door.admits("c")
    await handling.until(100.0)
    assert door.times == [20.0]


async def test_turns_that_nobody_has_taken_yet_are_taken_back() -> None:
    """A key that was woken and asks only after the pause has begun waits, and goes first afterwards, in its order."""
    door = _four()
    for key in "abcdefgh":
        door.admits(key)
    for key in "bcd":
        door.admission.leave(key)
    assert door.woken == ["e", "f", "g"]
    door.call("a", admitting.throttled())
    assert door.woken == ["e", "f", "g", "e", "f", "g", "h"]  # all are told that there is a pause
    door.woken.clear()
    door.admission.leave("a")
    assert [door.admits(key) for key in "gfe"] == [False, False, False]
    await handling.until(2.0)
    assert door.visit("e")
    await handling.until(3.0)
    assert door.woken == ["e", "f", "g", "h"]


async def test_reset_ends_the_pause_and_wakes_whom_it_may() -> None:
    """Another account version or credential is tried at once, and what its predecessor's calls come to is no matter."""
    door = _four()
    door.admits("old")
    _open(door)
    for key in "abcdef":
        door.admits(key)
    door.admission.reset()
    assert door.admission.paused is None
    assert door.woken == ["a", "b", "c"]
    door.call("old", admitting.throttled())
    assert door.admission.paused is None


async def test_closing_again_begins_slowly() -> None:
    """After a pause there is no burst: calls begin at the steady rate."""
    door = admitting.Door(rate=2, concurrency=8)
    door.visit("a", admitting.throttled(3600.0))
    for key in "bcdef":
        door.admits(key)
    await handling.until(3600.0)
    assert door.visit("b")
    await handling.until(3601.1)
    assert door.woken == ["b", "c", "d", "e"]


async def test_waiting_is_told_with_the_cause_and_the_same_words_each_time() -> None:
    """Whoever waits for a paused account is told its failure and about when it is tried again, in unchanging words."""
    door = _four()
    door.visit("a", admitting.throttled(60.0))
    told = door.told("b")
    assert told == (
        "Throttled",
        "waits, because a call of its account failed: SCM answered 429. The account is tried again in about 60 s.",
    )
    await handling.until(30.0)
    assert door.told("b") == told
    await handling.until(90.0)
    assert door.told("c") == told


async def test_long_pauses_are_told_in_minutes() -> None:
    """A pause of minutes is told so."""
    door = _four()
    door.visit("a", admitting.throttled(290.0))
    assert (door.told("b") or ("", ""))[1].endswith("in about 5 min.")


async def test_nobody_waits_and_no_timer_runs() -> None:
    """A pause alone wakes nobody; who comes after it is over goes at once, as the one that tries."""
    door = _four()
    _open(door)
    await handling.until(100.0)
    assert door.woken == []
    assert door.admits("a")
    assert not door.admits("b")


async def test_failure_of_the_one_try_after_throttling_pauses_again() -> None:
    """One failure of whatever kind is enough when it is the try that fails."""
    door = _four()
    door.visit("a", admitting.throttled())
    await handling.until(10.0)
    assert door.visit("a", admitting.unreachable())
    assert not door.admits("a")


async def test_reset_ends_the_wait_for_the_end_of_the_pause_too() -> None:
    """After a reset the line goes on as soon as the limiter allows it, not when the pause would have ended."""
    door = admitting.Door(rate=1, concurrency=1)
    door.visit("a", admitting.throttled(3600.0))
    door.admits("b")
    door.admission.reset()
    await handling.until(100.0)
    assert door.times == pytest.approx([1.0], abs=0.01)


async def test_call_after_a_reset_counts_though_its_turn_is_older() -> None:
    """A turn that is taken after a reset belongs to the new account version: what its call meets is taken in."""
    door = admitting.Door()
    door.admits("a")
    door.admits("b")
    door.admission.leave("a")
    assert door.woken == ["b"]
    door.admission.reset()
    assert door.visit("b", admitting.throttled())
    assert door.admission.paused
