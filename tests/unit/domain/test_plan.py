import dataclasses
import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scm_operator.domain import account as accounts
from scm_operator.domain import actions, observation, plan, report, upload
from scm_operator.domain.conditions import TRUE, Verdict
from scm_operator.domain.reasons import Reason
from tests.support import builders
from tests.unit.domain import strategies

FAULT = Verdict(Reason.ACCOUNT_NOT_READY, "the token is empty")
INVALID = Verdict(Reason.INVALID_CSR, "not PEM")
WAITING = Verdict(Reason.WAITING_FOR_SECRET, "no Secret")
UPLOADED = Verdict(Reason.UPLOADED, f"Uploaded to SCM as {builders.SCM_ID}.")
ATTEMPT = builders.make_attempt()
WANTED = builders.make_wanted()
RECORD = builders.make_record()
OTHER_WANTED = builders.make_wanted(
    builders.make_content(digest="cd" * 32), secrets=(builders.make_secret(version="2"),)
)
JOURNALED = observation.Journaled(ATTEMPT, WANTED, generation=1)
STORED = observation.Stored(ATTEMPT, builders.make_status())
UNKNOWN = observation.Unknown(ATTEMPT, report.outcome_unknown(ATTEMPT, "the connection broke."))
GONE = observation.Unreadable(WAITING, (), secret_gone=True)
NOT_READ = observation.NotRead()
OTHER_TENANT = builders.make_tenant(domain="umbrella")
USABLE = builders.make_view()
AT_FAULT = builders.make_view(fault=FAULT)
ELSEWHERE = dataclasses.replace(USABLE, tenant=OTHER_TENANT)
MISSING = observation.AccountView(builders.CLUSTER_DEFAULT, None, Verdict(Reason.ACCOUNT_NOT_FOUND, "none"))
DONE = builders.make_upload(status=builders.make_status())
NEW = builders.make_upload()
OUTCOME_UNKNOWN = builders.make_upload(
    status=builders.make_status(reason=Reason.OUTCOME_UNKNOWN, message="Look in SCM", secrets=())
)


def change(base: upload.Upload, **changes: Any) -> upload.Upload:  # noqa: ANN401 - the fields have various types
    """Copy an upload with some fields changed."""
    return dataclasses.replace(base, **changes)


def planned(
    wanted: observation.Reading = NOT_READ,
    *,
    of: upload.Upload = NEW,
    memory: observation.Remembered | None = None,
    account: observation.AccountView = USABLE,
    seen: tuple[upload.ObservedSecret | None, ...] | None = None,
) -> actions.Action:
    """Return what has to be done next; everything that isn't given is as for a new upload."""
    return plan.plan(builders.make_observed(wanted, of=of, memory=memory, account=account, seen=seen))


# Stored: an id in memory


def test_stored_and_not_recorded_is_written() -> None:
    """An id that only this process knows is written into the status before anything else is done."""
    assert planned(memory=STORED) == actions.WriteRecord(STORED.status)


@pytest.mark.parametrize(
    "of",
    [
        change(NEW, deleting=True),
        change(NEW, suspend=True),
        change(NEW, scm_name="renamed", generation=2),
        builders.make_upload(status=builders.make_status(record=builders.make_record(scm_id=builders.OTHER_SCM_ID))),
        OUTCOME_UNKNOWN,
    ],
    ids=["deleting", "suspended", "renamed", "replacing", "unknown"],
)
def test_stored_is_written_whatever_the_resource_is_by_now(of: upload.Upload) -> None:
    """No change of the resource and no trouble with the account loses an id."""
    assert planned(INVALID_READING, of=of, memory=STORED, account=MISSING) == actions.WriteRecord(STORED.status)


def test_stored_and_recorded_is_concluded() -> None:
    """Once the id is in the status, the attempt is over."""
    assert planned(of=DONE, memory=STORED) == actions.Conclude(ATTEMPT)


# Unknown: a POST that may have been stored


