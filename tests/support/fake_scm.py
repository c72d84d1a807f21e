"""A stand-in for SCM: entries by name and CSR, and a script of what goes wrong with the calls of an account."""

import asyncio
import collections
import dataclasses
import datetime
from collections.abc import Awaitable, Callable

from scm_operator.domain import account, csr, errors, reasons
from scm_operator.domain.entry import Entry, ListedEntry, Listing
from tests.support import fakes

PAGE = 100


@dataclasses.dataclass(frozen=True)
class Posted:
    """One POST that arrived."""

    name: str
    content_hash: str
    tenant: account.Tenant


@dataclasses.dataclass(frozen=True)
class Stored:
    """One entry; ``content_hash`` tells its CSR and whether it has a key, which no answer shows.

    ``listed`` and ``readable`` say whether a list, and a show, has its CSR; ``created`` None: no usable time.
    """

    name: str
    content_hash: str
    tenant: account.Tenant
    created: datetime.datetime | None
    listed: bool = True
    readable: bool = True

    def as_shown(self, scm_id: str, *, readable: bool) -> ListedEntry:
        """Return it as an answer has it."""
        digest = self.content_hash.removeprefix("sha256:").removesuffix("+key")
        return ListedEntry(scm_id, self.name, digest if readable else None, self.created)


Answer = Callable[[csr.Content, str], Awaitable[Entry]]
DENIED = errors.AccountObstacle(
    reasons.Reason.ACCESS_DENIED, "no permission.", account_reason=reasons.AccountReason.ACCESS_DENIED
)


class FakeScm:
    """The service: entries, and a script of answers (``answers``) for the next uploads, success without one.

    ``refusals`` has, by the call's name (prepare, list, show, delete, rename), what it is refused with as long as it
    stands there; ``at`` what happens when a call arrives, ``gates`` what its answer waits for.
    """

    def __init__(self, log: list[str], *, clock: fakes.FakeClock) -> None:
        self.log = log
        self.posts: list[Posted] = []
        self.timeouts: list[float] = []
        self.entries: dict[str, Stored] = {}
        self.answers: collections.deque[Answer] = collections.deque()
        self.refusals: dict[str, Exception] = {}
        self.at: dict[str, Callable[[], None]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.stores: list[FakeCsrStore] = []
        self.fault: errors.AccountFault | None = None
        self._clock = clock
        self._made = 0

    def __call__(self, account: account.Account, *, credential: bytes) -> "FakeCsrStore":
        """Make the store of an account; implements CsrStoreFactory."""
        if self.fault:
            raise self.fault
        store = FakeCsrStore(self, account.tenant, credential)
        self.stores.append(store)
        return store

    def put(self, name: str, content_hash: str, tenant: account.Tenant, *, age: float = 0.0) -> str:
        """Store an entry that is so many seconds old; return its id."""
        scm_id = f"{self._made:032x}"
        self._made += 1
        created = self._clock.now() - datetime.timedelta(seconds=age)
        self.entries[scm_id] = Stored(name, content_hash, tenant, created)
        return scm_id

    def store(self, posted: Posted) -> Entry:
        """Store what was posted."""
        return Entry(self.put(posted.name, posted.content_hash, posted.tenant), "2026-01-02T12:00:00Z")

    def change(self, scm_id: str, **fields: object) -> None:
        """Change an entry, as somebody at the console may."""
        self.entries[scm_id] = dataclasses.replace(self.entries[scm_id], **fields)  # type: ignore[arg-type]

    def say(self, answer: Exception | Answer) -> None:
        """Script the answer to the next upload; an exception stands for a request that isn't stored."""

        async def refuse(_content: csr.Content, _name: str) -> Entry:
            assert isinstance(answer, BaseException)
            raise answer

        self.answers.append(refuse if isinstance(answer, BaseException) else answer)

    def lose_answer(self) -> None:
        """Let the next upload be stored, and its answer be lost."""

        async def lost(content: csr.Content, name: str) -> Entry:
            self.store(
                next(posted for posted in self.posts if (posted.name, posted.content_hash) == (name, content.hash))
            )
            raise errors.OutcomeUnknown("connection reset.")

        self.say(lost)

    def listing(self, tenant: account.Tenant, name: str) -> Listing:
        """List what begins with a name: one page."""
        found = [
            entry.as_shown(scm_id, readable=entry.listed and entry.readable)
            for scm_id, entry in self.entries.items()
            if entry.name.startswith(name) and entry.tenant.same_as(tenant)
        ]
        return Listing(tuple(found[:PAGE]), len(found) < PAGE, self._clock.now())


class FakeCsrStore:
    """SCM for one account; implements CsrStore."""

    def __init__(self, scm: FakeScm, tenant: account.Tenant, credential: bytes) -> None:
        self.tenant = tenant
        self.credential = credential
        self.closed = False
        self._scm = scm

    @property
    def token_life(self) -> None:
        """Nothing is known of its token."""

    async def prepare(self) -> None:
        """Log in, as scripted."""
        await self._arrive("prepare", "prepare")

    async def upload(self, content: csr.Content, *, name: str, timeout: float) -> Entry:  # noqa: ASYNC109 - the port's
        """POST, as scripted."""
        posted = Posted(name, content.hash, self.tenant)
        self._scm.posts.append(posted)
        self._scm.timeouts.append(timeout)
        await self._arrive("post", f"post {name}")
        if self._scm.answers:
            return await self._scm.answers.popleft()(content, name)
        return self._scm.store(posted)

    async def rename(self, scm_id: str, *, name: str) -> None:
        """PUT, as scripted."""
        await self._arrive("rename", f"rename to {name}")
        if self._own(scm_id) is None:
            raise errors.Blocked(reasons.Reason.ENTRY_MISSING, f"{scm_id} is not in SCM.")
        self._scm.change(scm_id, name=name)

    async def list_named(self, name: str) -> Listing:
        """List what begins with a name."""
        await self._arrive("list", f"list {name}")
        return self._scm.listing(self.tenant, name)

    async def show(self, scm_id: str) -> ListedEntry | None:
        """Show an entry."""
        await self._arrive("show", "show")
        entry = self._own(scm_id)
        return entry.as_shown(scm_id, readable=entry.readable) if entry else None

    async def delete(self, scm_id: str) -> None:
        """Delete an entry."""
        await self._arrive("delete", "delete")
        if self._own(scm_id):
            del self._scm.entries[scm_id]

    async def aclose(self) -> None:
        """Close it."""
        self.closed = True
        self._scm.log.append("close")

    async def _arrive(self, call: str, line: str) -> None:
        assert not self.closed
        self._scm.log.append(line)
        self._scm.at.get(call, lambda: None)()
        await asyncio.sleep(0)
        if gate := self._scm.gates.get(call):
            await gate.wait()
        if refusal := self._scm.refusals.get(call):
            raise refusal

    def _own(self, scm_id: str) -> Stored | None:
        entry = self._scm.entries.get(scm_id)
        return entry if entry and entry.tenant.same_as(self.tenant) else None
