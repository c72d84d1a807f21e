"""Build the operator's image with docker, podman or buildah: ``python -m dev.image``, which is ``make image``."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dev.image import building, engines, pip_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the image; return the exit code."""
    flags = _parser().parse_args(arguments)
    facts = building.facts()
    tag = flags.tag or f"{building.REPOSITORY}:{facts['VERSION']}"
    try:
        engine = engines.Engine.find(environ=os.environ)
        print(f"building {tag} with {engine.name} {engine.version}", flush=True)
        _build(engine, tag=tag, base=flags.base, facts=facts)
    except (engines.NoEngineError, building.BuildError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    print(f"built {tag}; `{engine.name} push {tag}` sends it to its registry")
    return 0


def _build(engine: engines.Engine, *, tag: str, base: str | None, facts: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        options = pip_settings.in_force(environ=os.environ)
        secrets = pip_settings.write_secrets(Path(folder), options=options, environ=os.environ)
        line = building.command(engine, tag=tag, base=base, arguments=facts, secrets=secrets, environ=os.environ)
        building.run(line, environ=os.environ)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.image", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", metavar="IMAGE", help="base image; default: the Dockerfile's own")
    parser.add_argument("--tag", metavar="NAME", help=f"default: {building.REPOSITORY}:<version>")
    return parser


if __name__ == "__main__":
    sys.exit(main())
