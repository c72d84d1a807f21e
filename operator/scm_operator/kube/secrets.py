"""Secrets: read live when they are needed, never kept; of named ones the newest version is known."""

import base64
import binascii
from collections.abc import Callable, Collection, Iterable

from scm_operator.domain import account, errors, ports, reasons, upload
from scm_operator.kube import client, paths


class Versions:
    """The newest known version of each Secret that is named somewhere: 100 bytes each, and none of its content.

    What a read has found is known, and yet news when the watch shows it: others who name the Secret wait to be told.
    """

    def __init__(self, *, is_named: Callable[[account.SecretName], bool]) -> None:
        self._is_named = is_named
        self._versions: dict[account.SecretName, upload.ObservedSecret] = {}
        self._untold: set[account.SecretName] = set()

    def get(self, name: account.SecretName) -> upload.ObservedSecret | None:
        """Return the newest version, or None if the Secret is absent as far as is known."""
        return self._versions.get(name)

    def put(self, name: account.SecretName, version: upload.ObservedSecret) -> bool:
        """Take over what the watch shows. Return False if it was told before, or nobody names the Secret."""
        if not self._is_named(name):
            self._versions.pop(name, None)
            self._untold.discard(name)
            return False
        known = self._versions.get(name)
        age = int(version.resource_version) - int(known.resource_version) if known else 1
        if age < 0 or (age == 0 and name not in self._untold):
            return False
        self._versions[name] = version
        self._untold.discard(name)
        return True

    def remove(self, name: account.SecretName, *, uid: str) -> bool:
        """Take over a deletion that the watch shows. Return False if another uid stands there by now, or none."""
        known = self._versions.get(name)
        if (known and known.uid != uid) or (known is None and name not in self._untold):
            return False
        self._versions.pop(name, None)
        self._untold.discard(name)
        return True

    def found(self, name: account.SecretName, version: upload.ObservedSecret | None) -> None:
        """Take over what a read has found, None for no such Secret."""
        known = self._versions.get(name)
        if version is None:
            if self._versions.pop(name, None):
                self._untold.add(name)
        elif self._is_named(name) and (known is None or int(version.resource_version) > int(known.resource_version)):
            self._versions[name] = version
            self._untold.add(name)

    def missing_from(self, names: Iterable[account.SecretName]) -> list[tuple[account.SecretName, str]]:
        """Return names and uids of known Secrets that a complete list doesn't hold."""
        listed = set(names)
        return [(name, version.uid) for name, version in self._versions.items() if name not in listed]


class SecretReader:
    """Implements domain.ports.SecretReader."""

    def __init__(self, kubernetes: client.Kubernetes, *, versions: Versions, watched: bool) -> None:
        self.watched = watched
        self._kubernetes = kubernetes
        self._versions = versions

    def seen(self, name: account.SecretName) -> upload.ObservedSecret | None:
        """Return the newest version that the watch or a read has shown."""
        return self._versions.get(name)

    async def read(self, name: account.SecretName, *, keys: Collection[str]) -> ports.Secret | None:
        """Read some keys live. Raises: ApiServerError; RetryLater when reading it isn't permitted."""
        request = self._kubernetes.request("GET", paths.secret(name))
        try:
            body = await client.call(request, what=f"get Secret {name}")
        except errors.Gone:
            self._versions.found(name, None)
            return None
        except client.Refused as refusal:
            if refusal.status != 403:
                raise
            raise errors.RetryLater(
                reasons.Reason.WAITING_FOR_SECRET,
                f"the operator's ServiceAccount is not permitted to get Secret {name}; its Role must allow it.",
                slow=True,
            ) from None
        metadata, data = body["metadata"], body.get("data") or {}
        version = upload.ObservedSecret(name.name, metadata["uid"], metadata["resourceVersion"])
        self._versions.found(name, version)
        return ports.Secret(version, {key: _decode(data[key]) for key in keys if key in data})


def _decode(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:  # the API server refuses such a Secret
        return b""
