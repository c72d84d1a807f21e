"""The look-up of exactly-once.md: which listed entry an attempt has made, if any; what can't be told isn't guessed."""

import datetime
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scm_operator.domain import entry, lookup
from tests.support import builders
from tests.support.builders import DIGEST, NOW, OTHER_DIGEST, make_entry, make_listing

ENTRY = make_entry()
OLDER = make_entry(scm_id="older", created=NOW - datetime.timedelta(seconds=2))
UNREAD = make_entry(der_digest=None)


def seconds(count: float) -> datetime.timedelta:
    """Return a duration."""
    return datetime.timedelta(seconds=count)


def search(
    *entries: entry.ListedEntry,
    complete: bool = True,
    date: datetime.datetime | None = NOW,
    shown: Mapping[str, entry.ListedEntry | None] | None = None,
    claimed: frozenset[str] = frozenset(),
    since: datetime.datetime | None = NOW,
) -> lookup.Answer | lookup.ShowFirst:
    """Look for the entry of a POST of NOW, in a list that was answered NOW."""
    sought = lookup.Sought("shop-tls", DIGEST, since)
    listing = make_listing(*entries, complete=complete, date=date)
    return lookup.search(sought, listing, shown=shown or {}, claimed=claimed, now=NOW)


def why(answer: lookup.Answer | lookup.ShowFirst) -> str:
    """Return why it can't be told."""
    assert isinstance(answer, lookup.CantTell)
    return answer.why


# By name and content


def test_the_entry_is_found() -> None:
    """An entry of the name and CSR that nobody claims, not older than the POST, is its."""
    assert search(ENTRY) == lookup.Found(ENTRY)


@pytest.mark.parametrize("name", ["shop-tls-2", "shop-tl", "SHOP-TLS", "shop-tls ", ""])
def test_only_the_exact_name_counts(name: str) -> None:
    """The service's filter is fuzzy: what only resembles the name is none of it."""
    assert search(make_entry(scm_name=name)) == lookup.Absent()
    assert search(make_entry(scm_name=name, der_digest=None)) == lookup.Absent()


def test_only_the_same_csr_counts() -> None:
    """An entry of the same name with another CSR is another one."""
    assert search(make_entry(der_digest=OTHER_DIGEST)) == lookup.Absent()


def test_what_is_claimed_is_left_out() -> None:
    """Counterexample 8: an entry that another resource has isn't taken, and the next one is."""
    other = make_entry(scm_id="2")
    assert search(ENTRY, claimed=frozenset({ENTRY.scm_id})) == lookup.Absent()
    assert search(ENTRY, other, claimed=frozenset({ENTRY.scm_id})) == lookup.Found(other)


@pytest.mark.parametrize(
    "claimed",
    [
        UNREAD,
        make_entry(created=None),
        make_entry(created=NOW - seconds(60)),
    ],
    ids=["unread", "no create time", "a little older"],
)
def test_what_is_claimed_is_no_doubt(claimed: entry.ListedEntry) -> None:
    """An entry that another resource has needn't be shown, and stands in no way."""
    assert search(claimed, claimed=frozenset({claimed.scm_id})) == lookup.Absent()


def test_the_oldest_is_found() -> None:
    """Of several entries the oldest is taken, in whatever order they are listed."""
    assert search(ENTRY, OLDER) == lookup.Found(OLDER)
    assert search(OLDER, ENTRY) == lookup.Found(OLDER)


def test_of_one_age_the_lower_id_is_found() -> None:
    """Two processes that look at the same list find the same entry."""
    one, other = make_entry(scm_id="1"), make_entry(scm_id="2")
    assert search(other, one) == search(one, other) == lookup.Found(one)


# By age


@pytest.mark.parametrize(
    ("age", "found"),
    [(-3600, True), (0, True), (4.9, True), (5, True), (5.1, False), (60, False), (605, False)],
)
def test_an_entry_is_not_older_than_its_post(age: float, found: bool) -> None:  # noqa: FBT001 - a column of the table
    """Counterexample 9: an entry from before the POST, by more than 5 s, isn't taken; up to 10 min it is a doubt."""
    old = make_entry(created=NOW - seconds(age))
    if found:
        assert search(old) == lookup.Found(old)
    else:
        assert why(search(old)).endswith("has that name and CSR, and is a little older than the POST")


