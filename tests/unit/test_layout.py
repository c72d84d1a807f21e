"""The house: where code stands, and what each room says of itself."""

import ast
import operator
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "operator"
PACKAGES = ("scm_operator", "scm_simulator")
MODULES = sorted(path for package in PACKAGES for path in (SOURCE / package).rglob("*.py"))
ROOMS = sorted(path.parent for path in MODULES if path.name == "__init__.py")
OPERATOR_ROOMS = [room for room in ROOMS if room.parent == SOURCE / "scm_operator"]


def _name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def test_source_root_is_no_package() -> None:
    """operator/ is a folder like src/: it holds the packages and nothing that could be imported as ``operator``."""
    held = [path.name for path in SOURCE.iterdir() if path.name != "__pycache__"]
    assert sorted(held) == sorted(PACKAGES)


def test_standard_library_operator_is_itself() -> None:
    """``import operator`` is the standard library's, with operator/ on the path and the checkout as folder."""
    assert operator.__file__ is not None
    assert Path(operator.__file__).is_relative_to(sysconfig.get_path("stdlib"))


@pytest.mark.parametrize("room", OPERATOR_ROOMS, ids=_name)
def test_room_says_what_belongs_there_and_what_is_forbidden(room: Path) -> None:
    """The docstring of each room names what belongs in it and what doesn't."""
    docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    assert "Belongs here: " in docstring
    assert "Forbidden here: " in docstring


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_module_has_a_docstring_and_a_bearable_length(module: Path) -> None:
    """A module says what it is about, and is at most 300 lines long."""
    text = module.read_text()
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", [*MODULES, *ROOMS], ids=_name)
def test_name_says_what_is_inside(path: Path) -> None:
    """No module or room is named for being useful: what is inside has a name."""
    assert not {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"} & set(
        path.stem.split("_")
    )


@pytest.mark.parametrize("folder", [ROOT / "tests"], ids=["tests"])
def test_tests_are_no_packages(folder: Path) -> None:
    """Tests are imported by path: no package file among them."""
    assert not list(folder.rglob("__init__.py"))
