"""The composition root: settings → adapters → reconcilers → watches. ``scm-operator`` starts here."""

import asyncio
import dataclasses
import datetime
import logging
import signal
import socket
import sys
import time

import uvloop

from scm_operator import instruments, lifecycle, listing, starting
from scm_operator.domain import account as accounts
from scm_operator.domain import ports, upload
from scm_operator.kube import (
    client,
    events,
    held_lease,
    installations,
    journal,
    journal_format,
    lease,
    resources,
    scope,
    secret_watch,
    secrets,
    status,
)
from scm_operator.reconcile import account, cache, connection, memory, queue, report, resync, standing, triggers, wiring
from scm_operator.reconcile import upload as uploads
from scm_operator.scm import client as scm_client
from scm_operator.settings import Settings, load
from scm_operator.telemetry import logging as telemetry_logging
from scm_operator.telemetry import server

_log = logging.getLogger(__name__)
_ACCOUNT_WORKERS = 4


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
    except (lifecycle.Fatal, client.NoCluster, journal_format.Unreadable, server.CannotListen) as error:
        _log.error("%s", error)
        sys.exit(1)


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    scoped = scope.Scope(
        settings.namespace, settings.watch_namespaces, settings.cluster_accounts, settings.secrets_watch
    )
    dials = instruments.Instruments(SystemClock(), stall=settings.stall_timeout)
    meter = dials.metrics.api_answered
    # The Lease has connections of its own: renewals never wait behind the work.
    async with (
        server.serving(settings.listen_on, state=dials.health, metrics=dials.metrics.expose),
        client.connect(connections=settings.workers * 2, meter=meter) as kubernetes,
        client.connect(connections=2, meter=meter) as elector,
    ):
        if await starting.is_installed(kubernetes, scoped, stop):
            await _assemble(settings, scoped, kubernetes, elector, dials).run(stop)


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
    listing: listing.Listing


def _state(settings: Settings, scoped: scope.Scope, kubernetes: client.Kubernetes) -> _State:
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
        listing=listing.Listing(kubernetes, scope=scoped, triggers=told, known=known_uploads),
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
        name=settings.lease_name,
        identity=lease.new_identity(host),
        clock=state.clock,
        highest_term=state.listing.highest_term,
        status_terms_exist=state.listing.status_terms_exist,
        times=held_lease.Times(settings.lease_duration, settings.renew_deadline, settings.retry_period),
    )
    return _Adapters(
        secrets=secrets.SecretReader(kubernetes, versions=versions, watched=settings.secrets_watch),
        status=status.StatusWriter(kubernetes),
        events=events.EventSink(
            kubernetes, instance=host, clock=state.clock, namespace=settings.namespace, lease=settings.lease_name
        ),
        journal=journal.LeaseJournal(elector, clock=state.clock),
        reader=resources.UploadReader(kubernetes),
    )


def _assemble(
    settings: Settings,
    scoped: scope.Scope,
    kubernetes: client.Kubernetes,
    for_lease: client.Kubernetes,
    dials: instruments.Instruments,
) -> lifecycle.Operator:
    """Make all parts of one process and hand them to each other."""
    state = _state(settings, scoped, kubernetes)
    versions = secrets.Versions(is_named=state.triggers.is_named)
    adapters = _adapters(settings, kubernetes, for_lease, state, versions)
    account_reconciler = _account_reconciler(settings, state, adapters, dials.metrics.scm_answered)
    reporter = report.Reporter(
        known=state.known_uploads, status=adapters.status, events=adapters.events, journal=adapters.journal
    )
    upload_reconciler = _upload_reconciler(settings, state, adapters, account_reconciler, reporter)
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
    dials.connect(
        instruments.Parts(
            clock=state.clock,
            known_uploads=state.known_uploads,
            known_accounts=state.known_accounts,
            upload_queue=state.upload_queue,
            account_queue=state.account_queue,
            upload_reconciler=upload_reconciler,
            account_reconciler=account_reconciler,
            reporter=reporter,
            lease=adapters.journal,
        )
    )
    return lifecycle.Operator(
        kubernetes=kubernetes,
        scope=scoped,
        alone=installations.Alone(
            kubernetes,
            scope=scoped,
            period=settings.retry_period,
            on_change=(dials.health.hinder, adapters.events.overlap),
        ),
        listing=state.listing,
        triggers=state.triggers,
        secret_watch=secret_watch.SecretWatches(
            [
                secret_watch.SecretWatch(
                    kubernetes,
                    path=path,
                    versions=versions,
                    on_change=state.triggers.secret_changed,
                    on_move=dials.pulse.beat,
                )
                for path in scoped.secret_lists
            ]
        ),
        events=adapters.events,
        journal=adapters.journal,
        resync=drift,
        upload_reconciler=upload_reconciler,
        upload_queue=state.upload_queue,
        account_reconciler=account_reconciler,
        account_queue=state.account_queue,
        shutdown_timeout=settings.shutdown_timeout,
        health=dials.health,
        on_move=dials.pulse.beat,
    )


def _account_reconciler(
    settings: Settings, state: _State, adapters: _Adapters, meter: ports.ScmMeter
) -> account.AccountReconciler:
    connect = scm_client.factory(
        timeout=settings.call_timeout,
        allow_insecure_loopback=settings.allow_insecure_loopback,
        clock=state.clock,
        meter=meter,
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
        cluster_accounts=settings.cluster_accounts,
    )


def _upload_reconciler(
    settings: Settings,
    state: _State,
    adapters: _Adapters,
    account_reconciler: account.AccountReconciler,
    reporter: report.Reporter,
) -> uploads.UploadReconciler:
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
