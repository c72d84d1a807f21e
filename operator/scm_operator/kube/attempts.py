"""The attempts that aren't concluded, in memory: by resource and by account, and whether there is room for more."""

from collections import Counter
from collections.abc import Collection
from typing import TypeVar

from scm_operator.domain import account, attempt, errors, reasons
from scm_operator.kube import journal_format

T = TypeVar("T")
_OF_ACCOUNT = 100
_FEW_OF_ACCOUNT = 10
_BYTES = 200 * 1024  # all annotations of an object may have 256 KiB
_CROWDED = 150 * 1024


class Attempts:
    """Attempts in the order in which they came."""

    def __init__(self) -> None:
        self._all: dict[str, attempt.Attempt] = {}
        self._of: dict[str, dict[str, attempt.Attempt]] = {}
        self._accounts: Counter[str] = Counter()
        self._tenants: Counter[account.Tenant] = Counter()
        self._bytes = journal_format.EMPTY_SIZE
        self._text: str | None = None

    def all(self) -> Collection[attempt.Attempt]:
        """Return all of them."""
        return tuple(self._all.values())

    def of(self, uid: str) -> tuple[attempt.Attempt, ...]:
        """Return a resource's, oldest first."""
        return tuple(self._of.get(uid, {}).values())

    def text(self) -> str:
        """Return them as the annotation has them."""
        if self._text is None:
            self._text = journal_format.encode(self._all.values())
        return self._text

    @property
    def size(self) -> int:
        """Return how many bytes `text` has."""
        return self._bytes

    def check_room(self, new: attempt.Attempt) -> None:
        """Raises: RetryLater with reason JournalFull when there is none for one more of its account."""
        of_account = self._accounts[new.tenant.account]
        size = self._bytes + self._size_of(new)
        full = of_account >= _OF_ACCOUNT
        crowded = size > _CROWDED and of_account >= _FEW_OF_ACCOUNT
        if full or crowded or size >= _BYTES:
            limit = "" if full else f", and the journal of all accounts has {self._bytes // 1024} KiB"
            raise errors.RetryLater(
                reasons.Reason.JOURNAL_FULL,
                f"the outcome of {of_account} uploads of {new.tenant.account} isn't known yet{limit}; nothing more is"
                " sent before some of them are resolved. Look at uploads with reason OutcomeUnknown.",
            )

    def put(self, new: attempt.Attempt) -> None:
        """Keep one."""
        if new.id in self._all:
            return
        self._bytes += self._size_of(new)
        self._all[new.id] = new
        self._of.setdefault(new.uid, {})[new.id] = new
        self._accounts[new.tenant.account] += 1
        self._tenants[new.tenant] += 1
        self._text = None

    def remove(self, old: attempt.Attempt) -> None:
        """Forget one, if it is there."""
        kept = self._all.pop(old.id, None)
        if kept is None:
            return
        del self._of[kept.uid][kept.id]
        if not self._of[kept.uid]:
            del self._of[kept.uid]
        _count_down(self._accounts, kept.tenant.account)
        _count_down(self._tenants, kept.tenant)
        self._bytes -= self._size_of(kept)
        self._text = None

    def _size_of(self, each: attempt.Attempt) -> int:
        """Return how many bytes the text grows by one, or has shrunk without it."""
        tenant = 0 if self._tenants[each.tenant] else journal_format.tenant_size(each.tenant)
        return journal_format.size(each) + tenant


def _count_down(counter: Counter[T], key: T) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
