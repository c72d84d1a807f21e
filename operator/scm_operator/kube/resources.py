"""The operator's own kinds, listed completely and read one by one."""

import dataclasses
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Generic, TypeVar

from scm_operator.domain import errors, upload
from scm_operator.kube import client, metadata, paths

_log = logging.getLogger(__name__)
_PAGE = 500
R = TypeVar("R")


@dataclasses.dataclass(frozen=True, slots=True)
class Listing(Generic[R]):
    """Every resource of a kind as of one resourceVersion; ``names`` has those that can't be parsed, too."""

    items: tuple[R, ...]
    names: frozenset[tuple[str, str]]
    resource_version: str


async def list_all(
    kubernetes: client.Kubernetes, lists: tuple[str, ...], *, parse: Callable[[dict[str, Any]], R]
) -> Listing[R]:
    """List a kind at all its paths, page by page; what can't be parsed is logged, and only its name listed.

    The resourceVersion of several lists is that of the first: what is older than that is in one of them, or gone.

    Raises: ApiServerError; Gone when the kind isn't installed.
    """
    items: list[R] = []
    names: set[tuple[str, str]] = set()
    versions: list[str] = []
    for path in lists:
        async for page in _pages(kubernetes, path):
            for body in page.get("items") or ():
                name = (body["metadata"].get("namespace", ""), body["metadata"]["name"])
                names.add(name)
                try:
                    items.append(parse(body))
                except errors.InvalidResource as error:
                    _log.error("%s %s: %s", path.rpartition("/")[2], "/".join(filter(None, name)), error)
        versions.append(page["metadata"]["resourceVersion"])
    return Listing(tuple(items), frozenset(names), versions[0])


@dataclasses.dataclass(frozen=True, slots=True)
class Versions:
    """The resourceVersion of each resource of a kind, by namespace and name, as of one resourceVersion."""

    versions: Mapping[tuple[str, str], str]
    resource_version: str


async def list_versions(kubernetes: client.Kubernetes, lists: tuple[str, ...]) -> Versions:
    """List a kind's versions at all its paths, and nothing else of it. Raises: ApiServerError."""
    versions: dict[tuple[str, str], str] = {}
    as_of: list[str] = []
    for path in lists:
        listed, version = await metadata.list_all(kubernetes, path, what=f"list {path}")
        versions |= {(each.namespace, each.name): each.resource_version for each in listed}
        as_of.append(version)
    return Versions(versions, as_of[0])


async def check_listable(kubernetes: client.Kubernetes, path: str) -> None:
    """Raises: ApiServerError when what is at a path can't be listed; Gone when there is no such kind."""
    await client.call(kubernetes.request("GET", path, query={"limit": 1}), what=f"list {path}")


async def _pages(kubernetes: client.Kubernetes, path: str) -> AsyncIterator[dict[str, Any]]:
    token: str | None = None
    while True:
        request = kubernetes.request("GET", path, query={"limit": _PAGE, "continue": token})
        page = await client.call(request, what=f"list {path}")
        yield page
        token = page["metadata"].get("continue")
        if not token:
            return


class UploadReader:
    """Implements domain.ports.UploadReader."""

    def __init__(self, kubernetes: client.Kubernetes) -> None:
        self._kubernetes = kubernetes

    async def read_upload(self, key: upload.UploadKey) -> upload.Upload | None:
        """Read one live, or None if there is none. Raises: ApiServerError, InvalidResource."""
        request = self._kubernetes.request("GET", paths.of(key))
        try:
            return upload.parse_upload(await client.call(request, what=f"get CertificateRequestUpload {key}"))
        except errors.Gone:
            return None
