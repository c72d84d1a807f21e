"""The composition root: settings → adapters → reconcilers → watches. ``scm-operator`` starts here."""

import asyncio
import dataclasses
import logging
import signal
import socket
import sys

import uvloop

from scm_operator import instruments, lifecycle, starting, state
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
from scm_operator.reconcile import account, connection, report, resync, wiring
from scm_operator.reconcile import upload as uploads
from scm_operator.scm import client as scm_client
from scm_operator.settings import Settings, load
from scm_operator.telemetry import logging as telemetry_logging
from scm_operator.telemetry import server

_log = logging.getLogger(__name__)
_LOOK_AGAIN = 60.0  # seconds, at most, between two looks at a namespace that may not be listed


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
    dials = instruments.Instruments(state.SystemClock(), stall=settings.stall_timeout)
    meter = dials.metrics.api_answered
    # Each watch on Secrets keeps a connection; and the Lease has its own: renewals never wait behind the work.
    connections = settings.workers * 2 + len(scoped.secret_lists)
    async with (
        server.serving(settings.listen_on, state=dials.health, metrics=dials.metrics.expose),
        client.connect(connections=connections, meter=meter) as kubernetes,
        client.connect(connections=2, meter=meter) as elector,
    ):
        scoped = await starting.find_scope(kubernetes, scoped, stop)
        if not stop.is_set():
            await _assemble(_Given(settings, scoped, kubernetes, elector, dials)).run(stop)


@dataclasses.dataclass(frozen=True, slots=True)
class _Given:
    """What a process begins with."""

    settings: Settings
    scope: scope.Scope
    kubernetes: client.Kubernetes
    for_lease: client.Kubernetes
    dials: instruments.Instruments


@dataclasses.dataclass(frozen=True, slots=True)
class _Adapters:
    """The ports of domain, as they are in a cluster."""

    secrets: secrets.SecretReader
    status: status.StatusWriter
    events: events.EventSink
    journal: journal.LeaseJournal
    reader: resources.UploadReader


def _adapters(given: _Given, known: state.State, versions: secrets.Versions) -> _Adapters:
    settings, kubernetes = given.settings, given.kubernetes
    host = socket.gethostname()
    elector = lease.Elector(
        given.for_lease,
        namespace=settings.namespace,
        name=settings.lease_name,
        identity=lease.new_identity(host),
        clock=known.clock,
        highest_term=known.listing.highest_term,
        status_terms_exist=known.listing.status_terms_exist,
        times=held_lease.Times(settings.lease_duration, settings.renew_deadline, settings.retry_period),
    )
    return _Adapters(
        secrets=secrets.SecretReader(kubernetes, versions=versions, watched=settings.secrets_watch),
        status=status.StatusWriter(kubernetes),
        events=events.EventSink(
            kubernetes, instance=host, clock=known.clock, namespace=settings.namespace, lease=settings.lease_name
        ),
        journal=journal.LeaseJournal(elector, clock=known.clock),
        reader=resources.UploadReader(kubernetes),
    )


def _assemble(given: _Given) -> lifecycle.Operator:
    """Make all parts of one process and hand them to each other."""
    dials = given.dials
    known = state.make(given.settings, scope=given.scope, kubernetes=given.kubernetes)
    versions = secrets.Versions(is_named=known.triggers.is_named)
    adapters = _adapters(given, known, versions)
    account_reconciler = _account_reconciler(given, known, adapters)
    reporter = report.Reporter(
        known=known.known_uploads, status=adapters.status, events=adapters.events, journal=adapters.journal
    )
    upload_reconciler = _upload_reconciler(given, known, adapters, account_reconciler, reporter)
    drift = _resync(given.settings, known)
    _connect(known, account_reconciler, upload_reconciler)
    shown = instruments.Parts(
        known, upload_reconciler, account_reconciler, reporter, adapters.journal, left_out=given.scope.left_out
    )
    dials.connect(shown)
    return lifecycle.Operator(
        kubernetes=given.kubernetes,
        scope=given.scope,
        alone=_alone(given, adapters.events),
        listing=known.listing,
        triggers=known.triggers,
        secret_watch=_secret_watches(given, known, versions),
        events=adapters.events,
        journal=adapters.journal,
        resync=drift,
        upload_reconciler=upload_reconciler,
        upload_queue=known.upload_queue,
        account_reconciler=account_reconciler,
        account_queue=known.account_queue,
        shutdown_timeout=given.settings.shutdown_timeout,
        look_again=min(_LOOK_AGAIN, given.settings.retry_longest),
        health=dials.health,
        on_move=dials.pulse.beat,
    )


