"""Lists of names and versions, and of nothing else that the objects have.

Of what the API server sends all the same (managedFields above all) nothing becomes an object of Python's: with 10,000
of them that would take most of a takeover's time.
"""

from collections.abc import Callable

import pydantic

from scm_operator.domain import errors
from scm_operator.kube import client

LIST, WATCH = (f"application/json;as=PartialObjectMetadata{kind};g=meta.k8s.io;v=v1" for kind in ("List", ""))
"""What to accept. https://kubernetes.io/docs/reference/using-api/api-concepts/, section "Metadata-only fetches"."""

_PAGE = 2000


class ObjectMeta(pydantic.BaseModel):
    """What identifies a version of an object of a namespace."""

    namespace: str
    name: str
    uid: str
    resource_version: str = pydantic.Field(alias="resourceVersion")


class _Object(pydantic.BaseModel):
    metadata: ObjectMeta


class _ListMeta(pydantic.BaseModel):
    resource_version: str = pydantic.Field(alias="resourceVersion")
    token: str = pydantic.Field("", alias="continue")


class _List(pydantic.BaseModel):
    metadata: _ListMeta
    items: list[_Object] | None = None  # an empty list may come as null


async def list_all(
    kubernetes: client.Kubernetes, path: str, *, what: str, before_page: Callable[[], None] = lambda: None
) -> tuple[list[ObjectMeta], str]:
    """List all objects at a path, and return them with the resourceVersion of the list. Raises: ApiServerError."""
    listed: list[ObjectMeta] = []
    token: str | None = None
    while True:
        before_page()
        request = kubernetes.request("GET", path, query={"limit": _PAGE, "continue": token}, accept=LIST)
        try:
            page = _List.model_validate_json(await client.fetch(request, what=what))
        except pydantic.ValidationError:
            raise errors.ApiServerError(f"{what}: no list in the answer") from None
        listed += [item.metadata for item in page.items or ()]
        token = page.metadata.token
        if not token:
            return listed, page.metadata.resource_version
