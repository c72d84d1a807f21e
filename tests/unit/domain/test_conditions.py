import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scm_operator.domain import conditions, fields
from scm_operator.domain.conditions import Condition, Verdict
from scm_operator.domain.reasons import AccountReason, Reason
from tests.support import builders
from tests.unit.domain import schemas

LATER = builders.NOW + datetime.timedelta(hours=1)
THEN, AFTERWARDS = "2026-02-03T04:05:06Z", "2026-02-03T05:05:06Z"

# What a tool that waits (helm --wait, Flux) makes of each reason; a new reason must be placed here.
READY = {Reason.UPLOADED}
STALLED = {
    Reason.INVALID_CSR,
    Reason.CSR_TOO_LARGE,
    Reason.INVALID_PRIVATE_KEY,
    Reason.KEY_MISMATCH,
    Reason.REJECTED,
    Reason.ADOPTION_UNKNOWN,
}
STALLED_AND_UNKNOWN = {Reason.OUTCOME_UNKNOWN}
RECONCILING = {
    Reason.SUSPENDED,
    Reason.WAITING_FOR_SECRET,
    Reason.SECRET_KEY_MISSING,
    Reason.ACCOUNT_NOT_FOUND,
    Reason.ACCOUNT_NOT_READY,
    Reason.AUTHENTICATION_FAILED,
    Reason.ACCESS_DENIED,
    Reason.ENDPOINT_NOT_FOUND,
    Reason.ENTRY_MISSING,
    Reason.THROTTLED,
    Reason.UNREACHABLE,
    Reason.SERVER_ERROR,
    Reason.RESOLVING_OUTCOME,
    Reason.JOURNAL_FULL,
    Reason.DELETING,
    Reason.DELETE_BLOCKED,
}


def conditions_of(
    verdict: Verdict, *, previous: tuple[Condition, ...] = (), now: datetime.datetime = builders.NOW
) -> dict[str, Condition]:
    """Return the conditions after a verdict, by type."""
    made = conditions.conditions_for(verdict, previous=previous, generation=3, now=now)
    return {condition.type: condition for condition in made}


def states_of(verdict: Verdict) -> dict[str, str]:
    """Return the status of each condition after a verdict."""
    return {kind: condition.status for kind, condition in conditions_of(verdict).items()}


