"""One upload, step by step: observe, plan, act, report, until the plan says that nothing is left to do."""

import asyncio
import dataclasses
import logging
from collections.abc import Callable

from scm_operator.domain import actions, conditions, errors, observation, plan, ports, reasons, report, upload
from scm_operator.reconcile import groups, lanes, queue, reading, visit
from scm_operator.reconcile.acting import Acting
from scm_operator.reconcile.connection import Admission
from scm_operator.reconcile.departing import Departing
from scm_operator.reconcile.memory import Memory
from scm_operator.reconcile.observing import Observation, Observer
from scm_operator.reconcile.report import Reporter, UploadCache

_log = logging.getLogger(__name__)
# The longest way through the table takes about fifteen steps, one more for each entry that is deleted.
_MOST_STEPS = 64
Result = queue.Retry | queue.Again | None
Wake = Callable[[upload.UploadKey], None]


class UploadReconciler:
    """Brings one CertificateRequestUpload at a time to where its spec wants it."""

    def __init__(  # noqa: PLR0913 - ports and rooms
        self,
        *,
        known: UploadCache,
        reader: ports.UploadReader,
        secrets: ports.SecretReader,
        journal: ports.Journal,
        groups: groups.Groups,
        observer: Observer,
        acting: Acting,
        departing: Departing,
        memory: Memory,
        reporter: Reporter,
        clock: ports.Clock,
        deletion_deadline: float,
    ) -> None:
        """Take the rooms that take the steps; ``deletion_deadline`` in seconds."""
        self._known = known
        self._reader = reader
        self._secrets = secrets
        self._journal = journal
        self._observer = observer
        self._acting = acting
        self._departing = departing
        self._memory = memory
        self._reporter = reporter
        self._clock = clock
        self._deletion_deadline = deletion_deadline
        self._waits_in = dict[upload.UploadKey, Admission]()
        self._deadlines = dict[upload.UploadKey, asyncio.TimerHandle]()
        self._stopping = False
        self.wake: Wake = lambda _: None
        self._groups = groups
        groups.wake = self._woken
        self.on_higher_term: Callable[[], None] = lambda: None
        self.on_step: Callable[[], None] = lambda: None
        """Told before each step of a visit: it gets on."""

    def _woken(self, key: upload.UploadKey) -> None:
        self.wake(key)

    def stop(self) -> None:
        """Begin no further call to SCM; what calls under way come to is still written."""
        self._stopping = True

    @property
    def unwritten(self) -> tuple[upload.UploadKey, ...]:
        """Return the uploads whose entry is known here and not yet in their status."""
        return self._memory.unwritten

    def outcome_of(self, key: upload.UploadKey) -> str:
        """Say, for a log, what an unwritten outcome is."""
        known = self._memory.remembered.get(key)
        if isinstance(known, observation.Claimed):
            return f"stored in SCM as {known.record.scm_id} ({known.record.scm_name!r})"
        return "none"

    async def reconcile(self, key: upload.UploadKey) -> Result:
        """Take the steps that are due; return when to come back, or None if an event will say so."""
        due = key in self._memory.resync
        seen = visit.Visit(key, due=due, resync=due)
        try:
            return await self._steps(seen)
        except errors.Gone:
            return await self._gone(key)
        except errors.ApiServerError as error:
            _log.warning("%s: %s", key, error, extra={"event": "ApiServerError", "upload": str(key)})
            return queue.Retry(at_least=error.retry_after)
        finally:
            self._leave(seen)
            self._memory.release(key)

    def _leave(self, seen: visit.Visit) -> None:
        """Give back the turns of this visit, and the place in a line that it has no use for any more."""
        seen.end()
        before = self._waits_in.pop(seen.key, None)
        if before and before not in seen.lines:
            before.forget(seen.key)
        if seen.waits_in:
            self._waits_in[seen.key] = seen.waits_in

    async def _gone(self, key: upload.UploadKey) -> Result:
        """Believe a 404 only when a read says the same: a proxy, or an API server that starts, may answer so too.

        What is remembered of it is let go when the watch has told of the deletion: until then it seems to be there,
        and without its memory it would be sent again.
        """
        known = self._known.get(key)
        try:
            live = await self._reader.read_upload(key)
        except errors.ApiServerError as error:
            return queue.Retry(at_least=error.retry_after)
        return queue.Retry() if live and known and live.uid == known.uid else None

    async def _steps(self, seen: visit.Visit) -> Result:
        for _ in range(_MOST_STEPS):
            self.on_step()
            current = self._known.get(seen.key)
            if wait := await self._departing.let_go(seen.key, current):
                self._come_back(seen.key, wait)
            if current is None:
                return None
            if current.status.term > self._journal.term and self._journal.holds():
                self.on_higher_term()
                return None
            self._watch_deletion(current)
            seen.look_at(current)
            at = await self._observer.observe(current, seen)
            action = self._next(at.observed)
            try:
                ended, result = await self._step(action, at, seen)
            except errors.Conflict:
                await self._refresh(seen.key)
                seen.read_again()
                continue
            except errors.Obstacle as obstacle:
                if self._acting.resync_failed(action, at, seen, obstacle):
                    continue
                return await self._obstructed(current, seen.wanted, obstacle)
            if ended:
                return result
        if seen.deleted:
            return queue.Again(0.0)  # an account that could not delete for long has left many
        raise RuntimeError(f"no end after {_MOST_STEPS} steps")

    def _next(self, observed: observation.Observed) -> actions.Action:
        action = plan.plan(observed)
        return plan.ending(action, memory=observed.memory) if self._stopping else action

    async def _step(self, action: actions.Action, at: Observation, seen: visit.Visit) -> tuple[bool, Result]:
        """Take one step; return whether the visit ends with it, and when to come back then."""
        current = at.observed.upload
        if self._known.get(seen.key) is not current:
            return False, None  # changed while a credential was read: look again
        _log.debug("%s: %s", seen.key, actions.describe(action), extra={"event": "Step", "upload": str(seen.key)})
        match action:
            case actions.Nothing() | actions.Stop():
                self._looked_at(seen)
                return True, None
            case actions.Wait(after, verdict, group):
                if group:
                    self._groups.wait(group, seen.key)
                if verdict:
                    await self._report(current, actions.Report(verdict), handled=False)
                return True, queue.Retry(at_least=after) if seen.failed else queue.Again(after)
            case actions.Report():
                await self._report(current, action)
                self._looked_at(seen)
                return True, self._look_again(action.verdict, seen)
            case actions.ReadSecrets():
                await self._read(at, seen)
            case _:
                return await self._call(action, at, seen)
        return False, None

    async def _call(self, action: actions.Action, at: Observation, seen: visit.Visit) -> tuple[bool, Result]:
        """Take a step that may call SCM, if it is this upload's turn; its turn wakes it otherwise."""
        connection = self._acting.connection_for(action, at)
        if connection:
            waiting = seen.ask_for_turn(connection.admission, _lane_of(at.observed.upload, seen))
            if waiting:
                await self._report_waiting(at.observed.upload, waiting.verdict)
                return True, None
        await self._acting.take(action, at, seen)
        return False, None

    async def _read(self, at: Observation, seen: visit.Visit) -> None:
        """Read the Secrets; where an id waits to be written, one that may not be read is only unreadable."""
        try:
            seen.wanted = await reading.read(at.observed.upload, secrets=self._secrets)
        except errors.RetryLater as obstacle:
            if not isinstance(at.observed.memory, observation.Claimed):
                raise
            seen.wanted = observation.Unreadable(conditions.Verdict(obstacle.reason, obstacle.message), ())

    def _look_again(self, verdict: conditions.Verdict, seen: visit.Visit) -> Result:
        """Come back for a Secret that isn't as it should be, where no watch tells of its change."""
        waits = isinstance(seen.wanted, observation.Unreadable) and verdict.ready != conditions.TRUE
        return queue.Retry() if waits and not self._secrets.watched else None

    def _looked_at(self, seen: visit.Visit) -> None:
        if seen.due:  # what comes round to it meanwhile queues it again
            self._memory.resync.discard(seen.key)

    async def _report(self, current: upload.Upload, action: actions.Report, *, handled: bool = True) -> None:
        status = report.reported(
            current,
            action.verdict,
            secrets=action.secrets,
            record=action.record,
            now=self._clock.now(),
            handled=handled,
        )
        await self._reporter.write(current, status)

    async def _report_waiting(self, current: upload.Upload, verdict: conditions.Verdict | None) -> None:
        ready = current.status.ready
        if verdict and not (ready and ready.status == conditions.TRUE):
            await self._report(current, actions.Report(_of_deletion(current, verdict)), handled=False)

    async def _obstructed(
        self, current: upload.Upload, wanted: observation.Reading, obstacle: errors.Obstacle
    ) -> Result:
        """Report what is in the way; what was asked about coming back holds even if the report can't be written."""
        retry = None
        if isinstance(obstacle, errors.RetryLater):
            retry = queue.Retry(at_least=obstacle.retry_after or 0.0, slow=obstacle.slow)
        try:
            if not await self._report_obstacle(current, wanted, obstacle):
                return queue.Retry(at_least=retry.at_least if retry else 0.0)
        except errors.Gone:
            raise
        except errors.ApiServerError as error:
            _log.warning("%s: %s", current.key, error, extra={"event": "ApiServerError", "upload": str(current.key)})
            at_least = max(error.retry_after, retry.at_least if retry else 0.0)
            return queue.Retry(at_least=at_least, slow=retry is not None and retry.slow)
        return retry

    async def _report_obstacle(
        self, current: upload.Upload, wanted: observation.Reading, obstacle: errors.Obstacle
    ) -> bool:
        """Report it; return False if something else is asked for by now, of which a read may have told and no event."""
        versions = None if isinstance(wanted, observation.NotRead) else wanted.secrets
        verdict = _of_deletion(current, conditions.Verdict(obstacle.reason, obstacle.message))
        for _ in range(2):
            newest = self._known.get(current.key)
            if newest is None or newest.asked != current.asked:
                return False
            try:
                await self._report(newest, actions.Report(verdict, secrets=versions))
            except errors.Conflict:
                await self._refresh(current.key)
            else:
                return True
        return False

    async def _refresh(self, key: upload.UploadKey) -> None:
        """Read past the watch after a conflict. Raises: Gone when there is no such resource any more."""
        live = await self._reader.read_upload(key)
        known = self._known.get(key)
        if live is None or known is None or live.uid != known.uid:
            raise errors.Gone(f"{key} is gone")
        self._known.refresh(live)

    def _watch_deletion(self, current: upload.Upload) -> None:
        """Come back when the deletion has taken too long, whatever else wakes it or doesn't."""
        if not (current.deleting and current.has_finalizer) or current.key in self._deadlines:
            return
        now = self._clock.monotonic()
        since = self._memory.deleting_since.setdefault(current.uid, now)
        left = max(0.0, since + self._deletion_deadline - now)
        # A little later: a loop's clock is not exactly the other one, and whoever comes too early comes again.
        self._deadlines[current.key] = asyncio.get_running_loop().call_later(left + 0.05, self._overdue, current.key)

    def _overdue(self, key: upload.UploadKey) -> None:
        del self._deadlines[key]
        self.wake(key)

    def _come_back(self, key: upload.UploadKey, after: float) -> None:
        asyncio.get_running_loop().call_later(after, self.wake, key)


def _lane_of(current: upload.Upload, seen: visit.Visit) -> lanes.Lane:
    """New and changed uploads go first."""
    new = current.status.ready is None or current.status.observed_generation < current.generation
    return lanes.Lane.FRESH if new and not seen.resync else lanes.Lane.RETRY


def _of_deletion(current: upload.Upload, verdict: conditions.Verdict) -> conditions.Verdict:
    """Return what stands in the way of a deletion as such."""
    return dataclasses.replace(verdict, reason=reasons.Reason.DELETE_BLOCKED) if current.deleting else verdict
