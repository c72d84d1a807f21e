"""The composition root: settings → adapters → reconcilers → watches. ``scm-operator`` starts here."""

import asyncio
import contextlib
import dataclasses
import datetime
import logging
import signal
import socket
import sys
import time

import uvloop

from scm_operator import kube, lifecycle
from scm_operator.domain import account as accounts
from scm_operator.domain import errors, upload
from scm_operator.kube import (
    client,
    events,
    held_lease,
    journal,
    journal_format,
    lease,
    paths,
    resources,
    secret_watch,
    secrets,
    status,
)
from scm_operator.reconcile import account, cache, connection, memory, queue, report, resync, standing, triggers, wiring
from scm_operator.reconcile import upload as uploads
from scm_operator.scm import client as scm_client
from scm_operator.settings import Settings, load
from scm_operator.telemetry import logging as telemetry_logging

_log = logging.getLogger(__name__)
_ACCOUNT_WORKERS = 4
_LEASE = "scm-csr-operator"
_BEAR, _BETWEEN = 60.0, 1.0  # seconds for which the API server may fail when the process starts, and between two tries


class SystemClock:
    """Implements domain.ports.Clock."""

    def now(self) -> datetime.datetime:
        """Return the time of day in UTC."""
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""
        return time.monotonic()


def main() -> None:
    """Run the operator until SIGTERM or SIGINT; exit code 1 when it can't go on, 2 for a wrong setting."""
    settings = load(sys.argv[1:])
    telemetry_logging.configure(level=settings.log_level, as_json=settings.log_format == "json")
    try:
        uvloop.run(_run(settings))
    except (lifecycle.Fatal, client.NoCluster, journal_format.Unreadable) as error:
        _log.error("%s", error)
        sys.exit(1)


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # The Lease has connections of its own: renewals never wait behind the work.
    async with client.connect(connections=settings.workers * 2) as kubernetes, client.connect(connections=2) as elector:
        if await _is_installed(kubernetes, stop):
            await _assemble(settings, kubernetes, elector).run(stop)


async def _is_installed(kubernetes: client.Kubernetes, stop: asyncio.Event) -> bool:
    """Find out early, and say it in words, when a CRD or a permission is missing; return False when stopped before.

    An API server that is overloaded or starts itself is tried again for `_BEAR`.
    """
    end = time.monotonic() + _BEAR
    missing = [*map(paths.kind, lifecycle.PLURALS), paths.SECRETS]
    while missing and not stop.is_set():
        try:
            await resources.check_listable(kubernetes, missing[0])
            missing.pop(0)
        except errors.Gone:
            name = missing[0].rpartition("/")[2]
            raise lifecycle.Fatal(f"the CRD {name}.{kube.GROUP} is not installed (kubectl apply -f crds/)") from None
        except errors.ApiServerError as error:
            pause = max(error.retry_after, _BETWEEN)
            if not _passes(error) or time.monotonic() + pause > end:
                raise lifecycle.Fatal(f"can't start: {error}") from None
            _log.warning("can't start yet: %s; again in %g s", error, pause, extra={"event": "ApiServerError"})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
    return not missing


def _passes(error: errors.ApiServerError) -> bool:
    return not isinstance(error, client.Refused) or error.status >= 500 or error.status in {408, 429}


@dataclasses.dataclass(frozen=True, slots=True)
class _State:
    """What is known, what waits to be looked at, and what all rooms share."""

    clock: SystemClock
    backoff: queue.Backoff
    known_uploads: report.UploadCache
    known_accounts: account.AccountCache
    upload_queue: queue.WorkQueue[upload.UploadKey]
    account_queue: queue.WorkQueue[accounts.AccountKey]
    triggers: triggers.Triggers
    memory: memory.Memory
    standing: standing.Standing
    listing: lifecycle.Listing


