"""The command that builds the image, the same for every engine but for how it is called."""

import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path

from dev.image import engines

CHECKOUT = Path(__file__).resolve().parents[2]
REPOSITORY = "ghcr.io/certops/scm-csr-operator"
"""Where releases are pushed to, and what the chart names."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_UNKNOWN = "unknown"


class BuildError(Exception):
    """The engine ended with an error; it has said why."""


def facts(checkout: Path = CHECKOUT) -> dict[str, str]:
    """Return the build arguments for the labels: what is known of the checkout's version, revision and license."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    known = {"VERSION": project["version"], "REVISION": _revision(checkout), "LICENSES": project.get("license")}
    return {name: value for name, value in known.items() if value}


def _revision(checkout: Path) -> str:
    """Return the commit, with "-dirty" where the image holds something else than it."""
    commit = _git(checkout, "rev-parse", "HEAD")
    if not commit:
        return _UNKNOWN
    return f"{commit}-dirty" if _git(checkout, "status", "--porcelain") else commit


def _git(checkout: Path, *arguments: str) -> str:
    command = [shutil.which("git") or "git", "-C", str(checkout), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""  # an unpacked archive, or no git
    return done.stdout.strip()


def command(  # noqa: PLR0913 - keyword-only past the first: what a build is made of
    engine: engines.Engine,
    *,
    tag: str,
    base: str | None,
    arguments: Mapping[str, str],
    secrets: Mapping[str, Path],
    environ: Mapping[str, str],
    checkout: Path = CHECKOUT,
) -> list[str]:
    """Return the command line that builds the image; without a base it is the Dockerfile's own.

    Proxies go by name: engines take their values from their environment, and keep them out of the image.
    """
    arguments = {**arguments, **({"BASE": base} if base else {})}
    names = [*_PROXIES, *map(str.lower, _PROXIES)]
    return [
        *engine.command, "build",
        *(part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")),
        *(part for name in names if name in environ for part in ("--build-arg", name)),
        *(part for name, path in secrets.items() for part in ("--secret", f"id={name},src={path}")),
        "--file", str(checkout / "Dockerfile"), "--tag", tag, str(checkout),
    ]  # fmt: skip


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment to build in: where docker's client has two builders, only BuildKit knows secrets."""
    return {**environ, "DOCKER_BUILDKIT": "1"}


def run(line: list[str], *, environ: Mapping[str, str]) -> None:
    """Build, with the engine's words on the terminal.

    Raises:
        BuildError: It failed.

    """
    code = subprocess.run(line, env=environment(environ), check=False).returncode
    if code:
        raise BuildError(f"{line[0]} build ended with exit code {code}")
