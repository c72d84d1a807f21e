"""SCM in the model: entries, who made them (which no answer tells), and a store for each account that calls it."""

import dataclasses
import datetime
import functools
import itertools
from collections.abc import Callable

from scm_operator.domain import account, csr, entry, errors, reasons
from tests.support import builders, model_ops
from tests.support.model_loop import Clock

SKEW = datetime.timedelta(seconds=2)
"""The service's clock is ahead."""
DEADLINE = 30.0
SETTLE = 30.0
CONTENTS = ("A", "B", "C")


@functools.cache
def csr_pem(content: str) -> bytes:
    """Return the CSR of that letter; all have the same key."""
    return builders.make_csr(common_name=f"{content.lower()}.example.com")


@functools.cache
def digest(content: str) -> str:
    """Return the hash of its DER."""
    return csr.parse_request(csr_pem(content), source=content).der_digest


def place_of(tenant: account.Tenant) -> str:
    """Return where a tenant's entries are."""
    return f"{tenant.endpoint} {tenant.domain} {tenant.scope}"


@dataclasses.dataclass(slots=True)
class Stored:
    """An entry. ``maker`` is the uid for which it was sent, None for a foreign one, ``sender`` the process, 0 for none.

    ``listed``: its CSR is in lists.
    """

    scm_id: str
    name: str
    place: str
    digest: str
    with_key: bool
    created: datetime.datetime
    maker: str | None
    sender: int
    listed: bool = True

    @property
    def content(self) -> tuple[str, str, bool]:
        """Return what it holds, and where."""
        return self.place, self.digest, self.with_key


class FakeScm:
    """The service: ``entries`` are there now, ``ever`` were there at some time."""

    def __init__(self, wire: model_ops.Wire, clock: Clock) -> None:
        self.wire = wire
        self.clock = clock
        self.entries: dict[str, Stored] = {}
        self.ever: dict[str, Stored] = {}
        self.forbidden = self.slow_tokens = False
        self._numbers = itertools.count(1)

    def put(
        self,
        name: str,
        place: str,
        *,
        digest: str,
        with_key: bool,
        maker: str | None,
        sender: int = 0,
        age: float = 0.0,
    ) -> entry.Entry:
        """Store an entry, made ``age`` seconds ago."""
        number = next(self._numbers)
        created = self.clock.now() + SKEW - datetime.timedelta(seconds=age)
        scm_id, listed = f"{number:032x}", bool(number % 4)
        stored = Stored(scm_id, name, place, digest, with_key, created, maker, sender, listed)
        self.entries[stored.scm_id] = self.ever[stored.scm_id] = stored
        return entry.Entry(stored.scm_id, created.isoformat(timespec="milliseconds").replace("+00:00", "Z"))

    def named(self, place: str, name: str) -> tuple[Stored, ...]:
        """Return what the fuzzy filter finds."""
        return tuple(one for one in self.entries.values() if one.place == place and one.name.startswith(name))


class FakeStore:
    """SCM as one account of one process calls it; implements CsrStore."""

    def __init__(self, scm: FakeScm, tenant: account.Tenant, sender: "Sender") -> None:
        self._scm = scm
        self._place = place_of(tenant)
        self._tenant = tenant
        self._sender = sender

    @property
    def token_life(self) -> None:
        """Nothing is known of its token."""

    async def prepare(self) -> None:
        """Get a token; others go on meanwhile, if that takes long."""
        if self._scm.slow_tokens:
            await self._scm.wire.call(self._op("token", lambda: None, late=False))

    async def upload(self, content: csr.Content, *, name: str, timeout: float) -> entry.Entry:  # noqa: ASYNC109
        """POST: it may be stored until the settle time after its deadline has passed."""
        uid = self._sender.posts(content, name=name, tenant=self._tenant)
        der = content.hash.removesuffix("+key").removeprefix("sha256:")
        with_key = content.private_key_pem is not None
        op = self._op(
            "post",
            lambda: self._scm.put(
                name, self._place, digest=der, with_key=with_key, maker=uid, sender=self._sender.caller.number
            ),
            lost=lambda: errors.OutcomeUnknown("the connection broke."),
            refused=lambda: errors.RetryLater(reasons.Reason.THROTTLED, "too many requests."),
        )
        op.expires = self._scm.clock.monotonic() + timeout + SETTLE
        self._sender.sent(op, uid)
        found = await self._scm.wire.call(op, timeout=timeout)
        assert isinstance(found, entry.Entry)
        return found

    async def rename(self, scm_id: str, *, name: str) -> None:
        """PUT."""

        def apply() -> None:
            if scm_id not in self._scm.entries:
                raise errors.Blocked(reasons.Reason.ENTRY_MISSING, f"{scm_id} is gone.")
            self._scm.entries[scm_id].name = name

        await self._scm.wire.call(self._op("rename", apply, late=False))

    async def list_named(self, name: str) -> entry.Listing:
        """GET the list."""

        def apply() -> entry.Listing:
            self._check_permission()
            found = tuple(_shown(one, listed=one.listed) for one in self._scm.named(self._place, name))
            return entry.Listing(found, complete=True, date=self._scm.clock.now() + SKEW)

        found = await self._scm.wire.call(self._op("list", apply, late=False))
        assert isinstance(found, entry.Listing)
        return found

    async def show(self, scm_id: str) -> entry.ListedEntry | None:
        """GET one."""

        def apply() -> entry.ListedEntry | None:
            self._check_permission()
            found = self._scm.entries.get(scm_id)
            return _shown(found, listed=True) if found else None

        found = await self._scm.wire.call(self._op("show", apply, late=False))
        assert found is None or isinstance(found, entry.ListedEntry)
        return found

    async def delete(self, scm_id: str) -> None:
        """DELETE: it may be done late, but not later than a POST could be."""
        op = self._op("delete", lambda: self._scm.entries.pop(scm_id, None))
        op.expires = self._scm.clock.monotonic() + DEADLINE + SETTLE
        await self._scm.wire.call(op)

    async def aclose(self) -> None:
        """Close it."""

    def _check_permission(self) -> None:
        if self._scm.forbidden:
            raise errors.AccountObstacle(
                reasons.Reason.ACCESS_DENIED, "not permitted", account_reason=reasons.AccountReason.ACCESS_DENIED
            )

    def _op(
        self,
        kind: str,
        apply: Callable[[], object],
        *,
        lost: Callable[[], Exception] = lambda: errors.RetryLater(reasons.Reason.SERVER_ERROR, "no answer"),
        refused: Callable[[], Exception] = lambda: errors.RetryLater(reasons.Reason.THROTTLED, "too many requests."),
        late: bool = True,
    ) -> model_ops.Op:
        caller = self._sender.caller
        return model_ops.Op(kind, caller.doing(), caller, apply, lost, refused, late=late, survives=late)


class Sender:
    """Who sends: tells for which resource, and is told of each POST."""

    caller: model_ops.Caller

    def posts(self, content: csr.Content, *, name: str, tenant: account.Tenant) -> str:
        """Return the uid for which this POST is made."""
        raise NotImplementedError

    def sent(self, op: model_ops.Op, uid: str) -> None:
        """Take note of a POST."""
        raise NotImplementedError


def _shown(stored: Stored, *, listed: bool) -> entry.ListedEntry:
    return entry.ListedEntry(stored.scm_id, stored.name, stored.digest if listed else None, stored.created)
