"""What a container runs: words and variables, as its Pod says them and as this node reads them."""

from collections.abc import Mapping
from dataclasses import dataclass

from dev.node import environment, expansion
from dev.node.api import Object
from dev.node.surroundings import Surroundings
from dev.node.volumes import IDENTITY

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class UnknownImageError(Exception):
    """The node was told of no program for an image; the message names those that it knows."""


@dataclass(frozen=True, slots=True)
class Command:
    """The words of a command, the program first, and its variables."""

    words: list[str]
    environ: Mapping[str, str]


async def of(container: Object, *, around: Surroundings) -> Command:
    """Return what the container runs.

    Raises: UnknownImageError, MissingError, UnknownFieldError, ApiError.
    """
    entrypoint = around.settings.entrypoint(container["image"])
    if entrypoint is None:
        known = ", ".join(around.settings.images) or "none"
        raise UnknownImageError(f"this node has no program for the image {container['image']}; it knows: {known}")
    environ = await _environ(container, around=around)
    mounts = around.volumes.mounts(container)

    def real(field: str) -> list[str]:
        return [mounts.real(expansion.expand(word, environ)) for word in container.get(field, [])]

    return Command([*(real("command") or entrypoint), *real("args")], environ)


async def _environ(container: Object, *, around: Surroundings) -> dict[str, str]:
    mounts = around.volumes.mounts(container)
    own = {"PATH": _PATH, "HOME": str(around.folder), "HOSTNAME": around.facts.pod["metadata"]["name"]}
    if IDENTITY in mounts.paths:
        own["KUBECONFIG"] = str(around.kubeconfig)
    found = await environment.variables(container, facts=around.facts, reader=around.reader)
    return own | {name: mounts.real(value) for name, value in found.items()}
