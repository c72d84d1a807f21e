"""What property tests draw from: few different values of each kind, made once: they are cheap and often meet."""

import functools
import itertools
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from scm_operator.domain import account as accounts
from scm_operator.domain import upload
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
    builders.make_record(origin="Recovered", attempt_id="5e0f"),
    builders.make_record(origin="Adopted", attempt_id=None),
    builders.make_record(content_hash=CONTENTS[1].hash),
    builders.make_record(content_hash=CONTENTS[2].hash, scm_name="renamed"),
)
SECRETS = tuple(
    builders.make_secret(name, version=version)
    for version, name in itertools.product(["1", "2"], ["shop-tls", "shop-key"])
)
OBSERVED_SECRETS = ((SECRETS[0],), (), (SECRETS[2],), (SECRETS[0], SECRETS[1]), (SECRETS[0], SECRETS[3]))
HISTORIES = (
    (),
    (),
    (builders.make_replaced(),),
    (builders.make_replaced(origin="Adopted", attempt_id=None),),
    (builders.make_replaced(deleting=True), builders.make_replaced(scm_id="2", tenant=TENANTS[3], account=OWN)),
    (builders.make_replaced(scm_id="3", digest=builders.DIGEST), builders.make_replaced(scm_name="renamed")),
)
TERMS = (0, 1, 2)
ENDED = (None, None, "5e0f", "lost-1")


def _statuses() -> Iterator[upload.Status]:
    """Yield what the operator may have written; only what has a record is Uploaded."""
    yield upload.Status()
    others: Iterator[dict[str, Any]] = (
        {"history": history, "term": term, "concluded_attempt_id": ended}
        for history, term, ended in itertools.cycle(itertools.product(HISTORIES, TERMS, ENDED))
    )
    values = itertools.product(RECORDS, OBSERVED_SECRETS, REQUESTS, [1, 2])
    for record, secrets, request, generation in values:
        yield builders.make_status(
            record=record, secrets=secrets, last_handled_reconcile_at=request, generation=generation, **next(others)
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
            **next(others),
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
        deletion_policy=draw(_DELETION),
        adoption_policy=draw(_ADOPTION),
        confirm_upload=draw(_CONFIRMED),
        created=draw(_CREATED),
        finalizers=draw(_FINALIZERS),
    )


_SELDOM = st.sampled_from([False, False, False, True])
_DELETION = st.sampled_from(upload.DeletionPolicy)
_ADOPTION = st.sampled_from([upload.AdoptionPolicy.NEVER, *upload.AdoptionPolicy])
_CONFIRMED = st.sampled_from([None, None, "5e0f", "lost-1"])
_CREATED = st.sampled_from(["2026-02-03T04:05:00Z", "2026-02-03T05:00:00Z"])
_FINALIZERS = st.sampled_from([None, None, None, (), (upload.FINALIZER,), ("other", upload.FINALIZER)])
_GENERATIONS = st.sampled_from([1, 2])
_NAMES = st.sampled_from(SCM_NAMES)
_REQUESTS = st.sampled_from(REQUESTS)
_ACCOUNTS = st.sampled_from([None, builders.CLUSTER_DEFAULT, OWN])
_CSR_REFS = st.sampled_from([builders.CSR_REF, builders.CSR_REF, accounts.SecretKey("shop-key", "tls.csr")])
_KEY_REFS = st.sampled_from([builders.KEY_REF, None, accounts.SecretKey("shop-key", "tls.key")])


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
