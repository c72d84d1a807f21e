"""Whether a request may have reached the service: the fact that decides between "try again" and "look it up first".

Real sockets throughout: the exception classes of the HTTP libraries don't tell, so no stand-in could either.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import httpx
import pytest

from scm_operator.domain import errors, ports
from scm_operator.domain.reasons import Reason
from scm_operator.scm import transport
from tests.unit.scm import service as fakes
from tests.unit.scm.service import Reply

SHORT = 0.2
"""A deadline in seconds for what never answers; connecting gets half of it."""


@contextlib.asynccontextmanager
async def connected_to(endpoint: str, *, deadline: float = 30.0, **spec: object) -> AsyncIterator[ports.CsrStore]:
    """Open a client of any address."""
    store = fakes.store(fakes.token_account(endpoint, **spec), clock=fakes.FakeClock(), timeout=deadline)
    try:
        yield store
    finally:
        await store.aclose()


async def refused(store: ports.CsrStore, *, deadline: float = 30.0) -> errors.Obstacle:
    """Return what an upload fails with."""
    with pytest.raises(errors.Obstacle) as caught:
        await store.upload(fakes.CONTENT, name="shop-tls", timeout=deadline)
    return caught.value


async def unreachable(endpoint: str, *, deadline: float = 30.0) -> str:
    """Return the message of an upload that surely sent nothing."""
    async with connected_to(endpoint, deadline=deadline) as store:
        obstacle = await refused(store)
    assert type(obstacle) is errors.RetryLater
    assert obstacle.reason == Reason.UNREACHABLE
    assert endpoint in obstacle.message
    return obstacle.message


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Take what comes and say nothing."""
    await reader.read()


@pytest.fixture
def full_port() -> Iterator[int]:
    """Return the port of a socket that listens, whose queue is full: a connection to it is never established."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_refused_connection_sent_nothing() -> None:
    """A port where nobody listens is Unreachable."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert "no connection could be made" in await unreachable(f"http://127.0.0.1:{bound.getsockname()[1]}")


async def test_host_that_swallows_packets_sent_nothing(full_port: int) -> None:
    """A connection that isn't established in time is Unreachable, before the call's own deadline."""
    assert "no connection in time" in await unreachable(f"http://127.0.0.1:{full_port}", deadline=SHORT)


async def test_silent_tls_handshake_sent_nothing() -> None:
    """A server that never answers the handshake is Unreachable, before the call's own deadline."""
    async with fakes.listening(silent) as address:
        assert "no connection in time" in await unreachable(f"https://{address}", deadline=SHORT)


async def test_server_without_tls_sent_nothing() -> None:
    """A plain server on a TLS port is Unreachable."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with fakes.listening(plain) as address:
        assert "TLS handshake" in await unreachable(f"https://{address}")


async def test_hang_up_during_the_handshake_sent_nothing() -> None:
    """A server that resets the connection instead of a handshake is Unreachable."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with fakes.listening(hang_up) as address:
        await unreachable(f"https://{address}")


async def test_untrusted_certificate_sent_nothing(tmp_path: Path) -> None:
    """A certificate that nothing vouches for is Unreachable, and says so."""
    server_context, _ = fakes.server_certificate(tmp_path)
    async with fakes.serving(tls=server_context) as service:
        assert "certificate is not trusted" in await unreachable(service.endpoint)
        assert service.seen == []


async def test_trusted_certificate_lets_the_upload_through(tmp_path: Path) -> None:
    """The account's caBundle makes the same certificate good."""
    server_context, bundle = fakes.server_certificate(tmp_path)
    async with (
        fakes.serving(tls=server_context) as service,
        connected_to(service.endpoint, caBundle=bundle) as store,
    ):
        assert (await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)).scm_id == fakes.SCM_ID


async def test_reset_after_the_request_is_unknown(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """A connection that ends after the request was read is an unknown outcome, and the request isn't repeated."""
    service.scm.append(fakes.reset)
    assert type(await refused(store)) is errors.OutcomeUnknown
    assert len(service.uploads) == 1


async def test_reset_of_a_reused_connection_is_unknown(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """The same on a connection that served before: no library takes it for a stale one and sends the POST again."""
    await store.upload(fakes.CONTENT, name="first", timeout=30)
    service.scm.append(fakes.reset)
    assert type(await refused(store)) is errors.OutcomeUnknown
    assert [seen.body["name"] for seen in service.uploads] == ["first", "shop-tls"]


async def test_connection_that_the_server_closed_while_idle_is_not_used() -> None:
    """After the server has closed an idle connection, the next upload takes a new one and arrives once."""
    arrived: list[bytes] = []
    ended = asyncio.Event()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await fakes.read_request(reader))
        body = f'{{"id": "{fakes.SCM_ID}"}}'.encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.write_eof()
        await reader.read()  # the client has seen the end, too
        ended.set()

    async with fakes.listening(once) as address, connected_to(f"http://{address}") as store:
        await store.upload(fakes.CONTENT, name="first", timeout=30)
        await ended.wait()
        await store.upload(fakes.CONTENT, name="second", timeout=30)
    assert len(arrived) == 2


async def test_deadline_during_the_answer_is_unknown(service: fakes.FakeService) -> None:
    """A request that gets no answer before the deadline is an unknown outcome."""
    service.scm.append(service.hang)
    async with connected_to(service.endpoint) as store:
        obstacle = await refused(store, deadline=SHORT)
    assert type(obstacle) is errors.OutcomeUnknown
    assert obstacle.message == (
        f"it was sent to SCM at {service.endpoint}, but the deadline of 0.2 s passed before the answer."
    )


async def test_deadline_within_the_body_is_unknown() -> None:
    """A status line alone is no answer."""

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await fakes.read_request(reader)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\n{")
        await reader.read()

    async with fakes.listening(stall) as address, connected_to(f"http://{address}") as store:
        assert type(await refused(store, deadline=SHORT)) is errors.OutcomeUnknown


NONSENSE = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "closed": b"",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * (3 << 20) + b"\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
}


@pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in NONSENSE.items()])
async def test_nonsense_after_the_request_is_unknown(answer: bytes) -> None:
    """Whatever a server writes instead of HTTP, the POST was sent once, and its outcome is unknown."""
    arrived: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await fakes.read_request(reader))
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with fakes.listening(talk) as address, connected_to(f"http://{address}") as store:
        assert type(await refused(store)) is errors.OutcomeUnknown
    assert len(arrived) == 1


