"""Groups of attempts that a look-up can't tell apart: whether one may be looked for now, and nothing sent meanwhile."""

import collections
import contextlib
from collections.abc import Callable, Iterator

from scm_operator.domain import attempt, observation, ports, upload
from scm_operator.reconcile.report import UploadCache

Wake = Callable[[upload.UploadKey], None]
_UNDER_WAY = 0.5
"""Seconds until it is asked again whether a POST that is past its deadline has come back."""


class Groups:
    """How each group stands, by the journal and by what this process has under way."""

    def __init__(self, *, known: UploadCache, journal: ports.Journal, clock: ports.Clock, settle_after: float) -> None:
        """Take where attempts are; ``settle_after`` in seconds: a call's deadline and the settle time together."""
        self._known = known
        self._journal = journal
        self._clock = clock
        self._settle_after = settle_after
        self.wake: Wake = lambda _: None
        self._looking: set[attempt.Group] = set()
        self._waiting: dict[attempt.Group, set[upload.UploadKey]] = collections.defaultdict(set)
        self._posting: collections.Counter[attempt.Group] = collections.Counter()

    @property
    def earlier_settled_in(self) -> float:
        """Return the seconds until no POST of an earlier term can be stored any more."""
        return self._left(self._journal.since)

    def conclude(self, one: attempt.Attempt) -> None:
        """Take an attempt out of the journal, by its next write."""
        self._journal.conclude(one)
        self.changed(one.group)

    def wait(self, group: attempt.Group, key: upload.UploadKey) -> None:
        """Wake an upload when something about a group changes."""
        self._waiting[group].add(key)

    def changed(self, group: attempt.Group) -> None:
        """Wake those who wait for a group: an attempt of it has ended, or a look-up."""
        for key in self._waiting.pop(group, ()):
            self.wake(key)

    def view(self, group: attempt.Group) -> observation.GroupView:
        """Return how a group stands now."""
        open_ones = tuple(one for one in self._journal.attempts() if one.group == group and not self._concluded(one))
        settled_in = max((self._left(self._journal.added_at(one)) for one in open_ones), default=0.0)
        if self._posting[group]:
            settled_in = max(settled_in, _UNDER_WAY)
        return observation.GroupView(
            attempts=open_ones,
            settled_in=settled_in,
            unfenced=frozenset(one.uid for one in open_ones if self._unfenced(one)),
            looking_up=group in self._looking,
        )

    @contextlib.contextmanager
    def looking(self, group: attempt.Group) -> Iterator[None]:
        """Keep everybody from sending, or looking, in a group; the caller has seen that nobody does."""
        self._looking.add(group)
        try:
            yield
        finally:
            self._looking.discard(group)
            self.changed(group)

    @contextlib.contextmanager
    def posting(self, group: attempt.Group) -> Iterator[None]:
        """Keep everybody from looking in a group."""
        self._posting[group] += 1
        try:
            yield
        finally:
            self._posting[group] -= 1
            if not self._posting[group]:
                del self._posting[group]

    def _left(self, base: float) -> float:
        return max(0.0, base + self._settle_after - self._clock.monotonic())

    def _concluded(self, one: attempt.Attempt) -> bool:
        about = self._known.get(one.key)
        return about is not None and about.uid == one.uid and one.id in about.status.concluded_attempts

    def _unfenced(self, one: attempt.Attempt) -> bool:
        about = self._known.get(one.key)
        return (
            one.term < self._journal.term
            and about is not None
            and about.uid == one.uid
            and about.status.term < self._journal.term
        )
