"""What is wrong with an account without making it any less Ready: its condition Degraded.

Entries that are gone: one is uploaded again; but where many are gone at once somebody has emptied the account, or it
leads elsewhere by now, and uploading them all again would make it worse: then a person is asked first.
"""

import collections
import dataclasses
from collections.abc import Callable

from scm_operator.domain import account as accounts
from scm_operator.domain import conditions, observation, ports, reasons, upload

_MOST_GONE = 5
_PART_GONE = 10  # a tenth
OnAccount = Callable[[accounts.AccountKey], None]


@dataclasses.dataclass(slots=True)
class _Entries:
    """The entries that were looked at, and when (monotonic clock) each was found gone, None if it was there."""

    checked: dict[str, float | None] = dataclasses.field(default_factory=dict)
    allowed: set[str] = dataclasses.field(default_factory=set)
    sampled: float | None = None

    @property
    def gone(self) -> int:
        return sum(since is not None for scm_id, since in self.checked.items() if scm_id not in self.allowed)

    @property
    def many(self) -> bool:
        return self.gone > max(_MOST_GONE, len(self.checked) // _PART_GONE)


class Standing:
    """Of each account. ``hold`` in seconds: how long an entry found gone waits for others to be looked at."""

    def __init__(self, *, clock: ports.Clock, hold: float) -> None:
        self._clock = clock
        self._hold = hold
        self._entries: dict[accounts.AccountKey, _Entries] = collections.defaultdict(_Entries)
        self._faults: dict[accounts.AccountKey, dict[reasons.AccountReason, str]] = collections.defaultdict(dict)
        self.on_change: OnAccount = lambda _: None
        self.on_gone: OnAccount = lambda _: None

    def verdict(self, key: accounts.AccountKey) -> conditions.Verdict | None:
        """Return what the condition Degraded says, None if there is nothing to say."""
        if key in self._entries and (entries := self._entries[key]).many:
            return conditions.Verdict(
                reasons.AccountReason.MANY_ENTRIES_MISSING,
                f"{entries.gone} of {len(entries.checked)} entries that were looked at are not in SCM any more. None "
                "of them is uploaded again until a person asks: check that the account leads where it should, then "
                f"set its annotation {accounts.RECONCILE_REQUESTED_AT} to a new value.",
            )
        faults = self._faults.get(key) or {}
        return next((conditions.Verdict(reason, message) for reason, message in faults.items()), None)

    def degrade(self, key: accounts.AccountKey, reason: reasons.AccountReason, message: str) -> None:
        """Note a fault; the first message of each reason stays until it is cleared."""
        if reason not in self._faults[key]:
            self._faults[key][reason] = message
            self.on_change(key)

    def recover(self, key: accounts.AccountKey, reason: reasons.AccountReason) -> None:
        """Clear a fault."""
        if key in self._faults and self._faults[key].pop(reason, None) is not None:
            self.on_change(key)

    def present(self, key: accounts.AccountKey, scm_id: str) -> None:
        """Note that an entry is in SCM."""
        entries = self._entries[key]
        were_many = entries.many
        entries.checked[scm_id] = None
        if were_many and not entries.many:
            self.on_change(key)

    def missing(self, key: accounts.AccountKey, scm_id: str) -> observation.Missing:
        """Note that an entry is gone, and return what may be done about it."""
        entries, now = self._entries[key], self._clock.monotonic()
        since = entries.checked.get(scm_id)
        if since is None:
            since = entries.checked[scm_id] = now
            self._sample(key, now)
            if entries.many:
                self.on_change(key)
        if scm_id in entries.allowed:
            return observation.Missing(scm_id)
        left = since + self._hold - now
        return observation.Missing(scm_id, hold=max(0.0, left), many=entries.many)

    def _sample(self, key: accounts.AccountKey, now: float) -> None:
        entries = self._entries[key]
        if entries.sampled is None or now - entries.sampled >= self._hold:
            entries.sampled = now
            self.on_gone(key)

    def replaced(self, key: accounts.AccountKey, scm_id: str) -> None:
        """Forget an entry that no status has any more, unless its being gone still counts."""
        if key in self._entries and not self._entries[key].many:
            self._entries[key].checked.pop(scm_id, None)
            self._entries[key].allowed.discard(scm_id)

    def departed(self, about: upload.Upload) -> None:
        """Forget the entries of an upload that is gone: they would make the others that are gone look few."""
        for record in about.status.records:
            self.replaced(record.account, record.scm_id)

    def allow(self, key: accounts.AccountKey) -> None:
        """A person has looked: what is gone by now may be uploaded again."""
        self._faults.pop(key, None)  # what is still so is met again
        if key in self._entries:
            entries = self._entries[key]
            entries.allowed |= {scm_id for scm_id, since in entries.checked.items() if since is not None}

    def forget(self, key: accounts.AccountKey) -> None:
        """The account is gone."""
        self._entries.pop(key, None)
        self._faults.pop(key, None)