def test_unknown_is_reported() -> None:
    """An outcome that isn't known is told, with what a person can do."""
    assert planned(memory=UNKNOWN) == actions.Report(UNKNOWN.verdict)


@pytest.mark.parametrize("wanted", [NOT_READ, WANTED, OTHER_WANTED, GONE], ids=["unread", "same", "changed", "gone"])
@pytest.mark.parametrize("account", [USABLE, ELSEWHERE, AT_FAULT, MISSING], ids=["same", "other", "fault", "none"])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"generation": 2, "scm_name": "renamed"},
        {"reconcile_requested_at": "2026-02-02"},
        {"suspend": True},
        {"deleting": True},
        {"private_key": None},
    ],
    ids=["unchanged", "renamed", "requested", "suspended", "deleting", "without key"],
)
def test_unknown_is_never_sent_again(
    wanted: observation.Reading, account: observation.AccountView, changed: dict[str, object]
) -> None:
    """A status that says OutcomeUnknown ends all sending: after a restart, and whatever is changed."""
    assert planned(wanted, of=change(OUTCOME_UNKNOWN, **changed), account=account) == actions.Report(
        Verdict(Reason.OUTCOME_UNKNOWN, "Look in SCM")
    )


def test_unknown_stops_an_attempt_that_is_journaled() -> None:
    """A status that says OutcomeUnknown holds back a POST that was about to leave."""
    assert isinstance(planned(of=OUTCOME_UNKNOWN, memory=JOURNALED), actions.Report)


def test_unknown_keeps_the_record_before() -> None:
    """An upload whose second POST has an unknown outcome is not Ready because of its first."""
    of = builders.make_upload(
        status=builders.make_status(reason=Reason.OUTCOME_UNKNOWN, message="Look", record=builders.make_record())
    )
    assert planned(WANTED, of=of) == actions.Report(Verdict(Reason.OUTCOME_UNKNOWN, "Look"))


# Journaled: not sent yet


def test_journaled_and_still_wanted_is_sent() -> None:
    """An attempt that stands in the journal is sent, with the content that was hashed."""
    assert planned(memory=JOURNALED) == actions.Post(ATTEMPT, WANTED)


@pytest.mark.parametrize(
    "of",
    [
        change(NEW, deleting=True),
        change(NEW, suspend=True, generation=2),
        change(NEW, scm_name="renamed", generation=2),
        change(
            NEW,
            generation=2,
            csr=accounts.SecretKey("other", "tls.csr"),
            private_key=accounts.SecretKey("other", "tls.key"),
        ),
    ],
    ids=["deleting", "suspended", "renamed", "another Secret"],
)
def test_journaled_and_not_wanted_any_more_is_never_sent(of: upload.Upload) -> None:
    """A resource that changed meanwhile concludes the attempt as never sent."""
    assert planned(of=of, memory=JOURNALED) == actions.Conclude(ATTEMPT)


@pytest.mark.parametrize(
    ("sent_with_key", "private_key"),
    [(True, None), (False, builders.KEY_REF)],
    ids=["taken away", "added"],
)
def test_journaled_with_another_content_than_the_spec_names_is_never_sent(
    sent_with_key: bool,  # noqa: FBT001 - a column of the table
    private_key: accounts.SecretKey | None,
) -> None:
    """A key that was added to or taken out of the spec meanwhile concludes the attempt, in the same Secret too."""
    content = builders.make_content(key=sent_with_key)
    attempt = builders.make_attempt(content_hash=content.hash)
    memory = observation.Journaled(attempt, builders.make_wanted(content), generation=1)
    of = builders.make_upload(generation=2, private_key=private_key)
    assert planned(of=of, memory=memory) == actions.Conclude(memory.attempt)


@pytest.mark.parametrize(
    "seen",
    [(builders.make_secret(version="2"),), (builders.make_secret(uid="another"),), (None,)],
    ids=["changed", "re-created", "gone"],
)
def test_journaled_from_an_older_secret_is_never_sent(seen: tuple[upload.ObservedSecret | None, ...]) -> None:
    """A Secret that changed meanwhile concludes the attempt as never sent."""
    assert planned(memory=JOURNALED, seen=seen) == actions.Conclude(ATTEMPT)


