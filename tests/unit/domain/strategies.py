"""What property tests draw from: few different values of each kind, made once: they are cheap and often meet."""

import functools
import itertools
import json
from collections.abc import Iterator
from typing import Any, Literal

from hypothesis import strategies as st

from scm_operator.domain import account as accounts
from scm_operator.domain import observation, report, upload
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.reasons import Reason
from tests.support import builders

OWN = accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "own")
MESSAGES = ("m", "", "Sentence.", "a\n…\U0001f512", "x" * 1_024, "x" * 1_025)
REQUESTS = (None, "2026-01-01", "2026-02-02", "")
SCM_NAMES = ("shop-tls", "renamed")
TENANTS = (
    builders.make_tenant(),
    builders.make_tenant(account=str(OWN)),  # the same tenant, reached through another account
    builders.make_tenant(domain="umbrella"),
    builders.make_tenant(domain=None, scope=None),
    builders.make_tenant(domain=None, scope=None, account=str(OWN)),
)
CONTENTS = tuple(
    builders.make_content(digest=digest * 32, key=key) for digest, key in itertools.product(["ab", "cd"], [True, False])
)
RECORDS = (
    builders.make_record(),
    builders.make_record(scm_id=builders.OTHER_SCM_ID),
    builders.make_record(scm_name="renamed"),
    builders.make_record(tenant=TENANTS[2]),
    builders.make_record(tenant=TENANTS[3], account=OWN),
    builders.make_record(content_hash=CONTENTS[1].hash),
    builders.make_record(content_hash=CONTENTS[2].hash, scm_name="renamed"),
)
SECRETS = tuple(
    builders.make_secret(name, version=version)
    for version, name in itertools.product(["1", "2"], ["shop-tls", "shop-key"])
)
OBSERVED_SECRETS = ((SECRETS[0],), (), (SECRETS[2],), (SECRETS[0], SECRETS[1]), (SECRETS[0], SECRETS[3]))
FAULTS = (Verdict(Reason.ACCOUNT_NOT_FOUND, "none"), Verdict(Reason.ACCOUNT_NOT_READY, "the token is empty"))
LOCAL_REASONS = (
    Reason.WAITING_FOR_SECRET,
    Reason.SECRET_KEY_MISSING,
    Reason.INVALID_CSR,
    Reason.CSR_TOO_LARGE,
    Reason.INVALID_PRIVATE_KEY,
    Reason.KEY_MISMATCH,
)


def _statuses() -> Iterator[upload.Status]:
    """Yield what the operator may have written; only what has a record is Uploaded."""
    yield upload.Status()
    values = itertools.product(RECORDS, OBSERVED_SECRETS, REQUESTS, [1, 2])
    for record, secrets, request, generation in values:
        yield builders.make_status(
            record=record, secrets=secrets, last_handled_reconcile_at=request, generation=generation
        )
    failures = [reason for reason in Reason if reason is not Reason.UPLOADED]
    values_of_failures = itertools.product(failures, [None, *RECORDS], OBSERVED_SECRETS, [1, 2])
    for number, (reason, kept, secrets, generation) in enumerate(values_of_failures):
        yield builders.make_status(
            record=kept,
            reason=reason,
            message=MESSAGES[number % len(MESSAGES)],
            secrets=secrets,
            last_handled_reconcile_at=REQUESTS[number % len(REQUESTS)],
            generation=generation,
        )


STATUSES = tuple(_statuses())


@functools.cache
def statuses(*, recorded: bool = False) -> st.SearchStrategy[upload.Status]:
    """Draw a status, or only one with a record; each way of being Ready and not comes equally often."""
    kept = [status for status in STATUSES if status.record or not recorded]
    by_reason = itertools.groupby(kept, key=lambda status: status.ready and status.ready.reason)
    return st.one_of([st.sampled_from(list(group)) for _, group in by_reason])


@st.composite
def uploads(draw: st.DrawFn) -> upload.Upload:
    """Draw a resource in any state; most are neither suspended nor being deleted."""
    return builders.make_upload(
        generation=draw(_GENERATIONS),
        deleting=draw(_SELDOM),
        scm_name=draw(_NAMES),
        csr=draw(_CSR_REFS),
        private_key=draw(_KEY_REFS),
        account=draw(_ACCOUNTS),
        suspend=draw(_SELDOM),
        reconcile_requested_at=draw(_REQUESTS),
        status=draw(statuses()),
    )


_SELDOM = st.sampled_from([False, False, False, True])
_GENERATIONS = st.sampled_from([1, 2])
_NAMES = st.sampled_from(SCM_NAMES)
_REQUESTS = st.sampled_from(REQUESTS)
_ACCOUNTS = st.sampled_from([None, builders.CLUSTER_DEFAULT, OWN])
_CSR_REFS = st.sampled_from([builders.CSR_REF, builders.CSR_REF, accounts.SecretKey("shop-key", "tls.csr")])
_KEY_REFS = st.sampled_from([builders.KEY_REF, None, accounts.SecretKey("shop-key", "tls.key")])


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


_ATTEMPTS = tuple(
    builders.make_attempt(scm_name=name, tenant=tenant) for name, tenant in itertools.product(SCM_NAMES, TENANTS)
)
STORED = st.builds(observation.Stored, st.sampled_from(_ATTEMPTS), statuses(recorded=True))
UNKNOWN = st.sampled_from(
    [
        observation.Unknown(attempt, report.outcome_unknown(attempt, message))
        for attempt, message in itertools.product(_ATTEMPTS, MESSAGES)
    ]
)


@functools.cache
def journaled(names: tuple[str, ...]) -> st.SearchStrategy[observation.Journaled]:
    """Draw an attempt that was made of the named Secrets, before or after the resource's last change."""
    wanted = [observation.Wanted(content, secrets) for content in CONTENTS for secrets in versions_of(names)]
    return st.builds(observation.Journaled, st.sampled_from(_ATTEMPTS), st.sampled_from(wanted))


@functools.cache
def memories(
    names: tuple[str, ...], *, kind: Literal["stored", "unknown"] | None
) -> st.SearchStrategy[observation.Remembered | None]:
    """Draw what a process may remember of a resource that names some Secrets, or only what is of one kind."""
    match kind:
        case "stored":
            return STORED
        case "unknown":
            return UNKNOWN
        case None:
            return st.none() | st.none() | journaled(names) | STORED | UNKNOWN


@st.composite
def observations(draw: st.DrawFn, *, memory: Literal["stored", "unknown"] | None = None) -> observation.Observed:
    """Draw what the decision table may look at, or only with one kind of ``memory``."""
    wanting = draw(uploads())
    names, record = wanting.secret_names, wanting.status.record
    return observation.Observed(
        upload=wanting,
        memory=draw(memories(names, kind=memory)),
        account=draw(views(wanting.account or (record.account if record else None))),
        seen=draw(seen_versions(names)),
        wanted=draw(readings(names, key=wanting.private_key is not None)),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, "", "a", "ScmAccount"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "key", "a"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def damaged(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    """Draw a copy of an object of which one to three fields, anywhere, are taken out or hold some other JSON."""
    copy: dict[str, Any] = json.loads(json.dumps(body))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(copy))
        if not places:
            break
        parent, name = draw(st.sampled_from(places))
        if draw(st.booleans()):
            parent[name] = draw(JSON)
        else:
            del parent[name]
    return copy


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    names = range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
    for name in names:
        yield value, name
        yield from _places(value[name])
