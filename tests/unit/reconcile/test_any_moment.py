"""Changes that come while a step waits for SCM or the API server: no entry is doubled, lost, or mistaken."""

import asyncio
import itertools
from collections.abc import Iterable
from typing import Literal

import hypothesis
from hypothesis import strategies

from scm_operator.domain import csr, entry, errors
from scm_operator.domain.attempt import JournalLost
from scm_operator.domain.observation import InFlight
from tests.support import fake_cluster, fake_scm
from tests.unit.reconcile import world as worlds

_HOME = "https://scm.example.com"
_SPECS: dict[str, dict[str, object]] = {
    "named web": {"name": "web"},
    "named other": {"name": "other"},
    "adopts": {"adoptionPolicy": "IfIdentical"},
    "adopts nothing": {"adoptionPolicy": "Never"},
    "deletes": {"deletionPolicy": "Delete"},
    "retains": {"deletionPolicy": "Retain"},
    "suspended": {"suspend": True},
    "resumed": {"suspend": False},
    "to other": {"accountRef": {"name": "other"}},
    "to default": {"accountRef": {"name": "default"}},
}
_ENDPOINTS = {"leads away": "https://away.example.com", "leads home": _HOME}
_PERSONS = ("deleted by hand", "renamed by hand", "asked", "made by hand")
_CLUSTER = ("re-created", "deleted", "account gone", "account back", "credential gone", "credential", "new credential")
_FAULTS = {
    "conflict": fake_cluster.Fault.CONFLICT,
    "refused": fake_cluster.Fault.REFUSED,
    "lost write": fake_cluster.Fault.LOST,
}
_CRASHES = ("restart", "journal lost")
_CONTENTS = ("content 0", "content 1")
_ENDS = {"Uploaded", "Suspended", "OutcomeUnknown", "AdoptionUnknown"}
_CHANGES = (*_SPECS, *_ENDPOINTS, *_PERSONS, *_CLUSTER, *_FAULTS, "lost POST", *_CRASHES, *_CONTENTS)
MOMENTS = strategies.lists(
    strategies.tuples(strategies.integers(0, 5), strategies.sampled_from(_CHANGES)), min_size=1, max_size=8
)


class _Crash(BaseException):
    """The process dies."""


class _Gate(asyncio.Event):
    """What a write passes just before it is made."""

    def __init__(self, moments: "Moments") -> None:
        super().__init__()
        self._moments = moments

    async def wait(self) -> Literal[True]:
        """Let a change come."""
        self._moments.pass_one()
        return True


