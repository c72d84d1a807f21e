"""Status writes: one JSON patch each, with uid and resourceVersion as preconditions.

A merge patch with a foreign uid is taken silently, so the uid is a ``test`` of a JSON patch (RFC 6902): a re-created
namesake never inherits an id. Replacing resourceVersion by the one that was planned upon makes the API server answer
409 if there is a newer one.
"""

from typing import Any

from scm_operator.domain import account, conditions, upload
from scm_operator.kube import client, paths

_JSON_PATCH = "application/json-patch+json"


class StatusWriter:
    """Implements domain.ports.StatusWriter."""

    def __init__(self, kubernetes: client.Kubernetes) -> None:
        self._kubernetes = kubernetes

    async def write_upload(self, about: upload.Upload, status: upload.Status) -> upload.Upload:
        """Replace the status. Raises: ApiServerError (Conflict, Gone)."""
        patch = _patch(about.uid, about.resource_version, status.to_json())
        return upload.parse_upload(await self._write(about.key, patch))

    async def write_account(
        self, about: account.Account, *, observed_generation: int, conditions: tuple[conditions.Condition, ...]
    ) -> account.Account:
        """Replace the status. Raises: ApiServerError (Conflict, Gone)."""
        status = {
            "observedGeneration": observed_generation,
            "conditions": [condition.to_json() for condition in conditions],
        }
        patch = _patch(about.uid, about.resource_version, status)
        return account.parse_account(await self._write(about.key, patch))

    async def _write(self, key: upload.UploadKey | account.AccountKey, patch: list[dict[str, Any]]) -> dict[str, Any]:
        request = self._kubernetes.request("PATCH", f"{paths.of(key)}/status", body=patch, content_type=_JSON_PATCH)
        return await client.call(request, what=f"write the status of {key}")


def _patch(uid: str, resource_version: str, status: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version},
        {"op": "add", "path": "/status", "value": status},
    ]
