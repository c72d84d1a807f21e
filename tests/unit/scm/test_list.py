import datetime
import urllib.parse
from typing import Any

import pytest

from scm_operator.domain import errors, ports
from scm_operator.domain.entry import ListedEntry, Listing
from scm_operator.domain.reasons import AccountReason, Reason
from tests.unit.scm import service as fakes
from tests.unit.scm.service import Reply

CSR, ITEM, ENTRY = fakes.LISTED_CSR, fakes.ITEM, fakes.ENTRY
DIGEST, CREATED = ENTRY.der_digest, ENTRY.created
DATE = "Fri, 02 Jan 2026 12:00:07 GMT"


def page(*items: object, **fields: object) -> Reply:
    """Return a list as SCM writes it, whose total is right unless told otherwise."""
    body = {"csr_list": list(items), "total": len(items), **fields}
    return Reply(200, body, {"Date": DATE})


def numbered(number: int) -> dict[str, object]:
    """Return an item with an id of its own."""
    return {**ITEM, "id": f"{number:032d}"}


async def listed(service: fakes.FakeService, store: ports.CsrStore, reply: Reply) -> Listing:
    """Return what an answer is read as."""
    service.scm.append(reply)
    return await store.list_named("shop-tls")


async def refused(service: fakes.FakeService, store: ports.CsrStore, reply: fakes.Behaviour) -> errors.RetryLater:
    """Return what a list fails with; it is always tried again."""
    service.scm.extend([reply, reply])  # the library itself may repeat a GET whose connection broke
    with pytest.raises(errors.RetryLater) as caught:
        await store.list_named("shop-tls")
    return caught.value


