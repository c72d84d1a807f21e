"""The elector: waits until the Lease is free, and takes it over with the journal that stands in it.

What the ``kubernetes`` package's own elector lacks is in docs/adr/0005. Clocks of two machines are never compared: a
Lease is free when nothing about it has changed, by the own monotonic clock, for as long as it says.
"""

import asyncio
import dataclasses
import logging
import random
import uuid
from collections.abc import Awaitable, Callable

from scm_operator.domain import errors, ports
from scm_operator.kube import client, held_lease, journal_format, lease_object

_log = logging.getLogger(__name__)
_JITTER = 0.2  # of the retry period, at most, and never earlier
_LOOKING = 0.5  # retry periods between two looks at a Lease that another one holds: it may be given back any moment
_SLOWEST = 5  # retry periods between two tries while the API server refuses
_MOST = 2**31 - 1  # leaseTransitions is an int32

_Write = Callable[[dict[str, object]], Awaitable[lease_object.Lease]]


def new_identity(hostname: str) -> str:
    """Return an identity that no other process has, nor this machine's next one."""
    return f"{hostname}_{uuid.uuid4()}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Seen:
    """What its holder writes of itself, and since when (monotonic clock) it is so."""

    record: tuple[object, ...]
    since: float


class Elector:
    """Takes the Lease once; to be made while the event loop runs.

    ``highest_term`` is the highest status.term seen of any resource; ``status_terms_exist`` lists all of them and says
    whether any has one, and is asked only when there is no Lease or no journal in it. ``lost`` gets the reason as its
    result when the Lease is lost again.
    """

    def __init__(  # noqa: PLR0913 - what an election needs
        self,
        kubernetes: client.Kubernetes,
        *,
        namespace: str,
        name: str,
        identity: str,
        clock: ports.Clock,
        highest_term: Callable[[], int],
        status_terms_exist: Callable[[], Awaitable[bool]],
        times: held_lease.Times = held_lease.Times(),  # noqa: B008 - frozen
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._api = lease_object.LeaseApi(kubernetes, namespace=namespace, name=name, timeout=times.request)
        self._identity = identity
        self._clock = clock
        self._highest_term = highest_term
        self._status_terms_exist = status_terms_exist
        self._uniform = uniform
        self._stamps = lease_object.Stamps(clock)
        self._seen = _Seen((), 0.0)
        self._waits_for = self._complaint = ""
        self._tried: dict[str, tuple[float, lease_object.Claim]] = {}  # by renewTime: when it was sent
        self.times = times
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def acquire(self) -> held_lease.HeldLease:
        """Return when this process holds the Lease. Raises: Unreadable when the journal in it can't be read."""
        failures = 0
        while True:
            try:
                held = await self._look()
                failures, self._complaint = 0, ""
            except errors.ApiServerError as error:
                held, failures = None, failures + 1
                self._complain(str(error))
            if held:
                return held
            await asyncio.sleep(self.pause() * min(max(failures, _LOOKING), _SLOWEST))

    def pause(self) -> float:
        """Return the seconds to the next look or renewal: the retry period and a little more."""
        return self.times.retry_period * self._uniform(1.0, 1.0 + _JITTER)

    async def _look(self) -> held_lease.HeldLease | None:
        found = await self._api.get()
        if found is None:
            return await self._create()
        if held := self._held(found):
            return held
        return await self._take_over(found) if self._is_free(found) else None

    def _is_free(self, found: lease_object.Lease) -> bool:
        if found.holder in {"", self._identity}:  # its own: a claim that was done late
            return True
        now = self._clock.monotonic()
        record = (found.uid, found.holder, found.stamp, found.term, found.duration)
        if record != self._seen.record:
            self._seen = _Seen(record, now)
        if found.holder != self._waits_for:
            self._waits_for = found.holder
            _log.info("waiting: %s is the leader", found.holder, extra={"event": "Standby"})
        return now - self._seen.since >= (found.duration or self.times.seconds)

    async def _create(self) -> held_lease.HeldLease | None:
        is_lost = await self._status_terms_exist()
        claim, stamp = self._claim(0), self._stamps.next()
        annotations = self._new_journal(claim, is_lost=is_lost)
        metadata = {"namespace": self._api.namespace, "name": self._api.name, "annotations": annotations}
        lease = lease_object.body(metadata, claim.to_json(stamp=stamp))
        return await self._write(self._api.create, lease, claim=claim, stamp=stamp)

    async def _take_over(self, found: lease_object.Lease) -> held_lease.HeldLease | None:
        own = _own_annotations(found)
        # Without a journal in it: made by somebody for the operator, or somebody has taken the journal out.
        is_lost = own is None and (found.term > 0 or await self._status_terms_exist())
        claim, stamp = self._claim(found.term), self._stamps.next()
        if own is None:
            own = self._new_journal(claim, is_lost=is_lost)
        elif self._highest_term() > found.term:
            # A status of a later term than the Lease's: the Lease is from a backup, and its journal with it.
            own = self._new_journal(claim, is_lost=True) | {lease_object.JOURNAL: own[lease_object.JOURNAL]}
        held = await self._write(self._api.replace, found.next(claim, stamp=stamp, own=own), claim=claim, stamp=stamp)
        if held and found.holder not in {"", self._identity}:
            _log.info("%s was silent for too long", found.holder, extra={"event": "LeaseTakenOver"})
        return held

    def _new_journal(self, claim: lease_object.Claim, *, is_lost: bool) -> dict[str, str]:
        own = {lease_object.JOURNAL: journal_format.encode(())}
        if is_lost:
            _log.warning("the journal of earlier uploads is lost", extra={"event": "JournalLost", "term": claim.term})
            own[lease_object.JOURNAL_LOST] = journal_format.encode_lost(claim.term, self._clock.now())
        return own

    def _claim(self, term: int) -> lease_object.Claim:
        return lease_object.Claim(self._identity, self.times.seconds, self._next_term(term), self._stamps.next())

    def _next_term(self, term: int) -> int:
        following = max(term, self._highest_term()) + 1
        if following > _MOST:
            raise errors.ApiServerError(f"a Lease's leaseTransitions can't be {following}: no term is left")
        return following

    async def _write(
        self, write: _Write, lease: dict[str, object], *, claim: lease_object.Claim, stamp: str
    ) -> held_lease.HeldLease | None:
        sent = self._clock.monotonic()
        self._tried = {each: tried for each, tried in self._tried.items() if self._is_valid(tried[0])}
        self._tried[stamp] = sent, claim
        try:
            return self._held(await write(lease))
        except errors.ApiServerError as error:
            if lease_object.surely_refused(error):
                raise
            found = await self._api.get()
            held = self._held(found) if found else None
            if held or (found and isinstance(error, errors.Conflict)):
                return held
            raise

    def _held(self, found: lease_object.Lease) -> held_lease.HeldLease | None:
        """Return it if it stands there by a write of this process that is still good."""
        sent, claim = self._tried.get(found.stamp, (0.0, None))
        if claim is None or found.holder != self._identity or not self._is_valid(sent):
            return None
        _log.info("holds the Lease", extra={"event": "LeaseAcquired", "term": claim.term, "identity": self._identity})
        return held_lease.HeldLease(
            self._api,
            lease=found,
            claim=claim,
            sent=sent,
            times=self.times,
            clock=self._clock,
            stamps=self._stamps,
            lost=self.lost,
        )

    def _is_valid(self, sent: float) -> bool:
        return self._clock.monotonic() < sent + self.times.renew_deadline

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            self._complaint = text
            _log.warning("can't take the Lease: %s", text, extra={"event": "ApiServerError"})


def _own_annotations(found: lease_object.Lease) -> dict[str, str] | None:
    """Return journal and mark as they stand there, None if there is no journal. Raises: Unreadable."""
    try:
        if found.journal is None:
            return None
        journal_format.decode(found.journal)
        mark = None if found.lost is None else found.annotations[lease_object.JOURNAL_LOST]
    except journal_format.Unreadable as error:
        raise journal_format.Unreadable(
            f"Lease {found.metadata.get('namespace')}/{found.metadata.get('name')}, annotations {lease_object.JOURNAL}"
            f" and {lease_object.JOURNAL_LOST}: {error}; it names uploads that may be stored, so don't delete it"
        ) from None
    own = {lease_object.JOURNAL: found.journal}
    return own if mark is None else own | {lease_object.JOURNAL_LOST: mark}