@pytest.mark.parametrize("account", [ELSEWHERE, AT_FAULT, MISSING], ids=["another tenant", "at fault", "missing"])
def test_journaled_for_another_account_is_never_sent(account: observation.AccountView) -> None:
    """An account that changed or fell away meanwhile concludes the attempt as never sent."""
    assert planned(memory=JOURNALED, account=account) == actions.Conclude(ATTEMPT)


# Deleting, suspended


@pytest.mark.parametrize("of", [NEW, DONE], ids=["new", "uploaded"])
@pytest.mark.parametrize("wanted", [NOT_READ, WANTED, OTHER_WANTED], ids=["unread", "same", "changed"])
def test_deleting_begins_nothing(of: upload.Upload, wanted: observation.Reading) -> None:
    """A resource that is being deleted sends nothing and reads nothing."""
    assert planned(wanted, of=change(of, deleting=True, suspend=True, generation=2)) == actions.Nothing()


@pytest.mark.parametrize("wanted", [NOT_READ, WANTED, GONE], ids=["unread", "read", "gone"])
def test_suspended_before_it_was_uploaded_says_so(wanted: observation.Reading) -> None:
    """A resource that is suspended before its first upload says Suspended, and nothing is read."""
    assert planned(wanted, of=change(NEW, suspend=True), account=AT_FAULT) == actions.Report(
        Verdict(Reason.SUSPENDED, "spec.suspend is true: nothing is uploaded until it is false.")
    )


@pytest.mark.parametrize(
    "changed",
    [{}, {"generation": 2, "scm_name": "renamed"}, {"reconcile_requested_at": "1"}],
    ids=["", "edited", "asked"],
)
def test_suspended_after_it_was_uploaded_stays_ready(changed: dict[str, object]) -> None:
    """Suspending takes back nothing, and nothing is uploaded or renamed meanwhile."""
    assert planned(OTHER_WANTED, of=change(DONE, suspend=True, **changed), account=ELSEWHERE) == actions.Report(
        UPLOADED
    )


def test_suspended_keeps_a_reason_that_it_does_not_know() -> None:
    """A status that another version of the operator wrote is no reason to fail."""
    (condition,) = builders.make_conditions()
    later = dataclasses.replace(condition, status="False", reason="ReasonOfALaterVersion")
    of = change(DONE, suspend=True, status=dataclasses.replace(DONE.status, conditions=(later,)))
    assert isinstance(planned(of=of), actions.Report)


# No account yet


@pytest.mark.parametrize("account", [AT_FAULT, MISSING], ids=["at fault", "missing"])
def test_no_account_yet_is_reported_without_reading(account: observation.AccountView) -> None:
    """A first upload without usable account says so; its Secrets needn't be read for it."""
    assert account.fault is not None
    assert planned(account=account) == actions.Report(account.fault)


# Settled: reported before, and nothing has changed


@pytest.mark.parametrize("account", [USABLE, AT_FAULT, MISSING], ids=["usable", "at fault", "missing"])
@pytest.mark.parametrize("seen", [None, (None,)], ids=["there", "gone"])
def test_settled_needs_nothing(
    account: observation.AccountView, seen: tuple[upload.ObservedSecret | None, ...] | None
) -> None:
    """An upload that is done needs no read, call or write: after a restart, without its Secret, without account."""
    assert planned(of=DONE, account=account, seen=seen) == actions.Nothing()


def test_settled_through_another_account_of_the_tenant() -> None:
    """An account that reaches the same tenant is no reason to send anything."""
    through = builders.make_account(kind=accounts.AccountKind.NAMESPACED, name="own")
    assert planned(of=DONE, account=builders.make_view(account=through)) == actions.Nothing()


def test_settled_when_rejected() -> None:
    """What SCM rejected isn't sent again while spec and Secret are the same."""
    of = builders.make_upload(status=builders.make_status(reason=Reason.REJECTED, message="no"))
    assert planned(of=of) == actions.Nothing()