async def test_closing_the_client_makes_what_is_in_flight_unknown(service: fakes.FakeService) -> None:
    """A client that is closed under an upload leaves an unknown outcome, not a cancelled one."""
    service.scm.append(service.hang)
    async with connected_to(service.endpoint) as store:
        under_way = asyncio.create_task(refused(store))
        await service.hanging.wait()
        await store.aclose()
        assert type(await under_way) is errors.OutcomeUnknown


async def test_closed_client_sends_nothing(service: fakes.FakeService) -> None:
    """A client that was closed doesn't open connections again."""
    async with connected_to(service.endpoint) as store:
        await store.aclose()
        assert (await refused(store)).reason == Reason.UNREACHABLE
    assert service.seen == []


async def test_cancelling_stays_cancelling(service: fakes.FakeService) -> None:
    """A cancelled upload raises CancelledError: it has no outcome, so its caller must not cancel what is in flight."""
    service.scm.append(service.hang)
    async with connected_to(service.endpoint) as store:
        under_way = asyncio.create_task(store.upload(fakes.CONTENT, name="shop-tls", timeout=30))
        await service.hanging.wait()
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way


async def test_uploads_at_once_are_told_apart(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """Of several uploads in flight, each gets its own outcome."""
    service.scm.extend([fakes.reset, Reply(200, fakes.STORED), Reply(500), Reply(200, fakes.STORED)])
    outcomes = await asyncio.gather(
        *(store.upload(fakes.CONTENT, name=f"n{number}", timeout=30) for number in range(4)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Entry", "Entry"] + ["OutcomeUnknown"] * 2
    assert len(service.uploads) == 4


class FakeTransport(httpx.AsyncBaseTransport):
    """A transport that fails as told, before or after a connection, and without real sockets."""

    def __init__(self, error: Exception) -> None:
        """Take what it raises."""
        self.error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Fail."""
        del request
        raise self.error


def every_exception_of(module: object) -> list[type[Exception]]:
    """Return each exception class that a module exports."""
    members = [getattr(module, name) for name in dir(module)]
    return [member for member in members if isinstance(member, type) and issubclass(member, Exception)]


FOREIGN = {*every_exception_of(aiohttp), *every_exception_of(httpx), OSError, TimeoutError, RuntimeError, ValueError}


@pytest.mark.parametrize("kind", sorted(FOREIGN, key=str), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
async def test_no_foreign_exception_leaves_the_link(kind: type[Exception]) -> None:
    """Every exception of the HTTP libraries becomes NoAnswer; without a connection, surely nothing was written."""
    link = transport.Link("http://127.0.0.1:1", transport=FakeTransport(kind.__new__(kind)), connect_timeout=1)
    deadline = transport.Deadline.after(30)
    outcome = await link.send("POST", link.url("/"), content=b"", deadline=deadline)
    assert isinstance(outcome, transport.NoAnswer)
    assert not outcome.written


async def test_name_that_cannot_be_resolved_is_told_as_such() -> None:
    """A DNS failure is named in the message."""
    key = aiohttp.client_reqrep.ConnectionKey("scm.invalid", 443, True, True, None, None, None)
    error = httpx.ConnectError("")
    error.__cause__ = aiohttp.ClientConnectorDNSError(key, socket.gaierror())
    link = transport.Link("https://scm.invalid", transport=FakeTransport(error), connect_timeout=1)
    deadline = transport.Deadline.after(30)
    outcome = await link.send("POST", link.url("/"), content=b"", deadline=deadline)
    assert outcome == transport.NoAnswer("its name can't be resolved", written=False)


async def test_deadline_that_has_passed_sends_nothing(service: fakes.FakeService) -> None:
    """A request whose deadline has passed already isn't begun."""
    opened = transport.open_transport(service.endpoint, tls=transport.tls_context(None), long_headers=False)
    link = transport.Link(service.endpoint, transport=opened, connect_timeout=1)
    outcome = await link.send("POST", link.url("/"), content=b"", deadline=transport.Deadline.after(0))
    assert isinstance(outcome, transport.NoAnswer)
    assert not outcome.written
    assert service.seen == []
