"""Stand-ins for the ports of domain: Secrets, SCM, Events, a journal and a clock, in memory.

Those that take a ``log`` write their calls into it; with one log for all, a test can say what came before what.
"""

import asyncio
import collections
import dataclasses
import datetime
import functools
import itertools
from collections.abc import Awaitable, Callable, Collection, Mapping

from scm_operator.domain import account, csr, errors, observation, ports, reasons, upload
from tests.support import fake_cluster, pem


@functools.cache
def csr_pem(number: int) -> bytes:
    """Make a CSR, once a number."""
    return pem.csr(pem.ec_key(), name=f"host-{number}.example.com")


class FakeClock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.time = datetime.datetime(2026, 1, 2, 12, 0, 0, tzinfo=datetime.UTC)

    def now(self) -> datetime.datetime:
        """Return the time of day."""
        return self.time

    def monotonic(self) -> float:
        """Return the time of day in seconds."""
        return self.time.timestamp()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += datetime.timedelta(seconds=seconds)


class FakeSecrets:
    """Secrets, live and as the watch has shown them; implements SecretReader."""

    def __init__(self) -> None:
        self.live: dict[account.SecretName, tuple[upload.ObservedSecret, dict[str, bytes]]] = {}
        self.shown: dict[account.SecretName, upload.ObservedSecret] = {}
        self.reads: list[tuple[account.SecretName, list[str]]] = []
        self.forbidden: set[account.SecretName] = set()
        self.after_read: Callable[[account.SecretName], None] = lambda _: None
        self._numbers = itertools.count(1000)

    def put(self, name: str, data: Mapping[str, bytes], *, namespace: str = "shop") -> None:
        """Create or change a Secret, and show it."""
        full, number = account.SecretName(namespace, name), next(self._numbers)
        known = self.live.get(full)
        version = upload.ObservedSecret(name, known[0].uid if known else f"uid-{number}", str(number))
        self.live[full] = (version, dict(data))
        self.shown[full] = version

    def delete(self, name: str, *, namespace: str = "shop") -> None:
        """Delete a Secret, and show that it is gone."""
        del self.live[account.SecretName(namespace, name)]
        self.shown.pop(account.SecretName(namespace, name), None)

    def seen(self, name: account.SecretName) -> upload.ObservedSecret | None:
        """Return what was shown."""
        return self.shown.get(name)

    async def read(self, name: account.SecretName, *, keys: Collection[str]) -> ports.Secret | None:
        """Read some keys."""
        await asyncio.sleep(0)
        self.reads.append((name, list(keys)))
        if name in self.forbidden:
            raise errors.RetryLater(reasons.Reason.WAITING_FOR_SECRET, f"may not get Secret {name}.", slow=True)
        if name not in self.live:
            return None
        version, data = self.live[name]
        self.shown[name] = version
        self.after_read(name)
        return ports.Secret(version, {key: data[key] for key in keys if key in data})


@dataclasses.dataclass(frozen=True)
class Posted:
    """One POST that arrived."""

    name: str
    content_hash: str
    tenant: account.Tenant


Answer = Callable[[csr.Content, str], Awaitable[ports.Entry]]


class FakeScm:
    """The service: entries, and a script of answers (``answers``) for the next uploads, success without one."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.posts: list[Posted] = []
        self.entries: dict[str, Posted] = {}
        self.answers: collections.deque[Answer] = collections.deque()
        self.renames: collections.deque[Exception | None] = collections.deque()
        self.at_rename: Callable[[], None] = lambda: None
        self.at_post: Callable[[], None] = lambda: None
        self.stores: list[FakeCsrStore] = []
        self.fault: errors.AccountFault | None = None

    def __call__(self, account: account.Account, *, credential: bytes) -> "FakeCsrStore":
        """Make the store of an account; implements CsrStoreFactory."""
        if self.fault:
            raise self.fault
        store = FakeCsrStore(self, account.tenant, credential)
        self.stores.append(store)
        return store

    def store(self, posted: Posted) -> ports.Entry:
        """Store an entry and return it."""
        scm_id = f"{len(self.entries):032x}"
        self.entries[scm_id] = posted
        return ports.Entry(scm_id, "2026-01-02T12:00:00Z")

    def say(self, answer: Exception | Answer) -> None:
        """Script the answer to the next upload; an exception stands for a request that isn't stored."""

        async def refuse(_content: csr.Content, _name: str) -> ports.Entry:
            assert isinstance(answer, BaseException)
            raise answer

        self.answers.append(refuse if isinstance(answer, BaseException) else answer)


class FakeCsrStore:
    """SCM for one account; implements CsrStore."""

    def __init__(self, scm: FakeScm, tenant: account.Tenant, credential: bytes) -> None:
        self.tenant = tenant
        self.credential = credential
        self.closed = False
        self._scm = scm

    async def upload(self, content: csr.Content, *, name: str) -> ports.Entry:
        """POST, as scripted."""
        assert not self.closed
        posted = Posted(name, content.hash, self.tenant)
        self._scm.posts.append(posted)
        self._scm.log.append(f"post {name}")
        self._scm.at_post()
        await asyncio.sleep(0)
        if self._scm.answers:
            return await self._scm.answers.popleft()(content, name)
        return self._scm.store(posted)

    async def rename(self, scm_id: str, *, name: str) -> None:
        """PUT, as scripted."""
        self._scm.log.append(f"rename to {name}")
        self._scm.at_rename()
        if self._scm.renames and (error := self._scm.renames.popleft()):
            raise error
        if scm_id not in self._scm.entries:
            raise errors.Blocked(reasons.Reason.ENTRY_MISSING, f"{scm_id} is not in SCM.")
        self._scm.entries[scm_id] = dataclasses.replace(self._scm.entries[scm_id], name=name)

    async def aclose(self) -> None:
        """Close it."""
        self.closed = True
        self._scm.log.append("close")


@dataclasses.dataclass(frozen=True)
class Told:
    """One Event."""

    about: fake_cluster.ResourceKey
    reason: str
    message: str
    warning: bool


class FakeEvents(list[Told]):
    """The Events that were published; implements EventSink."""

    def publish(self, about: upload.Upload | account.Account, *, reason: str, message: str, warning: bool) -> None:
        """Note an Event."""
        self.append(Told(about.key, str(reason), message, warning))

    @property
    def reasons(self) -> list[str]:
        """Return the reasons in order."""
        return [told.reason for told in self]


class FakeJournal:
    """The attempts that stand in the journal; implements Journal. ``after_add`` runs once an attempt is in."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.attempts: dict[str, observation.Attempt] = {}
        self.refusals: collections.deque[Exception] = collections.deque()
        self.after_add: Callable[[], None] = lambda: None

    async def add(self, attempt: observation.Attempt) -> None:
        """Take an attempt in."""
        await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.popleft()
        self.attempts[attempt.id] = attempt
        self.log.append(f"journal {attempt.scm_name}")
        self.after_add()

    async def conclude(self, attempt: observation.Attempt) -> None:
        """Take an attempt out."""
        self.attempts.pop(attempt.id, None)
        self.log.append(f"conclude {attempt.scm_name}")
