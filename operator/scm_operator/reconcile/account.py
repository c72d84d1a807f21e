"""Accounts: which one an upload goes to, the connection to SCM behind each, and what an account's status says.

Uploads decide from what is here, never from an account's status: nothing waits for a probe that nobody makes.
"""

import asyncio
import collections
import logging
from collections.abc import Callable

from scm_operator.domain import account as accounts
from scm_operator.domain import conditions, errors, observation, ports, reasons, upload
from scm_operator.reconcile import admission, cache, choice, queue
from scm_operator.reconcile.connection import Admission, Connection, Connector
from scm_operator.reconcile.report import UploadCache
from scm_operator.reconcile.standing import Standing

_log = logging.getLogger(__name__)
AccountCache = cache.Cache[accounts.AccountKey, accounts.Account]
Reached = tuple[observation.AccountView, Connection | None]
OnAccount = Callable[[accounts.AccountKey], None]
OnTurn = Callable[[upload.UploadKey], None]


class AccountReconciler:
    """Connects accounts, reports on them, and wakes their uploads when something about them changed."""

    def __init__(  # noqa: PLR0913 - ports
        self,
        *,
        known: AccountCache,
        uploads: UploadCache,
        connector: Connector,
        standing: Standing,
        status: ports.StatusWriter,
        events: ports.EventSink,
        clock: ports.Clock,
        backoff: queue.Backoff,
        cluster_accounts: bool = True,
    ) -> None:
        """Take the rooms; ``cluster_accounts`` says whether ClusterScmAccounts are served."""
        self._known = known
        self._uploads = uploads
        self._connector = connector
        self._standing = standing
        self._status = status
        self._events = events
        self._clock = clock
        self._backoff = backoff
        self._cluster_accounts = cluster_accounts
        self._connections: dict[accounts.AccountKey, Connection] = {}
        self._departed: dict[accounts.AccountKey, Connection] = {}
        self._admissions: dict[accounts.AccountKey, Admission] = {}
        self._locks: dict[accounts.AccountKey, asyncio.Lock] = collections.defaultdict(asyncio.Lock)
        self.on_change: OnAccount = lambda _: None
        self.on_verdict: OnAccount = lambda _: None
        self.on_turn: OnTurn = lambda _: None
        self.on_wait: Callable[[float], None] = lambda _: None
        """Told of each turn that an upload is given, with the seconds for which it stood in line."""

    async def view(self, wanted: upload.Upload) -> Reached:
        """Return what an upload needs to know of its account, and the connection for it. Raises: ApiServerError."""
        candidates = choice.candidates_of(wanted)
        account = next((found for key in candidates if (found := self._known.get(key))), None)
        if account is None:
            key = candidates[0] if len(candidates) == 1 else None
            other = choice.namesake_of(wanted)
            fault = choice.not_found(
                wanted,
                candidates,
                cluster_accounts=self._cluster_accounts,
                namesake=other if other and self._known.get(other) else None,
            )
            return observation.AccountView(key, None, fault), None
        return await self._view_of(account)

    async def reach(self, tenant: accounts.Tenant) -> Reached | None:
        """Return an account with which a tenant's entries can be looked at, by its own name. Raises: ApiServerError.

        One that is gone, or has lost its credential, serves as it was for as long as its uploads are being deleted.
        """
        key = accounts.account_key_of(tenant.account)
        account = self._known.get(key) if key else None
        reached = await self._view_of(account) if account and account.tenant.same_as(tenant) else None
        departed = self._departed.get(key) if key else None
        if (reached is None or reached[0].fault) and departed and departed.tenant.same_as(tenant):
            return observation.AccountView(departed.key, departed.tenant, None), departed
        return reached

    async def _view_of(self, account: accounts.Account) -> Reached:
        connection = await self._connection(account)
        fault = choice.not_ready(account.key, connection.fault) if connection.fault else None
        return observation.AccountView(account.key, account.tenant, fault), connection

    async def _connection(self, account: accounts.Account, *, anew: bool = False) -> Connection:
        """Return the connection of an account as it is now, made anew if it or its credential changed."""
        async with self._locks[account.key]:
            current = self._connections.get(account.key)
            if (
                current
                and self._connector.fits(current, account)
                and not (anew and self._connector.must_look_again(current))
            ):
                return current
            fresh = await self._connector.make(account, turns=self._admission(account))
            if current and current.equals(fresh):
                # The Secret was written again with the same value: a login refused once stays refused.
                current.credential = fresh.credential
                await fresh.retire()
                return current
            self._connections[account.key] = fresh
            fresh.admission.reset()
            if current:
                await self._replace(current, lost=fresh.fault is not None)
        self.on_change(account.key)
        return fresh

    def _admission(self, account: accounts.Account) -> Admission:
        turns = self._admissions.get(account.key)
        if turns is None:
            turns = admission.Admission(account.limits, clock=self._clock, wake=self._turn, backoff=self._backoff)
            turns.on_turn = self._waited
            self._admissions[account.key] = turns
        turns.change_limits(account.limits)
        return turns

    def _turn(self, key: upload.UploadKey) -> None:
        self.on_turn(key)

    def _waited(self, seconds: float) -> None:
        self.on_wait(seconds)

    def admission_of(self, key: accounts.AccountKey) -> Admission | None:
        """Return an account's line, None if nobody has used it yet."""
        return self._admissions.get(key)

    def token_of(self, key: accounts.AccountKey) -> ports.TokenLife | None:
        """Return how old the token is with which an account is called, None if there is none, or that isn't known."""
        connection = self._connections.get(key)
        return connection.store.token_life if connection and connection.store else None

    async def _replace(self, connection: Connection, *, lost: bool) -> None:
        """Close a connection, unless it is the last that works and entries of deleted uploads wait for it."""
        if lost and connection.store and self._is_needed(connection.key):
            await self._release(connection.key)
            self._departed[connection.key] = connection
            return
        await connection.retire()
        if not lost:
            await self._release(connection.key)

    def _is_needed(self, key: accounts.AccountKey) -> bool:
        return any(known.has_finalizer and choice.concerns(key, known) for known in self._uploads)

    async def _release(self, key: accounts.AccountKey) -> None:
        if departed := self._departed.pop(key, None):
            await departed.retire()

    async def upload_gone(self, key: upload.UploadKey) -> None:
        """Let an upload that is gone leave every line, and accounts that only it kept."""
        for turns in self._admissions.values():
            turns.forget(key)
        for account_key in [found for found in self._departed if not self._is_needed(found)]:
            await self._release(account_key)

    def met(self, connection: Connection, obstacle: errors.AccountObstacle | None) -> None:
        """Note how a call went: refused (and why), or well, which ends an earlier refusal."""
        before = connection.refused
        connection.note(obstacle)
        if before == connection.refused or self._connections.get(connection.key) is not connection:
            return
        self.on_verdict(connection.key)
        # A login that works again works for all; a permission may be lacking for some uploads only, and waking
        # those at each success of another would be a storm.
        if connection.refused is None and before and before.reason is reasons.AccountReason.LOGIN_FAILED:
            self.on_change(connection.key)

    async def reconcile(self, key: accounts.AccountKey) -> queue.Retry | None:
        """Connect an account and write its verdict, if it isn't in its status already."""
        account = self._known.get(key)
        if account is None:
            await self._forget(key)
            return None
        try:
            connection = await self._connection(account, anew=True)
            if account.reconcile_requested:
                self._look_again(account, connection)
            await self._report(account, connection)
        except errors.Gone:
            return None
        except errors.ApiServerError as error:
            _log.warning("%s: %s", key, error)
            return queue.Retry(at_least=error.retry_after)
        return queue.Retry(slow=True) if self._connector.must_look_again(connection) else None

    def _look_again(self, account: accounts.Account, connection: Connection) -> None:
        """A person asks: what waits for an answer of theirs, or for a pause to end, goes on."""
        self._standing.allow(account.key)
        connection.admission.reset()
        self.on_change(account.key)

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in [*self._connections.values(), *self._departed.values()]:
            await connection.retire()
        self._connections.clear()
        self._departed.clear()

    async def _forget(self, key: accounts.AccountKey) -> None:
        async with self._locks[key]:
            connection = self._connections.pop(key, None)
        if connection:
            await self._replace(connection, lost=True)
            self._standing.forget(key)
            self.on_change(key)

    async def _report(self, account: accounts.Account, connection: Connection) -> None:
        verdict = connection.fault or connection.refused or _READY
        degraded = self._standing.verdict(account.key)
        wanted = accounts.AccountStatus(
            observed_generation=account.generation,
            conditions=conditions.conditions_for(
                verdict,
                previous=account.status.conditions,
                generation=account.generation,
                now=self._clock.now(),
                degraded=degraded,
            ),
            last_handled_reconcile_at=account.reconcile_requested_at,
        )
        if account.status == wanted:
            return
        written = await self._status.write_account(account, wanted)
        self._known.refresh(written)
        self._tell(account, conditions.READY, verdict)
        if degraded:
            self._tell(account, conditions.DEGRADED, degraded)

    def _tell(self, before: accounts.Account, kind: str, verdict: conditions.Verdict) -> None:
        """Tell a transition of a condition, once."""
        previous = conditions.find(before.status.conditions, kind)
        if previous and previous.reason == verdict.reason:
            return
        ready = verdict.ready == conditions.TRUE
        level = logging.INFO if ready else logging.WARNING
        _log.log(level, "%s: %s: %s", before.key, verdict.reason, verdict.message)
        self._events.publish(before, reason=verdict.reason, message=verdict.message, warning=not ready)


_READY = conditions.Verdict(
    reasons.AccountReason.READY, "The spec is valid and the credential readable; login happens on first use."
)
