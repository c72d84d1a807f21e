import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from dev import demo_screen


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def write_steps(stream: io.StringIO, environ: Mapping[str, str]) -> str:
    """Write two headings, and return what came out."""
    screen = demo_screen.Screen(stream, environ=environ)
    screen.step("First")
    screen.step("Second")
    return stream.getvalue()


def test_headings_are_numbered_and_bold_on_a_terminal() -> None:
    """Each step has its number, and an empty line before it."""
    assert write_steps(FakeTerminal(), {"TERM": "xterm"}) == "\033[1m1. First\033[0m\n\n\033[1m2. Second\033[0m\n"


@pytest.mark.parametrize(
    ("stream", "environ"),
    [(io.StringIO(), {"TERM": "xterm"}), (FakeTerminal(), {"NO_COLOR": "1"}), (FakeTerminal(), {"TERM": "dumb"})],
)
def test_elsewhere_there_are_no_escape_sequences(stream: io.StringIO, environ: dict[str, str]) -> None:
    """A file, NO_COLOR and a dumb terminal get plain text."""
    assert write_steps(stream, environ) == "1. First\n\n2. Second\n"


def test_a_command_is_written_as_it_can_be_typed() -> None:
    """Paths in the checkout are relative, a folder has its slash, others stay; what a shell would split is quoted."""
    stream = io.StringIO()
    folder = demo_screen.CHECKOUT / "crds"
    demo_screen.Screen(stream).command("kubectl", "-f", folder, folder / "x.yaml", Path("/tmp/x"), "two words")  # noqa: S108 - nothing is written there
    assert stream.getvalue() == "$ kubectl -f crds/ crds/x.yaml /tmp/x 'two words'\n"


def test_a_paragraph_is_wrapped_and_keeps_addresses_whole() -> None:
    """Lines are at most 110 columns wide; an address that has hyphens is not broken at one."""
    stream = io.StringIO()
    address = "http://a-rather-long-name.example.com/with-hyphens"
    demo_screen.Screen(stream).explain(f"see {address} " * 6, indent="  ")
    lines = stream.getvalue().splitlines()
    assert all(line.startswith("  ") and len(line) <= 110 for line in lines)
    assert stream.getvalue().count(address) == 6
