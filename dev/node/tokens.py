"""Tokens of a Pod's ServiceAccount: bound to the Pod, replaced before they expire.

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
"""

import asyncio
import datetime
from dataclasses import dataclass
from pathlib import Path

from dev.node import clock
from dev.node.api import Api, ApiError, Object
from dev.node.volumes import Wish


def wait(*, now: datetime.datetime, expires: datetime.datetime, share: float) -> float:
    """Return the seconds from now to the moment at which that share of the token's lifetime is over."""
    return max(0.0, (expires - now).total_seconds() * share)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one Pod; ``renewal`` is the share of its lifetime after which one is replaced."""

    api: Api
    pod: Object
    renewal: float
    retry: float

    async def write(self, wish: Wish) -> float:
        """Write a new token, and return the seconds after which it is to be replaced.

        Raises:
            ApiError: The API server refused, or could not be asked.

        """
        asked = clock.now()
        found = await self.api.request("POST", self._path(), body=self._request(wish))
        replace(wish.path, found["status"]["token"])
        expires = clock.parse(found["status"]["expirationTimestamp"])
        return wait(now=asked, expires=expires, share=self.renewal)

    async def keep(self, wish: Wish, *, due: float) -> None:
        """Replace a token, which is due in so many seconds, again and again."""
        while True:
            await asyncio.sleep(due)
            try:
                due = await self.write(wish)
            except ApiError:
                due = self.retry

    def _path(self) -> str:
        account = self.pod["spec"].get("serviceAccountName") or "default"
        return f"/api/v1/namespaces/{self.pod['metadata']['namespace']}/serviceaccounts/{account}/token"

    def _request(self, wish: Wish) -> Object:
        metadata = self.pod["metadata"]
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec: Object = {"boundObjectRef": bound, "expirationSeconds": int(wish.lifetime)}
        if wish.audience:
            spec["audiences"] = [wish.audience]
        return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}


def replace(path: Path, text: str) -> None:
    """Put a text into a file, for its owner alone; whoever reads it gets the old text or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.touch(mode=0o600)
    new.write_text(text)
    new.replace(path)
