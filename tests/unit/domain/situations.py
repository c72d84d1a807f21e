"""What property tests of the decision table draw from: what it may look at, in any combination."""

import dataclasses
import functools
import itertools

from hypothesis import strategies as st

from scm_operator.domain import account as accounts
from scm_operator.domain import attempt, lookup, observation, upload
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.entry import ListedEntry
from scm_operator.domain.reasons import Reason
from scm_operator.domain.rows import unknown
from tests.support import builders, observations
from tests.unit.domain import strategies
from tests.unit.domain.strategies import CONTENTS, SCM_NAMES, SECRETS, TENANTS

FAULTS = (Verdict(Reason.ACCOUNT_NOT_FOUND, "none"), Verdict(Reason.ACCOUNT_NOT_READY, "the token is empty"))
LOCAL_REASONS = (
    Reason.WAITING_FOR_SECRET,
    Reason.SECRET_KEY_MISSING,
    Reason.INVALID_CSR,
    Reason.CSR_TOO_LARGE,
    Reason.INVALID_PRIVATE_KEY,
    Reason.KEY_MISMATCH,
)
LOST = attempt.JournalLost(1, builders.NOW)


@functools.cache
def versions_of(names: tuple[str, ...]) -> tuple[tuple[upload.ObservedSecret, ...], ...]:
    """Return each combination of versions of some Secrets."""
    by_name = [[secret for secret in SECRETS if secret.name == name] for name in names]
    return tuple(itertools.product(*by_name))


@functools.cache
def readings(
    names: tuple[str, ...], *, key: bool
) -> st.SearchStrategy[observation.Wanted | observation.Unreadable | observation.NotRead]:
    """Draw what reading the named Secrets may come to, with or without a private key in it, or that none was read."""
    contents = [content for content in CONTENTS if (content.private_key_pem is not None) == key]
    wanted = [observation.Wanted(content, secrets) for content in contents for secrets in versions_of(names)]
    partly = {secrets[:length] for secrets in versions_of(names) for length in range(len(names) + 1)}
    unreadable = [
        observation.Unreadable(Verdict(reason, "m"), secrets, secret_gone=len(secrets) < len(names))
        for reason in LOCAL_REASONS
        for secrets in sorted(partly, key=repr)
    ]
    return st.just(observation.NotRead()) | st.sampled_from(wanted) | st.sampled_from(unreadable)


@functools.cache
def seen_versions(names: tuple[str, ...]) -> st.SearchStrategy[tuple[upload.ObservedSecret | None, ...]]:
    """Draw what the watch may have shown of some Secrets: a version of each, or that it is absent."""
    mostly = [versions_of(names)[0]] * len(versions_of(names))
    some_absent = [
        tuple(None if absent else secret for secret, absent in zip(versions, mask, strict=True))
        for versions in versions_of(names)
        for mask in itertools.product([False, True], repeat=len(names))
    ]
    return st.sampled_from(mostly) | st.sampled_from(some_absent)


@functools.cache
def views(key: accounts.AccountKey | None) -> st.SearchStrategy[observation.AccountView]:
    """Draw what a resource may see of its account: usable, at fault, or not there."""
    there = key or builders.CLUSTER_DEFAULT
    usable = [observation.AccountView(there, tenant, None) for tenant in TENANTS]
    faulty = [observation.AccountView(there, tenant, FAULTS[1]) for tenant in TENANTS]
    gone = [observation.AccountView(key, None, FAULTS[0])]
    return st.sampled_from(usable) | st.sampled_from(usable + faulty + gone)


ATTEMPTS = tuple(
    builders.make_attempt(id=id_, scm_name=name, tenant=tenant, content_hash=content.hash, term=term)
    for id_, (name, tenant, content, term) in zip(
        itertools.cycle(["5e0f", "6a1b"]), itertools.product(SCM_NAMES, TENANTS, CONTENTS, [0, 1]), strict=False
    )
)
_attempts = st.sampled_from(ATTEMPTS)


@functools.cache
def journaled(names: tuple[str, ...]) -> st.SearchStrategy[observation.Journaled]:
    """Draw an attempt that was made of the named Secrets, before or after the resource's last change."""
    wanted = [observation.Wanted(content, secrets) for content in CONTENTS for secrets in versions_of(names)]
    return st.builds(
        lambda attempt, wanted, generation, begin_by: observations.make_journaled(
            attempt, wanted, generation=generation, begin_by=begin_by
        ),
        _attempts,
        st.sampled_from(wanted),
        st.sampled_from([1, 2]),
        st.sampled_from([15.0, 15.0, 0.0]),
    )


