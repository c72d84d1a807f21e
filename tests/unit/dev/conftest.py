from collections.abc import Callable
from pathlib import Path

import pytest

MakeGo = Callable[..., dict[str, str]]


@pytest.fixture
def make_go(tmp_path: Path) -> MakeGo:
    """Put a program on a PATH that answers like Go, and logs each build; return the environment."""

    def make(
        *, version: str = "go1.30.1", build: str = 'echo program > "$output"; chmod +x "$output"'
    ) -> dict[str, str]:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "go"
        program.write_text(
            "#!/bin/sh\n"
            f'if [ "$1" = version ]; then echo "go version {version} linux/amd64"; exit; fi\n'
            'while [ "$#" -gt 1 ]; do if [ "$1" = -o ]; then output=$2; fi; shift; done\n'
            f'echo "$1 $CGO_ENABLED $GOTOOLCHAIN $GOFLAGS" >> {tmp_path}/builds\n'
            f"{build}\n",
        )
        program.chmod(0o755)
        return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    return make
