"""What wakes what: each event ends as keys in a queue, and nothing else is decided here."""

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import TypeVar

from scm_operator.domain import account as accounts
from scm_operator.domain import conditions, upload
from scm_operator.reconcile import account, choice, queue
from scm_operator.reconcile.report import UploadCache

K = TypeVar("K", bound=Hashable)
# Seconds in which an account's verdicts are collected: of calls that fail and succeed in turn, one write a delay.
_VERDICT_DELAY = 0.5


class Triggers:
    """Takes in what the watches show and queues the keys that it concerns."""

    def __init__(
        self,
        *,
        uploads: UploadCache,
        accounts: account.AccountCache,
        upload_queue: queue.WorkQueue[upload.UploadKey],
        account_queue: queue.WorkQueue[accounts.AccountKey],
    ) -> None:
        self._uploads = uploads
        self._accounts = accounts
        self._upload_queue = upload_queue
        self.unsure: Collection[upload.UploadKey] = frozenset()
        self.term: Callable[[], int] = lambda: 0
        self.leads: Callable[[], bool] = lambda: True
        self._account_queue = account_queue

    def is_news(self, key: upload.UploadKey | accounts.AccountKey, *, resource_version: str) -> bool:
        """Say whether a version of a resource is newer than what is known of it."""
        if isinstance(key, upload.UploadKey):
            return self._uploads.is_news(key, resource_version=resource_version)
        return self._accounts.is_news(key, resource_version=resource_version)

    def upload_seen(self, seen: upload.Upload) -> None:
        """A CertificateRequestUpload appeared or changed.

        A status is written here and nowhere else, so its change is an echo, which may come before the answer to the
        write: queued, it would end the wait that the write has just begun.
        """
        before = self._uploads.get(seen.key)
        if self._uploads.put(seen) and (before is None or before.asked != seen.asked or self._is_late(before, seen)):
            self._upload_queue.add(seen.key, lane=queue.Lane.FRESH if before else _lane_at_start(seen))

    def _is_late(self, before: upload.Upload, seen: upload.Upload) -> bool:
        """Say whether this may be a write that nobody has reckoned with: its answer was lost, or its leader was."""
        former = seen.status.term < self.term()
        return (former or seen.key in self.unsure) and before.status != seen.status

    def upload_gone(self, key: upload.UploadKey, *, uid: str) -> None:
        """A CertificateRequestUpload was deleted."""
        if self._uploads.remove(key, uid=uid):
            self._let_go(self._upload_queue, key)

    def _let_go(self, queued: queue.WorkQueue[K], key: K) -> None:
        """A standby has nothing to let go of, and may see resources come and go for months."""
        if self.leads():
            queued.add(key)
        else:
            queued.drop(key)

    def uploads_listed(
        self, listed: Sequence[upload.Upload], *, names: Collection[tuple[str, str]], resource_version: str
    ) -> None:
        """All CertificateRequestUploads as of a version: whatever isn't among the ``names`` was deleted."""
        for seen in listed:
            self.upload_seen(seen)
        present = {upload.UploadKey(*name) for name in names}
        for known in self._uploads.missing_from(present, resource_version=resource_version):
            self.upload_gone(known.key, uid=known.uid)

    def accounts_listed(
        self,
        listed: Sequence[accounts.Account],
        *,
        kind: accounts.AccountKind,
        names: Collection[tuple[str, str]],
        resource_version: str,
    ) -> None:
        """All accounts of a kind as of a version: whatever isn't among the ``names`` was deleted."""
        for seen in listed:
            self.account_seen(seen)
        present = {accounts.AccountKey(kind, *name) for name in names}
        for known in self._accounts.missing_from(present, resource_version=resource_version):
            if known.key.kind is kind:
                self.account_gone(known.key, uid=known.uid)

    def account_seen(self, seen: accounts.Account) -> None:
        """An account appeared or changed; its uploads are woken if more than its status did."""
        before = self._accounts.get(seen.key)
        if self._accounts.put(seen):
            self._account_queue.add(seen.key)
            if before is None or (before.uid, before.generation) != (seen.uid, seen.generation):
                self.account_changed(seen.key)

    def account_gone(self, key: accounts.AccountKey, *, uid: str) -> None:
        """An account was deleted."""
        if self._accounts.remove(key, uid=uid):
            self._let_go(self._account_queue, key)
            self.account_changed(key)

    def account_changed(self, key: accounts.AccountKey) -> None:
        """An account, its credential or its standing changed: wake the uploads that are, or may be, its own."""
        for known in self._uploads:
            if choice.concerns(key, known):
                self._upload_queue.add(known.key, lane=_lane_of(known))

    def account_verdict(self, key: accounts.AccountKey) -> None:
        """A call was refused, or works again: the account's status has to say so."""
        self._account_queue.add_later(key, delay=_VERDICT_DELAY)

    def secret_changed(self, name: accounts.SecretName) -> None:
        """A Secret that somebody names appeared, changed or was deleted."""
        for upload_key in self._uploads.naming(name):
            self._upload_queue.add(upload_key)
        for account_key in self._accounts.naming(name):
            self._account_queue.add(account_key)

    def is_named(self, name: accounts.SecretName) -> bool:
        """Say whether any resource names this Secret."""
        return bool(self._uploads.naming(name) or self._accounts.naming(name))


def _lane_at_start(seen: upload.Upload) -> queue.Lane:
    """Of ten thousand that are done already, none comes before one that is new."""
    done = seen.status.observed_generation == seen.generation and not seen.deleting
    return _lane_of(seen) if done else queue.Lane.FRESH


def _lane_of(known: upload.Upload) -> queue.Lane:
    """An upload that is Ready has nothing to hurry for."""
    ready = known.status.ready
    return queue.Lane.RETRY if ready and ready.status == conditions.TRUE else queue.Lane.FRESH
