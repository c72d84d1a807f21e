"""Resync: each uploaded entry is looked at once an interval, spread evenly: drift is found, and nothing bursts."""

import asyncio
import random
import zlib
from collections.abc import Callable, Iterator

from scm_operator.domain import account as accounts
from scm_operator.domain import upload
from scm_operator.reconcile import lanes, queue
from scm_operator.reconcile.memory import Memory
from scm_operator.reconcile.report import UploadCache

_PARTS = 128
"""An interval is walked through in so many steps; each upload is looked at in the step that its uid says."""
_SAMPLE = 50
"""Uploads of an account that are looked at out of turn when one entry is found gone."""


class Resync:
    """Marks uploads as due and queues them, behind everything that is new."""

    def __init__(
        self,
        *,
        known: UploadCache,
        memory: Memory,
        uploads: queue.WorkQueue[upload.UploadKey],
        interval: float,
        first: Callable[[], float] = random.random,
    ) -> None:
        """Take the uploads; ``interval`` in seconds, 0 turns it off; ``first`` says where in it to begin, 0 to 1."""
        self._known = known
        self._memory = memory
        self._queue = uploads
        self._interval = interval
        self._first = first

    async def run(self) -> None:
        """Go round and round until cancelled."""
        if not self._interval:
            await asyncio.Event().wait()
        part = int(self._first() * _PARTS)
        while True:
            await asyncio.sleep(self._interval / _PARTS)
            part = (part + 1) % _PARTS
            self._mark([known for known in self._settled() if zlib.crc32(known.uid.encode()) % _PARTS == part])

    def sample(self, account: accounts.AccountKey) -> None:
        """Look at others of an account's entries now, to tell whether one is gone or many are."""
        others = [known for known in self._settled() if known.status.record and known.status.record.account == account]
        self._mark(others[:_SAMPLE])

    def _settled(self) -> Iterator[upload.Upload]:
        return (known for known in self._known if known.status.conditions and not known.deleting)

    def _mark(self, due: list[upload.Upload]) -> None:
        for known in due:
            if known.key not in self._memory.resync:
                self._memory.resync.add(known.key)
                self._queue.add(known.key, lane=lanes.Lane.RETRY)