def test_an_entry_that_is_much_older_is_somebody_elses() -> None:
    """Counterexample 9: an entry from more than 10 min before the POST surely isn't its."""
    assert search(make_entry(created=NOW - seconds(605.1))) == lookup.Absent()


@pytest.mark.parametrize(
    ("ahead", "age", "found"),
    [
        (-60, 65, True),
        (-60, 65.1, False),
        (60, -55, True),
        (60, -54.9, False),
        (3600, 0, False),
    ],
    ids=["behind", "older though behind", "ahead", "older though ahead", "far ahead"],
)
def test_the_services_clock_is_compared_by_its_date(ahead: float, age: float, found: bool) -> None:  # noqa: FBT001 - a column of the table
    """An entry's age is by the service's clock, which the answer's Date shows against this one."""
    listed = make_entry(created=NOW - seconds(age))
    assert (search(listed, date=NOW + seconds(ahead)) == lookup.Found(listed)) is found


def test_without_a_date_the_clocks_are_taken_to_agree() -> None:
    """An answer without Date leaves the 5 s alone."""
    late, early = make_entry(created=NOW - seconds(5)), make_entry(created=NOW - seconds(6))
    assert search(late, date=None) == lookup.Found(late)
    assert isinstance(search(early, date=None), lookup.CantTell)


def test_an_entry_without_time_is_a_doubt() -> None:
    """An entry whose age can't be seen is neither found nor absent."""
    assert why(search(make_entry(created=None))).endswith("has that name and CSR, and no usable create time")


@pytest.mark.parametrize("doubt", [make_entry(created=None), make_entry(created=NOW - seconds(60))])
def test_a_doubt_does_not_stand_before_a_candidate(doubt: entry.ListedEntry) -> None:
    """An entry that surely can be the POST's is taken, whatever else is there."""
    sure = make_entry(scm_id="sure")
    assert search(doubt, sure) == lookup.Found(sure)


@pytest.mark.parametrize("age", [-60, 5, 60, 86_400])
def test_for_adoption_no_entry_is_too_old(age: float) -> None:
    """What is looked for to be adopted may be of any age."""
    old = make_entry(created=NOW - seconds(age))
    assert search(old, since=None) == lookup.Found(old)


def test_for_adoption_the_oldest_is_found() -> None:
    """Of several entries that could be adopted the oldest is."""
    assert search(ENTRY, OLDER, since=None) == lookup.Found(OLDER)


def test_for_adoption_the_rest_holds() -> None:
    """Name, content, claims and completeness count for an adoption as they do for an attempt."""
    assert search(make_entry(scm_name="a"), make_entry(der_digest=OTHER_DIGEST), since=None) == lookup.Absent()
    assert search(ENTRY, claimed=frozenset({ENTRY.scm_id}), since=None) == lookup.Absent()
    assert isinstance(search(make_entry(created=None), since=None), lookup.CantTell)
    assert isinstance(search(complete=False, since=None), lookup.CantTell)


# Unread


def test_an_entry_without_readable_csr_is_shown_first() -> None:
    """The list may leave out or spoil a CSR; the entry alone may have it."""
    assert search(UNREAD) == lookup.ShowFirst(UNREAD.scm_id)


def test_each_unread_entry_is_shown() -> None:
    """One after the other is shown until nothing is left to show."""
    one, other = make_entry(scm_id="1", der_digest=None), make_entry(scm_id="2", der_digest=None)
    assert search(one, other, shown={"1": None}) == lookup.ShowFirst("2")
    assert search(one, other, shown={"1": None, "2": None}) == lookup.Absent()


def test_what_was_shown_is_found() -> None:
    """An entry whose CSR was readable alone is matched as any other, and answered as it was shown."""
    assert search(UNREAD, shown={UNREAD.scm_id: ENTRY}) == lookup.Found(ENTRY)


@pytest.mark.parametrize(
    "shown",
    [None, make_entry(der_digest=OTHER_DIGEST), make_entry(created=NOW - seconds(3600))],
    ids=["gone", "another CSR", "much older"],
)
def test_what_was_shown_may_be_another(shown: entry.ListedEntry | None) -> None:
    """An entry that is gone by now, has another CSR or is much older isn't the POST's."""
    assert search(UNREAD, shown={UNREAD.scm_id: shown}) == lookup.Absent()