@functools.cache
def claimed(names: tuple[str, ...]) -> st.SearchStrategy[observation.Claimed]:
    """Draw an id that no record may have yet: an answer's, a found one, or an adopted one."""
    wanted = [observation.Wanted(content, secrets) for content in CONTENTS for secrets in versions_of(names)]
    made = st.builds(
        lambda attempt, wanted, scm_id: observations.make_claimed(attempt, wanted, scm_id=scm_id),
        _attempts,
        st.none() | st.sampled_from(wanted),
        st.sampled_from(["e" * 32, builders.OTHER_SCM_ID, builders.SCM_ID]),
    )
    adopted = st.sampled_from(strategies.RECORDS).map(
        lambda record: observation.Claimed(builders.make_upload(), record, None, None)
    )
    return made | adopted


@functools.cache
def memories(names: tuple[str, ...]) -> st.SearchStrategy[observation.Remembered | None]:
    """Draw what a process may remember of a resource that names some Secrets; mostly nothing."""
    in_flight = st.builds(observation.InFlight, _attempts)
    return st.none() | st.none() | st.none() | journaled(names) | claimed(names) | in_flight


_ENTRY = builders.make_entry(scm_id="f" * 32)
_DOUBTS = [lookup.CantTell("why"), lookup.CantTell("its age", only_age=True)]
_ANSWERS = st.sampled_from([None, None, lookup.Found(_ENTRY), lookup.Absent(), *_DOUBTS])
_NOTHING_SHOWN: dict[str, ListedEntry | None] = {}
_SHOWN = st.sampled_from(
    [
        _NOTHING_SHOWN,
        _NOTHING_SHOWN,
        _NOTHING_SHOWN | {builders.SCM_ID: None},
        _NOTHING_SHOWN | {builders.OTHER_SCM_ID: _ENTRY, "3": _ENTRY},
    ]
)
_MISSING = st.none() | st.sampled_from(
    [
        None,
        observation.Missing(builders.SCM_ID),
        observation.Missing(builders.SCM_ID, hold=2.0),
        observation.Missing(builders.SCM_ID, many=True),
    ]
)
_VIEWS = st.sampled_from([builders.make_view(), builders.make_view(), builders.make_view(fault=FAULTS[1])])


@st.composite
def answers(draw: st.DrawFn, unknowns: tuple[attempt.Attempt, ...]) -> observation.Answers:
    """Draw what may have been asked in this pass about unknown attempts, and else."""
    asked = {one: draw(_ANSWERS) for one in unknowns}
    return observation.Answers(
        lookups={one: answer for one, answer in asked.items() if answer},
        adoption=draw(_ANSWERS),
        shown=draw(_SHOWN),
        unverified=draw(st.sampled_from([frozenset(), frozenset({builders.OTHER_SCM_ID})])),
        deleted=draw(st.sampled_from([frozenset(), frozenset({builders.SCM_ID})])),
    )


@st.composite
def groups(draw: st.DrawFn) -> dict[attempt.Group, observation.GroupView]:
    """Draw how the groups stand: at rest, or with attempts of others."""
    others = draw(st.lists(st.sampled_from(ATTEMPTS), max_size=2))
    return observations.make_groups(
        *others,
        settled_in=draw(st.sampled_from([0.0, 0.0, 20.0])),
        unfenced=draw(st.sampled_from([frozenset(), frozenset(), frozenset({"uid-of-twin"})])),
        looking_up=draw(st.sampled_from([False, False, True])),
    )


@st.composite
def situations(draw: st.DrawFn) -> observation.Observed:
    """Draw what the decision table may look at."""
    wanting = draw(strategies.uploads())
    names, record = wanting.secret_names, wanting.status.record
    memory = draw(memories(names))
    unknowns = () if memory else tuple(draw(st.lists(_attempts, max_size=1)))
    observed = observation.Observed(
        upload=wanting,
        memory=memory,
        account=draw(views(wanting.account or (record.account if record else None))),
        seen=draw(seen_versions(names)),
        wanted=draw(readings(names, key=wanting.private_key is not None)),
        leads=draw(st.sampled_from([True] * 9 + [False])),
        unknowns=unknowns,
        groups=draw(groups()),
        reach={tenant: draw(_VIEWS) for tenant in draw(st.sets(st.sampled_from(TENANTS)))},
        missing=draw(_MISSING),
        resync=draw(st.sampled_from([False, False, True])),
        overdue=draw(st.sampled_from([False, False, True])),
        lost=draw(st.sampled_from([None, None, LOST])),
        earlier_settled_in=draw(st.sampled_from([0.0, 0.0, 20.0])),
    )
    open_one = unknown.unknown_of(observed)
    stand_in = () if open_one is None or open_one in unknowns else (open_one,)
    return dataclasses.replace(observed, answers=draw(answers((*unknowns, *stand_in))))
