"""Build the operator's image on a Debian made on the spot, look at it, and run it: ``python -m tests.image``.

It is ``make image-test``. No container engine is needed, but buildah, mmdebstrap and root. The exit code is 0 when the
image is as it should be and an upload became Ready, 1 when not.
"""

import argparse
import os
import pathlib
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from dev import control_plane, golang, progress
from dev.image import building, engines, pip_settings
from tests.support import image_base, image_checks, image_run, image_store, image_wheels
from tests.support.image_container import Container

_TAG = f"{building.REPOSITORY}:test"
_SHOWN = 20


class _NotHereError(Exception):
    """Something is missing on this machine; the message says what to install."""


_FAILURES = (
    _NotHereError,
    image_base.BaseError,
    image_store.StoreError,
    control_plane.ControlPlaneError,
    golang.NoGoError,
    golang.BuildError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the image; return the exit code."""
    flags = _parser().parse_args(arguments)
    began = time.monotonic()
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _interrupt)
    try:
        engine = _buildah()
        with tempfile.TemporaryDirectory(prefix="image-") as folder:
            failed = _try(engine, suite=flags.suite, folder=pathlib.Path(folder))
    except _FAILURES as error:
        _say(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        _say("\ninterrupted")
        return 130
    took = progress.elapsed(time.monotonic() - began)
    _say(f"{failed} of the checks failed, in {took}" if failed else f"the image is as it should be, in {took}")
    return 1 if failed else 0


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End as Ctrl-C does, with everything taken away that was made."""
    raise KeyboardInterrupt


def _buildah() -> engines.Engine:
    missing = [name for name in ("buildah", "mmdebstrap") if not shutil.which(name)]
    if missing:
        raise _NotHereError(
            f"{' and '.join(missing)} must be installed to try the image:\n"
            f"  apt-get install --no-install-recommends {' '.join(missing)}"
        )
    if os.geteuid():
        raise _NotHereError("Only root can build and enter an image without an engine: `sudo make image-test`.")
    found = engines.Engine.probe("buildah", environ=os.environ)
    if isinstance(found, str):
        raise _NotHereError(f"buildah: {found}")
    return found


def _try(engine: engines.Engine, *, suite: str, folder: pathlib.Path) -> int:
    """Build it, look at it, run it; return how many checks failed."""
    tar = image_base.obtain(suite, say=_say)
    workshop = folder / "store"
    workshop.mkdir()
    store = image_store.Store(engine, folder=workshop)
    base = f"localhost/debian:{suite}"
    store.add_base(tar, name=base)
    facts, secret = building.facts(), f"{secrets.token_hex(16)}.invalid"
    _build(store, base=base, facts=facts, secret=secret, folder=folder)
    image = store.inspect(_TAG)
    checks = _Checks()
    with store.mounted(_TAG) as root:
        _say(f"size: {image_checks.size(root) / 1e6:.0f} MB, with a base of {tar.stat().st_size / 1e6:.0f} MB")
        _look(image, root, facts=facts, secret=secret, checks=checks)
        _run(Container(root, image["config"]), folder=folder, checks=checks)
    return checks.failed


def _build(store: image_store.Store, *, base: str, facts: dict[str, str], secret: str, folder: pathlib.Path) -> None:
    """Build the image; pip is told a secret that must not be found again: a host to be trusted, which isn't there."""
    options = pip_settings.in_force(environ=os.environ)
    options["trusted-host"] = "\n".join((*options.get("trusted-host", "").split(), secret))
    files = pip_settings.write_secrets(folder, options=options, environ=os.environ)
    line = building.command(store.engine, tag=_TAG, base=base, arguments=facts, secrets=files, environ=store.environ)
    store.build(line, log=folder / "build.log", show=progress.Progress(sys.stdout))


class _Checks:
    """Runs checks, says what each found, and counts those that failed."""

    def __init__(self) -> None:
        self.failed = 0

    def found(self, what: str, problems: Sequence[str]) -> None:
        """Say that what was looked for holds, or everything that is wrong."""
        _say(f"  {'FAILED' if problems else 'ok    '}  {what}")
        for problem in problems[:_SHOWN]:
            _say(f"            {problem}")
        if len(problems) > _SHOWN:
            _say(f"            and {len(problems) - _SHOWN} more")
        self.failed += bool(problems)

    def tried(self, what: str, trial: Callable[[], str | None]) -> None:
        """Run something that raises AssertionError when it fails."""
        try:
            said = trial()
        except AssertionError as error:
            self.found(what, str(error).splitlines())
        else:
            self.found(f"{what}: {said}" if said else what, [])


def _look(image: dict[str, object], root: pathlib.Path, *, facts: dict[str, str], secret: str, checks: _Checks) -> None:
    config = image["config"]
    assert isinstance(config, dict)
    checks.found("its user is a number, and not root's", image_checks.user(config))
    checks.found("it starts without a shell", image_checks.entrypoint(config, root))
    checks.found("its environment keeps imports safe, and has nothing else", image_checks.environment(config))
    checks.found("its labels say what it is", image_checks.labels(config, facts=facts))
    checks.found("no compiler, no pip, nothing to install", image_checks.no_build_tools(root))
    checks.found("no simulator", image_checks.no_simulator(root))
    checks.found("no program runs as another user", image_checks.nothing_to_rise_by(root))
    checks.found("its user may write nothing but /tmp", image_checks.nothing_writable(root))
    checks.found("all of it is compiled", image_checks.bytecode(root))
    checks.found("what the build was told in secret is not in it", image_checks.no_trace(image, root, of=secret))
    version = image_wheels.python_version()
    for machine in image_wheels.MACHINES:
        checks.found(f"Python {version} on {machine} has all locked packages", image_wheels.missing(machine))


def _run(container: Container, *, folder: pathlib.Path, checks: _Checks) -> None:
    _say("running it with a read-only root, as its user, without capabilities")
    checks.tried("it starts as any user", lambda: image_run.starts_as_anybody(container))
    checks.tried(
        "it imports nothing from the folder that it is started in",
        lambda: image_run.imports_nothing_from_the_folder(container, folder=folder),
    )
    checks.tried("it knows the usual authorities", lambda: image_run.trusts_the_usual_authorities(container))
    checks.tried("an upload becomes Ready", lambda: image_run.an_upload_becomes_ready(container, folder=folder))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.image", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--suite", default=image_base.SUITE, help="the Debian of the base (default: %(default)s)")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