class Moments:
    """One upload; at each call some changes come, as they are due: after how many further calls, and what."""

    def __init__(self, due: Iterable[tuple[int, str]]) -> None:
        self.due = list(due)
        self.passed = 0
        self.lost_answers = 0
        self.lost_journal = False
        self.numbers = itertools.count()
        self.owner: dict[str, str] = {}
        self.theirs: set[str] = set()
        self.renamed: set[str] = set()
        self.ever: dict[str, fake_scm.Stored] = {}
        self.world = worlds.World()
        self.world.add_account()
        self.world.add_account("other", spec={"endpoint": "https://other.example.com"})
        self.world.add_upload()
        self.world.change({"name": "web", "accountRef": {"name": "default"}})
        for call in ("prepare", "post", "list", "show", "rename", "delete"):
            self.world.scm.at[call] = self.pass_one
        self.world.cluster.gate = _Gate(self)
        self._listen()

    def _listen(self) -> None:
        self.world.journal.gate = _Gate(self)
        self.world.secrets.after_read = lambda _: self.pass_one()

    def pass_one(self) -> None:
        """Make the changes that are due at this call."""
        self.passed += 1
        while self.due and self.passed > self.due[0][0]:
            self.passed = 0
            self.befall(self.due.pop(0)[1])
            self.world.watch()

    def befall(self, what: str) -> None:
        """Make a change."""
        world, there = self.world, worlds.WEB in self.world.cluster.bodies
        if what in _FAULTS:
            world.cluster.faults.append(_FAULTS[what])
        elif what in _CRASHES:
            self.lost_journal = what == "journal lost"
            raise _Crash
        elif what in _CONTENTS:
            world.put_csr(int(what[-1]))
        elif what in _SPECS and there:
            world.cluster.change(worlds.WEB, _SPECS[what])
        elif what in _ENDPOINTS and worlds.DEFAULT in world.cluster.bodies:
            world.cluster.change(worlds.DEFAULT, {"endpoint": _ENDPOINTS[what]})
        elif what == "lost POST":
            self.lost_answers += 1
        elif there:
            self._by_person(what)
        self._to_account(what)

    def _by_person(self, what: str) -> None:
        cluster, scm = self.world.cluster, self.world.scm
        ids = [record.scm_id for record in self.records() if record.scm_id in scm.entries]
        match what:
            case "re-created":
                cluster.recreate(worlds.WEB)
            case "deleted":
                cluster.delete(worlds.WEB)
            case "asked":
                cluster.change(worlds.WEB, annotations={worlds.REQUESTED: str(next(self.numbers))})
            case "deleted by hand" if ids:
                del scm.entries[ids[0]]
                self.theirs.discard(ids[0])
            case "renamed by hand" if ids:
                scm.change(ids[0], name="by hand")
                self.renamed.add(ids[0])
            case _:
                pass

    def _to_account(self, what: str) -> None:
        cluster, secrets = self.world.cluster, self.world.secrets
        there = worlds.DEFAULT in cluster.bodies
        match what:
            case "account gone" if there:
                del cluster.bodies[worlds.DEFAULT]
            case "account back" if not there:
                cluster.create(fake_cluster.account_body())
            case "credential gone":
                secrets.put("scm-token", {})
            case "credential" | "new credential":
                secrets.put("scm-token", {"token": what.encode()})
            case "made by hand" if there:
                tenant = cluster.account_of(worlds.DEFAULT).tenant
                self.theirs.add(self.world.scm.put("web", worlds.hash_of(0), tenant, age=86400))
            case _:
                pass

    async def answer(self, content: csr.Content, name: str) -> entry.Entry:
        """Answer a POST, or lose its answer; one of what its resource has in SCM already is a double."""
        (in_flight,) = [known.attempt for known in self.world.memory.remembered.values() if isinstance(known, InFlight)]
        posted = fake_scm.Posted(name, content.hash, in_flight.tenant)
        for scm_id, known in self.world.scm.entries.items():
            same = (known.name, known.content_hash, known.tenant) == (name, content.hash, in_flight.tenant)
            assert not (same and self.owner.get(scm_id) == in_flight.uid), "sent twice"
        made = self.world.scm.store(posted)
        self.owner[made.scm_id] = in_flight.uid
        self.ever[made.scm_id] = self.world.scm.entries[made.scm_id]
        if self.lost_answers:
            self.lost_answers -= 1
            raise errors.OutcomeUnknown("the connection was reset.")
        return made

    def records(self) -> tuple[worlds.Record, ...]:
        """Return what the status says of entries."""
        return self.world.status().records if worlds.WEB in self.world.cluster.bodies else ()

    async def work(self) -> None:
        """Work on the upload once; a process that dies is followed by another."""
        world = self.world
        world.scm.answers.clear()
        world.scm.answers.extend([self.answer] * 4)
        try:
            await world.reconcile()
        except _Crash:
            world.clock.advance(10)
            lost = JournalLost(world.journal.term + 1, world.clock.now()) if self.lost_journal else None
            world.restart(lost=lost)
            self._listen()
        world.watch()
        self.check()

    def check(self) -> None:
        """What a status says of entries is so, and nobody else's entry was deleted."""
        scm, records = self.world.scm, self.records()
        self.ever |= scm.entries
        assert len(records) == len({record.scm_id for record in records})
        for record in records:
            known = self.ever[record.scm_id]
            assert known.content_hash == record.content_hash
            assert known.tenant.same_as(record.tenant), "recorded in another tenant"
            assert record.origin == "Adopted" or self.owner[record.scm_id], "not its own"
        assert self.theirs <= set(scm.entries), "somebody else's entry was deleted"
        ready = self.world.status().ready if worlds.WEB in self.world.cluster.bodies else None
        assert ready is None or ready.status != "True" or self.world.scm_id(), "Ready without an entry"

    async def end(self) -> None:
        """Let everything work again: the upload comes to an end that a person can understand."""
        world = self.world
        self.due.clear()
        self.lost_answers = 0
        world.cluster.faults.clear()
        world.secrets.put("scm-token", {"token": b"a token"})
        for what in ("account back", "leads home"):
            self.befall(what)
        world.watch()
        for _ in range(4):
            world.clock.advance(130)
            await self.work()
        if worlds.WEB not in world.cluster.bodies:
            return
        self.befall("asked")
        world.watch()
        for _ in range(4):
            world.clock.advance(130)
            await self.work()
        if worlds.WEB in world.cluster.bodies:
            self.check_end()

    def check_end(self) -> None:
        """Whoever is Ready has its entry in SCM, under its name."""
        world = self.world
        assert world.reason() in _ENDS
        if world.reason() != "Uploaded":
            return
        record = world.record()
        known = world.scm.entries[record.scm_id]
        about = world.cluster.upload_of(worlds.WEB)
        if not about.suspend:  # a rename under way when it was suspended is made up for when it is resumed
            assert record.scm_name == about.scm_name
            assert record.scm_id in self.renamed or known.name == record.scm_name


@hypothesis.settings(max_examples=60, deadline=None, database=None)
@hypothesis.given(due=MOMENTS)
def test_any_change_at_any_moment(due: list[tuple[int, str]]) -> None:
    """Whatever changes while a call is under way, each content is sent once and the status tells what is in SCM."""

    async def run() -> None:
        moments = Moments(due)
        for _ in range(5):
            await moments.work()
            moments.world.clock.advance(61)
        await moments.end()

    asyncio.run(run())
