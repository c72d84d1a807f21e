"""Accounts: which one an upload goes to, the connection to SCM behind each, and what an account's status says.

Uploads decide from what is here, never from an account's status: nothing waits for a probe that nobody makes.
"""

import asyncio
import collections
import contextlib
import dataclasses
import hashlib
import logging
from collections.abc import AsyncIterator, Callable

from scm_operator.domain import account as accounts
from scm_operator.domain import conditions, errors, observation, ports, reasons, upload
from scm_operator.reconcile import cache, queue

_log = logging.getLogger(__name__)
AccountCache = cache.Cache[accounts.AccountKey, accounts.Account]


@dataclasses.dataclass(slots=True, eq=False)
class Connection:
    """What is known of one version of an account and of its credential: a store to call, or the fault in the way."""

    uid: str
    generation: int
    credential: upload.ObservedSecret | None
    store: ports.CsrStore | None
    fault: conditions.Verdict | None
    digest: bytes = dataclasses.field(default=b"", repr=False)
    forbidden: bool = False
    refused: conditions.Verdict | None = None
    worked: bool = False
    denials: int = 0
    calls: int = 0
    retired: bool = False

    @contextlib.asynccontextmanager
    async def calling(self) -> AsyncIterator[ports.CsrStore]:
        """Lend the store for one call; a connection that was replaced meanwhile is closed after its last call."""
        assert self.store is not None  # noqa: S101 - plan makes no call to an account with a fault
        self.calls += 1
        try:
            yield self.store
        finally:
            self.calls -= 1
            await self._close_if_unused()

    def note(self, obstacle: errors.AccountObstacle | None) -> None:
        """Take in how a call went.

        One denial of an account that works for others is that upload's affair; the second in a row is the account's.
        """
        if obstacle is None:
            self.worked, self.denials, self.refused = True, 0, None
            return
        denied = obstacle.account_reason is reasons.AccountReason.ACCESS_DENIED
        self.denials += denied
        if not denied or not self.worked or self.denials > 1:
            self.refused = conditions.Verdict(obstacle.account_reason, obstacle.message)

    async def retire(self) -> None:
        """Close it now, or after the calls under way."""
        self.retired = True
        await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        if self.retired and not self.calls and self.store:
            store, self.store = self.store, None
            await store.aclose()


class AccountReconciler:
    """Connects accounts, reports on them, and wakes their uploads when something about them changed."""

    def __init__(  # noqa: PLR0913 - ports
        self,
        *,
        known: AccountCache,
        secrets: ports.SecretReader,
        connect: ports.CsrStoreFactory,
        status: ports.StatusWriter,
        events: ports.EventSink,
        clock: ports.Clock,
        operator_namespace: str,
    ) -> None:
        self._known = known
        self._secrets = secrets
        self._connect = connect
        self._status = status
        self._events = events
        self._clock = clock
        self._operator_namespace = operator_namespace
        self._connections: dict[accounts.AccountKey, Connection] = {}
        self._locks: dict[accounts.AccountKey, asyncio.Lock] = collections.defaultdict(asyncio.Lock)
        self.on_change: Callable[[accounts.AccountKey], None] = lambda _: None
        self.on_verdict: Callable[[accounts.AccountKey], None] = lambda _: None

    async def view(self, wanted: upload.Upload) -> tuple[observation.AccountView, Connection | None]:
        """Return what an upload needs to know of its account, and the connection for it. Raises: ApiServerError."""
        candidates = candidates_of(wanted)
        account = next((found for key in candidates if (found := self._known.get(key))), None)
        if account is None:
            key = candidates[0] if len(candidates) == 1 else None
            return observation.AccountView(key, None, _not_found(wanted, candidates)), None
        connection = await self._connection(account)
        return observation.AccountView(account.key, account.tenant, _not_ready(account, connection)), connection

    async def _connection(self, account: accounts.Account, *, anew: bool = False) -> Connection:
        """Return the connection of an account as it is now, made anew if it or its credential changed."""
        async with self._locks[account.key]:
            current = self._connections.get(account.key)
            if current and self._fits(current, account) and not (anew and current.forbidden):
                return current
            fresh = await self._make(account)
            if current and _equal(current, fresh):
                # The Secret was written again with the same value: a login refused once stays refused.
                current.credential = fresh.credential
                await fresh.retire()
                return current
            self._connections[account.key] = fresh
            if current:
                await current.retire()
        self.on_change(account.key)
        return fresh

    def met(self, key: accounts.AccountKey, connection: Connection, obstacle: errors.AccountObstacle | None) -> None:
        """Note how a call went: refused (and why), or well, which ends an earlier refusal."""
        before = connection.refused
        connection.note(obstacle)
        if before == connection.refused or self._connections.get(key) is not connection:
            return
        self.on_verdict(key)
        # A login that works again works for all; a permission may be lacking for some uploads only, and waking
        # those at each success of another would be a storm.
        if connection.refused is None and before and before.reason is reasons.AccountReason.LOGIN_FAILED:
            self.on_change(key)

    async def reconcile(self, key: accounts.AccountKey) -> queue.Retry | None:
        """Connect an account and write its verdict, if it isn't in its status already."""
        account = self._known.get(key)
        if account is None:
            await self._forget(key)
            return None
        try:
            connection = await self._connection(account, anew=True)
            await self._report(account, connection)
        except errors.Gone:
            return None
        except errors.ApiServerError as error:
            _log.warning("%s: %s", key, error)
            return queue.Retry(at_least=error.retry_after)
        return queue.Retry(slow=True) if connection.forbidden else None

    async def aclose(self) -> None:
        """Close all connections."""
        for key in list(self._connections):
            await self._forget(key)

    async def _forget(self, key: accounts.AccountKey) -> None:
        async with self._locks[key]:
            connection = self._connections.pop(key, None)
        if connection:
            await connection.retire()
            self.on_change(key)

    def _fits(self, connection: Connection, account: accounts.Account) -> bool:
        if (connection.uid, connection.generation) != (account.uid, account.generation):
            return False
        name = account.secret_name(operator_namespace=self._operator_namespace)
        return connection.forbidden or connection.credential == self._secrets.seen(name)

    async def _make(self, account: accounts.Account) -> Connection:
        name = account.secret_name(operator_namespace=self._operator_namespace)
        key = account.auth.secret.key
        secret: ports.Secret | None = None
        store: ports.CsrStore | None = None
        fault: conditions.Verdict | None = None
        forbidden = False
        try:
            secret = await self._secrets.read(name, keys=(key,))
            store = self._connect(account, credential=_credential_of(secret, name, key))
        except errors.AccountFault as error:
            fault = conditions.Verdict(error.reason, error.message)
        except errors.RetryLater as error:
            fault = conditions.Verdict(reasons.AccountReason.CREDENTIAL_NOT_FOUND, error.message)
            forbidden = True
        return Connection(
            uid=account.uid,
            generation=account.generation,
            credential=secret.observed if secret else None,
            store=store,
            fault=fault,
            digest=hashlib.sha256(secret.data.get(key, b"")).digest() if secret else b"",
            forbidden=forbidden,
        )

    async def _report(self, account: accounts.Account, connection: Connection) -> None:
        verdict = connection.fault or connection.refused or _READY
        wanted = conditions.conditions_for(
            verdict, previous=account.conditions, generation=account.generation, now=self._clock.now()
        )
        if (account.observed_generation, account.conditions) == (account.generation, wanted):
            return
        written = await self._status.write_account(account, observed_generation=account.generation, conditions=wanted)
        self._known.refresh(written)
        before = conditions.find(account.conditions, conditions.READY)
        if before is None or (before.status, before.reason) != (wanted[0].status, wanted[0].reason):
            ready = verdict.ready == conditions.TRUE
            _log.log(
                logging.INFO if ready else logging.WARNING, "%s: %s: %s", account.key, verdict.reason, verdict.message
            )
            self._events.publish(account, reason=verdict.reason, message=verdict.message, warning=not ready)


