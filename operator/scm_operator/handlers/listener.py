"""From what a watch shows to the triggers: parse, and tell of a resource that can't be parsed."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from scm_operator.domain import account, errors, fields, upload
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
        try:
            if plural == self._uploads:
                self._triggers.upload_seen(upload.parse_upload(body))
            else:
                self._triggers.account_seen(account.parse_account(body))
        except errors.InvalidResource as error:
            metadata = body.get("metadata") or {}
            _log.error("%s %s/%s: %s", plural, metadata.get("namespace"), metadata.get("name"), error)

    def gone(self, plural: str, body: Mapping[str, Any]) -> None:
        """A resource was deleted."""
        metadata = fields.metadata_of(body)
        if plural == self._uploads:
            self._triggers.upload_gone(upload.UploadKey(metadata.namespace, metadata.name), uid=metadata.uid)
        else:
            kind = account.AccountKind.NAMESPACED if metadata.namespace else account.AccountKind.CLUSTER
            key = account.AccountKey(kind, metadata.namespace, metadata.name)
            self._triggers.account_gone(key, uid=metadata.uid)

    def listed(self, plural: str) -> None:
        """A complete list was made."""
        self._listed.add(plural)
        self._lists.set()

    async def listed_all(self, plurals: tuple[str, ...]) -> None:
        """Return when each of the watches has listed once: what changes from now on is told."""
        while not self._listed.issuperset(plurals):
            await self.listed_again()

    async def listed_again(self) -> None:
        """Return when a watch has listed since the last call: what was deleted meanwhile was not told."""
        await self._lists.wait()
        self._lists.clear()
