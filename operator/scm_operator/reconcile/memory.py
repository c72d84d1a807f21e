"""What this process knows of uploads and no status says yet: lost in a crash, and found again by the journal."""

import collections
import dataclasses
from collections.abc import Iterator

from scm_operator.domain import observation, upload
from scm_operator.reconcile.connection import Version
from scm_operator.reconcile.report import UploadCache

_MOST_DEPARTED = 10_000
"""Entries of uploads that are gone which are kept in mind; only the last seconds matter."""


@dataclasses.dataclass(slots=True)
class Memory:
    """All of it, by upload.

    ``remembered``: an attempt on its way, or an id to be written. ``missing``: the entry that was found gone,
    and of which version of its account and credential it was asked.
    ``notes``: what happened to a POST whose outcome is unknown, by the attempt's id. ``deleting_since``: when a
    deletion was first tried (monotonic clock), by uid. ``resync``: whose entry is to be looked at. ``told``: the
    uids of those let go with a word on what is left behind. ``renaming``: the name that an entry was last given while
    no status says so, by its id, empty if that isn't known.
    """

    known: UploadCache
    remembered: dict[upload.UploadKey, observation.Remembered] = dataclasses.field(default_factory=dict)
    missing: dict[upload.UploadKey, tuple[str, Version]] = dataclasses.field(default_factory=dict)
    notes: dict[str, str] = dataclasses.field(default_factory=dict)
    deleting_since: dict[str, float] = dataclasses.field(default_factory=dict)
    resync: set[upload.UploadKey] = dataclasses.field(default_factory=set)
    told: set[str] = dataclasses.field(default_factory=set)
    renaming: dict[str, str] = dataclasses.field(default_factory=dict)
    _reserved: dict[str, upload.UploadKey] = dataclasses.field(default_factory=dict)
    _departed: collections.OrderedDict[str, None] = dataclasses.field(default_factory=collections.OrderedDict)

    @property
    def unwritten(self) -> tuple[upload.UploadKey, ...]:
        """Return the uploads that have an id here which isn't in their status yet."""
        return tuple(key for key, known in self.remembered.items() if isinstance(known, observation.Claimed))

    def reserve(self, scm_id: str, key: upload.UploadKey) -> None:
        """Keep an entry that a look-up has found for its upload, until the visit ends or the entry is claimed."""
        self._reserved[scm_id] = key

    def give_up(self, scm_id: str) -> None:
        """Give up an entry that a look-up has found: it is looked for anew."""
        self._reserved.pop(scm_id, None)

    def release(self, key: upload.UploadKey) -> None:
        """Give up what is reserved for an upload."""
        for scm_id in [scm_id for scm_id, holder in self._reserved.items() if holder == key]:
            del self._reserved[scm_id]

    def departed(self, about: upload.Upload) -> None:
        """Keep in mind the entries of an upload that is gone: none of them was made by another's POST."""
        for record in about.status.records:
            self.left_behind(record.scm_id)
            self.renaming.pop(record.scm_id, None)

    def left_behind(self, scm_id: str) -> None:
        """Keep in mind an entry of an upload that is gone."""
        self._departed[scm_id] = None
        while len(self._departed) > _MOST_DEPARTED:
            self._departed.popitem(last=False)

    def claimed(self) -> frozenset[str]:
        """Return the ids of all entries that some upload has: in its status, or here."""
        return frozenset(self._claimed())

    def not_sent_by(self) -> frozenset[str]:
        """Return the ids of all entries that the POST whose outcome is unknown can't have made."""
        return self.claimed().union(self._departed)

    def forget(self, key: upload.UploadKey) -> None:
        """Let go what is known of an upload that is gone, but for an id that somebody has to be told of."""
        self.missing.pop(key, None)
        self.resync.discard(key)

    def _claimed(self) -> Iterator[str]:
        for about in self.known:
            for record in about.status.records:
                yield record.scm_id
        for known in self.remembered.values():
            if isinstance(known, observation.Claimed):
                yield known.record.scm_id
        yield from self._reserved
