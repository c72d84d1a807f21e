"""Logs: one JSON object a line, or text for a terminal."""

import json
import logging
from collections.abc import Iterator

import pytest

from scm_operator.telemetry import logging as telemetry

OWN, FOREIGN = logging.getLogger("scm_operator.some.room"), logging.getLogger("some.library")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Put logging back as it was."""
    root, own = logging.getLogger(), logging.getLogger("scm_operator")
    handlers, levels = list(root.handlers), (root.level, own.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


def test_each_record_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A line holds level, logger, time and message, and the fields that the room gave along; line ends are escaped."""
    telemetry.configure(level="info", as_json=True)
    OWN.info("%s: uploaded\nas %s", "shop/web", "x", extra={"event": "Uploaded", "generation": 3})
    OWN.warning("second")
    out, err = capsys.readouterr()
    first, second = (json.loads(line) for line in err.splitlines())
    assert first.pop("time").startswith("20")
    assert first == {
        "level": "INFO",
        "logger": "scm_operator.some.room",
        "message": "shop/web: uploaded\nas x",
        "event": "Uploaded",
        "generation": 3,
    }
    assert second["level"] == "WARNING"
    assert out == ""


def test_time_has_a_zone(capsys: pytest.CaptureFixture[str]) -> None:
    """The time of a line can be read by a machine and says its offset from UTC."""
    telemetry.configure(level="info", as_json=True)
    OWN.info("x")
    assert json.loads(capsys.readouterr().err)["time"].endswith("+00:00")


def test_text_is_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """In text mode a line holds time, level and message."""
    telemetry.configure(level="info", as_json=False)
    OWN.warning("%s: wait", "shop/web")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(" WARNING shop/web: wait")
    assert line[:2] == "20"


@pytest.mark.parametrize(
    ("level", "heard"),
    [("debug", ["d", "i", "w", "e"]), ("info", ["i", "w", "e"]), ("warning", ["w", "e"]), ("error", ["e"])],
)
def test_level_is_the_operators_own(capsys: pytest.CaptureFixture[str], level: str, heard: list[str]) -> None:
    """The level holds for the operator; libraries are heard from WARNING on, whatever it is."""
    telemetry.configure(level=level, as_json=True)
    for logger in (OWN, FOREIGN):
        logger.debug("d")
        logger.info("i")
        logger.warning("w")
        logger.error("e")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["message"] for line in lines if line["logger"] == OWN.name] == heard
    assert [line["message"] for line in lines if line["logger"] == FOREIGN.name] == ["w", "e"]


def test_configured_twice_says_all_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A second configuration replaces the first."""
    telemetry.configure(level="info", as_json=False)
    telemetry.configure(level="info", as_json=True)
    OWN.info("x")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_is_so_by_design_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """The library's remark that signals aren't its own is no news."""
    telemetry.configure(level="debug", as_json=True)
    FOREIGN.warning("OS signals are ignored: running not in the main thread.")
    assert capsys.readouterr().err == ""
