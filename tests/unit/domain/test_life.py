"""What holds over the life of one resource, whatever is asked of it, and wherever its operator crashes."""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scm_operator.domain import actions, attempt, entry, lookup, observation, plan, report, upload
from scm_operator.domain.conditions import Verdict, moment, timestamp
from scm_operator.domain.reasons import Reason
from tests.support import builders, observations
from tests.unit.domain import strategies

TENANTS = (builders.make_tenant(), builders.make_tenant(domain="umbrella"))
VIEWS: Mapping[str, observation.AccountView] = {
    "usable": builders.make_view(),
    "elsewhere": dataclasses.replace(builders.make_view(), tenant=TENANTS[1]),
    "at fault": builders.make_view(fault=Verdict(Reason.ACCOUNT_NOT_READY, "m")),
}
REACH = {tenant: dataclasses.replace(builders.make_view(), tenant=tenant) for tenant in TENANTS}


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """An entry of SCM, with what it really holds."""

    scm_id: str
    scm_name: str
    tenant: object
    content_hash: str
    created: datetime.datetime


@dataclasses.dataclass(slots=True)
class World:
    """One operator, the API server and SCM: writes succeed, POSTs end as the test says, a crash may come anywhere."""

    observed: observation.Observed
    journal: tuple[attempt.Attempt, ...] = ()
    entries: dict[str, Stored] = dataclasses.field(default_factory=dict)
    posts: int = 0
    term: int = 1
    now: datetime.datetime = builders.NOW

    def run(self, reading: observation.Wanted, *, answer: str, steps: int = 30) -> None:
        """Take the steps that are due for one event, or only the first ones; ``answer`` is what a POST comes to."""
        self._set(wanted=observation.NotRead(), answers=observation.Answers())
        for _ in range(steps):
            self.now += datetime.timedelta(minutes=1)
            memory = self.observed.memory
            own = memory.attempt.id if memory and memory.attempt else None
            self._set(unknowns=tuple(one for one in self.journal if one.id != own))
            if not self._take(plan.plan(self.observed), reading, answer):
                return
        assert steps < 30, "no end after 30 steps"

    def crash(self) -> None:
        """Forget what only a process knows; another one takes over."""
        self.term += 1
        self._set(memory=None, term=self.term)

    def _set(self, **changes: Any) -> None:  # noqa: ANN401 - the fields have various types
        self.observed = dataclasses.replace(self.observed, **changes)

    def _answered(self, **changes: Any) -> None:  # noqa: ANN401 - the fields have various types
        self._set(answers=dataclasses.replace(self.observed.answers, **changes))

    def _write(self, status: upload.Status) -> None:
        written = dataclasses.replace(status, term=self.term)
        self._set(upload=dataclasses.replace(self.observed.upload, status=written))

    def _take(self, action: actions.Action, reading: observation.Wanted, answer: str) -> bool:  # noqa: C901, PLR0912 - one case an action
        """Take one step; return False after the last."""
        about = self.observed.upload
        match action:
            case actions.Nothing() | actions.Wait():
                return False
            case actions.Report():
                written = report.reported(
                    about, action.verdict, secrets=action.secrets, record=action.record, now=self.now
                )
                self._write(written)
                return False
            case actions.ReadSecrets():
                self._set(wanted=reading)
            case actions.Fence():
                self._write(about.status)
            case actions.Journal(wanted, tenant):
                self._journal(wanted, tenant)
            case actions.Post(one, wanted):
                return self._post(one, wanted, answer)
            case actions.LookUp(one):
                self._answered(lookups={one: self._search(one)})
            case actions.Claim(found, one) if one:
                self._set(memory=observations.make_claimed(one, scm_id=found.scm_id, origin="Recovered"))
            case actions.Conclude(one):
                self.journal = tuple(other for other in self.journal if other != one)
                self._set(memory=None)
            case actions.WriteRecord():
                self._write(report.recorded(about, action, now=self.now))
            case actions.Rename(record, name):
                self.entries[record.scm_id] = dataclasses.replace(self.entries[record.scm_id], scm_name=name)
                self._write(report.renamed(about, record, now=self.now))
            case actions.Show(record):
                self._answered(shown={record.scm_id: self._listed(record.scm_id)})
            case actions.TakeBack():
                self._write(report.taken_back(about, action, now=self.now))
            case actions.MarkDeleting(record):
                self._write(report.marked_deleting(about, record.scm_id))
            case actions.Delete(record):
                self.entries.pop(record.scm_id, None)
                self._write(report.without_replaced(about, record.scm_id))
            case actions.DropReplaced(record):
                self._write(report.without_replaced(about, record.scm_id))
            case _:
                raise AssertionError(f"not in this world: {action}")
        return True

    def _journal(self, wanted: observation.Wanted, tenant: Any) -> None:  # noqa: ANN401 - a Tenant
        about, number = self.observed.upload, self.posts + len(self.journal) + self.term * 1000
        one = builders.make_attempt(
            id=f"{number}-{timestamp(self.now)}",
            scm_name=about.scm_name,
            tenant=tenant,
            content_hash=wanted.content.hash,
            at=timestamp(self.now),
            term=self.term,
        )
        self.journal = (*self.journal, one)
        self._set(memory=observations.make_journaled(one, wanted, generation=about.generation))

    def _post(self, one: attempt.Attempt, wanted: observation.Wanted, answer: str) -> bool:
        self.posts += 1
        scm_id = f"{self.posts:032x}"
        if answer in {"stored", "late"}:
            self.entries[scm_id] = Stored(scm_id, one.scm_name, one.tenant, one.content_hash, self.now)
        if answer == "stored":
            self._set(memory=observations.make_claimed(one, wanted, about=self.observed.upload, scm_id=scm_id))
            return True
        self._set(memory=None)
        if answer == "rejected":
            self.journal = tuple(other for other in self.journal if other != one)
            rejected = Verdict(Reason.REJECTED, "no")
            self._write(report.reported(self.observed.upload, rejected, secrets=wanted.secrets, now=self.now))
            return False
        return True

    def _listed(self, scm_id: str) -> entry.ListedEntry | None:
        found = self.entries.get(scm_id)
        if found is None:
            return None
        digest = attempt.group_of(TENANTS[0], found.content_hash).der_digest
        return entry.ListedEntry(scm_id, found.scm_name, digest, found.created)

    def _search(self, one: attempt.Attempt) -> lookup.Answer:
        here = [self._listed(stored.scm_id) for stored in self.entries.values() if stored.tenant == one.tenant]
        listing = entry.Listing(tuple(found for found in here if found), complete=True, date=self.now)
        sought = lookup.Sought(one.scm_name, one.group.der_digest, moment(one.at))
        claimed = {record.scm_id for record in self.observed.upload.status.records}
        answer = lookup.search(sought, listing, shown={}, claimed=claimed, now=self.now)
        assert not isinstance(answer, lookup.ShowFirst)
        return answer


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """What is asked of the resource from now on, what a POST comes to, and after how many steps the operator crashes.

    ``rests``: everything comes to rest before the next event.
    """

    asked: upload.Upload
    account: str
    wanted: observation.Wanted
    answer: str
    crash_after: int | None
    rests: bool


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """Draw what becomes of one resource."""
    events = []
    policy = draw(st.sampled_from(upload.DeletionPolicy))
    for generation in range(1, draw(st.integers(2, 6)) + 1):
        private_key = draw(st.sampled_from([builders.KEY_REF, builders.KEY_REF, None]))
        content = builders.make_content(digest=draw(st.sampled_from(["ab", "cd"])) * 32, key=private_key is not None)
        asked = builders.make_upload(
            generation=generation,
            scm_name=draw(st.sampled_from(strategies.SCM_NAMES)),
            private_key=private_key,
            suspend=draw(st.sampled_from([False, False, False, True])),
            deletion_policy=policy,
        )
        events.append(
            Event(
                asked,
                draw(st.sampled_from(["usable", "usable", "usable", "elsewhere", "at fault"])),
                builders.make_wanted(content, secrets=(builders.make_secret(version=str(generation)),)),
                draw(st.sampled_from(["stored", "stored", "rejected", "late", "never"])),
                draw(st.none() | st.integers(0, 9)),
                draw(st.sampled_from([True, True, False])),
            )
        )
    return events


