import datetime
from pathlib import Path

import pytest

from dev.node import clock, tokens

NOON = datetime.datetime(2030, 1, 1, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("expires", "share", "seconds"),
    [
        ("2030-01-01T13:00:00Z", 0.8, 2880),
        ("2030-01-01T12:10:00Z", 0.5, 300),
        ("2030-01-01T11:59:00Z", 0.8, 0),  # a clock that is wrong: at once
    ],
)
def test_a_token_is_replaced_after_a_share_of_its_lifetime(expires: str, share: float, seconds: float) -> None:
    """So there is time to try again before the old one expires."""
    assert tokens.wait(now=NOON, expires=clock.parse(expires), share=share) == seconds


def test_a_token_is_replaced_whole_and_private(tmp_path: Path) -> None:
    """Whoever has the old file open still reads the old token; the new file is for its owner alone."""
    path = tmp_path / "volume" / "token"
    tokens.replace(path, "old")
    with path.open() as reader:
        tokens.replace(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o077 == 0
    assert list(path.parent.iterdir()) == [path]
