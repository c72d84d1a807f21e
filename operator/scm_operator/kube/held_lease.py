"""The Lease in the hands of its holder: written by compare-and-swap, read back where an answer was lost, given back.

Validity is counted by the own monotonic clock from when the last write that is known to have succeeded was sent. Each
write carries another renewTime: what is read back says which of the writes without an answer was done. One that
wasn't may still come late, until the resourceVersion that it names has passed.
"""

import asyncio
import dataclasses
import logging
import math
from typing import Any

from scm_operator.domain import errors, ports
from scm_operator.kube import lease_object

_log = logging.getLogger(__name__)
_CONFLICTS = 3  # writes in a row that somebody else's came before
_LONGEST_REQUEST = 5.0
_GIVING_BACK = 1  # leaseDurationSeconds of a Lease that nobody holds, as client-go writes it


@dataclasses.dataclass(frozen=True, slots=True)
class Times:
    """Seconds: how long others wait, how long a holder trusts it, and how often it renews or looks."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    @property
    def seconds(self) -> int:
        """Return what the Lease says: whole seconds, never less than meant."""
        return math.ceil(self.duration)

    @property
    def request(self) -> float:
        """Return the deadline of one request: less than the time between two renewals."""
        return min(self.retry_period * 0.75, _LONGEST_REQUEST)


class Unknown(errors.ApiServerError):
    """Whether a write was done can't be known yet: write again until it can."""


class Lost(errors.ApiServerError):
    """This process doesn't hold the Lease any more, and never will again."""


class HeldLease:
    """One term of one process. Only one write is under way at a time; that is the caller's to see to.

    ``lost`` gets the reason as its result when the Lease is lost.
    """

    def __init__(  # noqa: PLR0913 - what the elector has found
        self,
        api: lease_object.LeaseApi,
        *,
        lease: lease_object.Lease,
        claim: lease_object.Claim,
        sent: float,
        times: Times,
        clock: ports.Clock,
        stamps: lease_object.Stamps,
        lost: "asyncio.Future[str]",
    ) -> None:
        self._api = api
        self._current = lease
        self._claim = claim
        self._renewed = sent
        self._times = times
        self._clock = clock
        self._stamps = stamps
        self._unsure: dict[str, float] = {}  # renewTime of a write without an answer: when it was sent
        self._mark = {name: text for name, text in lease.annotations.items() if name == lease_object.JOURNAL_LOST}
        self._given_back = False
        self.lost = lost
        self.since = clock.monotonic()  # not when it was sent: the last write of the leader before was done by now

    @property
    def lease(self) -> lease_object.Lease:
        """Return the Lease as it was last read or written."""
        return self._current

    @property
    def term(self) -> int:
        """Return the term that this process holds it in."""
        return self._claim.term

    @property
    def renewed(self) -> float:
        """Return when (monotonic clock) the last write that is known to have succeeded was sent."""
        return self._renewed

    def holds(self) -> bool:
        """Say whether this process is the leader, by its own clock."""
        return not self._given_back and not self.lost.done() and self._clock.monotonic() < self._valid_until

    async def write(self, journal: str) -> None:
        """Renew it with that journal in it; return when it is known to stand there.

        Raises: Lost; Unknown; any other ApiServerError when it surely was not written.
        """
        for _ in range(_CONFLICTS):
            self._check()
            if await self._put(self._claim, journal):
                return
        raise errors.Conflict(f"update Lease {self._api.namespace}/{self._api.name}: others write it all the time")

    async def until_lost(self) -> str:
        """Return why it was lost, when it is; without a renewal in time it is."""
        while not self.lost.done():
            left = self._valid_until - self._clock.monotonic()
            if left <= 0:
                self._lose(f"it was not renewed within {self._times.renew_deadline:g} s")
            else:
                await asyncio.wait({self.lost}, timeout=left)
        return self.lost.result()

    async def give_back(self, journal: str) -> None:
        """Release it with that journal left in it, if it is still held; `holds` is False from here on."""
        if not self.holds():
            return
        self._given_back = True
        claim = dataclasses.replace(self._claim, holder="", seconds=_GIVING_BACK)
        while not self.lost.done() and self._clock.monotonic() < self._valid_until:
            try:
                if await self._put(claim, journal):
                    _log.info("gave the Lease back", extra={"event": "LeaseReleased", "term": self.term})
                    return
            except Lost:
                return
            except errors.ApiServerError as error:
                _log.info("%s", error)
                await asyncio.sleep(self._times.retry_period / 4)

    @property
    def _valid_until(self) -> float:
        return self._renewed + self._times.renew_deadline

    def _check(self) -> None:
        if not self.lost.done() and self._clock.monotonic() >= self._valid_until:
            self._lose(f"it was not renewed within {self._times.renew_deadline:g} s")
        if not self.holds():
            raise Lost("this process does not hold the Lease")

    def _lose(self, why: str) -> None:
        if not self.lost.done():
            _log.info("lost the Lease: %s", why, extra={"event": "LeaseLost", "term": self.term})
            self.lost.set_result(why)

    async def _put(self, claim: lease_object.Claim, journal: str) -> bool:
        """Write once. Return False if somebody else's write came before, and it is still this process's.

        Raises: as `write`.
        """
        stamp, sent = self._stamps.next(), self._clock.monotonic()
        self._unsure[stamp] = sent
        try:
            answer = await self._api.replace(self._next(claim, stamp=stamp, journal=journal))
        except errors.ApiServerError as error:
            if not lease_object.surely_refused(error):
                return await self._read_back(journal, holder=claim.holder, error=error)
            del self._unsure[stamp]
            if self._unsure:  # one before it may still be done, with the same in it
                raise Unknown(str(error), retry_after=error.retry_after) from None
            raise
        self._take(answer, sent=sent)
        return True

    def _next(self, claim: lease_object.Claim, *, stamp: str, journal: str) -> dict[str, Any]:
        return self._current.next(claim, stamp=stamp, own={lease_object.JOURNAL: journal, **self._mark})

    async def _read_back(self, journal: str, *, holder: str, error: errors.ApiServerError) -> bool:
        try:
            found = await self._api.get()
        except errors.ApiServerError as second:
            retry_after = max(error.retry_after, second.retry_after)
            raise Unknown(f"{error}; reading it back: {second}", retry_after=retry_after) from None
        if found is None or found.uid != self._current.uid:
            self._lose("somebody has deleted it")
        elif found.stamp in self._unsure and found.holder in {self._claim.holder, ""}:
            self._take(found, sent=self._unsure[found.stamp])
            return found.holder == holder and found.journal == journal
        elif found.holder != self._claim.holder:
            self._lose(f"it is now held by {found.holder}" if found.holder else "somebody has released it")
        elif found.resource_version != self._current.resource_version:
            self._take(found)
            return False
        else:
            raise Unknown(str(error), retry_after=error.retry_after) from None
        raise Lost(f"the Lease is lost: {self.lost.result()}") from None

    def _take(self, found: lease_object.Lease, *, sent: float = -math.inf) -> None:
        """Go on from this version: a write that named an earlier one can't be done any more."""
        self._current = found
        self._renewed = max(self._renewed, sent)
        self._unsure.clear()