@pytest.mark.parametrize(
    ("of", "seen"),
    [
        (NEW, None),
        (change(DONE, generation=2), None),
        (change(DONE, reconcile_requested_at="2026-02-02"), None),
        (DONE, (builders.make_secret(version="2"),)),
        (DONE, (builders.make_secret(uid="another"),)),
        (builders.make_upload(status=builders.make_status(secrets=())), None),
        (builders.make_upload(status=builders.make_status(secrets=())), (None,)),
        (
            builders.make_upload(status=builders.make_status(record=builders.make_record(), reason=Reason.THROTTLED)),
            None,
        ),
        (builders.make_upload(status=builders.make_status(reason=Reason.INVALID_CSR)), None),
    ],
    ids=[
        "new",
        "edited",
        "asked",
        "Secret changed",
        "Secret re-created",
        "never read",
        "never read and gone",
        "not renamed yet",
        "invalid",
    ],
)
def test_unsettled_reads_the_secrets(of: upload.Upload, seen: tuple[upload.ObservedSecret | None, ...] | None) -> None:
    """Whatever isn't final, or has changed since it was reported, is looked at again."""
    assert planned(of=of, seen=seen) == actions.ReadSecrets()


def test_unsettled_when_one_of_two_secrets_changed() -> None:
    """Each Secret counts, not the first alone."""
    key = accounts.SecretKey("shop-key", "tls.key")
    secrets = (builders.make_secret(), builders.make_secret("shop-key"))
    of = builders.make_upload(private_key=key, status=builders.make_status(secrets=secrets))
    changed = (builders.make_secret(), builders.make_secret("shop-key", version="2"))
    assert (planned(of=of), planned(of=of, seen=changed)) == (actions.Nothing(), actions.ReadSecrets())


def test_unsettled_in_another_tenant() -> None:
    """An account that leads elsewhere by now is looked at, though the resource is unchanged."""
    assert planned(of=DONE, account=ELSEWHERE) == actions.ReadSecrets()


# Unreadable: what is wanted can't be known


INVALID_READING = observation.Unreadable(INVALID, (builders.make_secret(version="2"),))


@pytest.mark.parametrize("of", [NEW, DONE], ids=["new", "uploaded"])
def test_unreadable_is_reported_with_what_was_read(of: upload.Upload) -> None:
    """A CSR or key that can't be used is told, and the versions that were read are noted."""
    assert planned(INVALID_READING, of=of) == actions.Report(INVALID, secrets=INVALID_READING.secrets)


def test_unreadable_without_secret_is_waited_for() -> None:
    """A first upload whose Secret isn't there says what it waits for."""
    assert planned(GONE) == actions.Report(WAITING, secrets=())


def test_unreadable_after_success_takes_nothing_back() -> None:
    """A Secret that was deleted after the upload leaves it Ready."""
    assert planned(GONE, of=DONE, seen=(None,)) == actions.Report(UPLOADED, record=RECORD)


def test_unreadable_after_success_can_be_renamed() -> None:
    """A rename needs no Secret."""
    of = change(DONE, scm_name="renamed", generation=2)
    assert planned(GONE, of=of, seen=(None,)) == actions.Rename(RECORD, "renamed")


def test_unreadable_after_success_can_be_renamed_after_a_failure() -> None:
    """A rename needs no Secret, and one that failed before needs none either."""
    status = builders.make_status(record=builders.make_record(), reason=Reason.THROTTLED, message="wait", generation=2)
    of = builders.make_upload(scm_name="renamed", generation=2, status=status)
    assert planned(GONE, of=of, seen=(None,)) == actions.Rename(RECORD, "renamed")


def test_unreadable_after_success_for_another_secret_is_waited_for() -> None:
    """A spec that names another Secret by now asks for other content, and waits for it."""
    other = accounts.SecretKey("other", "tls.csr")
    of = change(DONE, csr=other, private_key=None, generation=2)
    assert planned(GONE, of=of, seen=(None,)) == actions.Report(WAITING, secrets=())