def _resync(settings: Settings, known: state.State) -> resync.Resync:
    drift = resync.Resync(
        known=known.known_uploads,
        memory=known.memory,
        uploads=known.upload_queue,
        interval=settings.resync_interval,
    )
    known.standing.on_gone = drift.sample
    known.standing.on_change = known.triggers.account_verdict
    return drift


def _connect(
    known: state.State, account_reconciler: account.AccountReconciler, upload_reconciler: uploads.UploadReconciler
) -> None:
    """Let the reconcilers wake what has to be looked at."""
    account_reconciler.on_change = known.triggers.account_changed
    account_reconciler.on_verdict = known.triggers.account_verdict
    account_reconciler.on_turn = known.upload_queue.add
    upload_reconciler.wake = known.upload_queue.add


def _alone(given: _Given, told: events.EventSink) -> installations.Alone:
    health = given.dials.health
    if not given.scope.is_cluster_wide:
        health.hinder("whether another installation serves all namespaces is not known yet")
    return installations.Alone(
        given.kubernetes,
        scope=given.scope,
        period=given.settings.retry_period,
        on_change=(health.hinder, told.overlap),
    )


def _secret_watches(given: _Given, known: state.State, versions: secrets.Versions) -> secret_watch.SecretWatches:
    return secret_watch.SecretWatches(
        [
            secret_watch.SecretWatch(
                given.kubernetes,
                path=path,
                versions=versions,
                on_change=known.triggers.secret_changed,
                on_move=given.dials.pulse.beat,
            )
            for path in given.scope.secret_lists
        ]
    )


def _account_reconciler(given: _Given, known: state.State, adapters: _Adapters) -> account.AccountReconciler:
    settings = given.settings
    connect = scm_client.factory(
        timeout=settings.call_timeout,
        allow_insecure_loopback=settings.allow_insecure_loopback,
        clock=known.clock,
        meter=given.dials.metrics.scm_answered,
    )
    return account.AccountReconciler(
        known=known.known_accounts,
        uploads=known.known_uploads,
        connector=connection.Connector(
            secrets=adapters.secrets,
            connect=connect,
            operator_namespace=settings.namespace,
            timeout=settings.call_timeout,
        ),
        standing=known.standing,
        status=adapters.status,
        events=adapters.events,
        clock=known.clock,
        backoff=known.backoff,
        cluster_accounts=settings.cluster_accounts,
    )


def _upload_reconciler(
    given: _Given,
    known: state.State,
    adapters: _Adapters,
    account_reconciler: account.AccountReconciler,
    reporter: report.Reporter,
) -> uploads.UploadReconciler:
    known.triggers.unsure = reporter.unsure
    known.triggers.term = lambda: adapters.journal.term
    known.triggers.leads = lambda: adapters.journal.term > 0
    settings = given.settings
    parts = wiring.Parts(
        ports=wiring.Ports(
            secrets=adapters.secrets, reader=adapters.reader, journal=adapters.journal, clock=known.clock
        ),
        known=known.known_uploads,
        accounts=account_reconciler,
        memory=known.memory,
        standing=known.standing,
        reporter=reporter,
        outside=known.upload_queue.outside,
        settle_after=settings.call_timeout + settings.settle_time,
        deletion_deadline=settings.deletion_deadline,
        left_out=given.scope.left_out,
    )
    return wiring.upload_reconciler(parts)
