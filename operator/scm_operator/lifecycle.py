"""One process from start to end: watch, list, work; and on a signal end in order, with no POST cut in half."""

import asyncio
import contextlib
import dataclasses
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from scm_operator import kube, listing
from scm_operator.domain import account as accounts
from scm_operator.domain import errors, upload
from scm_operator.handlers import listener, watches
from scm_operator.kube import client, events, installations, journal, left_out, scope, secret_watch
from scm_operator.reconcile import account, queue, resync, triggers
from scm_operator.reconcile import upload as uploads
from scm_operator.telemetry import health

_log = logging.getLogger(__name__)
_PAUSE = 0.5  # seconds between two tries to list, or to write an outcome while stopping
_LONGEST_PAUSE = 30.0
_GOODBYE = 5.0  # seconds for what is only courtesy: Events that wait, a watch that ends


class Fatal(Exception):  # noqa: N818 - reads as what is the matter
    """The process can't go on; its supervisor starts it again."""


@dataclasses.dataclass(slots=True)
class Operator:
    """All parts of one process; `run` is their order in time."""

    kubernetes: client.Kubernetes
    scope: scope.Scope
    alone: installations.Alone
    listing: listing.Listing
    triggers: triggers.Triggers
    secret_watch: secret_watch.SecretWatches
    events: events.EventSink
    journal: journal.LeaseJournal
    resync: resync.Resync
    upload_reconciler: uploads.UploadReconciler
    upload_queue: queue.WorkQueue[upload.UploadKey]
    account_reconciler: account.AccountReconciler
    account_queue: queue.WorkQueue[accounts.AccountKey]
    shutdown_timeout: float
    look_again: float
    health: health.Health
    on_move: Callable[[str], None]
    _workers: list[asyncio.Task[None]] = dataclasses.field(default_factory=list)
    _renewing: asyncio.Task[str] | None = None
    _ending: bool = False
    _lost: bool = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set. Raises: Fatal when the Lease is lost, or a part has ended by itself."""
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
            raise Fatal(
                f"{len(unwritten)} outcomes could not be written in time: the next leader looks for them in SCM"
            )

    def _watches(self, told: listener.TriggerListener) -> watches.Watches:
        endpoint = self.kubernetes.endpoint
        return watches.Watches(
            group=kube.GROUP,
            version=kube.VERSION,
            plurals=self.scope.plurals,
            namespaces=self.scope.namespaces,
            lists=self.scope.lists,
            server=endpoint.server,
            ssl_context=endpoint.ssl_context,
            authorization=endpoint.authorization,
            listener=told,
            on_move=self.on_move,
            meter=self.kubernetes.meter,
        )

    async def _serve(self, told: listener.TriggerListener) -> None:
        """Know everything, become the leader, then work; after each later list of a watch list again, and compare."""
        await told.listed_all(self.scope.lists)
        await _until_it_works(self.listing.list_all)
        await _until_it_works(self.secret_watch.sync)
        self.health.synced()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._compare(told))
            tasks.create_task(self.alone.run())
            tasks.create_task(self._serve_what_is_back())
            tasks.create_task(self._lead(tasks.create_task(self.secret_watch.run())))

    async def _serve_what_is_back(self) -> None:
        """End when a namespace that was left out can be listed: watches are made once, at the start."""
        if self.scope.left_out:
            namespace = await left_out.until_one_is_back(self.kubernetes, self.scope, period=self.look_again)
            raise Fatal(f"namespace {namespace} can be listed by now, and is served from the next start on")

    async def _lead(self, watching_secrets: asyncio.Task[None]) -> None:
        """Wait for the Lease, and begin; what an earlier leader wrote last may not have come by the watch yet."""
        await self.alone.wait()
        await self.journal.acquire()
        self._renewing = asyncio.create_task(self.journal.run())
        await _until_it_works(self.listing.catch_up)
        if self.alone.overlap:
            raise Fatal(self.alone.overlap)
        if (highest := self.listing.highest_term()) > self.journal.term:
            raise Fatal(f"a status has term {highest}, this leader {self.journal.term}: it takes a higher one")
        for attempt in self.journal.attempts():
            self.upload_queue.add(attempt.key)
        _log.info("ready: %d uploads wait to be looked at", len(self.upload_queue), extra={"event": "Started"})
        self._workers += [
            asyncio.create_task(self.upload_queue.run(self.upload_reconciler.reconcile)),
            asyncio.create_task(self.account_queue.run(self.account_reconciler.reconcile)),
        ]
        self.upload_reconciler.on_higher_term = self._step_down
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_secrets_anew(watching_secrets))
            tasks.create_task(self.resync.run())
            tasks.create_task(self._stay_alone())
            tasks.create_task(self._fail_when_one_ends(self._renewing))

    async def _watch_secrets_anew(self, watching: asyncio.Task[None]) -> None:
        """List once more: of a Secret that an upload came to name meanwhile, earlier events were dropped."""
        watching.cancel()
        await asyncio.wait([watching])
        self.secret_watch.list_anew()
        await self.secret_watch.run()

    async def _stay_alone(self) -> None:
        raise Fatal(await self.alone.end())

    def _step_down(self) -> None:
        """A status is from a later leader, or from a backup that is: nothing is done before the term is higher."""
        if self._renewing:
            self._renewing.cancel()

    async def _fail_when_one_ends(self, renewing: asyncio.Task[str]) -> None:
        await asyncio.wait([*self._workers, renewing], return_when=asyncio.FIRST_COMPLETED)
        if self._ending:
            return
        if not renewing.done():
            raise Fatal("a work queue has ended")
        self._lost = True
        if renewing.cancelled():
            raise Fatal("a status has a higher term than this leader")
        raise Fatal(f"the Lease is lost: {renewing.result()}")

    async def _compare(self, told: listener.TriggerListener) -> None:
        while True:
            await told.listed_again()
            await _until_it_works(self.listing.catch_up)

    async def _end(self, background: list[asyncio.Task[Any]]) -> tuple[upload.UploadKey, ...]:
        """Begin nothing more; let calls in flight end and write their outcome; return what could not be written.

        Without the Lease nothing is waited for: the next leader may be at work already, and finds all in the journal.
        """
        self._ending = True
        self.health.stopping()
        _log.info("stopping: calls in flight are finished first", extra={"event": "Stopping"})
        self.upload_queue.stop()
        self.account_queue.stop()
        self.upload_reconciler.stop()
        if not self._lost:
            await self._finish()
        unwritten = self.upload_reconciler.unwritten
        for key in unwritten:
            outcome = self.upload_reconciler.outcome_of(key)
            _log.error("%s: stopped before its outcome was written: %s", key, outcome, extra={"event": "Unwritten"})
        for task in background:
            task.cancel()
        await asyncio.wait(background)
        await self._say_goodbye()
        return unwritten

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(self.shutdown_timeout):
                if self._workers:
                    await asyncio.wait(self._workers)
                await self._write_outcomes()
        except TimeoutError:
            pass

    async def _say_goodbye(self) -> None:
        """Give the Lease back, with what is unknown in it, and write the Events that wait."""
        if self._renewing:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
        with contextlib.suppress(TimeoutError, errors.ApiServerError):
            async with asyncio.timeout(_GOODBYE):
                await self.journal.release()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self.events.flush()
        await self.account_reconciler.aclose()

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