_READY = conditions.Verdict(
    reasons.AccountReason.READY, "The spec is valid and the credential readable; login happens on first use."
)


def candidates_of(wanted: upload.Upload) -> tuple[accounts.AccountKey, ...]:
    """Return the accounts that an upload may go to, the first that exists wins.

    The accountRef; else the account that was resolved once and is kept; else the defaults.
    """
    if wanted.account:
        return (wanted.account,)
    if wanted.status.record:
        return (wanted.status.record.account,)
    return (
        accounts.AccountKey(accounts.AccountKind.NAMESPACED, wanted.key.namespace, accounts.DEFAULT_NAME),
        accounts.AccountKey(accounts.AccountKind.CLUSTER, "", accounts.DEFAULT_NAME),
    )


def _equal(one: Connection, other: Connection) -> bool:
    """Say whether two connections call the same service with the same credential."""
    return (one.uid, one.generation, one.digest, one.fault) == (other.uid, other.generation, other.digest, other.fault)


def _not_found(wanted: upload.Upload, candidates: tuple[accounts.AccountKey, ...]) -> conditions.Verdict:
    if wanted.account:
        message = f"spec.accountRef names {candidates[0]}, which does not exist. Create it, or name another."
    elif len(candidates) == 1:
        message = f"{candidates[0]}, to which this was uploaded, does not exist any more. Create it, or name another."
    else:
        message = (
            f"no spec.accountRef, and neither {candidates[0]} nor {candidates[1]} exists. "
            "Create one of them, or name an account."
        )
    return conditions.Verdict(reasons.Reason.ACCOUNT_NOT_FOUND, message)


def _not_ready(account: accounts.Account, connection: Connection) -> conditions.Verdict | None:
    if connection.fault is None:
        return None
    message = f"{account.key} is not ready ({connection.fault.reason}): {connection.fault.message}"
    return conditions.Verdict(reasons.Reason.ACCOUNT_NOT_READY, message)


def _credential_of(secret: ports.Secret | None, name: accounts.SecretName, key: str) -> bytes:
    if secret is None:
        raise errors.AccountFault(
            reasons.AccountReason.CREDENTIAL_NOT_FOUND, f"Secret {name}, which spec.auth names, does not exist."
        )
    if key not in secret.data:
        raise errors.AccountFault(
            reasons.AccountReason.CREDENTIAL_NOT_FOUND, f"Secret {name} has no key {key!r}, which spec.auth names."
        )
    return secret.data[key]
