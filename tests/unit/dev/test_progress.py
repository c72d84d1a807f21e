import io

import pytest

from dev import progress


class FakeClock:
    """A clock that stands still until a test moves it, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m00s"), (151, "2m31s"), (3720, "1h02m")],
)
def test_elapsed_time_is_written_as_people_do(seconds: float, text: str) -> None:
    """Seconds become seconds, minutes with seconds, or hours with minutes."""
    assert progress.elapsed(seconds) == text


def test_a_log_gets_a_line_at_once_and_then_every_15_seconds() -> None:
    """Where the output is no terminal, a step's news are lines, and not more than one in 15 seconds."""
    log, clock = io.StringIO(), FakeClock()
    show = progress.Progress(log, clock=clock)
    for now in range(1000, 1032):
        clock.now = now
        show.show("building etcd", detail=f"package {now - 1000}")
    show.done("built etcd")
    assert log.getvalue().splitlines() == [
        "building etcd … 0s, package 0",
        "building etcd … 15s, package 15",
        "building etcd … 30s, package 30",
        "built etcd in 31s",
    ]


def test_each_step_has_a_line_and_a_time_of_its_own() -> None:
    """A new step is shown at once, and counts from zero."""
    log, clock = io.StringIO(), FakeClock()
    show = progress.Progress(log, clock=clock)
    show.show("first")
    clock.now += 5
    show.show("second")
    assert log.getvalue().splitlines() == ["first … 0s", "second … 0s"]


def test_a_terminal_has_one_line_updated_in_place() -> None:
    """On a terminal each news replaces the line, and only what is done ends with a newline."""
    terminal = FakeTerminal()
    show = progress.Progress(terminal, clock=FakeClock())
    show.show("building etcd")
    show.show("building etcd", detail="package " + "x" * 500)
    assert "\n" not in terminal.getvalue()
    assert max(map(len, terminal.getvalue().split("\r\033[K"))) < 500
    show.done("built etcd")
    assert terminal.getvalue().endswith("\r\033[Kbuilt etcd in 0s\n")
