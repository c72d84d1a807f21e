"""Volumes as folders: written once, when the Pod starts, with tokens that `tokens` keeps fresh.

None is mounted anywhere; `Mounts` puts their paths where a container's own text names a mountPath.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dev.node import fields, objects
from dev.node.api import Object
from dev.node.environment import Reader

IDENTITY = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a container whose ServiceAccount's token is mounted expects it; the API server adds that volume to Pods."""

_OBJECTS = {"configMap": (objects.CONFIG_MAP, "name"), "secret": (objects.SECRET, "secretName")}
_LIFETIME = 3600


@dataclass(frozen=True, slots=True)
class Wish:
    """A token that a volume is to hold: for whom, and for how many seconds."""

    path: Path
    audience: str
    lifetime: float


class Volumes:
    """The volumes of a Pod, each a folder of its name in ``folder``."""

    def __init__(self, pod: Object, *, folder: Path) -> None:
        self._volumes: Sequence[Object] = pod["spec"].get("volumes", [])
        self._folder = folder

    @property
    def wishes(self) -> list[Wish]:
        """The tokens that these volumes are to hold."""
        return [
            Wish(
                path=_inside(self._folder / volume["name"], source["serviceAccountToken"]["path"]),
                audience=source["serviceAccountToken"].get("audience", ""),
                lifetime=float(source["serviceAccountToken"].get("expirationSeconds", _LIFETIME)),
            )
            for volume in self._volumes
            for source in volume.get("projected", {}).get("sources", [])
            if "serviceAccountToken" in source
        ]

    @property
    def left_out(self) -> list[str]:
        """The names of the volumes of kinds that this node doesn't know."""
        known = {"emptyDir", "projected", "downwardAPI", *_OBJECTS}
        return [volume["name"] for volume in self._volumes if not known & volume.keys()]

    async def write(self, *, facts: fields.Facts, reader: Reader) -> None:
        """Write all of them.

        Raises: MissingError, UnknownFieldError, ApiError.
        """
        for volume in self._volumes:
            folder = self._folder / volume["name"]
            folder.mkdir(parents=True, exist_ok=True)
            for source in _sources(volume):
                for path, content in (await _files(source, facts=facts, reader=reader)).items():
                    target = _inside(folder, path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.touch(mode=0o600)
                    target.write_bytes(content)

    def mounts(self, container: Object) -> "Mounts":
        """Return where the container's mounts really are."""
        return Mounts(
            {
                str(PurePosixPath(mount["mountPath"])): _inside(self._folder / mount["name"], mount.get("subPath", ""))
                for mount in container.get("volumeMounts", [])
                if mount["name"] not in self.left_out
            }
        )


@dataclass(frozen=True, slots=True)
class Mounts:
    """Folders by the path at which a container expects them."""

    paths: Mapping[str, Path]

    def real(self, text: str) -> str:
        """Return the text with the folder's path in place of a mountPath that it begins with."""
        for mounted in sorted(self.paths, key=len, reverse=True):
            if text == mounted or text.startswith(f"{mounted.rstrip('/')}/"):
                return f"{self.paths[mounted]}{text[len(mounted) :]}"
        return text


def _sources(volume: Object) -> Iterator[Object]:
    if "projected" in volume:
        yield from volume["projected"].get("sources", [])
    else:
        yield volume


async def _files(source: Object, *, facts: fields.Facts, reader: Reader) -> dict[str, bytes]:
    if "downwardAPI" in source:
        return {item["path"]: _downward(item, facts=facts).encode() for item in source["downwardAPI"].get("items", [])}
    for kind, (name, key) in _OBJECTS.items():
        if (reference := source.get(kind)) is not None:
            optional = bool(reference.get("optional"))
            # A volume calls it secretName, a source of a projected one name.
            wanted = str(reference.get(key) or reference["name"])
            data = await reader.data(name, wanted, optional=optional)
            return _chosen(data or {}, items=reference.get("items"), optional=optional, what=f"{name} {wanted}")
    return {}


def _downward(item: Object, *, facts: fields.Facts) -> str:
    if reference := item.get("fieldRef"):
        return fields.field(reference["fieldPath"], facts=facts)
    return fields.resource(item["resourceFieldRef"], container="", facts=facts)


def _chosen(data: objects.Data, *, items: Sequence[Object] | None, optional: bool, what: str) -> dict[str, bytes]:
    if not items:
        return dict(data)
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing and not optional:
        raise objects.MissingError(f"couldn't find key {missing[0]} in {what}")
    return {item["path"]: data[item["key"]] for item in items if item["key"] in data}


def _inside(folder: Path, path: str) -> Path:
    # The API server refuses paths with "..", so nothing leads out of the folder.
    return folder / path if path else folder
