"""What the release workflow asks: ``version TAG`` checks a tag and prints its version, ``notes VERSION`` prints what
the changelog says of it, ``helm`` builds the Helm that the chart is tested with and prints its path.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from dev import golang, toolchain

CHECKOUT = Path(__file__).resolve().parents[1]


class ReleaseError(Exception):
    """The checkout isn't what the tag says; the message names the file and what to do."""


def version(tag: str, *, checkout: Path = CHECKOUT) -> str:
    """Return the version that a tag stands for.

    Raises:
        ReleaseError: The tag isn't one of a version, some file has another one, or the changelog doesn't know it.

    """
    if not re.fullmatch(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", tag):
        raise ReleaseError(f"tag {tag}: found no version like v1.2.3")
    wanted = tag.removeprefix("v")
    chart = (checkout / "deploy" / "chart" / "Chart.yaml").read_text()
    found = {
        "pyproject.toml: project.version": tomllib.loads((checkout / "pyproject.toml").read_text())["project"][
            "version"
        ],
        "deploy/chart/Chart.yaml: version": _field("version", text=chart),
        "deploy/chart/Chart.yaml: appVersion": _field("appVersion", text=chart),
    }
    wrong = [f"{where} is {value}, the tag says {wanted}" for where, value in found.items() if value != wanted]
    if wrong:
        raise ReleaseError("\n".join(wrong) + "\nChange what is wrong, commit it, and tag that commit.")
    notes(wanted, checkout=checkout)
    return wanted


def notes(wanted: str, *, checkout: Path = CHECKOUT) -> str:
    """Return the changelog's section of a version.

    Raises:
        ReleaseError: It has none.

    """
    text = (checkout / "CHANGELOG.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    for section in sections:
        heading, _, rest = section.partition("\n")
        if re.match(rf"\[?{re.escape(wanted)}\]?(\s|$)", heading):
            return rest.strip() + "\n"
    raise ReleaseError(f"CHANGELOG.md has no section `## {wanted}`: give what stands under Unreleased that heading.")


def _field(name: str, *, text: str) -> str:
    found = re.search(rf"^{name}: *[\"']?([^\"'\s]+)", text, flags=re.MULTILINE)
    return found[1] if found else "missing"


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one question; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.release", description=(__doc__ or "").partition("\n\n")[0])
    questions = parser.add_subparsers(dest="question", required=True)
    questions.add_parser("version").add_argument("tag")
    questions.add_parser("notes").add_argument("version")
    questions.add_parser("helm")
    asked = parser.parse_args(arguments)
    try:
        if asked.question == "version":
            print(version(asked.tag))
        elif asked.question == "notes":
            print(notes(asked.version), end="")
        else:
            print(toolchain.obtain(("helm",), stream=sys.stderr)["helm"])
    except (ReleaseError, golang.NoGoError, golang.BuildError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