async def test_list_asks_for_the_first_page_of_a_name(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """A list is one GET of the largest page, never out of a cache: the service's offset doesn't work."""
    await listed(service, store, page())
    (seen,) = service.seen
    assert (seen.method, seen.path) == ("GET", "/v3/scm/csr?limit=50&offset=0&name=shop-tls")
    assert (seen.body, seen.token) == (None, fakes.TOKEN)
    assert (seen.headers["Content-Type"], seen.headers["Cache-Control"]) == ("application/json", "no-cache")
    assert "Content-Length" not in seen.headers


FILTERS = {
    "short": ("a", "a"),
    "32 characters": ("x" * 32, "x" * 32),
    "63 characters": ("x" * 31 + "y" * 32, "x" * 31 + "y"),
    "reserved": ("a b&name=c#d?e/f+g=h;i", "a b&name=c#d?e/f+g=h;i"),
    "other scripts": ("证书-shop", "证书-shop"),
    "cut behind a space": ("x" * 31 + " tls", "x" * 31),
    "cut behind a wide space": ("x" * 31 + "\u3000tls", "x" * 31),
    "cut within a letter and its accent": ("x" * 31 + "e\u0301", "x" * 31),
    "cut within a syllable": ("x" * 31 + "\u1112\u1161\u11ab", "x" * 31),
    "accents before the cut": ("e\u0301" * 3, "e\u0301" * 3),
    "characters of two UTF-16 units": ("😀" * 20, "😀" * 16),
    "cut within two UTF-16 units": ("x" + "😀" * 20, "x" + "😀" * 15),
    "an escape of databases": ("shop\\tls", "shop"),
    "a wildcard of databases": ("shop %41", "shop"),
}


@pytest.mark.parametrize(("name", "fragment"), FILTERS.values(), ids=FILTERS)
async def test_filter_is_a_beginning_that_surely_matches(
    service: fakes.FakeService, store: ports.CsrStore, name: str, fragment: str
) -> None:
    """The filter has at most 32 characters and nothing that is lost or read otherwise on the way; it may be shorter."""
    service.scm.append(page())
    await store.list_named(name)
    query = service.seen[0].path.partition("?")[2]
    assert urllib.parse.parse_qsl(query) == [("limit", "50"), ("offset", "0"), ("name", fragment)]
    assert "+" not in query  # which only forms take for a space
    assert name.startswith(fragment)


async def test_name_that_begins_with_an_escape_is_not_filtered(
    service: fakes.FakeService, store: ports.CsrStore
) -> None:
    """Without a beginning that surely matches, all entries are asked for: too many is safe, too few is not."""
    service.scm.append(page())
    await store.list_named("%shop")
    assert service.seen[0].path == "/v3/scm/csr?limit=50&offset=0"


async def test_listing_has_entries_and_the_services_date(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """Each item gives its id, name, hash of the CSR and time, in the order of the answer; Date is the service's."""
    other = numbered(1)
    listing = await listed(service, store, page(ITEM, other))
    assert listing.entries == (ENTRY, ListedEntry("0" * 31 + "1", "shop-tls", DIGEST, CREATED))
    assert (listing.complete, listing.date) == (True, datetime.datetime(2026, 1, 2, 12, 0, 7, tzinfo=datetime.UTC))


async def test_unreadable_date_is_none(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """A Date that is none leaves open how the clocks differ."""
    listing = await listed(service, store, Reply(200, {"csr_list": [], "total": 0}, {"Date": "soon"}))
    assert listing == Listing((), complete=True, date=None)


@pytest.mark.parametrize(
    ("fields", "digest", "created"),
    [
        pytest.param({}, DIGEST, CREATED, id="whole"),
        pytest.param({"csr": CSR.replace("\n", "\r\n").rstrip()}, DIGEST, CREATED, id="CSR with Windows line ends"),
        pytest.param({"csr": None}, None, CREATED, id="no CSR"),
        pytest.param({"csr": ""}, None, CREATED, id="empty CSR"),
        pytest.param({"csr": CSR[:200]}, None, CREATED, id="CSR cut off"),
        pytest.param({"csr": [CSR]}, None, CREATED, id="CSR that is no text"),
        pytest.param({"create_time": "1685325399001"}, DIGEST, CREATED, id="time as text"),
        pytest.param({"create_time": None}, DIGEST, None, id="no time"),
        pytest.param({"create_time": 1685325399}, DIGEST, None, id="time in seconds"),
        pytest.param({"create_time": True}, DIGEST, None, id="time that is no number"),
    ],
)
async def test_what_is_missing_of_an_item_is_none(
    service: fakes.FakeService,
    store: ports.CsrStore,
    fields: dict[str, Any],
    digest: str | None,
    created: datetime.datetime | None,
) -> None:
    """An item without a readable CSR or a usable time is listed all the same; the list is complete."""
    listing = await listed(service, store, page({**ITEM, **fields}))
    assert listing.entries == (ListedEntry(fakes.SCM_ID, "shop-tls", digest, created),)
    assert listing.complete


FULL = [numbered(number) for number in range(50)]
INCOMPLETE = {
    "full page": page(*FULL),
    "more than a page": page(*FULL, numbered(50)),
    "full page of one entry": page(*[ITEM] * 50, total=1),
    "more in total": page(ITEM, total=2),
    "an entry twice": page(ITEM, ITEM, total=2),
    "no total": page(ITEM, total=None),
    "total of nothing": page(total=None),
    "total as text": page(ITEM, total="1"),
    "total as fraction": page(ITEM, total=1.0),
    "total that is no number": page(ITEM, total=True),
    "negative total": page(ITEM, total=-1),
    "item without id": page({**ITEM, "id": None}, total=0),
    "item with an id that is no id": page(ITEM, {**ITEM, "id": "../x"}, total=1),
    "item with a numeric id": page(ITEM, {**ITEM, "id": 1234567890123456}, total=1),
    "item without name": page(ITEM, {**numbered(1), "name": None}, total=1),
    "item that is no object": page(ITEM, "shop-tls", total=1),
    "item that is nothing": page(ITEM, None, total=1),
}


@pytest.mark.parametrize("reply", [pytest.param(reply, id=name) for name, reply in INCOMPLETE.items()])
async def test_list_that_may_lack_something_is_not_complete(
    service: fakes.FakeService, store: ports.CsrStore, reply: Reply
) -> None:
    """A page that is full, whose total says more or nothing, or with an item that can't be told, isn't complete."""
    assert not (await listed(service, store, reply)).complete


COMPLETE = {
    "nothing": page(),
    "one": page(ITEM),
    "one less than a page": page(*FULL[:49]),
    "an entry twice": page(ITEM, ITEM, total=1),
    "a total that is too low": page(ITEM, total=0),
}


@pytest.mark.parametrize("reply", [pytest.param(reply, id=name) for name, reply in COMPLETE.items()])
async def test_list_that_surely_has_all_is_complete(
    service: fakes.FakeService, store: ports.CsrStore, reply: Reply
) -> None:
    """Fewer items than a page holds, and a total of no more than the ids that were seen, are all there is."""
    assert (await listed(service, store, reply)).complete


NO_LIST = {
    "no csr_list": Reply(200, {"total": 0}),
    "csr_list of nothing": Reply(200, {"csr_list": None, "total": 0}),
    "csr_list that is an object": Reply(200, {"csr_list": {}, "total": 0}),
    "a bare list": Reply(200, [ITEM]),
    "HTML": Reply(200, b"<html>captive portal</html>"),
    "nothing": Reply(200),
    "half a body": Reply(200, b'{"csr_list": [], "tot'),
    "nesting bombs": Reply(200, b'{"csr_list": ' + b"[" * 100_000),
    "compressed": Reply(200, {"csr_list": [], "total": 0}, {"Content-Encoding": "gzip"}),
    "over 1 MiB": Reply(200, {"csr_list": [], "total": 0, "padding": "x" * (1 << 20)}),
    "201": Reply(201, {"csr_list": [], "total": 0}),
    "204": Reply(204),
    "206": Reply(206, {"csr_list": [], "total": 0}),
}


@pytest.mark.parametrize("reply", [pytest.param(reply, id=name) for name, reply in NO_LIST.items()])
async def test_success_without_a_list_is_no_answer(
    service: fakes.FakeService, store: ports.CsrStore, reply: Reply
) -> None:
    """An answer that is no list must not make a CSR look absent: it is a ServerError, and asked again."""
    obstacle = await refused(service, store, reply)
    assert (type(obstacle), obstacle.reason, obstacle.slow) == (errors.RetryLater, Reason.SERVER_ERROR, False)
    assert f"SCM at {service.endpoint} answered {reply.status} with " in obstacle.message


def scm(code: str, text: str = "no") -> dict[str, str]:
    """Return an error body as SCM writes it."""
    return {"error_code": code, "error_msg": text}


@pytest.mark.parametrize(
    ("status", "code"), [(403, "SCM.0002"), (403, ""), (400, "SCM.0003"), (401, "SCM.4002"), (401, "SCM.1010")]
)
async def test_missing_permission_names_the_action(
    service: fakes.FakeService, store: ports.CsrStore, status: int, code: str
) -> None:
    """An answer about permission is AccessDenied, on the account too, and says what to allow."""
    obstacle = await refused(service, store, Reply(status, scm(code)))
    assert isinstance(obstacle, errors.AccountObstacle)
    assert (obstacle.reason, obstacle.account_reason) == (Reason.ACCESS_DENIED, AccountReason.ACCESS_DENIED)
    assert "scm::listCsr" in obstacle.message


@pytest.mark.parametrize(
    ("reply", "reason", "slow"),
    [
        pytest.param(Reply(401), Reason.AUTHENTICATION_FAILED, True, id="401"),
        pytest.param(Reply(404), Reason.ENDPOINT_NOT_FOUND, True, id="404"),
        pytest.param(Reply(404, scm("SCM.0069")), Reason.SERVER_ERROR, True, id="404 of SCM"),
        pytest.param(Reply(429), Reason.THROTTLED, False, id="429"),
        pytest.param(Reply(400, scm("SCM.0005")), Reason.SERVER_ERROR, True, id="400 with a code"),
        pytest.param(Reply(400, scm("SCM.0707")), Reason.SERVER_ERROR, True, id="400 of an entry"),
        pytest.param(Reply(400), Reason.SERVER_ERROR, False, id="400 without a code"),
        pytest.param(Reply(408, scm("SCM.0005")), Reason.SERVER_ERROR, False, id="408"),
        pytest.param(Reply(302), Reason.SERVER_ERROR, False, id="302"),
        pytest.param(Reply(500, scm("SCM.0007")), Reason.SERVER_ERROR, False, id="500"),
        pytest.param(fakes.reset, Reason.SERVER_ERROR, False, id="reset"),
    ],
)
async def test_list_that_fails_is_tried_again(
    service: fakes.FakeService, clock: fakes.FakeClock, reply: fakes.Behaviour, reason: Reason, *, slow: bool
) -> None:
    """Whatever else a list is answered with, it is asked again, slowly where only a person can end it."""
    store = fakes.store(fakes.password_account(service.endpoint), clock=clock)
    obstacle = await refused(service, store, reply)
    assert (obstacle.reason, obstacle.slow) == (reason, slow)
    assert service.endpoint in obstacle.message
    await store.aclose()


async def test_retry_after_of_an_outage_is_passed_on(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """503 with Retry-After says when to ask again."""
    assert (await refused(service, store, Reply(503, b"", {"Retry-After": "7"}))).retry_after == 7


async def test_refused_token_is_renewed_once(service: fakes.FakeService, password_store: ports.CsrStore) -> None:
    """A 401 gets one fresh token and one repeat, as with an upload."""
    service.scm.extend([Reply(401), page(ITEM)])
    assert (await password_store.list_named("shop-tls")).entries == (ENTRY,)
    assert service.logins == 2


async def test_list_without_a_connection_is_unreachable(clock: fakes.FakeClock) -> None:
    """Where nobody listens, a list is Unreachable."""
    store = fakes.store(fakes.token_account("http://127.0.0.1:1"), clock=clock)
    with pytest.raises(errors.RetryLater) as caught:
        await store.list_named("shop-tls")
    assert caught.value.reason == Reason.UNREACHABLE
    await store.aclose()
