"""The log of requests: who asked for what, and what came of it; no token, password or key is in it."""

import collections
import contextlib
import dataclasses
import datetime
import hashlib
from collections.abc import Iterator
from typing import Final, Literal

from aiohttp import web

from scm_simulator import csr, shapes

CAPACITY: Final = 100_000
"""Requests kept; the oldest are dropped first."""

_SHOWN: Final = frozenset({"name", "methods"})
_MASK: Final = "***"


@dataclasses.dataclass(slots=True, kw_only=True)
class Record:
    """One request. `status` is None while it is under way; `n` counts all requests since the log was cleared."""

    time: float
    method: str
    path: str
    query: str
    operation: str | None
    request_id: str
    body: object
    n: int = 0
    who: str | None = None
    status: int | Literal["reset"] | None = None
    faults: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """Return it as JSON; several faults are joined by commas."""
        return {
            "n": self.n,
            "time": rfc3339(self.time),
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "operation": self.operation,
            "who": self.who,
            "status": self.status,
            "fault": ", ".join(self.faults) or None,
            "body": self.body,
            "requestId": self.request_id,
        }


RECORD: Final = web.RequestKey("record", Record)
"""Where a handler finds the record of its request, to write into it who sent it."""


class RequestsLog:
    """The latest requests, oldest first."""

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        """Start empty; keep at most `capacity` requests."""
        self._records: collections.deque[Record] = collections.deque(maxlen=capacity)
        self._count = 0

    def add(self, record: Record) -> Record:
        """Take down a request that has just been received; its outcome is written into the record later."""
        self._count += 1
        record.n = self._count
        self._records.append(record)
        return record

    def records(self, *, operation: str | None = None, after: int = 0) -> Iterator[Record]:
        """Return the requests after the n-th, of one operation or of all, oldest first."""
        for record in self._records:
            if record.n > after and operation in (None, record.operation):
                yield record

    def latest(self, count: int) -> list[Record]:
        """Return the latest requests, newest first."""
        return [self._records[-index] for index in range(1, min(count, len(self._records)) + 1)]

    def clear(self) -> None:
        """Forget all requests and count from 1 again."""
        self._records.clear()
        self._count = 0


def masked_body(body: bytes) -> object:
    """Return what may be seen of a body: names stay, a CSR becomes its digest, all else becomes its length."""
    if not body:
        return None
    try:
        return _masked("", shapes.decode(body))
    except shapes.ShapeError:
        return f"{_MASK} ({len(body)} bytes, not JSON)"


def rfc3339(seconds: float) -> str:
    """Write a time in UTC with milliseconds (RFC 3339)."""
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _masked(key: str, value: object) -> object:
    """Show what is known to be harmless, rather than hide what is known to be secret: keys can be misspelt."""
    match value:
        case dict():
            return {name: _masked(name, item) for name, item in value.items()}
        case list():
            return [_masked(key, item) for item in value]
        case str() if key == "csr":
            return _digest_of(value)
        case str() if key == "password":
            return _MASK
        case str() if key not in _SHOWN:
            return f"{_MASK} ({len(value)} characters)"
        case _:
            return value


def _digest_of(pem: str) -> dict[str, object]:
    digest = None
    with contextlib.suppress(csr.CsrError):
        digest = hashlib.sha256(csr.der_of(pem)).hexdigest()
    return {"sha256": digest, "length": len(pem)}
