"""The operator's own kinds, listed completely and read one by one."""

import dataclasses
import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from scm_operator.domain import errors, upload
from scm_operator.kube import client, paths

_log = logging.getLogger(__name__)
_PAGE = 500
R = TypeVar("R")


@dataclasses.dataclass(frozen=True, slots=True)
class Listing(Generic[R]):
    """Every resource of a kind as of one resourceVersion; ``names`` has those that can't be parsed, too."""

    items: tuple[R, ...]
    names: frozenset[tuple[str, str]]
    resource_version: str


async def list_all(kubernetes: client.Kubernetes, plural: str, *, parse: Callable[[dict[str, Any]], R]) -> Listing[R]:
    """List a kind in all namespaces, page by page; what can't be parsed is logged, and only its name listed.

    Raises: ApiServerError; Gone when the kind isn't installed.
    """
    items: list[R] = []
    names: set[tuple[str, str]] = set()
    token: str | None = None
    while True:
        page = await _page(kubernetes, plural, limit=_PAGE, token=token)
        for body in page.get("items") or ():
            name = (body["metadata"].get("namespace", ""), body["metadata"]["name"])
            names.add(name)
            try:
                items.append(parse(body))
            except errors.InvalidResource as error:
                _log.error("%s %s: %s", plural, "/".join(filter(None, name)), error)
        token = page["metadata"].get("continue")
        if not token:
            return Listing(tuple(items), frozenset(names), page["metadata"]["resourceVersion"])


async def check_listable(kubernetes: client.Kubernetes, path: str) -> None:
    """Raises: ApiServerError when what is at a path can't be listed; Gone when there is no such kind."""
    await client.call(kubernetes.request("GET", path, query={"limit": 1}), what=f"list {path}")


async def _page(kubernetes: client.Kubernetes, plural: str, *, limit: int, token: str | None) -> dict[str, Any]:
    request = kubernetes.request("GET", paths.kind(plural), query={"limit": limit, "continue": token})
    return await client.call(request, what=f"list {plural}")


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
