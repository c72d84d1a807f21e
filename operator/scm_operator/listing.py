"""The process's own lists of its kinds: what a watch doesn't tell of, or hasn't told yet, and what terms there are.

A watch that lists again tells of no deletion meanwhile; and what an earlier leader wrote last may not have come by it
when this process becomes the leader.
"""

import dataclasses
import logging

from scm_operator import kube
from scm_operator.domain import account as accounts
from scm_operator.domain import errors, upload
from scm_operator.kube import client, resources, scope
from scm_operator.reconcile import report, triggers

_log = logging.getLogger(__name__)
_ACCOUNT_PLURALS = {
    accounts.AccountKind.NAMESPACED: kube.ACCOUNTS,
    accounts.AccountKind.CLUSTER: kube.CLUSTER_ACCOUNTS,
}
_FEW = 100  # uploads that are read one by one rather than all of them listed with everything that they have


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """Lists, and tells the triggers."""

    kubernetes: client.Kubernetes
    scope: scope.Scope
    triggers: triggers.Triggers
    known: report.UploadCache

    async def list_all(self) -> None:
        """List all kinds. Raises: ApiServerError."""
        await self._list_accounts()
        lists = self.scope.lists_of(kube.UPLOADS)
        listed = await resources.list_all(self.kubernetes, lists, parse=upload.parse_upload)
        self.triggers.uploads_listed(listed.items, names=listed.names, resource_version=listed.resource_version)

    async def catch_up(self) -> None:
        """Do as `list_all` where most is known already: list versions, and read what is newer. Raises: ApiServerError.

        With 10,000 uploads that takes a tenth of the time.
        """
        listed = await resources.list_versions(self.kubernetes, self.scope.lists_of(kube.UPLOADS))
        keys = {upload.UploadKey(*name): version for name, version in listed.versions.items()}
        news = [key for key, version in keys.items() if self.triggers.is_news(key, resource_version=version)]
        if len(news) > _FEW:
            await self.list_all()
            return
        await self._list_accounts()
        read = [found for key in news if (found := await self._read(key))]
        self.triggers.uploads_listed(read, names=listed.versions.keys(), resource_version=listed.resource_version)

    async def _list_accounts(self) -> None:
        for kind, plural in _ACCOUNT_PLURALS.items():
            if plural not in self.scope.plurals:
                continue
            lists = self.scope.lists_of(plural)
            listed = await resources.list_all(self.kubernetes, lists, parse=accounts.parse_account)
            self.triggers.accounts_listed(
                listed.items, kind=kind, names=listed.names, resource_version=listed.resource_version
            )

    async def _read(self, key: upload.UploadKey) -> upload.Upload | None:
        try:
            return await resources.UploadReader(self.kubernetes).read_upload(key)
        except errors.InvalidResource as error:
            _log.error("%s %s: %s", kube.UPLOADS, key, error)
            return None

    def highest_term(self) -> int:
        """Return the highest term that any status has."""
        return max((known.status.term for known in self.known), default=0)

    async def status_terms_exist(self) -> bool:
        """List all, and say whether any resource was ever worked on. Raises: ApiServerError."""
        await self.list_all()
        return self.highest_term() > 0
