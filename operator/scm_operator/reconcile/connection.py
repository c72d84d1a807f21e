"""The connection to SCM behind one version of an account and of its credential."""

import contextlib
import dataclasses
import hashlib
from collections.abc import AsyncIterator, Callable

from scm_operator.domain import account as accounts
from scm_operator.domain import conditions, errors, ports, reasons, upload
from scm_operator.reconcile import admission

Admission = admission.Admission[upload.UploadKey]
Version = tuple[str, int, bytes]
Outside = Callable[[], contextlib.AbstractAsyncContextManager[None]]
"""A block in which a worker waits for SCM and does not count."""


@dataclasses.dataclass(slots=True, eq=False)
class Connection:
    """What is known of one version of an account and of its credential: a store to call, or the fault in the way.

    ``timeout`` is the deadline of a whole call in seconds.
    """

    key: accounts.AccountKey
    tenant: accounts.Tenant
    uid: str
    generation: int
    credential: upload.ObservedSecret | None
    store: ports.CsrStore | None
    fault: conditions.Verdict | None
    admission: Admission
    timeout: float
    digest: bytes = dataclasses.field(default=b"", repr=False)
    forbidden: bool = False
    refused: conditions.Verdict | None = None
    worked: bool = False
    denials: int = 0
    calls: int = 0
    retired: bool = False

    @contextlib.asynccontextmanager
    async def calling(self) -> AsyncIterator[ports.CsrStore]:
        """Lend the store for one call; a connection that was replaced meanwhile is closed after its last call.

        Raises: RetryLater when it is closed already.
        """
        if self.store is None:
            raise errors.RetryLater(reasons.Reason.ACCOUNT_NOT_READY, f"{self.key} has just changed.")
        self.calls += 1
        try:
            yield self.store
        finally:
            self.calls -= 1
            await self._close_if_unused()

    @contextlib.asynccontextmanager
    async def calling_in_turn(self, key: upload.UploadKey, *, outside: Outside) -> AsyncIterator[ports.CsrStore]:
        """Lend the store for one call in the turn that an upload has; its worker doesn't count meanwhile."""
        with self.admission.calling(key):
            async with outside(), self.calling() as store:
                yield store

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

    @property
    def version(self) -> Version:
        """Return of which version of the account and its credential this is."""
        return self.uid, self.generation, self.digest

    def equals(self, other: "Connection") -> bool:
        """Say whether two connections call the same service with the same credential."""
        return (self.version, self.fault) == (other.version, other.fault)


@dataclasses.dataclass(frozen=True, slots=True)
class Connector:
    """Makes connections; ``timeout`` in seconds is the operator's own bound of a whole call."""

    secrets: ports.SecretReader
    connect: ports.CsrStoreFactory
    operator_namespace: str
    timeout: float

    def credential_of(self, account: accounts.Account) -> accounts.SecretName:
        """Return the Secret in which an account's credential is."""
        return account.secret_name(operator_namespace=self.operator_namespace)

    def must_look_again(self, connection: Connection) -> bool:
        """Say whether the credential may have been mended, and nothing will tell."""
        faulty = connection.fault is not None or connection.refused is not None
        return connection.forbidden or (faulty and not self.secrets.watched)

    def fits(self, connection: Connection, account: accounts.Account) -> bool:
        """Say whether a connection is the account's as it is now."""
        if (connection.uid, connection.generation) != (account.uid, account.generation):
            return False
        return connection.forbidden or connection.credential == self.secrets.seen(self.credential_of(account))

    async def make(self, account: accounts.Account, *, turns: Admission) -> Connection:
        """Read the credential and make a connection, with the fault that is in the way. Raises: ApiServerError."""
        name, key = self.credential_of(account), account.auth.secret.key
        secret: ports.Secret | None = None
        store: ports.CsrStore | None = None
        fault: conditions.Verdict | None = None
        forbidden = False
        try:
            secret = await self.secrets.read(name, keys=(key,))
            store = self.connect(account, credential=_value(secret, name, key))
        except errors.AccountFault as error:
            fault = conditions.Verdict(error.reason, error.message)
        except errors.RetryLater as error:
            fault = conditions.Verdict(reasons.AccountReason.CREDENTIAL_NOT_FOUND, error.message)
            forbidden = True
        return Connection(
            key=account.key,
            tenant=account.tenant,
            uid=account.uid,
            generation=account.generation,
            credential=secret.observed if secret else None,
            store=store,
            fault=fault,
            admission=turns,
            timeout=min(self.timeout, account.limits.timeout),
            digest=hashlib.sha256(secret.data.get(key, b"")).digest() if secret else b"",
            forbidden=forbidden,
        )


def _value(secret: ports.Secret | None, name: accounts.SecretName, key: str) -> bytes:
    if secret is None:
        raise errors.AccountFault(
            reasons.AccountReason.CREDENTIAL_NOT_FOUND, f"Secret {name}, which spec.auth names, does not exist."
        )
    if key not in secret.data:
        raise errors.AccountFault(
            reasons.AccountReason.CREDENTIAL_NOT_FOUND, f"Secret {name} has no key {key!r}, which spec.auth names."
        )
    return secret.data[key]
