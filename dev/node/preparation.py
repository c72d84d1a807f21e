"""What is there before a Pod's first container starts: its folder, its volumes, its identity."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from dev import kubeconfig
from dev.node import fields, objects
from dev.node.api import Api, ApiError
from dev.node.surroundings import Surroundings
from dev.node.tokens import Tokens
from dev.node.volumes import IDENTITY

_MISSING = (objects.MissingError, fields.UnknownFieldError, ApiError)


class Preparation:
    """The preparation of one Pod."""

    def __init__(self, around: Surroundings, *, api: Api) -> None:
        settings, pod = around.settings, around.facts.pod
        self._around, self._api = around, api
        self._tokens = Tokens(api, pod=pod, renewal=settings.renewal, retry=settings.retry)

    @contextlib.asynccontextmanager
    async def ready(self, *, stop: asyncio.Event) -> AsyncIterator[bool]:
        """Prepare, trying until it works or ``stop`` is set; say whether it did, and keep the tokens fresh."""
        if left_out := self._around.volumes.left_out:
            self._around.events.warn("FailedMount", f"this node knows no such volumes: {', '.join(left_out)}")
        async with contextlib.AsyncExitStack() as stack:
            due = await self._prepare(stop=stop)
            for wish, seconds in zip(self._around.volumes.wishes, due, strict=False):
                keeping = asyncio.create_task(self._tokens.keep(wish, due=seconds))
                stack.callback(keeping.cancel)
            yield not stop.is_set()

    async def _prepare(self, *, stop: asyncio.Event) -> list[float]:
        """Return after how many seconds each token is due."""
        said = ""
        while not stop.is_set():
            try:
                return await self._write()
            except _MISSING as error:
                if said != (said := str(error)):
                    self._around.events.warn("FailedMount", said)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._around.settings.retry):
                    await stop.wait()
        return []

    async def _write(self) -> list[float]:
        around, metadata = self._around, self._around.facts.pod["metadata"]
        around.folder.mkdir(parents=True, exist_ok=True)
        await around.volumes.write(facts=around.facts, reader=around.reader)
        due = [await self._tokens.write(wish) for wish in around.volumes.wishes]
        for identity in self._identities():
            kubeconfig.write(
                around.kubeconfig,
                server=around.settings.server or self._api.server,
                authority=self._api.authority,
                user=around.facts.pod["spec"].get("serviceAccountName", "default"),
                token=identity / "token",
                namespace=metadata["namespace"],
            )
        return due

    def _identities(self) -> list[Path]:
        """The folder with the token that containers have at the usual place; none if nobody mounts one there."""
        spec = self._around.facts.pod["spec"]
        mounts = [self._around.volumes.mounts(each) for each in (*spec["containers"], *spec.get("initContainers", []))]
        return [each.paths[IDENTITY] for each in mounts if IDENTITY in each.paths][:1]
