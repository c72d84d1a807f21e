"""One endpoint over HTTP: connections, TLS, proxy and deadline; and whether a request may have reached it.

An exception's class can't tell that: httpx-aiohttp maps a server that hangs up after the request was sent to the same
``httpx.ConnectTimeout`` as a host that never answered. aiohttp's tracing can: a connection that was neither created
nor reused carried no byte. So outcomes are values here (Answer, NoAnswer), and no foreign exception leaves this module.
"""

import asyncio
import base64
import contextvars
import dataclasses
import functools
import importlib.metadata
import ssl
import urllib.parse
import urllib.request
from collections.abc import Callable

import aiohttp
import httpx
import httpx_aiohttp

from scm_operator.domain import account, errors, ports, reasons

MAX_BODY = 1 << 20
"""Bytes of an answer that are read; a longer one is treated as unreadable."""

OnEnd = Callable[[str, str, float], None]

_MAX_HEADER = (2 << 20) + (64 << 10)  # X-Subject-Token has up to 2,097,152 characters
_MAX_PLAIN_HEADER = 64 * 1024  # bytes of a header of SCM, which has no reason for more
_MAX_HEADERS = 40  # of one answer: with long ones, that many are what an endpoint can make the operator hold
_CONNECTIONS = 100
_KEEPALIVE = 15.0  # seconds; well below what servers and load balancers allow, so that they rarely hang up first
_AFTER_CONNECTING: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ServerDisconnectedError, "the connection was closed before an answer"),
    (aiohttp.ClientOSError, "the connection broke"),
    (aiohttp.ClientPayloadError, "the answer broke off"),
)
_BEFORE_CONNECTING: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ConnectionTimeoutError, "no connection in time"),
    (aiohttp.ServerTimeoutError, "no connection in time"),
    (aiohttp.ClientConnectorDNSError, "its name can't be resolved"),
    (aiohttp.ClientConnectorCertificateError, "its certificate is not trusted"),
    (aiohttp.ClientSSLError, "the TLS handshake failed"),
    (aiohttp.ClientHttpProxyError, "the proxy refused the connection"),
    (aiohttp.ClientProxyConnectionError, "the proxy can't be reached"),
    (aiohttp.ClientConnectorError, "no connection could be made"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``body`` is None if it is compressed or longer than MAX_BODY."""

    status: int
    headers: httpx.Headers = dataclasses.field(repr=False)
    body: bytes | None = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing usable came back; ``written`` is False only if surely no byte of the request left."""

    what: str
    written: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Deadline:
    """When a call is cut off: ``at`` on the loop's clock, ``seconds`` after it began."""

    at: float
    seconds: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Begin a call now."""
        return cls(asyncio.get_running_loop().time() + seconds, seconds)

    def __str__(self) -> str:
        """Return how long the call may take."""
        return f"{self.seconds:.1f}".removesuffix(".0") + " s"


@dataclasses.dataclass(slots=True)
class _Crossing:
    """Whether the request of this context has got a connection."""

    connected: bool = False


_crossing: contextvars.ContextVar[_Crossing] = contextvars.ContextVar("scm_crossing")


def _nobody(_operation: str, _code: str, _seconds: float) -> None: ...


class Link:
    """One endpoint: sends requests, each at most once as far as POST is concerned, and says what became of them."""

    def __init__(
        self, endpoint: str, *, transport: httpx.AsyncBaseTransport, connect_timeout: float, on_end: OnEnd = _nobody
    ) -> None:
        """Take an absolute URL without path. ``connect_timeout`` (seconds) covers DNS, proxy, TCP and TLS.

        ``on_end`` is told of each request its operation, status (or one of ports.NO_ANSWER), and the seconds it took.
        """
        base = httpx.URL(endpoint)
        self.name = f"{base.scheme}://{base.netloc.decode()}"
        self._base = endpoint.rstrip("/")
        self._transport = transport
        self._extensions = {"timeout": {"connect": connect_timeout, "pool": connect_timeout}}
        self._headers = [
            (b"Host", base.netloc),
            (b"User-Agent", _user_agent()),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"identity"),
            (b"Content-Type", b"application/json"),
            (b"Cache-Control", b"no-cache"),  # an old list out of a proxy must not make a CSR look absent
        ]
        self._closed = False
        self._on_end = on_end

    def url(self, path: str) -> httpx.URL:
        """Return the address of a path, which starts with a slash and is quoted already."""
        return httpx.URL(self._base + path)

    async def send(  # noqa: PLR0913 - what a request has
        self,
        method: str,
        url: httpx.URL,
        *,
        content: bytes,
        deadline: Deadline,
        token: str | None = None,
        operation: str = "",
    ) -> Answer | NoAnswer:
        """Send a request and read its answer before ``deadline``; ``operation`` is what it is counted as.

        Cancelled, it raises CancelledError and the outcome is lost: a caller that must know it waits for the deadline.
        """
        begun = asyncio.get_running_loop().time()
        outcome = await self._send(method, url, content=content, deadline=deadline, token=token)
        self._on_end(operation, _code_of(outcome), asyncio.get_running_loop().time() - begun)
        return outcome

    async def _send(
        self, method: str, url: httpx.URL, *, content: bytes, deadline: Deadline, token: str | None
    ) -> Answer | NoAnswer:
        if self._closed or asyncio.get_running_loop().time() >= deadline.at:
            return NoAnswer("the client is closed" if self._closed else "the deadline passed before sending", False)
        headers = [*self._headers, (b"X-Auth-Token", token.encode("ascii"))] if token else self._headers
        request = httpx.Request(method, url, headers=headers, content=content, extensions=self._extensions)
        crossing = _Crossing()
        previous = _crossing.set(crossing)
        try:
            async with asyncio.timeout_at(deadline.at):
                return await self._exchange(request)
        except TimeoutError:
            if not crossing.connected:
                return NoAnswer("no connection in time", written=False)
            return NoAnswer(f"the deadline of {deadline} passed before the answer", written=True)
        except Exception as error:  # noqa: BLE001 - whatever the libraries raise: only the wire counts
            return NoAnswer(_explain(error, connected=crossing.connected), crossing.connected)
        finally:
            _crossing.reset(previous)

    async def _exchange(self, request: httpx.Request) -> Answer:
        # The transport itself, not httpx.AsyncClient: no cookies, no redirects, and 40 % less CPU a request.
        response = await self._transport.handle_async_request(request)
        try:
            return Answer(response.status_code, response.headers, await _read(response))
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close the connections; what is in flight ends as NoAnswer."""
        self._closed = True
        await self._transport.aclose()


def _code_of(outcome: Answer | NoAnswer) -> str:
    if isinstance(outcome, Answer):
        return str(outcome.status)
    return ports.LOST if outcome.written else ports.UNSENT


async def _read(response: httpx.Response) -> bytes | None:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return None
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BODY:
            return None
    return bytes(body)


def _explain(error: Exception, *, connected: bool) -> str:
    """Say what happened in words that stay the same from try to try: no address, no errno text."""
    table = _AFTER_CONNECTING if connected else _BEFORE_CONNECTING
    original = error.__cause__ or error
    fallback = f"the answer can't be read ({type(original).__name__})" if connected else "no connection could be made"
    return next((text for kind, text in table if isinstance(original, kind)), fallback)


def is_endpoint(endpoint: str) -> bool:
    """Say whether a text is the address of a server and nothing more: scheme, host, maybe a port."""
    try:
        url = httpx.URL(endpoint)
    except httpx.InvalidURL:
        return False
    named = url.scheme in {"http", "https"} and bool(url.host) and 0 < (url.port or 443) < 65536
    return named and not url.userinfo and url.raw_path in {b"/", b""} and not url.fragment


def open_transport(endpoint: str, *, tls: ssl.SSLContext, long_headers: bool) -> httpx.AsyncBaseTransport:
    """Make the transport to one endpoint, without any I/O; only IAM's answers carry tokens (``long_headers``).

    Raises: AccountFault if its proxy's address is unusable.
    """
    return httpx_aiohttp.AiohttpTransport(
        verify=tls,
        proxy=_proxy_for(httpx.URL(endpoint)),
        client=functools.partial(_open_session, tls, _MAX_HEADER if long_headers else _MAX_PLAIN_HEADER),
    )


def _open_session(tls: ssl.SSLContext, max_header: int) -> aiohttp.ClientSession:
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(_note_connection)
    tracing.on_connection_reuseconn.append(_note_connection)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEPALIVE, ssl=tls),
        cookie_jar=aiohttp.DummyCookieJar(),
        max_field_size=max_header,
        max_line_size=max_header,
        max_headers=_MAX_HEADERS,
        trace_configs=[tracing],
    )


