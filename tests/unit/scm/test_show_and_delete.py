from typing import Any

import pytest

from scm_operator.domain import errors, ports
from scm_operator.domain.entry import ListedEntry
from scm_operator.domain.reasons import AccountReason, Reason
from tests.unit.scm import service as fakes
from tests.unit.scm.service import Reply

SHOWN = fakes.ITEM
PATH = f"/v3/scm/csr/{fakes.SCM_ID}"


def scm(code: str, text: str = "no") -> dict[str, str]:
    """Return an error body as SCM writes it."""
    return {"error_code": code, "error_msg": text}


async def refused(store: ports.CsrStore, *, way: str) -> errors.Obstacle:
    """Return what a call fails with."""
    with pytest.raises(errors.Obstacle) as caught:
        await (store.show(fakes.SCM_ID) if way == "show" else store.delete(fakes.SCM_ID))
    return caught.value


GONE = [
    pytest.param(Reply(400, scm("SCM.0707")), id="400 SCM.0707"),
    pytest.param(Reply(404, scm("SCM.0001")), id="404 of SCM"),
    pytest.param(Reply(404, {"error": scm("SCM.0707")}), id="404 of SCM, nested"),
]
BOTH = pytest.mark.parametrize("way", ["show", "delete"])


async def test_show_gets_the_entry(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """Showing is a GET of the entry's address; its id, name, hash of the CSR and time are read."""
    service.scm.append(Reply(200, SHOWN))
    assert await store.show(fakes.SCM_ID) == fakes.ENTRY
    (seen,) = service.seen
    assert (seen.method, seen.path, seen.body, seen.token) == ("GET", PATH, None, fakes.TOKEN)


async def test_entry_without_csr_and_time_is_shown(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """What the service doesn't tell is None; the entry is there."""
    service.scm.append(Reply(200, {"id": fakes.SCM_ID, "name": "shop-tls"}))
    assert await store.show(fakes.SCM_ID) == ListedEntry(fakes.SCM_ID, "shop-tls", None, None)


@pytest.mark.parametrize("reply", GONE)
async def test_absent_entry_is_none(service: fakes.FakeService, store: ports.CsrStore, reply: Reply) -> None:
    """SCM's own word that there is no such entry is None."""
    service.scm.append(reply)
    assert await store.show(fakes.SCM_ID) is None


UNUSABLE = {
    "another id": Reply(200, {**SHOWN, "id": "0" * 32}),
    "id in capitals": Reply(200, {**SHOWN, "id": fakes.SCM_ID.upper()}),
    "no id": Reply(200, {**SHOWN, "id": None}),
    "no name": Reply(200, {**SHOWN, "name": None}),
    "a list": Reply(200, [SHOWN]),
    "HTML": Reply(200, b"<html>captive portal</html>"),
    "nothing": Reply(200),
    "compressed": Reply(200, SHOWN, {"Content-Encoding": "gzip"}),
    "201": Reply(201, SHOWN),
    "204": Reply(204),
}


@pytest.mark.parametrize("reply", [pytest.param(reply, id=name) for name, reply in UNUSABLE.items()])
async def test_answer_that_is_not_the_entry_is_no_answer(
    service: fakes.FakeService, store: ports.CsrStore, reply: Reply
) -> None:
    """A success that shows another entry, or none, says nothing of the one asked for: ServerError, asked again."""
    service.scm.append(reply)
    obstacle = await refused(store, way="show")
    assert (type(obstacle), obstacle.reason) == (errors.RetryLater, Reason.SERVER_ERROR)
    assert f"SCM at {service.endpoint} answered {reply.status} with " in obstacle.message


@pytest.mark.parametrize("status", [204, 200])
async def test_delete_deletes_the_entry(service: fakes.FakeService, store: ports.CsrStore, status: int) -> None:
    """Deleting is a DELETE of the entry's address; 204, and 200 with whatever body, mean that it is done."""
    service.scm.append(Reply(status))
    await store.delete(fakes.SCM_ID)
    (seen,) = service.seen
    assert (seen.method, seen.path, seen.body, seen.token) == ("DELETE", PATH, None, fakes.TOKEN)


@pytest.mark.parametrize("reply", GONE)
async def test_entry_that_is_gone_is_deleted(service: fakes.FakeService, store: ports.CsrStore, reply: Reply) -> None:
    """Deleting what is no longer there is done already."""
    service.scm.append(reply)
    await store.delete(fakes.SCM_ID)


async def test_deletion_whose_answer_was_lost_may_be_repeated(
    service: fakes.FakeService, store: ports.CsrStore
) -> None:
    """A DELETE without an answer is a ServerError; the next one finds the entry gone, and that is fine."""
    service.scm.extend([Reply(204), fakes.reset, fakes.reset])  # the library itself may repeat it on a kept connection
    await store.delete("0" * 32)
    obstacle = await refused(store, way="delete")
    assert (type(obstacle), obstacle.reason) == (errors.RetryLater, Reason.SERVER_ERROR)
    service.scm.clear()
    service.scm.append(Reply(400, scm("SCM.0707")))
    await store.delete(fakes.SCM_ID)


@pytest.mark.parametrize("reply", [Reply(202), Reply(201, SHOWN)], ids=["202", "201"])
async def test_other_success_is_not_yet_a_deletion(
    service: fakes.FakeService, store: ports.CsrStore, reply: Reply
) -> None:
    """A success that doesn't say that the entry is deleted is asked again."""
    service.scm.append(reply)
    obstacle = await refused(store, way="delete")
    assert (type(obstacle), obstacle.reason) == (errors.RetryLater, Reason.SERVER_ERROR)


@pytest.mark.parametrize(("status", "code"), [(409, "SCM.0016"), (400, "SCM.0005"), (405, "APIGW.0101")])
async def test_deletion_that_scm_refuses_needs_a_person(
    service: fakes.FakeService, store: ports.CsrStore, status: int, code: str
) -> None:
    """A refusal with a service code is Rejected: the message names the entry, and what can be done about it."""
    service.scm.append(Reply(status, scm(code, "in use")))
    obstacle = await refused(store, way="delete")
    assert (type(obstacle), obstacle.reason) == (errors.NeedsChange, Reason.REJECTED)
    assert obstacle.message == (
        f"SCM at {service.endpoint} answered {status} {code}: in use, and keeps entry {fakes.SCM_ID}. End what uses it "
        "in SCM, or delete it there; or set deletionPolicy to Retain, to leave it."
    )


@BOTH
@pytest.mark.parametrize(
    ("status", "code"), [(403, "SCM.0002"), (403, ""), (400, "SCM.0003"), (401, "SCM.4002"), (401, "SCM.1009")]
)
async def test_missing_permission_names_the_action(
    service: fakes.FakeService, store: ports.CsrStore, way: str, status: int, code: str
) -> None:
    """An answer about permission is AccessDenied, on the account too, and says what to allow."""
    service.scm.append(Reply(status, scm(code)))
    obstacle = await refused(store, way=way)
    assert isinstance(obstacle, errors.AccountObstacle)
    assert (obstacle.reason, obstacle.account_reason) == (Reason.ACCESS_DENIED, AccountReason.ACCESS_DENIED)
    assert {"show": "scm::getCsr", "delete": "scm::deleteCsr"}[way] in obstacle.message


FAILURES: dict[str, tuple[fakes.Behaviour, Reason]] = {
    "401": (Reply(401), Reason.AUTHENTICATION_FAILED),
    "404 of anybody": (Reply(404), Reason.ENDPOINT_NOT_FOUND),
    "404 of the gateway": (Reply(404, scm("APIGW.0101")), Reason.ENDPOINT_NOT_FOUND),
    "429": (Reply(429, scm("APIGW.0308")), Reason.THROTTLED),
    "400 without a code": (Reply(400), Reason.SERVER_ERROR),
    "400 with a word as code": (Reply(400, scm("SCM.0707 not found")), Reason.SERVER_ERROR),
    "408": (Reply(408, scm("SCM.0005")), Reason.SERVER_ERROR),
    "409 without a code": (Reply(409), Reason.SERVER_ERROR),
    "302": (Reply(302), Reason.SERVER_ERROR),
    "500": (Reply(500, scm("SCM.0707")), Reason.SERVER_ERROR),
    "504": (Reply(504, scm("APIGW.0201")), Reason.SERVER_ERROR),
    "reset": (fakes.reset, Reason.SERVER_ERROR),
}


@BOTH
@pytest.mark.parametrize(("reply", "reason"), FAILURES.values(), ids=FAILURES)
async def test_failure_says_nothing_of_the_entry(
    service: fakes.FakeService, clock: fakes.FakeClock, way: str, reply: fakes.Behaviour, reason: Reason
) -> None:
    """Whatever isn't SCM's own word about the entry leaves open whether it is there: the call is made again."""
    service.scm.extend([reply, reply])
    store = fakes.store(fakes.password_account(service.endpoint), clock=clock)
    obstacle = await refused(store, way=way)
    assert (isinstance(obstacle, errors.RetryLater), obstacle.reason) == (True, reason)
    assert service.endpoint in obstacle.message
    await store.aclose()


@pytest.mark.parametrize("status", [400, 409])
async def test_show_is_never_given_up(service: fakes.FakeService, store: ports.CsrStore, status: int) -> None:
    """A refusal with a service code doesn't mean that the entry is gone; it is asked again."""
    service.scm.append(Reply(status, scm("SCM.0005")))
    obstacle = await refused(store, way="show")
    assert (type(obstacle), obstacle.reason) == (errors.RetryLater, Reason.SERVER_ERROR)


@BOTH
async def test_retry_after_of_an_outage_is_passed_on(
    service: fakes.FakeService, store: ports.CsrStore, way: str
) -> None:
    """503 with Retry-After says when to come back."""
    service.scm.append(Reply(503, b"", {"Retry-After": "7"}))
    obstacle: Any = await refused(store, way=way)
    assert obstacle.retry_after == 7


@BOTH
async def test_id_cannot_change_the_address(service: fakes.FakeService, store: ports.CsrStore, way: str) -> None:
    """An id out of a status is one segment of the path, whatever it holds."""
    service.scm.append(Reply(400, scm("SCM.0707")))
    await (store.show("../x?y#z") if way == "show" else store.delete("../x?y#z"))
    assert service.seen[0].path == "/v3/scm/csr/..%2Fx%3Fy%23z"
