"""Turns: who may call SCM now, in which order, how many at a time and how often."""

import pytest

from scm_operator.domain import account
from tests.unit.reconcile import admitting, handling

# Time jumps: a test that waits an hour takes no time.
pytestmark = pytest.mark.looptime


async def test_first_come_are_admitted_up_to_the_concurrency() -> None:
    """As many keys have a turn at a time as the account's concurrency says."""
    door = admitting.Door(concurrency=2)
    assert [door.admits(key) for key in "abc"] == [True, True, False]
    assert (door.admission.under_way, door.admission.waiting) == (2, 1)


async def test_turn_is_kept_however_often_the_key_asks() -> None:
    """A key that has a turn is admitted again without a second slot."""
    door = admitting.Door(concurrency=2)
    assert door.admits("a")
    assert door.admits("a")
    assert door.admission.under_way == 1


async def test_leaving_passes_the_turn_on() -> None:
    """A key that leaves makes room for the next in line, which is woken and then admitted."""
    door = admitting.Door()
    assert [door.admits(key) for key in "abc"] == [True, False, False]
    door.admission.leave("a")
    assert door.woken == ["b"]
    assert not door.admits("d")
    assert door.admits("b")


async def test_turn_that_is_not_used_is_passed_on() -> None:
    """A woken key that makes no call gives its turn to the next; leaving twice, or without a turn, changes nothing."""
    door = admitting.Door()
    for key in "abc":
        door.admits(key)
    door.admission.leave("a")
    door.admission.leave("b")
    door.admission.leave("b")
    door.admission.leave("nobody")
    assert door.woken == ["b", "c"]
    assert door.admission.under_way == 1


async def test_turn_that_comes_while_the_pass_ends_is_for_the_next_pass() -> None:
    """A key that was told to wait, and gets its turn before that pass is over, keeps it."""
    door = admitting.Door()
    door.admits("a")
    door.admission.admit("b", admitting.FRESH)
    door.admission.leave("a")
    assert door.woken == ["b"]
    door.admission.leave("b")
    assert door.admission.under_way == 1
    assert door.admits("b")


async def test_forgotten_key_is_neither_woken_nor_in_the_way() -> None:
    """A key that wants nothing any more is out of the line, and its turn is the next one's."""
    door = admitting.Door()
    for key in "abcd":
        door.admits(key)
    door.admission.forget("b")
    door.admission.forget("a")
    assert door.woken == ["c"]
    door.admission.forget("c")
    assert door.woken == ["c", "d"]


async def test_fresh_keys_go_first_and_retries_do_not_starve() -> None:
    """Fresh keys go ahead of retries, but every eighth turn is a retry's."""
    door = admitting.Door()
    door.admits("first")
    for number in range(3):
        door.admits(f"r{number}", admitting.RETRY)
    for number in range(30):
        door.admits(f"f{number}")
    last = "first"
    for _ in range(33):
        door.admission.leave(last)
        last = door.woken[-1]
    assert [place for place, key in enumerate(door.woken) if key.startswith("r")] == [6, 14, 22]
    assert [key for key in door.woken if key.startswith("f")] == [f"f{number}" for number in range(30)]


async def test_asking_again_keeps_the_place_and_a_change_moves_it_ahead() -> None:
    """A key that waits has one place; a retry whose resource has changed moves to the fresh ones."""
    door = admitting.Door()
    door.admits("first")
    for key, lane in (("r1", admitting.RETRY), ("r2", admitting.RETRY), ("r1", admitting.RETRY)):
        door.admits(key, lane)
    door.admits("r2")
    for key in ("first", "r2", "r1"):
        door.admission.leave(key)
    assert door.woken == ["r2", "r1"]


async def test_rate_is_kept_over_time() -> None:
    """After a burst not more keys are admitted in any second than requestsPerSecond."""
    door = admitting.Door(rate=5, concurrency=8)
    for number in range(208):
        door.visit(f"k{number}")
    assert door.admission.waiting == 200
    served = 0
    for second in range(1, 50):
        await handling.until(second)
        for key in door.woken[served:]:
            assert door.visit(key)
        served = len(door.woken)
        assert served <= 5 * second
    assert served == 200
    assert door.times[-1] == pytest.approx(40.0, abs=1.1)


async def test_waiters_of_the_limiter_are_woken_one_by_one() -> None:
    """Each is woken when its token comes, not before and not much later."""
    door = admitting.Door(rate=2, concurrency=2)
    for key in ("a", "b", "c", "d", "e"):
        door.visit(key)
    for moment in (0.6, 1.1, 1.6):
        await handling.until(moment)
        door.visit(door.woken[-1])
    assert door.woken == ["c", "d", "e"]
    assert door.times == pytest.approx([0.5, 1.0, 1.5], abs=0.01)


async def test_further_calls_of_a_turn_are_paid_later() -> None:
    """A second and third call in one turn wait for nothing; whoever comes next waits until they are paid."""
    door = admitting.Door(rate=1, concurrency=2)
    assert door.admits("a")
    for _ in range(5):
        door.call("a")
    door.admission.leave("a")
    assert not door.admits("b")
    await handling.until(100.0)
    assert door.times == pytest.approx([4.0], abs=0.01)


async def test_turn_without_a_call_costs_no_token() -> None:
    """What wasn't sent isn't counted."""
    door = admitting.Door(rate=1, concurrency=1)
    for number in range(100):
        assert door.admits(f"k{number}")
        door.admission.leave(f"k{number}")


async def test_quiet_time_saves_up_no_more_than_a_burst() -> None:
    """After an hour without calls as many go at once as after a second."""
    door = admitting.Door(rate=3, concurrency=8)
    await handling.until(3600.0)
    assert sum(door.visit(f"k{number}") for number in range(50)) == 8


async def test_short_wait_is_not_told_and_a_long_one_is() -> None:
    """From ten seconds on a wait for the limiter is told, with the fields that decide it and no number that changes."""
    door = admitting.Door(rate=2, concurrency=2)
    told = [door.told(f"k{number}") for number in range(40) if not door.visit(f"k{number}")]
    assert told[0] is None
    reason, message = told[-1] or ("", "")
    assert reason == "Throttled"
    assert "limits.requestsPerSecond is 2" in message
    assert "limits.concurrency 2" in message
    assert set(told) == {None, told[-1]}


async def test_changed_limits_hold_at_once_and_keep_the_line() -> None:
    """More turns are given at once when the limits are raised; when they are lowered those under way go on."""
    door = admitting.Door(concurrency=1)
    for key in "abcd":
        door.admits(key)
    door.admission.change_limits(account.Limits(requests_per_second=1000, concurrency=3))
    assert door.woken == ["b", "c"]
    door.admission.change_limits(account.Limits(requests_per_second=1000, concurrency=1))
    door.admission.leave("a")
    door.admission.leave("b")
    assert door.woken == ["b", "c"]
    door.admission.leave("c")
    assert door.woken == ["b", "c", "d"]


async def test_wait_for_a_turn_is_told() -> None:
    """Each turn that is given is told with the time that its key stood in line: none, or until somebody left."""
    door, waits = admitting.Door(), list[float]()
    door.admission.on_turn = waits.append
    assert door.admits("a")
    assert not door.admits("b")
    await handling.until(7.0)
    door.admission.leave("a")
    assert door.admits("b")
    assert waits == [0.0, 7.0]
