from typing import Any

import pytest

from scm_operator.domain import csr, entry, errors, ports, upload
from scm_operator.domain.reasons import AccountReason, Reason
from tests.unit.scm import service as fakes
from tests.unit.scm.service import Reply


async def send(store: ports.CsrStore) -> entry.Entry:
    """Upload the one content of these tests."""
    return await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)


async def refused(store: ports.CsrStore) -> errors.Obstacle:
    """Return what an upload fails with."""
    with pytest.raises(errors.Obstacle) as caught:
        await send(store)
    return caught.value


async def test_upload_sends_name_csr_key_and_token(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """An upload is one POST with the name, both PEM texts as they are, and the token in X-Auth-Token."""
    await send(store)
    (seen,) = service.seen
    assert (seen.method, seen.path, seen.token) == ("POST", "/v3/scm/csr/upload", fakes.TOKEN)
    assert seen.body == {"name": "shop-tls", "csr": fakes.CSR_PEM, "private_key": fakes.KEY_PEM}
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.headers["Accept-Encoding"] == "identity"
    assert seen.headers["User-Agent"].startswith("scm-csr-operator/")


async def test_upload_without_key_leaves_the_field_out(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """No key means no private_key field."""
    content = csr.Content("sha256:0", fakes.CSR_PEM, None, upload.CsrSummary("", 0, "EC_P256"))
    await store.upload(content, name="shop-tls", timeout=30)
    assert set(service.seen[0].body) == {"name", "csr"}


async def test_entry_has_id_and_create_time(store: ports.CsrStore) -> None:
    """The answer's id and its create_time, from epoch milliseconds to RFC 3339, make the entry."""
    assert await send(store) == entry.Entry(fakes.SCM_ID, "2023-05-29T01:56:39.000Z")


async def test_created_is_a_success(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """201 with a valid id is taken like 200."""
    service.scm.append(Reply(201, fakes.STORED))
    assert (await send(store)).scm_id == fakes.SCM_ID


@pytest.mark.parametrize("scm_id", ["a" * 16, "A-b_" * 16], ids=["16", "64"])
async def test_ids_of_other_lengths_are_taken(service: fakes.FakeService, store: ports.CsrStore, scm_id: str) -> None:
    """The documents disagree on an id's length, so 16 to 64 characters will do."""
    service.scm.append(Reply(200, {**fakes.STORED, "id": scm_id}))
    assert (await send(store)).scm_id == scm_id


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(1685325399001, "2023-05-29T01:56:39.001Z", id="milliseconds"),
        pytest.param("1685325399999", "2023-05-29T01:56:39.999Z", id="text of digits"),
        *(
            pytest.param(value, "2024-02-03T04:05:06.000Z", id=name)
            for name, value in {
                "absent": None,
                "seconds": 1685325399,
                "negative": -1685325399000,
                "past 9999": 253402300800000,
                "20 digits": 16853253990000000000,
                "float": 1685325399000.5,
                "boolean": True,
                "words": "yesterday",
            }.items()
        ),
    ],
)
async def test_unusable_create_time_gives_way_to_the_date(
    service: fakes.FakeService, store: ports.CsrStore, value: object, shown: str
) -> None:
    """A create_time that makes no sense doesn't make a stored CSR unknown: the answer's Date stands in for it."""
    reply = Reply(200, {**fakes.STORED, "create_time": value}, {"Date": "Sat, 03 Feb 2024 04:05:06 GMT"})
    service.scm.append(reply)
    assert await send(store) == entry.Entry(fakes.SCM_ID, shown)


async def test_without_any_time_the_clock_is_asked(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """With neither create_time nor a readable Date, the entry gets the present time."""
    service.scm.append(Reply(200, {"id": fakes.SCM_ID}, {"Date": "soon"}))
    assert (await send(store)).create_time == "2026-01-02T12:00:00.000Z"


def scm(code: str, text: str = "no") -> dict[str, str]:
    """Return an error body as SCM writes it."""
    return {"error_code": code, "error_msg": text}


UNKNOWN = {
    "200 without id": Reply(200, {"name": "shop-tls"}),
    "200 with an empty id": Reply(200, {"id": ""}),
    "200 with a numeric id": Reply(200, {"id": 1234567890123456}),
    "200 with an id that is no id": Reply(200, {"id": "../../../../etc/passwd"}),
    "200 with an id that is too long": Reply(200, {"id": "a" * 65}),
    "200 with a newline after the id": Reply(200, {"id": fakes.SCM_ID + "\n"}),
    "200 with a list": Reply(200, [fakes.STORED]),
    "200 with HTML": Reply(200, b"<html>captive portal</html>"),
    "200 with nothing": Reply(200),
    "200 with half a body": Reply(200, b'{"id": "474a519e2c8'),
    "200 with nesting bombs": Reply(200, b"[" * 100_000),
    "200 with a huge number": Reply(200, b'{"id": ' + b"9" * 5000 + b"}"),
    "200 with broken UTF-8": Reply(200, b'{"id": "\xff\xfe"}'),
    "200 compressed": Reply(200, fakes.STORED, {"Content-Encoding": "gzip"}),
    "200 over 1 MiB": Reply(200, {**fakes.STORED, "padding": "x" * (1 << 20)}),
    "202": Reply(202, fakes.STORED),
    "204": Reply(204),
    "302": Reply(302, b"", {"Location": "/elsewhere"}),
    "307 to nowhere": Reply(307, b"", {"Location": "http://[::1"}),
    "400 without a code": Reply(400, b"<html>Bad Request</html>"),
    "400 with a word as code": Reply(400, {"error_code": "invalid_request", "error_msg": "no"}),
    "400 over 1 MiB": Reply(400, scm("SCM.0005", "x" * (1 << 20))),
    "405": Reply(405),
    "408": Reply(408, scm("SCM.0005")),
    "409": Reply(409, scm("SCM.0005")),
    "500": Reply(500, scm("SCM.0007")),
    "502": Reply(502, b"<html>Bad Gateway</html>"),
    "503": Reply(503, b"", {"Retry-After": "1"}),
    "504": Reply(504, scm("APIGW.0201", "Backend timeout.")),
    "599": Reply(599),
}


@pytest.mark.parametrize("reply", [pytest.param(reply, id=name) for name, reply in UNKNOWN.items()])
async def test_everything_unclear_is_an_unknown_outcome(
    service: fakes.FakeService, store: ports.CsrStore, reply: Reply
) -> None:
    """An answer that doesn't prove what happened is OutcomeUnknown, names its status, and is not sent again."""
    service.scm.append(reply)
    obstacle = await refused(store)
    assert type(obstacle) is errors.OutcomeUnknown
    assert str(reply.status) in obstacle.message
    assert len(service.uploads) == 1


async def test_outage_says_when_to_come_back(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """The Retry-After of an unclear answer is passed on: what looks for the entry can heed it."""
    service.scm.extend([Reply(503, b"", {"Retry-After": "7"}), Reply(500)])
    waits = []
    for _ in range(2):
        obstacle = await refused(store)
        assert isinstance(obstacle, errors.OutcomeUnknown)
        waits.append(obstacle.retry_after)
    assert waits == [7, None]


async def test_unknown_outcome_is_told_as_what_happened(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """The message says what SCM answered, and no more: it stands behind a colon."""
    service.scm.extend([Reply(504, scm("APIGW.0201", "Backend timeout.")), Reply(200)])
    said = f"SCM at {service.endpoint} answered"
    assert (await refused(store)).message == f"{said} 504 APIGW.0201: Backend timeout."
    assert (await refused(store)).message == f"{said} 200 with no valid id."


WITHOUT_CODE = {
    401: Reason.AUTHENTICATION_FAILED,
    403: Reason.ACCESS_DENIED,
    404: Reason.ENDPOINT_NOT_FOUND,
    429: Reason.THROTTLED,
}


@pytest.mark.parametrize(("status", "reason"), WITHOUT_CODE.items())
async def test_some_refusals_need_no_code(
    service: fakes.FakeService, password_store: ports.CsrStore, status: int, reason: Reason
) -> None:
    """With 401, 403, 404 and 429 nothing is stored, whoever answers them."""
    service.scm.extend([Reply(status, b"<html>no</html>")] * 2)
    obstacle = await refused(password_store)
    assert (isinstance(obstacle, errors.RetryLater), obstacle.reason) == (True, reason)


PERMISSION = [(401, code) for code in ("SCM.4002", "SCM.1004", "SCM.1009", "SCM.1010")]
DENIED = [*PERMISSION, (403, "SCM.0002"), (403, "APIGW.0305"), (400, "SCM.0003")]


@pytest.mark.parametrize(("status", "code"), DENIED, ids=[f"{status} {code}" for status, code in DENIED])
async def test_missing_permission_is_the_accounts(
    service: fakes.FakeService, password_store: ports.CsrStore, status: int, code: str
) -> None:
    """An answer about permission is AccessDenied, on the account too, and no new token is tried for it."""
    service.scm.append(Reply(status, scm(code, "not for you")))
    obstacle = await refused(password_store)
    assert isinstance(obstacle, errors.AccountObstacle)
    assert (obstacle.reason, obstacle.account_reason) == (Reason.ACCESS_DENIED, AccountReason.ACCESS_DENIED)
    assert f"{status} {code}: not for you" in obstacle.message
    assert "scm::uploadCsr" in obstacle.message
    assert (len(service.uploads), service.logins) == (1, 1)


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (403, "SCM.0002", "See first whether the token is for the project of SCM's region."),
        (401, "SCM.1009", "See first whether the cloud account is restricted."),
        (401, "SCM.1010", "See first whether the cloud account is frozen."),
    ],
)
async def test_what_no_permission_helps_against_is_said_first(
    service: fakes.FakeService, store: ports.CsrStore, status: int, code: str, advice: str
) -> None:
    """A wrong project, or an account that is restricted or frozen, isn't mended by allowing an action."""
    service.scm.append(Reply(status, scm(code)))
    assert f". {advice} Allow the account's user" in (await refused(store)).message


async def test_forbidden_without_a_body_is_access_denied(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """403 needs no code to be understood."""
    service.scm.append(Reply(403, b"x" * (2 << 20)))
    assert (await refused(store)).reason == Reason.ACCESS_DENIED


@pytest.mark.parametrize("body", [b"", scm("SCM.1000"), scm("APIGW.0301")], ids=["bare", "SCM.1000", "APIGW.0301"])
async def test_refused_token_is_renewed_once(
    service: fakes.FakeService, password_store: ports.CsrStore, body: object
) -> None:
    """A 401 gets one fresh token and one repeat, which may succeed."""
    service.scm.append(Reply(401, body))
    assert (await send(password_store)).scm_id == fakes.SCM_ID
    assert [seen.token for seen in service.uploads] == [service.token(1), service.token(2)]


async def test_second_refusal_is_final(service: fakes.FakeService, password_store: ports.CsrStore) -> None:
    """A 401 to the fresh token too is AuthenticationFailed, on the account as LoginFailed, without a third try."""
    service.scm.extend([Reply(401, scm("SCM.1000"))] * 2)
    obstacle = await refused(password_store)
    assert isinstance(obstacle, errors.AccountObstacle)
    assert (obstacle.reason, obstacle.account_reason) == (Reason.AUTHENTICATION_FAILED, AccountReason.LOGIN_FAILED)
    assert (len(service.uploads), service.logins) == (2, 2)


async def test_repeat_after_a_refused_token_may_end_unknown(
    service: fakes.FakeService, password_store: ports.CsrStore
) -> None:
    """What counts is the last answer: a 401, then a reset, is an unknown outcome."""
    service.scm.extend([Reply(401), fakes.reset])
    assert type(await refused(password_store)) is errors.OutcomeUnknown


@pytest.mark.parametrize("body", [b"<html>nginx</html>", scm("APIGW.0101", "no such API")], ids=["HTML", "gateway"])
async def test_not_found_without_a_code_of_scm_is_the_endpoint(
    service: fakes.FakeService, store: ports.CsrStore, body: object
) -> None:
    """A 404 that SCM itself didn't write is EndpointNotFound, and retried slowly."""
    service.scm.append(Reply(404, body))
    obstacle = await refused(store)
    assert isinstance(obstacle, errors.RetryLater)
    assert (obstacle.reason, obstacle.slow) == (Reason.ENDPOINT_NOT_FOUND, True)
    assert service.endpoint in obstacle.message


REJECTED = [(400, "SCM.0005"), (400, "SCM.XXX"), (404, "SCM.0069"), (413, "APIGW.0106"), (422, "Common.0011")]


@pytest.mark.parametrize(("status", "code"), REJECTED, ids=[f"{status} {code}" for status, code in REJECTED])
async def test_other_refusals_with_a_code_need_a_change(
    service: fakes.FakeService, store: ports.CsrStore, status: int, code: str
) -> None:
    """A 4xx with a service code that means nothing else is Rejected: nothing was stored, and a person is needed."""
    service.scm.append(Reply(status, scm(code, "Incorrect request parameter")))
    obstacle = await refused(store)
    assert type(obstacle) is errors.NeedsChange
    assert obstacle.reason == Reason.REJECTED
    assert f"{status} {code}: Incorrect request parameter" in obstacle.message


SHAPES: dict[str, Any] = {
    "error_code": {"error_code": "SCM.0005", "error_msg": "no good", "request_id": "5f3"},
    "errorCode": {"errorCode": "SCM.0005", "errorMsg": "no good"},
    "code": {"code": "SCM.0005", "message": "no good"},
    "nested": {"error": {"error_code": "SCM.0005", "error_msg": "no good"}},
    "nested code": {"error": {"code": "SCM.0005", "message": "no good", "title": "Bad Request"}},
}


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in SHAPES.items()])
async def test_error_bodies_have_many_shapes(service: fakes.FakeService, store: ports.CsrStore, body: object) -> None:
    """Code and text are found in each of the shapes that the services use."""
    service.scm.append(Reply(400, body))
    assert "400 SCM.0005: no good." in (await refused(store)).message


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        pytest.param({"Retry-After": "7"}, "", 7, id="seconds"),
        pytest.param(
            {"Retry-After": "Fri, 02 Jan 2026 12:00:09 GMT", "Date": "Fri, 02 Jan 2026 12:00:00 GMT"}, "", 9, id="date"
        ),
        pytest.param({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, "", 0, id="a date long past"),
        pytest.param({"Retry-After": "999999999"}, "", 3600, id="absurd"),
        pytest.param({"Retry-After": "-1"}, "", None, id="negative"),
        pytest.param({"Retry-After": "inf"}, "", None, id="no number"),
        pytest.param({}, "policy user over ratelimit,limit:10,time:1 minute", 60, id="window of a minute"),
        pytest.param({}, "policy user over ratelimit,limit:10,time:1 second", 1, id="window of a second"),
        pytest.param({}, "slow down", None, id="nothing said"),
    ],
)
async def test_throttle_says_when_to_come_back(
    service: fakes.FakeService, store: ports.CsrStore, headers: dict[str, str], text: str, seconds: float | None
) -> None:
    """429 is Throttled, with the wait of Retry-After or else of the window that the gateway names."""
    service.scm.append(Reply(429, scm("APIGW.0308", text), headers))
    obstacle = await refused(store)
    assert isinstance(obstacle, errors.RetryLater)
    assert (obstacle.reason, obstacle.retry_after) == (Reason.THROTTLED, seconds)


async def test_messages_stay_the_same_between_tries(
    service: fakes.FakeService, store: ports.CsrStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A request id is logged but not part of a message: a status must not change with every retry."""
    caplog.set_level("INFO", logger="scm_operator")
    for request_id in ("req-1", "req-2"):
        body = {**scm("SCM.0005"), "request_id": request_id}
        service.scm.append(Reply(400, body, {"X-Request-Id": request_id}))
    first, second = await refused(store), await refused(store)
    assert first.message == second.message
    assert [vars(record)["request_id"] for record in caplog.records] == ["req-1", "req-2"]


async def test_text_of_the_service_is_made_harmless(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """Control characters and length of foreign text don't reach a status."""
    service.scm.append(Reply(400, scm("SCM.0005", "\x1b[31m\r\n" + "long " * 1000)))
    message = (await refused(store)).message
    assert message.isprintable()
    assert len(message) < 600


async def test_next_upload_goes_on_after_a_failure(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """One failed upload leaves nothing behind for the next."""
    service.scm.extend([Reply(500), fakes.reset, Reply(200, b"x" * (2 << 20))])
    for _ in range(3):
        await refused(store)
    assert (await send(store)).scm_id == fakes.SCM_ID