def _state(settings: Settings, kubernetes: client.Kubernetes) -> _State:
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
    known_uploads.on_gone = remembered.departed
    return _State(
        clock=clock,
        backoff=backoff,
        known_uploads=known_uploads,
        known_accounts=known_accounts,
        upload_queue=upload_queue,
        account_queue=account_queue,
        triggers=told,
        memory=remembered,
        standing=standing.Standing(clock=clock, hold=settings.settle_time),
        listing=lifecycle.Listing(kubernetes, triggers=told, known=known_uploads),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Adapters:
    """The ports of domain, as they are in a cluster."""

    secrets: secrets.SecretReader
    status: status.StatusWriter
    events: events.EventSink
    journal: journal.LeaseJournal
    reader: resources.UploadReader


def _adapters(
    settings: Settings,
    kubernetes: client.Kubernetes,
    for_lease: client.Kubernetes,
    state: _State,
    versions: secrets.Versions,
) -> _Adapters:
    host = socket.gethostname()
    elector = lease.Elector(
        for_lease,
        namespace=settings.namespace,
        name=_LEASE,
        identity=lease.new_identity(host),
        clock=state.clock,
        highest_term=state.listing.highest_term,
        status_terms_exist=state.listing.status_terms_exist,
        times=held_lease.Times(settings.lease_duration, settings.renew_deadline, settings.retry_period),
    )
    return _Adapters(
        secrets=secrets.SecretReader(kubernetes, versions=versions),
        status=status.StatusWriter(kubernetes),
        events=events.EventSink(
            kubernetes, instance=host, clock=state.clock, namespace=settings.namespace, lease=_LEASE
        ),
        journal=journal.LeaseJournal(elector, clock=state.clock),
        reader=resources.UploadReader(kubernetes),
    )


def _assemble(settings: Settings, kubernetes: client.Kubernetes, for_lease: client.Kubernetes) -> lifecycle.Operator:
    """Make all parts of one process and hand them to each other."""
    state = _state(settings, kubernetes)
    versions = secrets.Versions(is_named=state.triggers.is_named)
    adapters = _adapters(settings, kubernetes, for_lease, state, versions)
    account_reconciler = _account_reconciler(settings, state, adapters)
    upload_reconciler = _upload_reconciler(settings, state, adapters, account_reconciler)
    drift = resync.Resync(
        known=state.known_uploads,
        memory=state.memory,
        uploads=state.upload_queue,
        interval=settings.resync_interval,
    )
    state.standing.on_gone = drift.sample
    state.standing.on_change = state.triggers.account_verdict
    account_reconciler.on_change = state.triggers.account_changed
    account_reconciler.on_verdict = state.triggers.account_verdict
    account_reconciler.on_turn = state.upload_queue.add
    upload_reconciler.wake = state.upload_queue.add
    return lifecycle.Operator(
        kubernetes=kubernetes,
        listing=state.listing,
        triggers=state.triggers,
        secret_watch=secret_watch.SecretWatch(kubernetes, versions=versions, on_change=state.triggers.secret_changed),
        events=adapters.events,
        journal=adapters.journal,
        resync=drift,
        upload_reconciler=upload_reconciler,
        upload_queue=state.upload_queue,
        account_reconciler=account_reconciler,
        account_queue=state.account_queue,
        shutdown_timeout=settings.shutdown_timeout,
    )


def _account_reconciler(settings: Settings, state: _State, adapters: _Adapters) -> account.AccountReconciler:
    connect = scm_client.factory(
        timeout=settings.call_timeout, allow_insecure_loopback=settings.allow_insecure_loopback, clock=state.clock
    )
    return account.AccountReconciler(
        known=state.known_accounts,
        uploads=state.known_uploads,
        connector=connection.Connector(
            secrets=adapters.secrets,
            connect=connect,
            operator_namespace=settings.namespace,
            timeout=settings.call_timeout,
        ),
        standing=state.standing,
        status=adapters.status,
        events=adapters.events,
        clock=state.clock,
        backoff=state.backoff,
    )


def _upload_reconciler(
    settings: Settings, state: _State, adapters: _Adapters, account_reconciler: account.AccountReconciler
) -> uploads.UploadReconciler:
    reporter = report.Reporter(
        known=state.known_uploads, status=adapters.status, events=adapters.events, journal=adapters.journal
    )
    state.triggers.unsure = reporter.unsure
    state.triggers.term = lambda: adapters.journal.term
    return wiring.upload_reconciler(
        ports=wiring.Ports(
            secrets=adapters.secrets, reader=adapters.reader, journal=adapters.journal, clock=state.clock
        ),
        known=state.known_uploads,
        accounts=account_reconciler,
        memory=state.memory,
        standing=state.standing,
        reporter=reporter,
        outside=state.upload_queue.outside,
        settle_after=settings.call_timeout + settings.settle_time,
        deletion_deadline=settings.deletion_deadline,
    )


def _secrets_of_upload(known: upload.Upload) -> tuple[accounts.SecretName, ...]:
    return tuple(accounts.SecretName(known.key.namespace, name) for name in known.secret_names)
