"""One upload, step by step: observe, plan, act, report, until the plan says that nothing is left to do."""

import logging
import secrets as random_ids

from scm_operator.domain import account as accounts
from scm_operator.domain import actions, conditions, errors, observation, plan, ports, report, upload
from scm_operator.reconcile import account, queue, reading
from scm_operator.reconcile.report import Reporter, UploadCache

_log = logging.getLogger(__name__)
# The longest way through the table takes seven steps; more means that two rows undo each other.
_MOST_STEPS = 16


class UploadReconciler:
    """Brings one CertificateRequestUpload at a time to where its spec wants it."""

    def __init__(  # noqa: PLR0913 - ports
        self,
        *,
        known: UploadCache,
        accounts: account.AccountReconciler,
        reader: ports.UploadReader,
        secrets: ports.SecretReader,
        journal: ports.Journal,
        reporter: Reporter,
        clock: ports.Clock,
    ) -> None:
        self._known = known
        self._accounts = accounts
        self._reader = reader
        self._secrets = secrets
        self._journal = journal
        self._reporter = reporter
        self._clock = clock
        self._memory: dict[upload.UploadKey, observation.Remembered] = {}
        self._stopping = False

    def stop(self) -> None:
        """Begin no further call to SCM; what calls under way come to is still written."""
        self._stopping = True

    @property
    def unwritten(self) -> tuple[upload.UploadKey, ...]:
        """Return the uploads whose outcome is known here and not yet in their status."""
        return tuple(key for key, memory in self._memory.items() if not isinstance(memory, observation.Journaled))

    def outcome_of(self, key: upload.UploadKey) -> str:
        """Say, for a log, what an unwritten outcome is."""
        memory = self._memory.get(key)
        if isinstance(memory, observation.Stored):
            return f"stored in SCM as {memory.record.scm_id} ({memory.record.scm_name!r})"
        return memory.verdict.message if isinstance(memory, observation.Unknown) else "none"

    async def reconcile(self, key: upload.UploadKey) -> queue.Retry | None:
        """Take the steps that are due; return when to come back, or None if an event will say so."""
        try:
            return await self._steps(key)
        except errors.Gone:
            return await self._gone(key)
        except errors.ApiServerError as error:
            _log.warning("%s: %s", key, error, extra={"event": "ApiServerError", "upload": str(key)})
            return queue.Retry(at_least=error.retry_after)

    async def _gone(self, key: upload.UploadKey) -> queue.Retry | None:
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

    async def _steps(self, key: upload.UploadKey) -> queue.Retry | None:
        wanted: observation.Reading = observation.NotRead()
        read_for = None
        for _ in range(_MOST_STEPS):
            current = self._known.get(key)
            await self._let_go(key, current)
            if current is None:
                return None
            if read_for != (current.uid, current.generation):  # another spec, or a namesake's, may name other Secrets
                wanted, read_for = observation.NotRead(), (current.uid, current.generation)
            observed, connection = await self._observe(current, wanted)
            try:
                action = self._next(observed)
                if isinstance(action, actions.Nothing):
                    return None
                if isinstance(action, actions.ReadSecrets):
                    wanted = await reading.read(current, secrets=self._secrets)
                elif isinstance(action, actions.Report):
                    await self._report(current, action)
                    return None
                else:
                    await self._act(action, observed, connection)
                if isinstance(action, actions.Conclude):
                    wanted = observation.NotRead()  # never sent, because something has changed since it was read
            except errors.Conflict:
                await self._refresh(key)
                wanted = observation.NotRead()
            except errors.Obstacle as obstacle:
                return await self._obstructed(current, wanted, obstacle)
        raise RuntimeError(f"no end after {_MOST_STEPS} steps")

    def _next(self, observed: observation.Observed) -> actions.Action:
        action = plan.plan(observed)
        return plan.ending(action) if self._stopping else action

    async def _observe(
        self, current: upload.Upload, wanted: observation.Reading
    ) -> tuple[observation.Observed, account.Connection | None]:
        view, connection = await self._accounts.view(current)
        seen = tuple(
            self._secrets.seen(accounts.SecretName(current.key.namespace, name)) for name in current.secret_names
        )
        return observation.Observed(current, self._memory.get(current.key), view, seen, wanted), connection

    async def _act(
        self, action: actions.Action, observed: observation.Observed, connection: account.Connection | None
    ) -> None:
        current = observed.upload
        match action:
            case actions.Journal(wanted, tenant):
                await self._journal_attempt(current, wanted, tenant)
            case actions.Post(attempt, wanted):
                await self._post(observed, _some(connection), attempt, wanted)
            case actions.Conclude(attempt):
                await self._conclude(attempt)
            case actions.WriteRecord(status):
                await self._reporter.write(current, status)
            case actions.Rename(record, scm_name):
                await self._rename(observed, _some(connection), record, scm_name)

    async def _journal_attempt(
        self, current: upload.Upload, wanted: observation.Wanted, tenant: accounts.Tenant
    ) -> None:
        attempt = observation.Attempt(
            id=random_ids.token_hex(8),
            uid=current.uid,
            key=current.key,
            scm_name=current.scm_name,
            tenant=tenant,
            content_hash=wanted.content.hash,
            at=conditions.timestamp(self._clock.now()),
        )
        await self._journal.add(attempt)
        self._memory[current.key] = observation.Journaled(attempt, wanted, current.generation)

    async def _post(
        self,
        observed: observation.Observed,
        connection: account.Connection,
        attempt: observation.Attempt,
        wanted: observation.Wanted,
    ) -> None:
        """Send the POST, once; what it came to is in memory before anything else is awaited."""
        current, account_key = observed.upload, _key_of(observed.account)
        try:
            async with connection.calling() as store:
                entry = await store.upload(wanted.content, name=attempt.scm_name)
        except errors.OutcomeUnknown as obstacle:
            self._remember_unknown(attempt, obstacle.message)
            return
        except errors.Obstacle as obstacle:
            self._memory.pop(current.key, None)
            await self._journal.conclude(attempt)
            self._note(account_key, connection, obstacle)
            raise
        except BaseException as error:
            # A bug or a cancellation: something may have been sent, so it counts as sent.
            self._remember_unknown(attempt, f"the operator failed while it waited ({type(error).__name__}).")
            raise
        status = report.recorded(
            current,
            wanted,
            attempt,
            scm_id=entry.scm_id,
            create_time=entry.create_time,
            account=account_key,
            now=self._clock.now(),
        )
        self._memory[current.key] = observation.Stored(attempt, status)
        self._note(account_key, connection, None)

    async def _rename(
        self, observed: observation.Observed, connection: account.Connection, record: upload.Record, scm_name: str
    ) -> None:
        """Rename the entry; one that is gone is taken out of the status, and what is wanted uploaded anew."""
        current, account_key = observed.upload, _key_of(observed.account)
        try:
            async with connection.calling() as store:
                await store.rename(record.scm_id, name=scm_name)
        except errors.Blocked as obstacle:
            verdict = conditions.Verdict(obstacle.reason, obstacle.message)
            await self._reporter.write(current, report.unrecorded(current, verdict, now=self._clock.now()))
            return
        except errors.Obstacle as obstacle:
            self._note(account_key, connection, obstacle)
            raise
        self._note(account_key, connection, None)
        await self._reporter.write(current, report.renamed(current, record, now=self._clock.now()))

    async def _report(self, current: upload.Upload, action: actions.Report) -> None:
        status = report.reported(
            current, action.verdict, secrets=action.secrets, record=action.record, now=self._clock.now()
        )
        await self._reporter.write(current, status)
        if isinstance(self._memory.get(current.key), observation.Unknown):
            del self._memory[current.key]  # the status remembers it from now on

    async def _obstructed(
        self, current: upload.Upload, wanted: observation.Reading, obstacle: errors.Obstacle
    ) -> queue.Retry | None:
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
        verdict = conditions.Verdict(obstacle.reason, obstacle.message)
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

    async def _conclude(self, attempt: observation.Attempt) -> None:
        await self._journal.conclude(attempt)
        self._memory.pop(attempt.key, None)

    async def _let_go(self, key: upload.UploadKey, current: upload.Upload | None) -> None:
        """Forget what is remembered of a resource that is gone; say so if an entry is left behind."""
        memory = self._memory.get(key)
        if memory is None or (current and current.uid == memory.attempt.uid):
            return
        del self._memory[key]
        if isinstance(memory, observation.Stored):
            record = memory.record
            message = (
                f"deleted before its upload was recorded; entry {record.scm_id} ({record.scm_name!r}) stays in SCM."
            )
            self._reporter.orphaned(key, message=message)
        elif isinstance(memory, observation.Unknown):
            self._reporter.orphaned(key, message="deleted; " + memory.verdict.message)
        await self._journal.conclude(memory.attempt)

    async def _refresh(self, key: upload.UploadKey) -> None:
        """Read past the watch after a conflict. Raises: Gone when there is no such resource any more."""
        live = await self._reader.read_upload(key)
        known = self._known.get(key)
        if live is None or known is None or live.uid != known.uid:
            raise errors.Gone(f"{key} is gone")
        self._known.refresh(live)

    def _remember_unknown(self, attempt: observation.Attempt, what_happened: str) -> None:
        self._memory[attempt.key] = observation.Unknown(attempt, report.outcome_unknown(attempt, what_happened))

    def _note(self, key: accounts.AccountKey, connection: account.Connection, obstacle: errors.Obstacle | None) -> None:
        if obstacle is None or isinstance(obstacle, errors.AccountObstacle):
            self._accounts.met(key, connection, obstacle)


def _some(connection: account.Connection | None) -> account.Connection:
    assert connection is not None  # noqa: S101 - plan makes no call without an account
    return connection


def _key_of(view: observation.AccountView) -> accounts.AccountKey:
    assert view.key is not None  # noqa: S101 - plan makes no call without an account
    return view.key
