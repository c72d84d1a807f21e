"""One Lease: as it was read, as it is to be written next, and the three requests about it.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
"""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from scm_operator import kube
from scm_operator.domain import attempt, errors, ports
from scm_operator.kube import client, journal_format, paths

JOURNAL = f"{kube.GROUP}/journal"
JOURNAL_LOST = f"{kube.GROUP}/journal-lost"
_MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_PERMISSION = "; the operator's Role must allow create, and get and update of this one, for leases.coordination.k8s.io"


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """What a holder writes of itself: who, for how many seconds, in which term, since when."""

    holder: str
    seconds: int
    term: int
    acquired: str

    def to_json(self, *, stamp: str) -> dict[str, object]:
        """Return it as fields of spec; ``stamp`` is the renewTime."""
        return {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self.seconds,
            "leaseTransitions": self.term,
            "acquireTime": self.acquired,
            "renewTime": stamp,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as the API server has it."""

    metadata: Mapping[str, Any] = dataclasses.field(repr=False)
    spec: Mapping[str, Any]

    @property
    def uid(self) -> str:
        """Return its uid."""
        return str(self.metadata.get("uid", ""))

    @property
    def resource_version(self) -> str:
        """Return what the next write has to name."""
        return str(self.metadata.get("resourceVersion", ""))

    @property
    def holder(self) -> str:
        """Return who holds it, empty for nobody."""
        return str(self.spec.get("holderIdentity") or "")

    @property
    def duration(self) -> int | None:
        """Return for how many seconds without a change others leave it to its holder."""
        seconds = self.spec.get("leaseDurationSeconds")
        return seconds if isinstance(seconds, int) and seconds > 0 else None

    @property
    def term(self) -> int:
        """Return how often it was taken."""
        return int(self.spec.get("leaseTransitions") or 0)

    @property
    def stamp(self) -> str:
        """Return the renewTime as it was written: each write of a process has another."""
        return str(self.spec.get("renewTime") or "")

    @property
    def annotations(self) -> Mapping[str, str]:
        """Return all of them."""
        return self.metadata.get("annotations") or {}

    @property
    def journal(self) -> str | None:
        """Return the journal as text, None if there is none."""
        return self.annotations.get(JOURNAL)

    @property
    def lost(self) -> attempt.JournalLost | None:
        """Say whether the journal of earlier terms is lost. Raises: Unreadable.

        Resources are created by the API server's clock, and so is the Lease: where it says later, it holds.
        """
        text = self.annotations.get(JOURNAL_LOST)
        if text is None:
            return None
        mark = journal_format.decode_lost(text)
        return dataclasses.replace(mark, time=max(mark.time, self._created + datetime.timedelta(seconds=1)))

    @property
    def _created(self) -> datetime.datetime:
        try:
            return datetime.datetime.fromisoformat(self.metadata["creationTimestamp"]).astimezone(datetime.UTC)
        except (KeyError, TypeError, ValueError, OverflowError):
            return datetime.datetime.min.replace(tzinfo=datetime.UTC)

    def next(self, claim: Claim, *, stamp: str, own: Mapping[str, str]) -> dict[str, Any]:
        """Return what to write over this one; ``own`` are the operator's annotations, all else of others is kept."""
        metadata = {name: value for name, value in self.metadata.items() if name != "managedFields"}
        kept = {name: text for name, text in self.annotations.items() if name not in {JOURNAL, JOURNAL_LOST}}
        return body(metadata | {"annotations": kept | dict(own)}, dict(self.spec) | claim.to_json(stamp=stamp))


def body(metadata: Mapping[str, object], spec: Mapping[str, object]) -> dict[str, Any]:
    """Return a Lease as the API server takes it."""
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": dict(metadata), "spec": dict(spec)}


class Stamps:
    """Times of writes for spec.renewTime, no two of them alike, so that a write is known by its own."""

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock
        self._last = datetime.datetime.min.replace(tzinfo=datetime.UTC)

    def next(self) -> str:
        """Return the time of day, or a moment after the last one."""
        self._last = max(self._clock.now(), self._last + datetime.timedelta(microseconds=1))
        return self._last.strftime(_MICRO_TIME)


class LeaseApi:
    """The requests about one Lease; ``timeout`` in seconds, for each."""

    def __init__(self, kubernetes: client.Kubernetes, *, namespace: str, name: str, timeout: float) -> None:
        self._kubernetes = kubernetes
        self._timeout = timeout
        self.namespace = namespace
        self.name = name

    async def get(self) -> Lease | None:
        """Read it, None if there is none. Raises: ApiServerError."""
        try:
            return await self._call("get", "GET", paths.lease(self.namespace, self.name))
        except errors.Gone:
            return None

    async def create(self, lease: dict[str, Any]) -> Lease:
        """Create it. Raises: ApiServerError, Conflict if there is one, Gone if the namespace doesn't exist."""
        return await self._call("create", "POST", paths.leases(self.namespace), lease)

    async def replace(self, lease: dict[str, Any]) -> Lease:
        """Write over the version that it names. Raises: ApiServerError (Conflict, Gone)."""
        return await self._call("update", "PUT", paths.lease(self.namespace, self.name), lease)

    async def _call(self, verb: str, method: str, path: str, body: object = None) -> Lease:
        what = f"{verb} Lease {self.namespace}/{self.name}"
        request = self._kubernetes.request(method, path, body=body, timeout=self._timeout)
        try:
            answer = await client.call(request, what=what, timeout=self._timeout)
        except client.Refused as refusal:
            if refusal.status != 403:
                raise
            raise client.Refused(f"{refusal}{_PERMISSION}", status=403, retry_after=refusal.retry_after) from None
        if not answer["metadata"].get("resourceVersion") or not isinstance(answer.get("spec", {}), dict):
            raise errors.ApiServerError(f"{what}: no Lease in the answer")
        return Lease(answer["metadata"], answer.get("spec") or {})


def surely_refused(error: errors.ApiServerError) -> bool:
    """Say whether a write was surely not done; a conflict may be the echo of a write of one's own."""
    if isinstance(error, client.TestFailed):
        return True
    return isinstance(error, client.Refused) and 400 <= error.status < 500 and error.status not in {408, 429}