def test_each_reason_is_placed_once() -> None:
    """A reason is either ready, stalled or reconciling, and no reason is forgotten."""
    placed = [*READY, *STALLED, *STALLED_AND_UNKNOWN, *RECONCILING]
    assert sorted(placed) == sorted(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_is_what_kstatus_should_see(reason: Reason) -> None:
    """Ready is always there; exactly one of Reconciling and Stalled is beside it unless it is True."""
    expected = (
        {"Ready": "True"}
        if reason in READY
        else {"Ready": "False", "Stalled": "True"}
        if reason in STALLED
        else {"Ready": "Unknown", "Stalled": "True"}
        if reason in STALLED_AND_UNKNOWN
        else {"Ready": "False", "Reconciling": "True"}
    )
    assert states_of(Verdict(reason, "m")) == expected


@pytest.mark.parametrize("reason", AccountReason)
def test_an_account_is_never_stalled(reason: AccountReason) -> None:
    """An account is ready, or waits for somebody to repair it: its uploads go on by themselves then."""
    expected = {"Ready": "True"} if reason is AccountReason.READY else {"Ready": "False", "Reconciling": "True"}
    assert states_of(Verdict(reason, "m")) == expected


@pytest.mark.parametrize("reason", [AccountReason.READY, AccountReason.LOGIN_FAILED])
def test_degraded_leaves_the_rest_alone(reason: AccountReason) -> None:
    """What is wrong without making an account any less Ready is a condition of its own, and only while it lasts."""
    verdict, degraded = Verdict(reason, "m"), Verdict(AccountReason.JOURNAL_FULL, "too many")
    made = conditions.conditions_for(verdict, previous=(), generation=3, now=builders.NOW, degraded=degraded)
    without = conditions.conditions_for(verdict, previous=made, generation=3, now=builders.NOW)
    assert made == (*without, Condition("Degraded", "True", "JournalFull", "Too many", 3, THEN))


def test_degraded_has_its_own_time() -> None:
    """What makes an account degraded may change without a transition; Ready's time is another."""
    ready, full = Verdict(AccountReason.READY, "m"), Verdict(AccountReason.JOURNAL_FULL, "m")
    failed = Verdict(AccountReason.RESYNC_FAILED, "m")
    before = conditions.conditions_for(ready, previous=(), generation=1, now=builders.NOW)
    once = conditions.conditions_for(ready, previous=before, generation=1, now=LATER, degraded=full)
    again = conditions.conditions_for(
        ready, previous=once, generation=1, now=LATER + datetime.timedelta(hours=1), degraded=failed
    )
    assert [each.last_transition_time for each in again] == [THEN, AFTERWARDS]


@pytest.mark.parametrize("reason", [*Reason, *AccountReason])
def test_each_reason_may_stand_in_a_condition(reason: Reason | AccountReason) -> None:
    """The API server takes each reason: CamelCase, without blanks."""
    assert reason.isascii()
    assert reason.isalpha()
    assert reason[0].isupper()


def test_each_condition_says_the_same() -> None:
    """Reason, message and generation are those of the verdict in every condition."""
    made = conditions_of(Verdict(Reason.THROTTLED, "Wait."))
    assert {(each.reason, each.message, each.observed_generation) for each in made.values()} == {
        ("Throttled", "Wait.", 3)
    }


@pytest.mark.parametrize(
    ("message", "shown"),
    [("no Secret yet", "No Secret yet"), ("SCM says no", "SCM says no"), ("'a' is no key", "'a' is no key"), ("", "")],
    ids=["lower case", "upper case", "no letter", "empty"],
)
def test_a_message_is_a_sentence(message: str, shown: str) -> None:
    """A message begins with a capital, wherever it was put together; the rest of it stays as it is."""
    assert conditions_of(Verdict(Reason.THROTTLED, message))["Ready"].message == shown


def test_a_new_condition_has_the_time_of_now() -> None:
    """A condition that wasn't there before has changed now."""
    made = conditions_of(Verdict(Reason.THROTTLED, "m"))
    assert {each.last_transition_time for each in made.values()} == {THEN}


def test_a_status_that_stays_keeps_its_time() -> None:
    """Another reason and message alone are no transition."""
    before = builders.make_conditions(Reason.THROTTLED, "wait")
    made = conditions_of(Verdict(Reason.UNREACHABLE, "refused"), previous=before, now=LATER)
    assert {each.last_transition_time for each in made.values()} == {THEN}


def test_a_status_that_changes_has_the_time_of_now() -> None:
    """Ready from False to True is a transition."""
    before = builders.make_conditions(Reason.THROTTLED, "wait")
    made = conditions_of(Verdict(Reason.UPLOADED, "m"), previous=before, now=LATER)
    assert made["Ready"].last_transition_time == AFTERWARDS


def test_each_condition_has_its_own_time() -> None:
    """From Reconciling to Stalled, Ready stays False and keeps its time; Stalled is new."""
    before = builders.make_conditions(Reason.THROTTLED, "wait")
    made = conditions_of(Verdict(Reason.REJECTED, "m"), previous=before, now=LATER)
    assert (made["Ready"].last_transition_time, made["Stalled"].last_transition_time) == (THEN, AFTERWARDS)


def test_a_condition_that_comes_back_is_new() -> None:
    """Reconciling that was away for a while doesn't remember when it was there before."""
    ready = conditions.conditions_for(
        Verdict(Reason.UPLOADED, "m"), previous=builders.make_conditions(Reason.THROTTLED, "m"), generation=1, now=LATER
    )
    again = conditions_of(Verdict(Reason.THROTTLED, "m"), previous=ready, now=LATER + datetime.timedelta(hours=1))
    assert again["Reconciling"].last_transition_time == "2026-02-03T06:05:06Z"


@pytest.mark.parametrize(("length", "shown"), [(0, 0), (1_023, 1_023), (1_024, 1_024), (1_025, 1_024), (50_000, 1_024)])
def test_a_message_has_at_most_1024_characters(length: int, shown: int) -> None:
    """A longer message is cut."""
    made = conditions_of(Verdict(Reason.THROTTLED, "x" * length))
    assert {len(each.message) for each in made.values()} == {shown}


def test_a_message_that_is_cut_says_so() -> None:
    """An ellipsis stands for what is left out."""
    assert conditions_of(Verdict(Reason.THROTTLED, "Ab" * 1_024))["Ready"].message == "Ab" * 511 + "A…"


@given(st.sampled_from(Reason), st.sampled_from(Reason), st.text("aß\n…", max_size=3))
def test_the_same_verdict_again_changes_nothing(first: Reason, second: Reason, message: str) -> None:
    """A verdict that stands already is no change, however much later it comes, and whatever was before."""
    before = builders.make_conditions(first, message, generation=3)
    once = conditions.conditions_for(Verdict(second, message), previous=before, generation=3, now=LATER)
    again = conditions.conditions_for(
        Verdict(second, message), previous=once, generation=3, now=LATER + datetime.timedelta(hours=1)
    )
    assert again == once


def test_a_condition_is_read_as_it_was_written() -> None:
    """What is written into a status is read back unchanged."""
    for condition in builders.make_conditions(Reason.THROTTLED, "wait"):
        assert conditions.parse_condition(fields.Fields(condition.to_json())) == condition


def test_a_condition_has_the_fields_of_the_crd() -> None:
    """The accounts' conditions are declared as the code writes them."""
    (condition,) = builders.make_conditions()
    for plural in ("scmaccounts", "clusterscmaccounts", "certificaterequestuploads"):
        status = schemas.schema_of(plural)["properties"]["status"]["properties"]
        assert set(condition.to_json()) == set(status["conditions"]["items"]["properties"])


def test_a_condition_is_found_by_its_type() -> None:
    """The condition of a type is found, or nothing."""
    stalled = builders.make_conditions(Reason.REJECTED, "m")
    assert conditions.find(stalled, conditions.STALLED) == stalled[1]
    assert conditions.find(stalled, conditions.RECONCILING) is None
    assert conditions.find((), conditions.READY) is None


def test_a_time_is_utc_in_whole_seconds() -> None:
    """A time of any zone is written as the API server writes its own."""
    zone = datetime.timezone(datetime.timedelta(hours=8))
    moment = datetime.datetime(2026, 2, 3, 12, 5, 6, 999_999, tzinfo=zone)
    assert conditions.timestamp(moment) == THEN


def test_a_time_is_read_as_it_was_written() -> None:
    """A metav1.Time is read back as the moment that it was."""
    assert conditions.moment(THEN) == builders.NOW
