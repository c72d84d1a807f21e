"""The reconciler under any order of changes, faults, lost answers and restarts.

A crash between a POST and its status write forgets the attempt while the journal is in memory only; so a restart
happens here only while nothing is remembered that the status doesn't say.
"""

import asyncio
import collections
import contextlib
import itertools

import hypothesis
from hypothesis import stateful, strategies

from scm_operator.domain import csr, errors, ports, reasons
from tests.support import fake_cluster, fakes
from tests.unit.reconcile import world as worlds

_CONTENTS = 6


class _Surprise(Exception):  # noqa: N818 - what it is
    """Not in the tree of domain.errors."""


@hypothesis.settings(max_examples=20, stateful_step_count=25, deadline=None, database=None)
class AnyOrder(stateful.RuleBasedStateMachine):
    """One upload ``shop/web``, its Secret, a service and an API server that both fail as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = worlds.World()
        self.world.add_account()
        self.world.add_upload()
        self.contents = itertools.count(1)
        self.script: collections.deque[str] = collections.deque()
        self.owners: dict[str, str] = {}
        self.unknown: set[str] = set()

    async def answer(self, content: csr.Content, name: str) -> ports.Entry:
        """Answer a POST as scripted, and keep whose entry was made."""
        attempt = list(self.world.journal.attempts.values())[-1]
        assert (attempt.scm_name, attempt.content_hash) == (name, content.hash)
        assert attempt.uid not in self.unknown, "a POST after one whose outcome is unknown"
        what = self.script.popleft() if self.script else "stored"
        if what in {"lost", "late", "surprise"}:
            self.unknown.add(attempt.uid)
        if what in {"stored", "lost"}:
            entry = self.world.scm.store(fakes.Posted(name, content.hash, attempt.tenant))
            self.owners[entry.scm_id] = attempt.uid
            if what == "stored":
                return entry
        if what == "surprise":
            raise _Surprise
        if what in {"lost", "late"}:
            raise errors.OutcomeUnknown("the connection was reset.")
        if what == "rejected":
            raise errors.NeedsChange(reasons.Reason.REJECTED, "bad name.")
        raise errors.RetryLater(reasons.Reason.THROTTLED, "429.", retry_after=1.0)

    @stateful.rule(what=strategies.sampled_from(["lost", "late", "surprise", "rejected", "throttled", "throttled"]))
    def service_will(self, what: str) -> None:
        """Script the next answer of the service."""
        self.script.append(what)

    @stateful.rule(fault=strategies.sampled_from(fake_cluster.Fault))
    def api_server_will(self, fault: fake_cluster.Fault) -> None:
        """Script the next status write."""
        self.world.cluster.faults.append(fault)

    @stateful.rule()
    def change_content(self) -> None:
        """Put another CSR into the Secret; none comes back."""
        number = next(self.contents)
        if number < _CONTENTS:
            self.world.secrets.put("web-csr", {"tls.csr": fakes.csr_pem(number)})

    @stateful.rule(spec=strategies.sampled_from([{"name": "x"}, {"name": "y"}, {"suspend": True}, {"suspend": False}]))
    def change_spec(self, spec: dict[str, object]) -> None:
        """Edit the spec."""
        if worlds.WEB in self.world.cluster.bodies:
            self.world.cluster.change(worlds.WEB, spec)

    @stateful.rule(deleted=strategies.booleans())
    def delete(self, *, deleted: bool) -> None:
        """Delete the resource, or delete it and create a namesake; create it if it isn't there."""
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

    @stateful.rule()
    def reconcile(self) -> None:
        """Work on the key once."""
        self.world.scm.answers.extend([self.answer] * 4)
        with contextlib.suppress(_Surprise):
            self.runner.run(self.world.reconcile())
        self.world.scm.answers.clear()

    @stateful.precondition(lambda self: not self.world.upload_reconciler.unwritten)
    @stateful.rule()
    def restart(self) -> None:
        """Begin a new process."""
        self.world.restart()

    @stateful.invariant()
    def id_is_its_own(self) -> None:
        """An id in a status is of an entry that was made for that uid and that content."""
        if worlds.WEB not in self.world.cluster.bodies:
            return
        known = self.world.cluster.upload_of(worlds.WEB)
        if record := known.status.record:
            assert self.owners[record.scm_id] == known.uid
            assert self.world.scm.entries[record.scm_id].content_hash == record.content_hash

    @stateful.invariant()
    def one_entry_for_a_content(self) -> None:
        """A resource has at most one entry for each content."""
        made = [(uid, self.world.scm.entries[scm_id].content_hash) for scm_id, uid in self.owners.items()]
        assert len(made) == len(set(made))

    def teardown(self) -> None:
        """Let everything work again: what is known is settled, and the rest stays unknown."""
        world = self.world
        self.script.clear()
        world.cluster.faults.clear()
        if worlds.WEB not in world.cluster.bodies:
            world.cluster.create(fake_cluster.upload_body())
        world.cluster.change(worlds.WEB, {"suspend": False})
        world.watch()
        self.reconcile()
        world.watch()
        self.reconcile()
        known = world.cluster.upload_of(worlds.WEB)
        assert world.reason() == ("OutcomeUnknown" if known.uid in self.unknown else "Uploaded")
        assert {attempt.uid for attempt in world.journal.attempts.values()} <= self.unknown
        assert not world.upload_reconciler.unwritten
        self.id_is_its_own()
        self.one_entry_for_a_content()
        self.runner.close()


TestAnyOrder = AnyOrder.TestCase