def test_unreadable_after_success_for_another_tenant_is_waited_for() -> None:
    """An upload that has to go to another tenant, and whose Secret is gone, says what it waits for."""
    assert planned(GONE, of=change(DONE, generation=2), account=ELSEWHERE, seen=(None,)) == actions.Report(
        WAITING, secrets=()
    )


# Held: the wanted content is recorded


def test_held_is_uploaded() -> None:
    """Content that is recorded isn't sent again; the versions that were read are noted."""
    newer = builders.make_wanted(secrets=(builders.make_secret(version="2"),))
    assert planned(newer, of=DONE) == actions.Report(UPLOADED, secrets=newer.secrets, record=RECORD)


@pytest.mark.parametrize("reason", [Reason.THROTTLED, Reason.KEY_MISMATCH, Reason.SUSPENDED, Reason.REJECTED])
def test_held_is_ready_again_after_a_failure(reason: Reason) -> None:
    """A Secret that holds the recorded content again makes the upload Ready without a call."""
    of = builders.make_upload(status=builders.make_status(record=builders.make_record(), reason=reason))
    assert planned(WANTED, of=of) == actions.Report(UPLOADED, secrets=WANTED.secrets, record=RECORD)


@pytest.mark.parametrize("account", [AT_FAULT, MISSING], ids=["at fault", "missing"])
def test_held_needs_no_account(account: observation.AccountView) -> None:
    """An upload that needs no call is Ready whatever has become of its account."""
    assert planned(WANTED, of=DONE, account=account) == actions.Report(UPLOADED, secrets=WANTED.secrets, record=RECORD)


def test_held_through_another_account_is_recorded_under_it() -> None:
    """An upload that was moved to another account of the same tenant sends nothing, and names that account."""
    own = builders.make_view(account=builders.make_account(kind=accounts.AccountKind.NAMESPACED, name="own"))
    assert own.key is not None
    assert own.tenant is not None
    moved = builders.make_record(account=own.key, tenant=own.tenant)
    assert planned(WANTED, of=change(DONE, account=own.key, generation=2), account=own) == actions.Report(
        UPLOADED, secrets=WANTED.secrets, record=moved
    )


def test_held_under_another_name_is_renamed() -> None:
    """When only the name differs, the entry is renamed, not made anew."""
    assert planned(WANTED, of=change(DONE, scm_name="renamed")) == actions.Rename(RECORD, "renamed")


def test_held_under_another_name_needs_an_account() -> None:
    """A rename without usable account says so."""
    assert planned(WANTED, of=change(DONE, scm_name="renamed"), account=AT_FAULT) == actions.Report(
        FAULT, secrets=WANTED.secrets
    )


# No account, and to send


@pytest.mark.parametrize("account", [AT_FAULT, MISSING], ids=["at fault", "missing"])
def test_no_account_for_new_content_is_reported(account: observation.AccountView) -> None:
    """New content that can't be sent says why; the record stays."""
    assert account.fault is not None
    assert planned(OTHER_WANTED, of=DONE, account=account) == actions.Report(
        account.fault, secrets=OTHER_WANTED.secrets
    )


def test_no_account_of_another_name_is_reported() -> None:
    """An upload that was moved to an account that doesn't exist says so, though its old entry is there."""
    elsewhere = accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "own")
    missing = dataclasses.replace(MISSING, key=elsewhere)
    assert missing.fault is not None
    assert planned(WANTED, of=change(DONE, account=elsewhere, generation=2), account=missing) == actions.Report(
        missing.fault, secrets=WANTED.secrets
    )


def test_new_is_journaled() -> None:
    """A first upload is sent only after its attempt stands in the journal."""
    assert planned(WANTED) == actions.Journal(WANTED, builders.make_tenant())


