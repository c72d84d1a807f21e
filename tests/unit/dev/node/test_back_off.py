import pytest

from dev.node import back_off


class FakeClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock()


def waits(backing: back_off.BackOff, *, count: int) -> list[float]:
    """Return the waits of a container that ends as soon as it is started."""
    found = []
    for _ in range(count):
        backing.started()
        found.append(backing.after_end())
    return found


def test_the_first_restart_is_at_once_and_the_waits_double(clock: FakeClock) -> None:
    """A container that keeps failing is started ever more seldom, up to a longest wait."""
    backing = back_off.BackOff(first=10, longest=300, clock=clock)
    assert waits(backing, count=8) == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_long_run_is_a_new_beginning(clock: FakeClock) -> None:
    """After ten minutes of running, what was before is forgotten; one second less is not enough."""
    backing = back_off.BackOff(first=10, longest=300, clock=clock)
    waits(backing, count=4)
    backing.started()
    clock.now += back_off.QUIET - 1
    assert backing.after_end() == 80
    backing.started()
    clock.now += back_off.QUIET
    assert backing.after_end() == 0
    assert waits(backing, count=1) == [10]
