"""ConfigMaps and Secrets for tests that need no API server."""

from collections.abc import Mapping

from dev.node import objects


class FakeObjects:
    """ConfigMaps and Secrets in memory, by kind and name."""

    def __init__(self, known: Mapping[tuple[str, str], Mapping[str, bytes]]) -> None:
        self._known = known

    async def data(self, kind: str, name: str, *, optional: bool) -> objects.Data | None:
        """Return the data of an object."""
        if (kind, name) in self._known:
            return self._known[kind, name]
        if optional:
            return None
        raise objects.MissingError(f"{kind} {name} not found")

    async def value(self, kind: str, name: str, *, key: str, optional: bool) -> bytes | None:
        """Return one value of an object."""
        data = await self.data(kind, name, optional=optional) or {}
        if key in data or optional:
            return data.get(key)
        raise objects.MissingError(f"couldn't find key {key} in {kind} {name}")
