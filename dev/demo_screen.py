"""What the demo writes: headings, commands as a person would type them, and what they answer."""

import os
import shlex
import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

CHECKOUT = Path(__file__).resolve().parents[1]

_WIDTH = 110
_BOLD, _PLAIN = "\033[1m", "\033[0m"


class Screen:
    """Plain text; headings are bold on a terminal, unless NO_COLOR (https://no-color.org) or TERM says otherwise."""

    def __init__(self, stream: TextIO, *, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self._bold = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self._steps = 0

    def step(self, heading: str) -> None:
        """Begin the next step, with its number."""
        if self._steps:
            self.say()
        self._steps += 1
        self.strong(f"{self._steps}. {heading}")

    def strong(self, text: str) -> None:
        """Write a line that stands out."""
        self.say(f"{_BOLD}{text}{_PLAIN}" if self._bold else text)

    def say(self, text: str = "") -> None:
        """Write a line, or several, as they are."""
        print(text, file=self._stream, flush=True)

    def explain(self, text: str, *, indent: str = "") -> None:
        """Write a paragraph, wrapped to the terminal; a path or an address in it stays whole."""
        width = min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH)
        filled = textwrap.fill(
            text,
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        self.say(filled)

    def command(self, *words: str | Path) -> None:
        """Write a command, which is about to run, as a person in the checkout would type it."""
        self.say(f"$ {as_typed(*words)}")


def as_typed(*words: str | Path) -> str:
    """Write a command for a shell in the checkout: what is in there is named by its relative path."""
    return shlex.join(_relative(word) if isinstance(word, Path) else word for word in words)


def _relative(path: Path) -> str:
    if not path.is_relative_to(CHECKOUT):
        return str(path)
    # A folder with its slash: it's then plain to see that all manifests in it are meant.
    return str(path.relative_to(CHECKOUT)) + ("/" if path.is_dir() else "")
