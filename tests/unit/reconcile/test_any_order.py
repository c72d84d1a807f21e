"""Two twins under any order of changes, faults, lost answers, crashes and restarts: one entry each, and its own."""

import asyncio
import collections
import contextlib
import itertools

import hypothesis
from hypothesis import stateful, strategies

from scm_operator.domain import csr, errors, reasons
from scm_operator.domain.entry import Entry
from scm_operator.domain.observation import InFlight
from tests.support import fake_cluster, fake_scm
from tests.unit.reconcile import world as worlds

_CONTENTS = 6
_BOTH = (worlds.WEB, worlds.API)
KEYS = strategies.sampled_from(_BOTH)


class _Surprise(Exception):  # noqa: N818 - what it is
    """Not in the tree of domain.errors."""


class _Crash(BaseException):
    """The process dies."""


class _Fuse(list[str]):
    """A log at one of whose next lines the process dies: each line is an effect that has just been made."""

    left: int | None = None

    def append(self, line: str) -> None:
        """Note a line, and die if it is the one."""
        super().append(line)
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise _Crash


@hypothesis.settings(max_examples=60, stateful_step_count=25, deadline=None, database=None)
class AnyOrder(stateful.RuleBasedStateMachine):
    """``web`` and ``api`` of one name, with CSRs of one series; a service and an API server that fail as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.log = _Fuse()
        self.world = worlds.World(self.log)
        self.world.add_account()
        self.world.add_upload()
        self.world.add_upload("api", spec={"name": "web"})
        self.contents = itertools.count(1)
        self.script: collections.deque[str] = collections.deque()
        self.may_delete = False

    async def answer(self, content: csr.Content, name: str) -> Entry:
        """Answer a POST as scripted."""
        in_flight = [known.attempt for known in self.world.memory.remembered.values() if isinstance(known, InFlight)]
        assert (name, content.hash) in {(attempt.scm_name, attempt.content_hash) for attempt in in_flight}
        for attempt in in_flight:
            assert attempt.id in self.world.journal.lease, "a POST that isn't journaled"
            others = {one.id for one in self.world.journal.of(attempt.uid)} - {attempt.id}
            assert others <= self.ended(attempt.key), "a POST after one whose outcome is unknown"
        what = self.script.popleft() if self.script else "stored"
        if what in {"stored", "lost"}:
            entry = self.world.scm.store(fake_scm.Posted(name, content.hash, in_flight[0].tenant))
            if what == "stored":
                return entry
        if what == "surprise":
            raise _Surprise
        if what in {"lost", "not stored"}:
            raise errors.OutcomeUnknown("the connection was reset.")
        if what == "rejected":
            raise errors.NeedsChange(reasons.Reason.REJECTED, "bad name.")
        raise errors.RetryLater(reasons.Reason.THROTTLED, "429.", retry_after=1.0)

    def ended(self, key: worlds.Key) -> frozenset[str]:
        """Return the attempts whose end a status tells."""
        return self.world.status(key).concluded_attempts if key in self.world.cluster.bodies else frozenset()

    @stateful.initialize(may_delete=strategies.booleans())
    def choose(self, *, may_delete: bool) -> None:
        """Say whether resources are deleted this time: if not, each entry must have an owner in the end."""
        self.may_delete = may_delete

    @stateful.rule(
        what=strategies.sampled_from(["lost", "lost", "not stored", "surprise", "rejected", "throttled", "stored"])
    )
    def service_will(self, what: str) -> None:
        """Script the next answer of the service."""
        self.script.append(what)

    @stateful.rule(fault=strategies.sampled_from(fake_cluster.Fault))
    def api_server_will(self, fault: fake_cluster.Fault) -> None:
        """Script the next status write."""
        if self.may_delete or fault not in {fake_cluster.Fault.DELETED, fake_cluster.Fault.RECREATED}:
            self.world.cluster.faults.append(fault)

    @stateful.rule(key=KEYS, back=strategies.booleans())
    def change_content(self, key: worlds.Key, *, back: bool) -> None:
        """Put another CSR into a Secret, or the first one again."""
        number = 0 if back else next(self.contents)
        if number < _CONTENTS:
            self.world.put_csr(number, key.name)

    @stateful.rule(key=KEYS, spec=strategies.sampled_from([{"suspend": True}, {"suspend": False}]))
    def change_spec(self, key: worlds.Key, spec: dict[str, object]) -> None:
        """Edit a spec."""
        if key in self.world.cluster.bodies:
            self.world.cluster.change(key, spec)

    @stateful.precondition(lambda self: self.may_delete)
    @stateful.rule(deleted=strategies.booleans())
    def delete(self, *, deleted: bool) -> None:
        """Delete ``web``, or delete it and create a namesake; create it if it isn't there."""
        if worlds.WEB not in self.world.cluster.bodies:
            self.world.cluster.create(fake_cluster.upload_body())
        elif deleted:
            del self.world.cluster.bodies[worlds.WEB]
        else:
            self.world.cluster.recreate(worlds.WEB)

    @stateful.rule()
    def watch(self) -> None:
        """Show what has happened."""
        self.world.watch()

    @stateful.rule(seconds=strategies.sampled_from([1.0, 20.0, 60.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.clock.advance(seconds)

    @stateful.rule(key=KEYS, crash=strategies.none() | strategies.integers(0, 7))
    def reconcile(self, key: worlds.Key, crash: int | None) -> None:
        """Work on a key once; the process may die at any effect, and the next one then knows the Lease alone."""
        self.log.left = crash
        self.world.scm.answers.extend([self.answer] * 4)
        try:
            with contextlib.suppress(_Surprise):
                self.runner.run(self.world.reconcile(key))
        except _Crash:
            self.log.left = None
            self.world.restart()
        self.log.left = None
        self.world.scm.answers.clear()

    @stateful.rule()
    def work_at_once(self) -> None:
        """Work on both keys at the same time."""
        self.world.scm.answers.extend([self.answer] * 8)
        with contextlib.suppress(_Surprise):
            self.runner.run(self._both())
        self.world.scm.answers.clear()

    async def _both(self) -> None:
        ends = await asyncio.gather(*map(self.world.reconcile, _BOTH), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    @stateful.rule()
    def restart(self) -> None:
        """Begin a new process."""
        self.world.restart()

    @stateful.invariant()
    def entry_has_one_owner(self) -> None:
        """An id stands in one status at most, once, with the content that the entry has."""
        records = [record for key in _BOTH if key in self.world.cluster.bodies for record in self.records(key)]
        assert len(records) == len({record.scm_id for record in records})
        for record in records:
            assert self.world.scm.entries[record.scm_id].content_hash == record.content_hash

    def confirm(self, key: worlds.Key) -> None:
        """Decide as a person where an entry of a resource that was deleted shortly before may be the POST's."""
        if self.may_delete and self.world.reason(key) == "OutcomeUnknown":
            (attempt, *_) = self.world.journal.of(self.world.cluster.upload_of(key).uid)
            self.world.change(key=key, annotations={worlds.CONFIRM: attempt.id})

    def records(self, key: worlds.Key) -> tuple[worlds.Record, ...]:
        """Return what a status says of entries."""
        return self.world.status(key).records

    def teardown(self) -> None:
        """Let everything work again: what is wanted is uploaded, each content once, and each entry has an owner."""
        try:
            self._end()
        finally:
            self.runner.close()

    def _end(self) -> None:
        world = self.world
        self.script.clear()
        world.cluster.faults.clear()
        for key in _BOTH:
            if key not in world.cluster.bodies:
                world.cluster.create(fake_cluster.upload_body(key.name, spec={"name": "web"}))
            world.cluster.change(key, {"suspend": False})
        world.watch()
        for _ in range(8):
            world.clock.advance(70)
            for key in _BOTH:
                self.reconcile(key, None)
                world.watch()
                self.confirm(key)
        self.entry_has_one_owner()
        assert not world.journal.attempts()
        assert not world.upload_reconciler.unwritten
        for key in _BOTH:
            assert world.reason(key) == "Uploaded"
            contents = [record.content_hash for record in self.records(key)]
            assert len(contents) == len(set(contents)), "a content twice"
        owned = {record.scm_id for key in _BOTH for record in self.records(key)}
        assert self.may_delete or owned == set(world.scm.entries)


TestAnyOrder = AnyOrder.TestCase