def test_what_stays_unreadable_is_a_doubt() -> None:
    """An entry of that name whose CSR can't be read at all can't be told from the POST's."""
    assert why(search(UNREAD, shown={UNREAD.scm_id: UNREAD})) == (
        f"entry {UNREAD.scm_id} has that name, and its CSR can't be read"
    )


def test_a_page_is_shown_before_it_is_too_full() -> None:
    """What can still be found on a page that isn't the whole list is found."""
    assert search(UNREAD, complete=False) == lookup.ShowFirst(UNREAD.scm_id)
    assert search(UNREAD, complete=False, shown={UNREAD.scm_id: ENTRY}) == lookup.Found(ENTRY)


# Surely absent


def test_an_empty_list_is_absent() -> None:
    """Nothing in a list that is surely whole is nothing."""
    assert search() == lookup.Absent()


@pytest.mark.parametrize(
    "entries",
    [(), (make_entry(scm_name="shop-tls-2"),), (make_entry(der_digest=OTHER_DIGEST),)],
    ids=["empty", "another name", "another CSR"],
)
def test_a_full_page_is_never_absent(entries: tuple[entry.ListedEntry, ...]) -> None:
    """What isn't on a page that may not be all can still be in SCM."""
    assert why(search(*entries, complete=False)) == (
        "SCM has more CSRs whose names resemble 'shop-tls' than one page of its list shows"
    )


def test_a_full_page_is_enough_to_find() -> None:
    """What is found needs no whole list."""
    assert search(ENTRY, complete=False) == lookup.Found(ENTRY)


def test_a_found_entry_tells_its_time_as_a_record_has_it() -> None:
    """The create time of a found entry is written like an answer's: UTC, with milliseconds."""
    zone = datetime.timezone(datetime.timedelta(hours=8))
    listed = make_entry(created=datetime.datetime(2026, 2, 3, 12, 5, 6, 789_000, tzinfo=zone))
    assert listed.create_time == "2026-02-03T04:05:06.789Z"
    assert make_entry().create_time == "2026-02-03T04:05:06.000Z"


# Whatever is listed

_IDS = ("1", "2", "3")
_entries = st.builds(
    lambda scm_id, name, digest, age: make_entry(
        scm_id=scm_id, scm_name=name, der_digest=digest, created=None if age is None else NOW - seconds(age)
    ),
    st.sampled_from(_IDS),
    st.sampled_from(["shop-tls", "shop-tls", "shop-tls-2"]),
    st.sampled_from([DIGEST, DIGEST, OTHER_DIGEST, None]),
    st.sampled_from([-60, 0, 4, 6, 60, 3600, None]),
)


@given(
    st.lists(_entries, max_size=3, unique_by=lambda listed: listed.scm_id),
    st.booleans(),
    st.dictionaries(st.sampled_from(_IDS), st.none() | _entries),
    st.frozensets(st.sampled_from(_IDS), max_size=2),
    st.sampled_from([NOW, None]),
)
@settings(max_examples=400)
def test_whatever_is_listed_only_what_is_sure_is_said(
    listed: list[entry.ListedEntry],
    complete: bool,  # noqa: FBT001 - drawn
    shown: dict[str, entry.ListedEntry | None],
    claimed: frozenset[str],
    since: datetime.datetime | None,
) -> None:
    """Found is never claimed, another's or too old; absent only of a whole list; and asking comes to an end."""
    of_itself = {
        one.scm_id: builders.make_entry(
            scm_id=one.scm_id, scm_name=one.scm_name, der_digest=answer.der_digest, created=answer.created
        )
        if (answer := shown[one.scm_id])
        else None
        for one in listed
        if one.scm_id in shown
    }
    match search(*listed, complete=complete, shown=of_itself, claimed=claimed, since=since):
        case lookup.Found(found):
            assert found.scm_id in {one.scm_id for one in listed} - claimed
            assert (found.scm_name, found.der_digest) == ("shop-tls", DIGEST)
            assert found.created is not None
            assert since is None or found.created >= since - seconds(5)
        case lookup.Absent():
            assert complete
        case lookup.ShowFirst(scm_id):
            assert scm_id not in shown
            assert scm_id not in claimed
