from collections.abc import Callable
from pathlib import Path

import pytest

from dev import golang


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.26 linux/arm64", (1, 26, 0)),
        ("go version go1.27rc1 darwin/arm64", (1, 27, 0)),
        ("go version devel go1.28-0a1b2c3d linux/amd64", (1, 28, 0)),
        ("go 1.26.0", (1, 26, 0)),
        ("gccgo", None),
    ],
)
def test_versions_are_read_from_what_go_says(said: str, version: golang.Version | None) -> None:
    """Releases, release candidates, development builds and go.mod's own line have a version."""
    assert golang.parse_version(said) == version


def test_a_go_on_path_is_taken_when_it_is_new_enough(make_go: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    """Whoever has a Go needs no other."""
    go = golang.Go.find(needed=(1, 26, 0), environ=make_go(version="go1.26"))
    assert go == golang.Go(path=tmp_path / "bin" / "go", version=(1, 26, 0))


def test_without_a_go_that_is_new_enough_the_message_says_what_to_do(make_go: Callable[..., dict[str, str]]) -> None:
    """The error names what was found, what is needed, and the ways out."""
    with pytest.raises(golang.NoGoError) as error:
        golang.Go.find(needed=(99, 0, 0), environ=make_go(version="go1.19.8"))
    for part in ("99.0.0", "(1.19.8)", "make clean", "KUBEBUILDER_ASSETS"):
        assert part in str(error.value)


def test_a_go_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    """A file of that name that is no program is no reason to fail while another can be tried."""
    (tmp_path / "go").write_text("no program")
    (tmp_path / "go").chmod(0o755)
    with pytest.raises(golang.NoGoError) as error:
        golang.Go.find(needed=(99, 0, 0), environ={"PATH": str(tmp_path)})
    assert str(tmp_path) not in str(error.value)
