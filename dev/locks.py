"""The locks of the dependencies: ``python -m dev.locks write`` compiles them, ``check`` tells whether they still fit.

They hold for every platform and every Python that the project supports. Pins stay as they are until pyproject.toml
no longer allows them, or until ``write --upgrade``.
"""

import argparse
import difflib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]

RUNTIME = "requirements/runtime.txt"
DEVELOPMENT = "requirements/dev.txt"
BUILD = "requirements/build.txt"
LOCKS = (RUNTIME, DEVELOPMENT, BUILD)

_LINES = 30


class LockError(Exception):
    """The locks could not be compiled; the message has uv's."""


def compile_commands(oldest: str, *, upgrade: bool = False) -> tuple[list[str], list[str], list[str]]:
    """Return uv's command lines, to be run in order in a checkout, for the oldest Python that must do.

    They lock what the operator needs, what development needs beside it, and what builds a wheel of it.

    There are no addresses of package indexes in the locks: which index they are installed from is the user's matter.
    """
    common = [
        sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", f"--python-version={oldest}",
        "--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links",
        *(["--upgrade"] if upgrade else []),
    ]  # fmt: skip
    return (
        [*common, f"--output-file={RUNTIME}", "pyproject.toml"],
        [*common, f"--output-file={DEVELOPMENT}", "--group=dev", f"--constraints={RUNTIME}", "pyproject.toml"],
        [*common, f"--output-file={BUILD}", "--group=build", f"--constraints={DEVELOPMENT}"],
    )


def oldest_python(pyproject: Path) -> str:
    """Read the oldest Python out of ``requires-python``, which has the form ``>=3.11``."""
    wanted: str = tomllib.loads(pyproject.read_text())["project"]["requires-python"]
    return wanted.removeprefix(">=")


def compile_locks(checkout: Path, *, into: Path, upgrade: bool = False) -> None:
    """Compile a checkout's locks into another folder; its pins are where uv starts from.

    The folder gets the checkout's layout, because the paths are part of the locks' annotations.

    Raises:
        LockError: uv failed: pyproject.toml can't be fulfilled, or no package index answers.

    """
    (into / "requirements").mkdir()
    shutil.copy(checkout / "pyproject.toml", into)
    for name in LOCKS:
        if (checkout / name).exists():
            shutil.copy(checkout / name, into / name)
    for command in compile_commands(oldest_python(into / "pyproject.toml"), upgrade=upgrade):
        done = subprocess.run(command, cwd=into, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LockError(f"uv could not compile the locks:\n{done.stderr.strip()}")


def differences(name: str, *, committed: Path, compiled: Path) -> list[str]:
    """Return a unified diff of a lock, empty where the committed one fits."""
    old = committed.read_text().splitlines() if committed.exists() else []
    new = compiled.read_text().splitlines()
    return list(difflib.unified_diff(old, new, f"{name} (committed)", f"{name} (compiled)", n=1, lineterm=""))


def write(checkout: Path, *, upgrade: bool) -> None:
    """Compile the locks and put them in their place, all or none."""
    with tempfile.TemporaryDirectory() as folder:
        compile_locks(checkout, into=Path(folder), upgrade=upgrade)
        for name in LOCKS:
            shutil.copyfile(Path(folder, name), checkout / name)
            print(f"wrote {name}")


def check(checkout: Path) -> int:
    """Print where the locks don't fit pyproject.toml; return 1 then, else 0."""
    with tempfile.TemporaryDirectory() as folder:
        compile_locks(checkout, into=Path(folder))
        diff = [
            line for name in LOCKS for line in differences(name, committed=checkout / name, compiled=Path(folder, name))
        ]
    if not diff:
        return 0
    print("The locks in requirements/ don't fit pyproject.toml. `make lock` writes them anew; commit the result.\n")
    print("\n".join(diff[:_LINES]))
    if len(diff) > _LINES:
        print(f"... and {len(diff) - _LINES} lines more")
    return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the locks; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.locks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=("write", "check"))
    parser.add_argument("--upgrade", action="store_true", help="write: take the newest versions that fit")
    options = parser.parse_args(arguments)
    try:
        if options.command == "check":
            return check(CHECKOUT)
        write(CHECKOUT, upgrade=options.upgrade)
    except LockError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
