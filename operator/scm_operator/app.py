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

from scm_operator import kube, lifecycle
from scm_operator.domain import account as accounts
from scm_operator.domain import errors, upload
from scm_operator.kube import client, events, paths, resources, secret_watch, secrets, status
from scm_operator.reconcile import account, cache, journal, queue, report, triggers
from scm_operator.reconcile import upload as uploads
from scm_operator.scm import client as scm_client
from scm_operator.settings import Settings, load
from scm_operator.telemetry import logging as telemetry_logging

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
    except (lifecycle.Fatal, client.NoCluster) as error:
        _log.error("%s", error)
        sys.exit(1)


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with client.connect(connections=settings.workers * 2) as kubernetes:
        await _check_installed(kubernetes)
        await _assemble(settings, kubernetes).run(stop)


async def _check_installed(kubernetes: client.Kubernetes) -> None:
    """Find out early, and say it in words, when a CRD or a permission is missing."""
    for path in (*map(paths.kind, lifecycle.PLURALS), paths.SECRETS):
        try:
            await resources.check_listable(kubernetes, path)
        except errors.Gone:
            name = path.rpartition("/")[2]
            raise lifecycle.Fatal(f"the CRD {name}.{kube.GROUP} is not installed (kubectl apply -f crds/)") from None
        except errors.ApiServerError as error:
            raise lifecycle.Fatal(f"can't start: {error}") from None


@dataclasses.dataclass(frozen=True, slots=True)
class _State:
    """What is known, and what waits to be looked at."""

    known_uploads: report.UploadCache
    known_accounts: account.AccountCache
    upload_queue: queue.WorkQueue[upload.UploadKey]
    account_queue: queue.WorkQueue[accounts.AccountKey]
    triggers: triggers.Triggers


def _state(settings: Settings) -> _State:
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
    return _State(known_uploads, known_accounts, upload_queue, account_queue, told)


def _assemble(settings: Settings, kubernetes: client.Kubernetes) -> lifecycle.Operator:
    """Make all parts of one process and hand them to each other."""
    state, clock = _state(settings), SystemClock()
    versions = secrets.Versions(is_named=state.triggers.is_named)
    reader, writer = secrets.SecretReader(kubernetes, versions=versions), status.StatusWriter(kubernetes)
    sink = events.EventSink(kubernetes, instance=socket.gethostname())
    connect = scm_client.factory(
        timeout=settings.call_timeout, allow_insecure_loopback=settings.allow_insecure_loopback, clock=clock
    )
    account_reconciler = account.AccountReconciler(
        known=state.known_accounts,
        secrets=reader,
        connect=connect,
        status=writer,
        events=sink,
        clock=clock,
        operator_namespace=settings.namespace,
    )
    account_reconciler.on_change = state.triggers.account_changed
    account_reconciler.on_verdict = state.triggers.account_verdict
    upload_reconciler = uploads.UploadReconciler(
        known=state.known_uploads,
        accounts=account_reconciler,
        reader=resources.UploadReader(kubernetes),
        secrets=reader,
        journal=journal.MemoryJournal(),
        reporter=report.Reporter(known=state.known_uploads, status=writer, events=sink),
        clock=clock,
    )
    return lifecycle.Operator(
        kubernetes=kubernetes,
        triggers=state.triggers,
        secret_watch=secret_watch.SecretWatch(kubernetes, versions=versions, on_change=state.triggers.secret_changed),
        events=sink,
        upload_reconciler=upload_reconciler,
        upload_queue=state.upload_queue,
        account_reconciler=account_reconciler,
        account_queue=state.account_queue,
        shutdown_timeout=settings.shutdown_timeout,
    )


def _secrets_of_upload(known: upload.Upload) -> tuple[accounts.SecretName, ...]:
    return tuple(accounts.SecretName(known.key.namespace, name) for name in known.secret_names)
