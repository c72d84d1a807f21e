"""What one process knows, and what waits to be looked at: caches, queues, triggers, and what all rooms share."""

import dataclasses
import datetime
import time

from scm_operator import listing
from scm_operator.domain import account as accounts
from scm_operator.domain import upload
from scm_operator.kube import client, scope
from scm_operator.reconcile import account, cache, memory, queue, report, standing, triggers
from scm_operator.settings import Settings

_ACCOUNT_WORKERS = 4


class SystemClock:
    """Implements domain.ports.Clock."""

    def now(self) -> datetime.datetime:
        """Return the time of day in UTC."""
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""
        return time.monotonic()


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """The state of one process; see `make`."""

    clock: SystemClock
    backoff: queue.Backoff
    known_uploads: report.UploadCache
    known_accounts: account.AccountCache
    upload_queue: queue.WorkQueue[upload.UploadKey]
    account_queue: queue.WorkQueue[accounts.AccountKey]
    triggers: triggers.Triggers
    memory: memory.Memory
    standing: standing.Standing
    listing: listing.Listing


def make(settings: Settings, *, scope: scope.Scope, kubernetes: client.Kubernetes) -> State:
    """Make the state of a process that knows nothing yet."""
    clock = SystemClock()
    backoff = queue.Backoff(settings.retry_first, settings.retry_slow, settings.retry_longest)
    known_uploads: report.UploadCache = cache.Cache(key=lambda known: known.key, secrets=_secrets_of_upload)
    known_accounts: account.AccountCache = cache.Cache(
        key=lambda known: known.key, secrets=lambda known: (known.secret_name(operator_namespace=settings.namespace),)
    )
    upload_queue: queue.WorkQueue[upload.UploadKey] = queue.WorkQueue(workers=settings.workers, backoff=backoff)
    account_queue: queue.WorkQueue[accounts.AccountKey] = queue.WorkQueue(workers=_ACCOUNT_WORKERS, backoff=backoff)
    told = triggers.Triggers(
        uploads=known_uploads, accounts=known_accounts, upload_queue=upload_queue, account_queue=account_queue
    )
    remembered = memory.Memory(known_uploads)
    stands = standing.Standing(clock=clock, hold=settings.settle_time)

    def gone(about: upload.Upload) -> None:
        remembered.departed(about)
        stands.departed(about)

    known_uploads.on_gone = gone
    return State(
        clock=clock,
        backoff=backoff,
        known_uploads=known_uploads,
        known_accounts=known_accounts,
        upload_queue=upload_queue,
        account_queue=account_queue,
        triggers=told,
        memory=remembered,
        standing=stands,
        listing=listing.Listing(kubernetes, scope=scope, triggers=told, known=known_uploads),
    )


def _secrets_of_upload(known: upload.Upload) -> tuple[accounts.SecretName, ...]:
    return tuple(accounts.SecretName(known.key.namespace, name) for name in known.secret_names)
