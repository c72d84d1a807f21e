"""Status writes: one JSON patch each, with uid and resourceVersion as preconditions.

A merge patch with a foreign uid is taken silently, so the uid is a ``test`` of a JSON patch (RFC 6902): a re-created
namesake never inherits an id. Replacing resourceVersion by the one that was planned upon makes the API server answer
409 if there is a newer one.
"""

from typing import Any

from scm_operator import kube
from scm_operator.domain import account, conditions, upload
from scm_operator.kube import client

_JSON_PATCH = "application/json-patch+json"


class StatusWriter:
    """Implements domain.ports.StatusWriter."""

    def __init__(self, kubernetes: client.Kubernetes) -> None:
        self._custom = kubernetes.custom

    async def write_upload(self, about: upload.Upload, status: upload.Status) -> upload.Upload:
        """Replace the status. Raises: ApiServerError (Conflict, Gone)."""
        request = self._custom.patch_namespaced_custom_object_status_without_preload_content(
            kube.GROUP,
            kube.VERSION,
            about.key.namespace,
            kube.UPLOADS,
            about.key.name,
            _patch(about.uid, about.resource_version, status.to_json()),
            _content_type=_JSON_PATCH,
        )
        return upload.parse_upload(await client.call(request, what=f"write the status of {about.key}"))

    async def write_account(
        self, about: account.Account, *, observed_generation: int, conditions: tuple[conditions.Condition, ...]
    ) -> account.Account:
        """Replace the status. Raises: ApiServerError (Conflict, Gone)."""
        status = {
            "observedGeneration": observed_generation,
            "conditions": [condition.to_json() for condition in conditions],
        }
        body = _patch(about.uid, about.resource_version, status)
        if about.key.kind is account.AccountKind.CLUSTER:
            request = self._custom.patch_cluster_custom_object_status_without_preload_content(
                kube.GROUP, kube.VERSION, kube.CLUSTER_ACCOUNTS, about.key.name, body, _content_type=_JSON_PATCH
            )
        else:
            request = self._custom.patch_namespaced_custom_object_status_without_preload_content(
                kube.GROUP,
                kube.VERSION,
                about.key.namespace,
                kube.ACCOUNTS,
                about.key.name,
                body,
                _content_type=_JSON_PATCH,
            )
        return account.parse_account(await client.call(request, what=f"write the status of {about.key}"))


def _patch(uid: str, resource_version: str, status: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version},
        {"op": "add", "path": "/status", "value": status},
    ]
