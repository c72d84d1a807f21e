"""ConfigMaps and Secrets that a Pod names, read when a container or a volume needs them."""

import base64
from collections.abc import Mapping

from dev.node.api import Api, ApiError

CONFIG_MAP, SECRET = "ConfigMap", "Secret"
Data = Mapping[str, bytes]
_PLURALS = {CONFIG_MAP: "configmaps", SECRET: "secrets"}


class MissingError(Exception):
    """A ConfigMap or Secret, or a key in it, isn't there; the message names it, as `kubectl describe` shows it."""


class Objects:
    """The ConfigMaps and Secrets of one namespace."""

    def __init__(self, api: Api, *, namespace: str) -> None:
        self._api, self._namespace = api, namespace

    async def data(self, kind: str, name: str, *, optional: bool) -> Data | None:
        """Return the data of an object, or None if it doesn't exist and is optional.

        Raises:
            MissingError: It doesn't exist and is not optional.
            ApiError: It could not be read.

        """
        path = f"/api/v1/namespaces/{self._namespace}/{_PLURALS[kind]}/{name}"
        try:
            found = await self._api.request("GET", path)
        except ApiError as error:
            if error.status != 404:
                raise
            if optional:
                return None
            raise MissingError(f"{kind} {self._namespace}/{name} not found") from error
        encoded = found.get("data") or {}
        if kind == SECRET:
            return {key: base64.b64decode(value) for key, value in encoded.items()}
        binary = {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
        return {key: value.encode() for key, value in encoded.items()} | binary

    async def value(self, kind: str, name: str, *, key: str, optional: bool) -> bytes | None:
        """Return one value, or None if it or its object doesn't exist and is optional.

        Raises: as `data`; MissingError also for a key.
        """
        data = await self.data(kind, name, optional=optional)
        if data is not None and key in data:
            return data[key]
        if optional:
            return None
        raise MissingError(f"couldn't find key {key} in {kind} {self._namespace}/{name}")