async def _note_connection(_session: object, _context: object, _params: object) -> None:
    _crossing.get().connected = True


@functools.lru_cache(maxsize=32)  # reading the system's authorities takes 20 ms
def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Trust the system's authorities (SSL_CERT_FILE, SSL_CERT_DIR) and those of a PEM bundle. Raises: AccountFault."""
    context = ssl.create_default_context()
    if ca_bundle is None:
        return context
    try:
        context.load_verify_locations(cadata=ca_bundle)
    except (ssl.SSLError, ValueError, TypeError):
        pass
    else:
        return context
    raise errors.AccountFault(
        reasons.AccountReason.INVALID_CA_BUNDLE,
        "spec.caBundle is not a list of certificates in PEM; put the CA certificates of the endpoint there, whole.",
    )


def _proxy_for(url: httpx.URL) -> httpx.Proxy | None:
    """Return the proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name for an address, if any.

    NO_PROXY holds host names and their suffixes; address ranges are not understood (urllib.request). Loopback is never
    proxied, as in Go.
    """
    proxies = urllib.request.getproxies()
    address = proxies.get(url.scheme) or proxies.get("all")
    if not address or account.is_loopback(str(url)) or urllib.request.proxy_bypass(url.netloc.decode()):
        return None
    parts = _split(address if "://" in address else f"http://{address}")
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise errors.AccountFault(
            reasons.AccountReason.ENDPOINT_NOT_ALLOWED,
            f"the operator's proxy setting for {url.scheme} is not an http:// or https:// address. "
            "Correct HTTPS_PROXY, or add the endpoint's host to NO_PROXY.",
        )
    # The password goes as a header: aiohttp deprecates the argument that httpx-aiohttp would use for it.
    user = f"{urllib.parse.unquote(parts.username or '')}:{urllib.parse.unquote(parts.password or '')}".encode()
    headers = {"Proxy-Authorization": f"Basic {base64.b64encode(user).decode()}"} if parts.username else None
    return httpx.Proxy(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), headers=headers)


def _split(address: str) -> urllib.parse.SplitResult | None:
    try:
        parts = urllib.parse.urlsplit(address)
        httpx.URL(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())
    except (ValueError, httpx.InvalidURL):
        return None
    return parts


@functools.cache
def _user_agent() -> bytes:
    return f"scm-csr-operator/{importlib.metadata.version('scm-csr-operator')}".encode()