def live(world: World, event: Event) -> None:
    """Let one event happen, with its crash if there is one, and then let everything come to rest, or not."""
    asked = dataclasses.replace(event.asked, status=world.observed.upload.status)
    account = VIEWS[event.account]
    world.observed = dataclasses.replace(
        world.observed, upload=asked, account=account, seen=event.wanted.secrets, reach=REACH
    )
    if event.crash_after is not None:
        world.run(event.wanted, answer=event.answer, steps=event.crash_after)
        world.crash()
    if event.rests:
        world.run(event.wanted, answer=event.answer if event.answer == "rejected" else "stored")


@given(lives())
@settings(max_examples=150)
def test_over_a_life_each_content_is_in_scm_once(life: list[Event]) -> None:
    """Counterexamples 4, 6 and 7: no content is twice in a tenant, whatever is asked, lost and restarted."""
    world = World(observations.make_observed())
    for event in life:
        live(world, event)
        held = [(stored.tenant, stored.content_hash) for stored in world.entries.values()]
        assert len(held) == len(set(held))


@given(lives())
@settings(max_examples=150)
def test_over_a_life_the_status_names_what_scm_has(life: list[Event]) -> None:
    """No entry is lost, each id is that of the content that the status says, and what is Ready is what is wanted."""
    world = World(observations.make_observed())
    for event in life:
        live(world, event)
        if not event.rests:
            continue
        status = world.observed.upload.status
        assert {record.scm_id for record in status.records} == set(world.entries)
        for record in status.records:
            assert world.entries[record.scm_id].content_hash == record.content_hash
        may_send = event.account != "at fault" and not event.asked.suspend and event.answer != "rejected"
        if may_send:
            assert status.record is not None
            assert (status.record.content_hash, status.record.scm_name) == (
                event.wanted.content.hash,
                event.asked.scm_name,
            )


@given(lives())
@settings(max_examples=50)
def test_over_a_life_what_is_at_rest_stays_at_rest(life: list[Event]) -> None:
    """Looking at a resource again sends nothing and writes nothing."""
    world = World(observations.make_observed())
    for event in life:
        live(world, event)
        if not event.rests:
            continue
        before, posts = world.observed.upload.status, world.posts
        world.crash()
        world.run(event.wanted, answer="stored" if event.answer != "rejected" else "rejected")
        assert world.posts == posts
        assert dataclasses.replace(world.observed.upload.status, term=before.term) == before
