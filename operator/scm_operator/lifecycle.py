"""One process from start to end: watch, list, work; and on a signal end in order, with no POST cut in half."""

import asyncio
import contextlib
import dataclasses
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from scm_operator import kube
from scm_operator.domain import account as accounts
from scm_operator.domain import errors, upload
from scm_operator.handlers import listener, watches
from scm_operator.kube import client, events, resources, secret_watch
from scm_operator.reconcile import account, queue, triggers
from scm_operator.reconcile import upload as uploads

_log = logging.getLogger(__name__)
_ACCOUNT_PLURALS = {
    accounts.AccountKind.NAMESPACED: kube.ACCOUNTS,
    accounts.AccountKind.CLUSTER: kube.CLUSTER_ACCOUNTS,
}
PLURALS = (kube.UPLOADS, *_ACCOUNT_PLURALS.values())
_PAUSE = 0.5  # seconds between two tries to list, or to write an outcome while stopping
_LONGEST_PAUSE = 30.0
_GOODBYE = 5.0  # seconds for what is only courtesy: Events that wait, a watch that ends


class Fatal(Exception):  # noqa: N818 - reads as what is the matter
    """The process can't go on; its supervisor starts it again."""


@dataclasses.dataclass(slots=True)
class Operator:
    """All parts of one process; `run` is their order in time."""

    kubernetes: client.Kubernetes
    triggers: triggers.Triggers
    secret_watch: secret_watch.SecretWatch
    events: events.EventSink
    upload_reconciler: uploads.UploadReconciler
    upload_queue: queue.WorkQueue[upload.UploadKey]
    account_reconciler: account.AccountReconciler
    account_queue: queue.WorkQueue[accounts.AccountKey]
    shutdown_timeout: float
    _workers: list[asyncio.Task[None]] = dataclasses.field(default_factory=list)
    _ending: bool = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set. Raises: Fatal when a watch has ended by itself."""
        told = listener.TriggerListener(self.triggers, uploads=kube.UPLOADS)
        watching = self._watches(told)
        watching.start()
        watches_ended = asyncio.wrap_future(watching.ended)
        stopping = asyncio.create_task(stop.wait())
        background = [asyncio.create_task(self.events.run()), asyncio.create_task(self._serve(told))]
        parts: list[asyncio.Future[Any]] = [stopping, watches_ended, *background]
        await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        names = ("the watches", "the writing of Events", "the work on uploads")
        failures = [
            _why(name, part) for name, part in zip(names, (watches_ended, *background), strict=True) if part.done()
        ]
        unwritten = await self._end([stopping, *background])
        watching.stop()
        await asyncio.wait({watches_ended}, timeout=_GOODBYE)
        if not stop.is_set():
            raise Fatal(f"{'; '.join(failures)}: the process has to start again")
        if unwritten:
            raise Fatal(f"{len(unwritten)} outcomes could not be written in time: SCM may have entries nobody names")

    def _watches(self, told: listener.TriggerListener) -> watches.Watches:
        endpoint = self.kubernetes.endpoint
        return watches.Watches(
            group=kube.GROUP,
            version=kube.VERSION,
            plurals=PLURALS,
            server=endpoint.server,
            ssl_context=endpoint.ssl_context,
            authorization=endpoint.authorization,
            listener=told,
        )

    async def _serve(self, told: listener.TriggerListener) -> None:
        """List and then work; after each later list of a watch list again, and compare."""
        await told.listed_all(PLURALS)
        await _until_it_works(self._list)
        await _until_it_works(self.secret_watch.sync)
        _log.info("ready: %d uploads wait to be looked at", len(self.upload_queue), extra={"event": "Started"})
        self._workers += [
            asyncio.create_task(self.upload_queue.run(self.upload_reconciler.reconcile)),
            asyncio.create_task(self.account_queue.run(self.account_reconciler.reconcile)),
        ]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.secret_watch.run())
            tasks.create_task(self._compare(told))
            tasks.create_task(self._fail_without_workers())

    async def _fail_without_workers(self) -> None:
        await asyncio.wait(self._workers, return_when=asyncio.FIRST_COMPLETED)
        if not self._ending:
            raise Fatal("a work queue has ended")

    async def _compare(self, told: listener.TriggerListener) -> None:
        while True:
            await told.listed_again()
            await _until_it_works(self._list)

    async def _list(self) -> None:
        """Make an own list of our kinds: a watch that lists again doesn't tell of what was deleted meanwhile."""
        for kind, plural in _ACCOUNT_PLURALS.items():
            listed = await resources.list_all(self.kubernetes, plural, parse=accounts.parse_account)
            self.triggers.accounts_listed(
                listed.items, kind=kind, names=listed.names, resource_version=listed.resource_version
            )
        uploads_listed = await resources.list_all(self.kubernetes, kube.UPLOADS, parse=upload.parse_upload)
        self.triggers.uploads_listed(
            uploads_listed.items, names=uploads_listed.names, resource_version=uploads_listed.resource_version
        )

    async def _end(self, background: list[asyncio.Task[Any]]) -> tuple[upload.UploadKey, ...]:
        """Begin nothing more; let calls in flight end and write their outcome; return what could not be written."""
        self._ending = True
        _log.info("stopping: calls in flight are finished first", extra={"event": "Stopping"})
        self.upload_queue.stop()
        self.account_queue.stop()
        self.upload_reconciler.stop()
        try:
            async with asyncio.timeout(self.shutdown_timeout):
                if self._workers:
                    await asyncio.wait(self._workers)
                await self._write_outcomes()
        except TimeoutError:
            pass
        unwritten = self.upload_reconciler.unwritten
        for key in unwritten:
            outcome = self.upload_reconciler.outcome_of(key)
            _log.error("%s: stopped before its outcome was written: %s", key, outcome, extra={"event": "Unwritten"})
        for task in background:
            task.cancel()
        await asyncio.wait(background)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self.events.flush()
        await self.account_reconciler.aclose()
        return unwritten

    async def _write_outcomes(self) -> None:
        while keys := self.upload_reconciler.unwritten:
            for key in keys:
                await self.upload_reconciler.reconcile(key)
            if self.upload_reconciler.unwritten:
                await asyncio.sleep(_PAUSE)


async def _until_it_works(step: Callable[[], Awaitable[None]]) -> None:
    pause = _PAUSE
    while True:
        try:
            return await step()
        except errors.ApiServerError as error:
            _log.warning("%s; again in %g s", error, max(error.retry_after, pause))
            await asyncio.sleep(max(error.retry_after, pause))
            pause = min(pause * 2, _LONGEST_PAUSE)


def _why(name: str, part: asyncio.Future[Any]) -> str:
    """Say which part has ended, and log where; the message of a foreign exception may quote data."""
    error = None if part.cancelled() else part.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, Fatal):
        return f"{name}: {error}"
    if error is not None:
        _log.error("%s ended by %s\n%s", name, type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
    return f"{name} ended ({type(error).__name__ if error else 'without an error'})"
