"""A Lease without a network, so that time may jump: compare-and-swap as the API server does it, and answers lost."""

import asyncio
import collections
import contextlib
import copy
import dataclasses
import datetime
import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from scm_operator.domain import account, attempt, upload
from scm_operator.kube import held_lease, journal_format, lease, lease_object
from scm_operator.kube import journal as journals
from tests.unit.kube import server

TENANT = account.Tenant("https://scm.example", "acme", "project=eu", "ScmAccount/shop/default")
TIMES = held_lease.Times()
_numbers = itertools.count(1)


class LoopClock:
    """The loop's time, which looptime lets jump."""

    def now(self) -> datetime.datetime:
        """Return the time of day."""
        return datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC) + datetime.timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()


@dataclasses.dataclass(frozen=True)
class Fault:
    """What becomes of a request: ``done`` or not, and an answer of that ``status``; without one there is none.

    An answer comes ``delay`` seconds after it was done; with status 200 it is the true one.
    """

    status: int | None = None
    done: bool = False
    retry_after: str = ""
    delay: float = 0.0


class FakeLeases:
    """One Lease, or none; in place of the client package's connection."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.faults: collections.deque[Fault | None] = collections.deque()  # of writes to come, None for none
        self.read_faults: collections.deque[Fault] = collections.deque()
        self.asked: list[tuple[float, str]] = []
        self.written: list[dict[str, Any]] = []
        self.unanswered: list[tuple[str, dict[str, Any]]] = []
        self.always: Fault | None = None
        self.before_write: Callable[[], object] = lambda: None
        self._versions = itertools.count(100)

    async def call_api(
        self,
        method: str,
        _url: str,
        _headers: object,
        body: Any = None,  # noqa: ANN401 - JSON
        **_: object,
    ) -> "Answer":
        """Answer."""
        self.asked.append((asyncio.get_running_loop().time(), method))
        await asyncio.sleep(0)
        if method == "GET":
            fault = self.always or (self.read_faults.popleft() if self.read_faults else None)
        else:
            self.before_write()
            fault = self.always or (self.faults.popleft() if self.faults else None)
        if fault is None:
            return self._do(method, body)
        if fault.done:
            self._do(method, body)
        elif method != "GET":
            self.unanswered.append((method, body))
        if fault.status is None:
            await asyncio.Event().wait()
        await asyncio.sleep(fault.delay)
        if fault.status == 200:
            return Answer(200, self.lease)
        return _refusal(fault.status or 0, retry_after=fault.retry_after)

    def late(self) -> int:
        """Do the oldest write that wasn't done; return the status that nobody gets to see."""
        return self._do(*self.unanswered.pop(0)).status

    def change(self, **spec: object) -> None:
        """Write it as somebody else does; ``annotations`` of the metadata, all else of the spec."""
        assert self.lease
        self.lease["metadata"].setdefault("annotations", {}).update(spec.pop("annotations", {}))
        self.lease["spec"] |= spec
        self.lease["metadata"]["resourceVersion"] = str(next(self._versions))

    def create(self, **spec: object) -> None:
        """Create it anew as somebody else does."""
        self.lease = None
        annotations = spec.pop("annotations", {})
        self._do("POST", {"metadata": {"namespace": "ops", "name": "lease", "annotations": annotations}, "spec": spec})

    @property
    def spec(self) -> dict[str, Any]:
        """Return its spec."""
        assert self.lease
        return dict(self.lease["spec"])

    @property
    def annotations(self) -> dict[str, str]:
        """Return its annotations."""
        assert self.lease
        return dict(self.lease["metadata"]["annotations"])

    @property
    def ids(self) -> list[str]:
        """Return the ids of the attempts in it."""
        return [each.id for each in journal_format.decode(self.annotations[lease_object.JOURNAL])]

    def times_of(self, method: str) -> list[float]:
        """Return when requests of a method came."""
        return [time for time, each in self.asked if each == method]

    def _do(self, method: str, body: Any) -> "Answer":  # noqa: ANN401 - JSON
        if method == "GET":
            return Answer(200, self.lease) if self.lease else _refusal(404)
        if method == "POST" and self.lease:
            return _refusal(409)
        if method == "PUT":
            if self.lease is None:
                return _refusal(404)
            if any(body["metadata"][name] != self.lease["metadata"][name] for name in ("uid", "resourceVersion")):
                return _refusal(409)
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(next(self._versions))
        if method == "POST":
            self.lease["metadata"] |= {
                "uid": f"uid-{next(self._versions)}",
                "creationTimestamp": "2026-01-02T12:00:00Z",
                "managedFields": [{}],
            }
        self.written.append(copy.deepcopy(self.lease))
        return Answer(200, self.lease)


class Answer:
    """What the client package wraps a response in, and the response."""

    def __init__(self, status: int, body: object, *, retry_after: str = "") -> None:
        self.status = status
        self.headers = {"Retry-After": retry_after} if retry_after else {}
        self._body = json.dumps(body).encode()

    @property
    def response(self) -> "Answer":
        """Return the response."""
        return self

    async def read(self) -> bytes:
        """Return its body."""
        return self._body


def _refusal(status: int, *, retry_after: str = "") -> Answer:
    return Answer(status, {"kind": "Status", "message": f"no {status}"}, retry_after=retry_after)


class World:
    """One Lease and the processes that want it."""

    def __init__(self) -> None:
        self.api = FakeLeases()
        self.clock = LoopClock()
        self.highest_term = 0
        self.terms_exist = False
        self.asked_for_terms = 0

    def elector(self, identity: str = "a", *, times: held_lease.Times = TIMES) -> lease.Elector:
        """Make the elector of a process."""
        return lease.Elector(
            server.over(self.api),
            namespace="ops",
            name="lease",
            identity=identity,
            clock=self.clock,
            highest_term=lambda: self.highest_term,
            status_terms_exist=self._status_terms_exist,
            times=times,
            uniform=lambda low, _high: low,
        )

    def journal(self, identity: str = "a") -> journals.LeaseJournal:
        """Make the journal of a process."""
        return journals.LeaseJournal(self.elector(identity), clock=self.clock)

    @contextlib.asynccontextmanager
    async def leader(self, identity: str = "a") -> AsyncIterator[journals.LeaseJournal]:
        """Run a process that holds the Lease, and kill it in the end."""
        made = self.journal(identity)
        await made.acquire()
        async with running(made):
            yield made

    async def _status_terms_exist(self) -> bool:
        self.asked_for_terms += 1
        return self.terms_exist


@contextlib.asynccontextmanager
async def running(made: journals.LeaseJournal) -> AsyncIterator["asyncio.Task[str]"]:
    """Run a journal's task meanwhile."""
    task = asyncio.create_task(made.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()


def an_attempt(uid: str = "", *, tenant: account.Tenant = TENANT, name: str = "web") -> attempt.Attempt:
    """Make an attempt with an id of its own."""
    number = next(_numbers)
    return attempt.Attempt(
        id=f"{number:016x}",
        uid=uid or f"00000000-0000-4000-8000-{number:012x}",
        key=upload.UploadKey("shop", name),
        scm_name=name,
        tenant=tenant,
        content_hash=f"sha256:{number:064x}",
        at="2026-01-02T12:00:00Z",
        term=1,
    )