@pytest.mark.parametrize(
    ("wanted", "account"),
    [
        (OTHER_WANTED, USABLE),
        (builders.make_wanted(builders.make_content(key=False)), USABLE),
        (WANTED, ELSEWHERE),
    ],
    ids=["content", "key", "tenant"],
)
def test_changed_is_journaled(wanted: observation.Wanted, account: observation.AccountView) -> None:
    """Another CSR, a key more or less, or another tenant is a new upload."""
    assert account.tenant is not None
    assert planned(wanted, of=DONE, account=account) == actions.Journal(wanted, account.tenant)


@pytest.mark.parametrize("reason", [Reason.REJECTED, Reason.THROTTLED, Reason.ENTRY_MISSING, Reason.SUSPENDED])
def test_failed_is_journaled_again(reason: Reason) -> None:
    """What was surely not stored is tried again when its turn comes."""
    of = builders.make_upload(status=builders.make_status(reason=reason, message="m"))
    assert planned(WANTED, of=of) == actions.Journal(WANTED, builders.make_tenant())


# What holds for every row


def says_unknown(observed: observation.Observed) -> bool:
    """Say whether the status remembers an unknown outcome."""
    ready = observed.upload.status.ready
    return ready is not None and ready.reason == Reason.OUTCOME_UNKNOWN


@given(strategies.observations())
@settings(max_examples=120)
def test_the_table_has_an_answer_to_everything(observed: observation.Observed) -> None:
    """Whatever is observed, something has to be done, and it is always the same."""
    assert isinstance(plan.plan(observed), actions.Action)
    assert plan.plan(observed) == plan.plan(observed)


@given(strategies.observations())
@settings(max_examples=120)
def test_only_a_journaled_attempt_that_is_still_wanted_is_sent(observed: observation.Observed) -> None:
    """A POST is the attempt in the journal, for the name, account and content that the resource asks for now."""
    action, wanting = plan.plan(observed), observed.upload
    if not isinstance(action, actions.Post):
        return
    assert isinstance(observed.memory, observation.Journaled)
    assert (action.attempt, action.wanted) == (observed.memory.attempt, observed.memory.wanted)
    assert (wanting.deleting, wanting.suspend, observed.account.fault, says_unknown(observed)) == (
        False,
        False,
        None,
        False,
    )
    assert (action.attempt.scm_name, action.attempt.tenant) == (wanting.scm_name, observed.account.tenant)
    assert action.wanted.secrets == observed.seen
    assert (action.wanted.content.private_key_pem is None) == (wanting.private_key is None)


@given(strategies.observations())
@settings(max_examples=120)
def test_a_call_is_begun_only_where_it_may_be(observed: observation.Observed) -> None:
    """Nothing is begun in the dark: no memory, nothing unknown, not suspended, not deleting, a usable account."""
    action, wanting = plan.plan(observed), observed.upload
    if isinstance(action, actions.Journal | actions.Rename):
        assert observed.memory is None
        assert (wanting.deleting, wanting.suspend, says_unknown(observed)) == (False, False, False)
        assert observed.account.fault is None


@given(strategies.observations())
@settings(max_examples=120)
def test_what_is_recorded_is_never_sent_again(observed: observation.Observed) -> None:
    """An attempt is journaled for the content that was read, and only if the record isn't of it in this tenant."""
    action, record = plan.plan(observed), observed.upload.status.record
    if isinstance(action, actions.Journal):
        assert (action.wanted, action.tenant) == (observed.wanted, observed.account.tenant)
        assert record is None or not (
            record.content_hash == action.wanted.content.hash and record.tenant.same_as(action.tenant)
        )
    if isinstance(action, actions.Rename):
        assert record is not None
        assert (action.record.scm_id, action.scm_name) == (record.scm_id, observed.upload.scm_name)
        assert record.scm_name != action.scm_name


@given(strategies.observations())
@settings(max_examples=120)
def test_nothing_is_done_only_when_all_is_done(observed: observation.Observed) -> None:
    """Nothing left to do means: deleting, or Ready or rejected for this very spec, with no request open."""
    if plan.plan(observed) != actions.Nothing():
        return
    wanting, ready = observed.upload, observed.upload.status.ready
    assert observed.memory is None
    if not wanting.deleting:
        assert ready is not None
        assert ready.status == TRUE or ready.reason == Reason.REJECTED
        assert (wanting.status.observed_generation, wanting.reconcile_requested) == (wanting.generation, False)


