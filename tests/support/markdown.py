"""Pages of documentation: their headings, their blocks of code, and where they link to."""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
_HEADING = re.compile(r"(#{1,6}) (.+)")
_FENCE = re.compile(r"```(\S*)")
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_LEFT_OUT = re.compile(r"[^\w\- ]")


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the page's path, the line of its first fence, the heading above it, its language and its text."""

    page: str
    line: int
    heading: str
    language: str
    text: str

    def __str__(self) -> str:
        """Return where it is."""
        return f"{self.page}:{self.line} ({self.heading})"


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """A page; ``indented`` are lines that Markdown takes for code although no fence says of which language."""

    path: str
    headings: tuple[str, ...]
    blocks: tuple[Block, ...]
    links: tuple[str, ...]
    indented: tuple[int, ...]

    @property
    def anchors(self) -> frozenset[str]:
        """Return what can be linked to, as GitHub names it."""
        found: list[str] = []
        for heading in self.headings:
            slug = _LEFT_OUT.sub("", heading.replace("`", "").lower()).replace(" ", "-")
            found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
        return frozenset(found)

    def sections(self, language: str) -> dict[str, list[Block]]:
        """Return the blocks of a language by their heading, in the page's order."""
        found: dict[str, list[Block]] = {}
        for block in self.blocks:
            if block.language == language:
                found.setdefault(block.heading, []).append(block)
        return found


def paths() -> list[str]:
    """Return all pages of the checkout that are for people."""
    own = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
    found = [*own, *sorted((ROOT / "docs").rglob("*.md")), ROOT / "deploy" / "chart" / "README.md"]
    return [str(path.relative_to(ROOT)) for path in found]


@functools.cache
def read(path: str) -> Page:
    """Read a page of the checkout."""
    return parse((ROOT / path).read_text(), path=path)


def parse(text: str, *, path: str) -> Page:
    """Take a page apart; a fence that nothing closes is a failure."""
    headings: list[str] = []
    blocks: list[Block] = []
    links: list[str] = []
    indented: list[int] = []
    lines = enumerate(text.splitlines(), start=1)
    before = ""
    for number, line in lines:
        if fence := _FENCE.match(line.strip()):
            heading = headings[-1] if headings else ""
            blocks.append(Block(path, number, heading, fence[1], _until_closed(lines, path=path, since=number)))
        elif heading_line := _HEADING.fullmatch(line):
            headings.append(heading_line[2])
        elif line.startswith("    ") and not before.strip():
            indented.append(number)
        links += _LINK.findall(_CODE.sub("", line))
        before = line
    return Page(path, tuple(headings), tuple(blocks), tuple(links), tuple(indented))


def _until_closed(lines: Iterator[tuple[int, str]], *, path: str, since: int) -> str:
    inside: list[str] = []
    for _, line in lines:
        if line.strip() == "```":
            return "\n".join(inside) + "\n"
        inside.append(line)
    raise AssertionError(f"{path}:{since}: nothing closes this fence")
