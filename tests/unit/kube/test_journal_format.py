"""The journal as text: nothing is lost in it, and what can't be read is never taken for nothing."""

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scm_operator.domain import account, attempt, upload
from scm_operator.kube import attempts, journal_format
from tests.unit.kube import leases

_TEXT = st.text(max_size=12)
_TENANTS = st.builds(account.Tenant, _TEXT, st.none() | _TEXT, st.none() | _TEXT, _TEXT)
_HEX = st.binary(max_size=8).map(bytes.hex)
_HASHES = st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}")
_TIMES = st.datetimes().map(lambda time: time.isoformat() + "Z") | st.datetimes().map(
    lambda time: time.isoformat(timespec="seconds") + "Z"
)
_ATTEMPTS = st.builds(
    attempt.Attempt,
    id=_HEX | _TEXT | st.sampled_from(["lost-7", "", "=x", "00"]),
    uid=st.uuids().map(str) | _TEXT,
    key=st.builds(upload.UploadKey, _TEXT, _TEXT),
    scm_name=_TEXT,
    tenant=_TENANTS,
    content_hash=_HASHES | _HASHES.map(lambda digest: digest + "+key") | _TEXT,
    at=_TIMES | _TEXT,
    term=st.integers(0, 2**31 - 1),
)


@given(st.lists(_ATTEMPTS, max_size=5))
def test_round_trip(written: list[attempt.Attempt]) -> None:
    """What is read is what was written, whatever the texts are."""
    assert journal_format.decode(journal_format.encode(written)) == tuple(written)


@given(st.lists(_ATTEMPTS, max_size=8))
def test_the_size_is_never_underestimated(written: list[attempt.Attempt]) -> None:
    """The bytes that are counted attempt by attempt are at least those of the text."""
    tenants = sum(map(journal_format.tenant_size, {each.tenant for each in written}))
    counted = journal_format.EMPTY_SIZE + tenants + sum(map(journal_format.size, written))
    assert len(journal_format.encode(written).encode()) <= counted


def test_an_attempt_is_short() -> None:
    """An attempt with usual names takes less than 200 bytes, and tenants are written once."""
    written = [
        attempt.Attempt(
            id="3f9a0c1b2d4e5f60",
            uid="0b5f8a0e-6f0c-4d59-9a3c-0c1d2e3f4a5b",
            key=upload.UploadKey("team-payments", "www-shop-example-com"),
            scm_name="www.shop.example.com",
            tenant=leases.TENANT,
            content_hash=f"sha256:{number:064x}+key",
            at="2026-01-02T12:00:00Z",
            term=1234,
        )
        for number in range(100)
    ]
    text = journal_format.encode(written)
    assert len(text) < 100 * 200
    assert text.count(leases.TENANT.endpoint) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "version None"),
        ('{"v":2,"tenants":[],"attempts":[]}', "version 2, this program reads 1: run a newer one"),
        ('{"v":1,"tenants":[]}', "damaged"),
        ('{"v":1,"tenants":[],"attempts":[[]]}', "damaged"),
        ('{"v":1,"tenants":[],"attempts":[["=a","=b","n","m",null,0,"=h",0,1]]}', "damaged"),
        ('{"v":1,"tenants":[["e",null,null,"a"]],"attempts":[["=a","=b","n","m",null,-1,"=h",0,1]]}', "damaged"),
        ('{"v":1,"tenants":[["e",null,null,"a"]],"attempts":[["a","=b","n","m",null,0,"=h",0,1]]}', "damaged"),
        ('{"v":1,"tenants":[["e",null,null,"a"]],"attempts":[["u8","=b","n","m",null,0,"=h",0,1]]}', "damaged"),
        ('{"v":1,"tenants":[["e",null,null,"a"]],"attempts":[["=a","x?","n","m",null,0,"=h",0,1]]}', "damaged"),
        ('{"v":1,"tenants":[["e",null,null,"a"]],"attempts":[["=a","=b","n","m",null,0,"sAA","0",1]]}', "damaged"),
        ('{"v":1,"tenants":[["e",null,null,"a"]],"attempts":[["=a","=b","n",1,null,0,"=h",0,1]]}', "damaged"),
        ('{"v":1,"tenants":[["e",null,null,"a"]],"attempts":[["=a","=b","n","m",null,0,"=h",1e99,1]]}', "damaged"),
        (
            f'{{"v":1,"tenants":[["e",null,null,"a"]],"attempts":[["=a","=b","n","m",null,0,"=h",{10**20},1]]}}',
            "damaged",
        ),
    ],
)
def test_what_cannot_be_read_is_an_error(text: str, message: str) -> None:
    """A damaged or newer journal is an error that says so, and never an empty one."""
    with pytest.raises(journal_format.Unreadable, match=message):
        journal_format.decode(text)


def test_mark_of_a_lost_journal() -> None:
    """The mark is a term and a time."""
    time = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)
    text = journal_format.encode_lost(7, time)
    assert json.loads(text) == {"term": 7, "time": "2026-01-02T12:00:00Z"}
    assert journal_format.decode_lost(text) == attempt.JournalLost(7, time)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"term":"7","time":"2026-01-02T12:00:00Z"}', '{"term":7,"time":"2026-01-02T12:00:00"}']
)
def test_a_mark_that_cannot_be_read_is_an_error(text: str) -> None:
    """A damaged mark is an error too: without it uploads could be sent again."""
    with pytest.raises(journal_format.Unreadable):
        journal_format.decode_lost(text)


@given(st.lists(_ATTEMPTS, max_size=8, unique_by=lambda each: each.id), st.data())
def test_what_is_put_and_removed_leaves_no_trace(kept: list[attempt.Attempt], data: st.DataObject) -> None:
    """Attempts taken out again, in any order, leave the text and the room as if they had never been there."""
    gone = data.draw(st.lists(_ATTEMPTS, max_size=4, unique_by=lambda each: each.id))
    gone = [each for each in gone if each.id not in {other.id for other in kept}]
    memory, expected = attempts.Attempts(), attempts.Attempts()
    for each in data.draw(st.permutations(kept + gone)):
        memory.put(each)
    for each in data.draw(st.permutations(gone)):
        memory.remove(each)
        memory.remove(each)
    for each in memory.all():
        expected.put(each)
    assert set(memory.all()) == set(kept)
    assert vars(memory) | {"_text": None} == vars(expected) | {"_text": None}