@given(strategies.observations(memory="stored"))
def test_an_id_is_never_forgotten(observed: observation.Observed) -> None:
    """An id in memory is written until the status has it; nothing else comes first."""
    assert isinstance(observed.memory, observation.Stored)
    record = observed.upload.status.record
    known = record is not None and record.scm_id == observed.memory.record.scm_id
    expected = actions.Conclude(observed.memory.attempt) if known else actions.WriteRecord(observed.memory.status)
    assert plan.plan(observed) == expected


@given(strategies.observations(memory="unknown"))
def test_an_unknown_outcome_is_never_forgotten(observed: observation.Observed) -> None:
    """An unknown outcome in memory is all that is reported, whatever becomes of the resource."""
    action = plan.plan(observed)
    assert isinstance(action, actions.Report)
    assert action.verdict.reason == Reason.OUTCOME_UNKNOWN


@given(strategies.observations())
@settings(max_examples=120)
def test_ready_is_said_only_of_what_is_recorded(observed: observation.Observed) -> None:
    """Uploaded is the verdict only with a record, and no report exchanges the entry that is recorded."""
    action, record = plan.plan(observed), observed.upload.status.record
    if isinstance(action, actions.Report):
        assert record is not None or action.verdict.reason != Reason.UPLOADED
        assert action.record is None or action.record.scm_id == (record and record.scm_id)


@given(strategies.observations())
@settings(max_examples=120)
def test_secrets_are_read_once(observed: observation.Observed) -> None:
    """What was read in this pass isn't read again, so a pass comes to an end."""
    if not isinstance(observed.wanted, observation.NotRead):
        assert not isinstance(plan.plan(observed), actions.ReadSecrets)


@given(strategies.observations())
@settings(max_examples=120)
def test_a_report_stands_when_it_is_written(observed: observation.Observed) -> None:
    """After a report, the same observation leads to the same report, and to no second write."""
    action = plan.plan(observed)
    if not isinstance(action, actions.Report):
        return
    written = reported(observed, action, now=builders.NOW)
    after = dataclasses.replace(
        observed,
        upload=change(observed.upload, status=written),
        memory=None if isinstance(observed.memory, observation.Unknown) else observed.memory,
    )
    assert reported(after, plan.plan(after), now=builders.NOW + datetime.timedelta(hours=1)) == written


def reported(observed: observation.Observed, action: actions.Action, *, now: datetime.datetime) -> upload.Status:
    """Return the status that a report leads to."""
    assert isinstance(action, actions.Report)
    return report.reported(observed.upload, action.verdict, secrets=action.secrets, record=action.record, now=now)


# What holds over the life of a resource


