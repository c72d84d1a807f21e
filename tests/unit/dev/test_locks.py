import re
from pathlib import Path

import pytest

from dev import locks


def test_the_oldest_python_is_read_from_pyproject(tmp_path: Path) -> None:
    """The version is typed once, in requires-python."""
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[project]\nrequires-python = ">=3.11"\n')
    assert locks.oldest_python(pyproject) == "3.11"


def test_locks_hold_for_every_platform_and_name_no_index() -> None:
    """All are universal, hashed and without addresses, and no two of them pin a package differently."""
    commands = locks.compile_commands("3.11")
    _, development, build = commands
    for command in commands:
        assert {"--universal", "--generate-hashes", "--no-emit-index-url", "--python-version=3.11"} <= set(command)
        assert "--upgrade" not in command
    assert f"--constraints={locks.RUNTIME}" in development
    assert "--group=dev" in development
    assert f"--constraints={locks.DEVELOPMENT}" in build
    assert "--group=build" in build


def test_pins_move_only_when_asked() -> None:
    """`write --upgrade` takes the newest versions that fit."""
    assert all("--upgrade" in command for command in locks.compile_commands("3.11", upgrade=True))


@pytest.mark.parametrize("name", locks.LOCKS)
def test_the_committed_locks_pin_each_package_by_hash_and_name_no_index(name: str) -> None:
    """They suit `pip install --require-hashes`, from whichever index it installs."""
    text = (locks.CHECKOUT / name).read_text()
    pins = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    assert pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert "://" not in text
    assert "--index-url" not in text


def test_a_lock_that_fits_has_no_differences(tmp_path: Path) -> None:
    """Equal files have an empty diff."""
    (tmp_path / "lock").write_text("a==1\n")
    assert locks.differences("lock", committed=tmp_path / "lock", compiled=tmp_path / "lock") == []


@pytest.mark.parametrize("committed", ["a==1\n", None])
def test_a_lock_that_does_not_fit_is_shown_as_a_diff(committed: str | None, tmp_path: Path) -> None:
    """The diff says what is committed and what compiling gives; a missing lock counts as empty."""
    if committed:
        (tmp_path / "old").write_text(committed)
    (tmp_path / "new").write_text("a==2\n")
    diff = locks.differences("requirements/x.txt", committed=tmp_path / "old", compiled=tmp_path / "new")
    assert diff[:2] == ["--- requirements/x.txt (committed)", "+++ requirements/x.txt (compiled)"]
    assert "+a==2" in diff
