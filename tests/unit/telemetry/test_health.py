"""Health: what each probe looks at, how it is told, and what a watch must do to be alive."""

import logging

import pytest

from scm_operator.telemetry import health
from tests.support import fakes


@pytest.fixture
def clock() -> fakes.FakeClock:
    """Return a clock that only the test moves."""
    return fakes.FakeClock()


@pytest.fixture
def state() -> health.Health:
    """Return the health of a process that has just begun."""
    return health.Health()


def test_process_lives_from_the_start(state: health.Health) -> None:
    """Before anything is listed the process lives, so that a slow start isn't cut off, and is not ready."""
    assert state.live().ok
    assert not state.ready().ok
    assert state.ready().checks["caches"] == "the first lists are not complete"


def test_ready_is_who_knows_everything(state: health.Health) -> None:
    """Complete lists make a process ready; nothing is asked about the Lease, so a standby is."""
    state.synced()
    assert state.ready().ok


def test_stopping_is_not_ready_and_lives(state: health.Health) -> None:
    """A process that ends takes itself out, and isn't killed for it."""
    state.synced()
    state.stopping()
    assert not state.ready().ok
    assert state.live().ok


def test_hindrance_is_not_ready_until_it_is_gone(state: health.Health) -> None:
    """What somebody else says to be in the way is told as it was said, and is no matter of life."""
    state.synced()
    state.hinder("another installation serves namespace shop")
    assert "[-]installation failed: another installation serves namespace shop" in str(state.ready())
    assert state.live().ok
    state.hinder(None)
    assert state.ready().ok


def test_each_check_has_a_line(state: health.Health) -> None:
    """The answer is a table for people: each check with what is wrong, and the whole at the end."""
    state.watch_over("uploads", lambda: "3 keys wait")
    state.watch_over("accounts", lambda: None)
    assert str(state.live()) == "[+]loop ok\n[-]uploads failed: 3 keys wait\n[+]accounts ok\nlivez check failed\n"


def test_change_is_logged_once(state: health.Health, caplog: pytest.LogCaptureFixture) -> None:
    """A probe that begins to fail is one WARNING with the cause, however often it is asked; its end is one INFO."""
    caplog.set_level(logging.INFO)
    wrong: list[str | None] = [None, "it stands", "it stands", None, None]
    state.watch_over("uploads", lambda: wrong.pop(0))
    for _ in range(5):
        state.live()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "livez fails: uploads: it stands"),
        ("INFO", "livez passes again"),
    ]


def test_start_is_not_logged_as_a_change(state: health.Health, caplog: pytest.LogCaptureFixture) -> None:
    """A process that isn't ready yet is none that has failed."""
    for _ in range(2):
        state.ready()
    assert not caplog.records


def test_watch_that_moves_is_alive(clock: fakes.FakeClock) -> None:
    """A beat within the time that is allowed is enough, whatever it was."""
    pulse = health.Pulse(clock)
    for _ in range(10):
        pulse.beat("/uploads")
        clock.advance(60)
        assert pulse.stall(60) is None


def test_watch_that_stands_still_is_named(clock: fakes.FakeClock) -> None:
    """Of several watches those that are silent for too long are named, with the time."""
    pulse = health.Pulse(clock)
    for path in ("/uploads", "/secrets", "/accounts"):
        pulse.beat(path)
    clock.advance(40)
    pulse.beat("/accounts")
    clock.advance(50)
    assert pulse.stall(60) == "nothing of /secrets for 90 s; nothing of /uploads for 90 s"
    assert pulse.silences() == {"/uploads": 90, "/secrets": 90, "/accounts": 50}


def test_watch_counts_from_its_first_beat(clock: fakes.FakeClock) -> None:
    """A watch that has not begun can't have stopped: a start that takes long is no stall."""
    pulse = health.Pulse(clock)
    clock.advance(1000)
    assert pulse.stall(60) is None
    pulse.beat("/uploads")
    assert pulse.stall(60) is None
