"""Stand-ins for the ports of domain: Secrets, Events, a journal and a clock, in memory; SCM is in `fake_scm`.

Those that take a ``log`` write their calls into it; with one log for all, a test can say what came before what.
"""

import asyncio
import collections
import dataclasses
import datetime
import functools
import itertools
from collections.abc import Callable, Collection, Mapping

from scm_operator.domain import account, errors, ports, reasons, upload
from scm_operator.domain.attempt import Attempt, JournalLost
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
        self.watched = True
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
class Told:
    """One Event."""

    about: fake_cluster.ResourceKey
    reason: str
    message: str
    warning: bool


@dataclasses.dataclass(frozen=True)
class Orphan:
    """One Event about an entry that no resource names any more."""

    key: upload.UploadKey
    uid: str
    message: str


class FakeEvents(list[Told]):
    """The Events that were published; implements EventSink. ``orphans`` are those about resources that are gone."""

    def __init__(self) -> None:
        super().__init__()
        self.orphans: list[Orphan] = []

    def publish(self, about: upload.Upload | account.Account, *, reason: str, message: str, warning: bool) -> None:
        """Note an Event."""
        self.append(Told(about.key, str(reason), message, warning))

    def publish_orphan(self, key: upload.UploadKey, *, uid: str, message: str) -> None:
        """Note an Event about what is left behind."""
        self.orphans.append(Orphan(key, uid, message))

    @property
    def reasons(self) -> list[str]:
        """Return the reasons in order."""
        return [told.reason for told in self]


class FakeJournal:
    """The attempts that stand in the Lease, for one leader; implements Journal.

    ``lease`` is what is written there, and all that the next leader finds: an attempt that is concluded goes by the
    next write, as in the real one. ``after_add`` runs once an attempt is in; ``gate`` holds a write back.
    """

    def __init__(
        self, log: list[str], *, clock: FakeClock, before: "FakeJournal | None" = None, lost: JournalLost | None = None
    ) -> None:
        self.log = log
        self.term: int = before.term + 1 if before else 1
        self.since = clock.monotonic()
        self.lost: JournalLost | None = lost or (before.lost if before else None)
        self.held = True
        self.lease: dict[str, Attempt] = {} if before is None or lost else dict(before.lease)
        self.refusals: collections.deque[Exception] = collections.deque()
        self.after_add: Callable[[], None] = lambda: None
        self.gate: asyncio.Event | None = None
        self._clock = clock
        self._attempts = dict(self.lease)
        self._added: dict[str, float] = {}

    def holds(self) -> bool:
        """Say whether this process leads."""
        return self.held

    def attempts(self) -> tuple[Attempt, ...]:
        """Return those that aren't concluded."""
        return tuple(self._attempts.values())

    def of(self, uid: str) -> tuple[Attempt, ...]:
        """Return those of a resource."""
        return tuple(attempt for attempt in self._attempts.values() if attempt.uid == uid)

    def added_at(self, attempt: Attempt) -> float:
        """Return when it was added, or when this process became the leader."""
        return self._added.get(attempt.id, self.since)

    async def add(self, attempt: Attempt) -> None:
        """Take an attempt in."""
        self._attempts[attempt.id] = attempt
        self._added[attempt.id] = self._clock.monotonic()
        try:
            await self._write()
        except Exception:
            del self._attempts[attempt.id]
            raise
        self.log.append(f"journal {attempt.scm_name}")
        self.after_add()

    async def _write(self) -> None:
        await asyncio.sleep(0)
        if self.gate:
            await self.gate.wait()
        if self.refusals:
            raise self.refusals.popleft()
        if not self.held:
            raise errors.ApiServerError("the Lease is lost")
        self.lease = dict(self._attempts)

    def conclude(self, attempt: Attempt) -> None:
        """Take an attempt out, by the next write."""
        if self._attempts.pop(attempt.id, None):
            self.log.append(f"conclude {attempt.scm_name}")

    def release(self) -> None:
        """Give the Lease back, as at a stop."""
        self.lease = dict(self._attempts)
        self.held = False