@dataclasses.dataclass(slots=True)
class FakeProcess:
    """One operator and a world in which writes always succeed; each POST ends as the test says."""

    observed: observation.Observed
    posts: list[observation.Attempt] = dataclasses.field(default_factory=list)
    steps: int = 0

    def run(self, reading: observation.Wanted | observation.Unreadable, *, answer: str) -> None:
        """Take the steps that are due for one event; ``answer`` is what SCM says to a POST."""
        self._set(wanted=NOT_READ)
        for _ in range(10):
            action = plan.plan(self.observed)
            if not self._take(action, reading, answer):
                return
        raise AssertionError("no end after 10 steps")

    def restart(self) -> None:
        """Forget what only a process knows, after a clean end."""
        self._set(memory=None)

    def _set(self, **changes: Any) -> None:  # noqa: ANN401 - the fields have various types
        self.observed = dataclasses.replace(self.observed, **changes)

    def _write(self, status: upload.Status) -> None:
        self._set(upload=change(self.observed.upload, status=status))

    def _take(self, action: actions.Action, reading: observation.Wanted | observation.Unreadable, answer: str) -> bool:
        """Take one step; return False after the last."""
        match action:
            case actions.ReadSecrets():
                self._set(wanted=reading)
            case actions.Journal(wanted, tenant):
                wanting = self.observed.upload
                attempt = builders.make_attempt(
                    scm_name=wanting.scm_name, tenant=tenant, content_hash=wanted.content.hash
                )
                self._set(memory=observation.Journaled(attempt, wanted, wanting.generation))
            case actions.Post(attempt, wanted):
                self.posts.append(attempt)
                return self._answer(attempt, wanted, answer)
            case actions.Conclude():
                self._set(memory=None)
            case actions.WriteRecord(status):
                self._write(status)
            case actions.Rename(record):
                self._write(report.renamed(self.observed.upload, record, now=builders.NOW))
            case actions.Report():
                self._write(reported(self.observed, action, now=builders.NOW))
                if isinstance(self.observed.memory, observation.Unknown):
                    self._set(memory=None)
                return False
            case actions.Nothing():
                return False
        return True

    def _answer(self, attempt: observation.Attempt, wanted: observation.Wanted, answer: str) -> bool:
        wanting = self.observed.upload
        if answer == "unknown":
            verdict = report.outcome_unknown(attempt, "the connection broke.")
            self._set(memory=observation.Unknown(attempt, verdict))
        elif answer == "stored":
            status = report.recorded(
                wanting,
                wanted,
                attempt,
                scm_id=f"{len(self.posts):032x}",
                create_time="2026-02-03T04:05:06.000Z",
                account=self.observed.account.key or builders.CLUSTER_DEFAULT,
                now=builders.NOW,
            )
            self._set(memory=observation.Stored(attempt, status))
        else:
            self._set(memory=None)
            rejected = Verdict(Reason.REJECTED, "no")
            self._write(report.reported(wanting, rejected, secrets=wanted.secrets, now=builders.NOW))
            return False
        return True


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[upload.Upload, observation.AccountView, observation.Wanted, str]]:
    """Draw what becomes of one resource: its spec, account and Secret after each event, and SCM's next answer."""
    events = []
    for generation in range(1, draw(st.integers(2, 5)) + 1):
        private_key = draw(st.sampled_from([builders.KEY_REF, builders.KEY_REF, None]))
        content = builders.make_content(digest=draw(st.sampled_from(["ab", "cd"])) * 32, key=private_key is not None)
        events.append(
            (
                builders.make_upload(
                    generation=generation,
                    scm_name=draw(st.sampled_from(strategies.SCM_NAMES)),
                    private_key=private_key,
                    suspend=draw(st.sampled_from([False, False, False, True])),
                ),
                draw(st.sampled_from([USABLE, USABLE, ELSEWHERE, AT_FAULT])),
                builders.make_wanted(content, secrets=(builders.make_secret(version=str(generation)),)),
                draw(st.sampled_from(["stored", "stored", "rejected", "unknown"])),
            )
        )
    return events


@given(lives(), st.booleans())
@settings(max_examples=100)
def test_over_a_life_no_content_is_sent_twice_in_a_row(
    life: list[tuple[upload.Upload, observation.AccountView, observation.Wanted, str]],
    restarts: bool,  # noqa: FBT001 - drawn
) -> None:
    """Each event costs at most one POST, seeing it again costs none, and after an unknown outcome there is none."""
    process = FakeProcess(builders.make_observed())
    for wanting, account, wanted, answer in life:
        before, sent = process.observed.upload.status, len(process.posts)
        process.observed = builders.make_observed(
            of=change(wanting, status=before), account=account, seen=wanted.secrets
        )
        process.run(wanted, answer=answer)
        first = process.posts[sent:]
        if restarts:
            process.restart()
        settled = process.observed.upload.status
        process.run(wanted, answer=answer)

        assert len(first) <= 1
        assert process.posts[sent:] == first
        assert process.observed.upload.status == settled
        if first:
            assert before.ready is None or before.ready.reason != Reason.OUTCOME_UNKNOWN
            assert before.record is None or not (
                before.record.content_hash == first[0].content_hash and before.record.tenant.same_as(first[0].tenant)
            )
