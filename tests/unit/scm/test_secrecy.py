"""Token, password, key and CSR stay out of whatever a person or a log may see, even when a service sends them back."""

import dataclasses
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping

import pytest
from aiohttp import web

from scm_operator.domain import account, errors, ports
from tests.unit.scm import service as fakes
from tests.unit.scm.service import Reply


def texts_in(value: object) -> Iterator[str]:
    """Return each text of a JSON value."""
    if isinstance(value, str):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts_in(child)


LINE = "canary+csr+line/64".ljust(64, "A")
BARE = f"{LINE}\n{LINE}\r\ncanary+csr+line/64=="
STORED = f"CsrEntity(csr={fakes.CSR_PEM}, bare={BARE}, escaped={fakes.CSR_PEM!r}, line={LINE * 9})"
"""What a service may say of an entry that it has stored: CSRs with their frame and without."""


@dataclasses.dataclass(frozen=True)
class Mirror:
    """An answer that repeats all that it was sent (lines of base64 without their frame, whole texts) and has stored."""

    status: int
    shape: Callable[[str], object]

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Send it."""
        texts = [request.headers.get("X-Auth-Token", ""), *texts_in(json.loads(await request.read() or b"null"))]
        bare = [line for text in texts for line in text.splitlines() if "-----" not in line]
        echo = " ".join([*bare, *texts, STORED])
        return await Reply(self.status, self.shape(echo), {"X-Request-Id": "r", "Location": "/?" + texts[0]})(request)


ECHOES: Mapping[str, fakes.Behaviour] = {
    "400": Mirror(400, lambda echo: {"error_code": "SCM.0005", "error_msg": echo}),
    "401": Mirror(401, lambda echo: {"error_code": "APIGW.0301", "error_msg": echo}),
    "403": Mirror(403, lambda echo: {"error": {"message": echo, "code": 403}}),
    "404": Mirror(404, lambda echo: {"code": "SCM.0001", "message": echo}),
    "429": Mirror(429, lambda echo: {"errorCode": "APIGW.0308", "errorMsg": echo}),
    "500": Mirror(500, lambda echo: {"error_code": echo, "error_msg": echo}),
    "500 HTML": Mirror(500, lambda echo: echo.encode()),
    "200": Mirror(200, lambda echo: {"id": echo}),
    "302": Mirror(302, lambda echo: {"message": echo}),
    "404 of anybody": Mirror(404, lambda echo: {"message": echo}),
    "409": Mirror(409, lambda echo: {"error_code": "SCM.0016", "error_msg": echo}),
    "reset": fakes.reset,
}
SUCCESSES = {("rename", "200"), ("delete", "200"), ("delete", "404"), ("show", "404")}
"""What is no error: anything will do as the answer to a rename or a deletion, and an entry may be gone."""


def shown(error: BaseException | None) -> Iterator[str]:
    """Return all that can be seen of an exception and of each one that hangs on it."""
    while error is not None:
        yield from (str(error), repr(error), repr(error.args), repr(vars(error)))
        if error.__cause__ is not None:
            yield from shown(error.__cause__)
        error = error.__context__


def assert_clean(*texts: str) -> None:
    """Find no canary."""
    for text in texts:
        assert not [canary for canary in fakes.CANARIES if canary in text]


@pytest.mark.parametrize("answer", ECHOES)
@pytest.mark.parametrize("way", ["upload", "rename", "list", "show", "delete", "login", "prepare"])
async def test_nothing_secret_is_shown(
    service: fakes.FakeService, clock: fakes.FakeClock, caplog: pytest.LogCaptureFixture, answer: str, way: str
) -> None:
    """No error, nothing that hangs on it, and no log record at any level holds what must stay secret."""
    caplog.set_level(logging.DEBUG)
    (service.iam if way in {"login", "prepare"} else service.scm).extend([ECHOES[answer]] * 2)
    store = fakes.store(fakes.password_account(service.endpoint), clock=clock)
    error = await failure_of(store, way=way)
    assert (error is None) == ((way, answer) in SUCCESSES)
    assert_clean(*shown(error), *(repr(vars(record)) + record.getMessage() for record in caplog.records))
    assert_clean(repr(store), repr(fakes.CONTENT))
    await store.aclose()


async def test_no_csr_of_an_answer_is_kept(
    service: fakes.FakeService, store: ports.CsrStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a CSR that a list or a show brings there remains its hash, in what is returned as in the logs."""
    caplog.set_level(logging.DEBUG)
    item = {**fakes.ITEM, "csr": fakes.CSR_PEM, "private_key": fakes.KEY_PEM}
    service.scm.extend([Reply(200, {"csr_list": [item], "total": 1}), Reply(200, item)])
    found = [repr(await store.list_named("shop-tls")), repr(await store.show(fakes.SCM_ID))]
    assert_clean(*found, *(repr(vars(record)) + record.getMessage() for record in caplog.records))


async def failure_of(store: ports.CsrStore, *, way: str) -> BaseException | None:
    """Return what a call fails with, if it does."""
    calls: Mapping[str, Callable[[], Awaitable[object]]] = {
        "rename": lambda: store.rename(fakes.SCM_ID, name="shop-tls"),
        "list": lambda: store.list_named("shop-tls"),
        "show": lambda: store.show(fakes.SCM_ID),
        "delete": lambda: store.delete(fakes.SCM_ID),
        "prepare": store.prepare,
    }
    try:
        await calls.get(way, lambda: store.upload(fakes.CONTENT, name="shop-tls", timeout=30))()
    except errors.Obstacle as error:
        return error
    return None


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "https://127.0.0.1:1"])
@pytest.mark.parametrize("way", ["upload", "list", "show", "delete"])
@pytest.mark.parametrize("account_at", [fakes.token_account, fakes.password_account], ids=["token", "password"])
async def test_no_library_exception_hangs_on_an_error(
    clock: fakes.FakeClock, endpoint: str, account_at: Callable[[str], account.Account], way: str
) -> None:
    """An exception of the HTTP library may carry a request with its headers, so errors have no cause and no context."""
    store = fakes.store(account_at(endpoint), clock=clock)
    error = await failure_of(store, way=way)
    assert error is not None
    assert (error.__cause__, error.__context__) == (None, None)
    await store.aclose()


def test_bad_credential_is_not_quoted(clock: fakes.FakeClock) -> None:
    """A credential that can't be used isn't shown either."""
    with pytest.raises(errors.AccountFault) as caught:
        fakes.store(fakes.token_account("https://h"), clock=clock, credential=f"{fakes.TOKEN} {fakes.TOKEN}")
    assert_clean(*shown(caught.value))
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
