"""From what a watch shows to the triggers: parse, and tell of a resource that can't be parsed."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from scm_operator.domain import account, errors, upload
from scm_operator.reconcile import triggers

_log = logging.getLogger(__name__)


class TriggerListener:
    """Implements watches.Listener for CertificateRequestUploads (``uploads``) and the two kinds of account."""

    def __init__(self, told: triggers.Triggers, *, uploads: str) -> None:
        self._triggers = told
        self._uploads = uploads
        self._listed: set[str] = set()
        self._lists = asyncio.Event()

    def seen(self, plural: str, body: Mapping[str, Any]) -> None:
        """A resource was listed, appeared or changed."""
        metadata = body["metadata"]
        key = self._key_of(plural, metadata)
        if not self._triggers.is_news(key, resource_version=metadata["resourceVersion"]):
            return  # every resource comes again with each list of the watch: not worth parsing
        try:
            if plural == self._uploads:
                self._triggers.upload_seen(upload.parse_upload(body))
            else:
                self._triggers.account_seen(account.parse_account(body))
        except errors.InvalidResource as error:
            _log.error("%s %s: %s", plural, key, error)  # a person's mistake: no traceback

    def gone(self, plural: str, body: Mapping[str, Any]) -> None:
        """A resource was deleted."""
        metadata = body["metadata"]
        key = self._key_of(plural, metadata)
        if isinstance(key, upload.UploadKey):
            self._triggers.upload_gone(key, uid=metadata["uid"])
        else:
            self._triggers.account_gone(key, uid=metadata["uid"])

    def _key_of(self, plural: str, metadata: Mapping[str, Any]) -> upload.UploadKey | account.AccountKey:
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if plural == self._uploads:
            return upload.UploadKey(namespace, name)
        kind = account.AccountKind.NAMESPACED if namespace else account.AccountKind.CLUSTER
        return account.AccountKey(kind, namespace, name)

    def listed(self, path: str) -> None:
        """A complete list was made."""
        self._listed.add(path)
        self._lists.set()

    async def listed_all(self, lists: tuple[str, ...]) -> None:
        """Return when each of the watches has listed once: what changes from now on is told."""
        while not self._listed.issuperset(lists):
            await self.listed_again()

    async def listed_again(self) -> None:
        """Return when a watch has listed since the last call: what was deleted meanwhile was not told."""
        await self._lists.wait()
        self._lists.clear()
