"""Writes of status and finalizers: one JSON patch each, with uid and resourceVersion as preconditions.

A merge patch with a foreign uid is taken silently, so the uid is a ``test`` of a JSON patch (RFC 6902): a re-created
namesake never inherits an id. Replacing resourceVersion by the one that was planned upon makes the API server answer
409 if there is a newer one.
"""

from typing import Any

from scm_operator.domain import account, upload
from scm_operator.kube import client, paths

_JSON_PATCH = "application/json-patch+json"


class StatusWriter:
    """Implements domain.ports.StatusWriter."""

    def __init__(self, kubernetes: client.Kubernetes) -> None:
        self._kubernetes = kubernetes

    async def write_upload(self, about: upload.Upload, status: upload.Status) -> upload.Upload:
        """Replace the status. Raises: ApiServerError (Conflict, Gone)."""
        return upload.parse_upload(await self._write(about, status.to_json()))

    async def write_finalizers(self, about: upload.Upload, finalizers: tuple[str, ...]) -> upload.Upload:
        """Replace metadata.finalizers; the answer to the last one's removal is the resource as it went.

        Raises: ApiServerError (Conflict, Gone).
        """
        patch = [*_preconditions(about), {"op": "add", "path": "/metadata/finalizers", "value": list(finalizers)}]
        request = self._kubernetes.request("PATCH", paths.of(about.key), body=patch, content_type=_JSON_PATCH)
        return upload.parse_upload(await client.call(request, what=f"write the finalizers of {about.key}"))

    async def write_account(self, about: account.Account, status: account.AccountStatus) -> account.Account:
        """Replace the status. Raises: ApiServerError (Conflict, Gone)."""
        return account.parse_account(await self._write(about, status.to_json()))

    async def _write(self, about: upload.Upload | account.Account, status: dict[str, Any]) -> dict[str, Any]:
        patch = [*_preconditions(about), {"op": "add", "path": "/status", "value": status}]
        path = f"{paths.of(about.key)}/status"
        request = self._kubernetes.request("PATCH", path, body=patch, content_type=_JSON_PATCH)
        return await client.call(request, what=f"write the status of {about.key}")


def _preconditions(about: upload.Upload | account.Account) -> list[dict[str, Any]]:
    return [
        {"op": "test", "path": "/metadata/uid", "value": about.uid},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": about.resource_version},
    ]
