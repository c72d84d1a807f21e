"""What the tests of the SCM client share: a scripted service on loopback, a clock that tests own, accounts, content."""

import asyncio
import collections
import contextlib
import dataclasses
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scm_operator.domain import account, csr, entry, ports, upload
from scm_operator.scm import client
from tests.support import builders

TOKEN: Final = "canary-token-" + "t" * 64
PASSWORD: Final = "canary-password-äöü"  # noqa: S105 - of an account that exists in these tests only
CSR_PEM: Final = "-----BEGIN CERTIFICATE REQUEST-----\ncanary+csr+line/64\n-----END CERTIFICATE REQUEST-----\n"
KEY_PEM: Final = "-----BEGIN PRIVATE KEY-----\ncanary+key+line/64\n-----END PRIVATE KEY-----\n"
CANARIES: Final = (TOKEN, PASSWORD, "canary+csr+line/64", "canary+key+line/64", "canary-token", "canary-password")
SCM_ID: Final = "474a519e2c884c34a2d01033a6493b3c"
CONTENT: Final = csr.Content("sha256:0+key", CSR_PEM, KEY_PEM, upload.CsrSummary("shop.example.com", 1, "EC_P256"))
STORED: Final = {"id": SCM_ID, "name": "shop-tls", "create_time": 1685325399000}
LISTED_CSR: Final = builders.make_csr().decode()
ITEM: Final = {"id": SCM_ID, "name": "shop-tls", "csr": LISTED_CSR, "create_time": 1685325399001, "sans": ""}
"""An entry as lists and shows have it."""
ENTRY: Final = entry.ListedEntry(
    SCM_ID,
    "shop-tls",
    csr.content_of(csr.parse_request(LISTED_CSR.encode(), source="the CSR"), None).hash.removeprefix("sha256:"),
    datetime.datetime(2023, 5, 29, 1, 56, 39, 1000, tzinfo=datetime.UTC),
)
"""What that is read as."""
UPLOAD_PATH: Final = "/v3/scm/csr/upload"
LONGEST_TOKEN: Final = 2_097_152

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeClock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        """Stand at noon."""
        self.time = datetime.datetime(2026, 1, 2, 12, 0, 0, tzinfo=datetime.UTC)
        self.seconds = 1000.0

    def now(self) -> datetime.datetime:
        """Return the time of day."""
        return self.time

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        self.time += datetime.timedelta(seconds=seconds)


@dataclasses.dataclass(frozen=True)
class Reply:
    """An answer to send: ``body`` as it is, or as JSON."""

    status: int = 200
    body: object = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    async def __call__(self, _request: web.Request) -> web.StreamResponse:
        """Send it."""
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        response = web.Response(status=self.status, body=raw, content_type="application/json")
        response.headers.update(self.headers)
        return response


@dataclasses.dataclass(frozen=True)
class Seen:
    """A request as the service saw it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def token(self) -> str:
        """Return its X-Auth-Token."""
        return self.headers["X-Auth-Token"]


async def reset(request: web.Request) -> web.StreamResponse:
    """Read the request, and reset the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


class FakeService:
    """SCM and IAM on one address: answers from a script, success when that is used up, and remembers requests."""

    def __init__(self) -> None:
        """Begin with empty scripts."""
        self.endpoint = ""
        self.seen: list[Seen] = []
        self.scm: collections.deque[Behaviour] = collections.deque()
        self.iam: collections.deque[Behaviour] = collections.deque()
        self.logins = 0
        self.hanging = asyncio.Event()
        self.over = asyncio.Event()

    @property
    def uploads(self) -> list[Seen]:
        """Return the uploads that arrived."""
        return [request for request in self.seen if request.path == UPLOAD_PATH]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as scripted."""
        assert isinstance(request, web.BaseRequest)
        body = json.loads(await request.read() or b"null")
        self.seen.append(Seen(request.method, request.raw_path, request.headers, body))
        if request.path == "/v3/auth/tokens":
            self.logins += 1
            behaviour = self.iam.popleft() if self.iam else login(self.token(self.logins))
        else:
            behaviour = self.scm.popleft() if self.scm else Reply(200, STORED)
        return await behaviour(request)  # type: ignore[arg-type]  # a Request is not needed for what they do

    async def hang(self, request: web.Request) -> web.StreamResponse:
        """Don't answer before the test says that it is over, or ends."""
        self.hanging.set()
        await self.over.wait()
        return await Reply(200, STORED)(request)

    @staticmethod
    def token(number: int) -> str:
        """Return the token of a login, counted from 1."""
        return f"{TOKEN}-{number}"


def login(token: str, *, lifetime: float = 86400.0) -> Reply:
    """Return IAM's answer to a login that worked."""
    issued = datetime.datetime(2020, 1, 3, 9, 5, 22, 701000, tzinfo=datetime.UTC)  # far from anybody's clock
    times = {"issued_at": issued, "expires_at": issued + datetime.timedelta(seconds=lifetime)}
    body = {"token": {name: f"{time:%Y-%m-%dT%H:%M:%S.%fZ}" for name, time in times.items()}}
    return Reply(201, body, {"X-Subject-Token": token})


@contextlib.asynccontextmanager
async def serving(*, tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeService]:
    """Run a FakeService on loopback."""
    service = FakeService()
    server = web.Server(
        service.handle, access_log=None, max_field_size=LONGEST_TOKEN + 100, max_line_size=LONGEST_TOKEN + 100
    )
    runner = web.ServerRunner(server, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    service.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        service.over.set()
        await runner.cleanup()


@contextlib.asynccontextmanager
async def listening(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Run a server that is not HTTP, or bad HTTP, on loopback; its ``host:port``."""
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await talk(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Read one HTTP request with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return head + await reader.readexactly(int(length))


def token_account(endpoint: str, **spec: object) -> account.Account:
    """Return an account with a ready token."""
    return parse({"endpoint": endpoint, "auth": {"token": {"secretRef": {"name": "scm-token"}}}, **spec})


def password_account(endpoint: str, *, scope: Mapping[str, str] | None = None, iam: str = "") -> account.Account:
    """Return an account with an IAM user, whose IAM is at the same address unless said otherwise."""
    auth = {
        "iamEndpoint": iam or endpoint,
        "domain": "acme",
        "user": "cert-bot",
        "scope": scope or {"project": "cn-north-4"},
        "secretRef": {"name": "scm-iam"},
    }
    return parse({"endpoint": endpoint, "auth": {"password": auth}})


def parse(spec: Mapping[str, object]) -> account.Account:
    """Return the account of a spec."""
    metadata = {"name": "default", "namespace": "shop", "uid": "u1", "resourceVersion": "1", "generation": 1}
    return account.parse_account({"metadata": metadata, "spec": spec})


def store(
    spec: account.Account,
    *,
    clock: FakeClock,
    credential: str | None = None,
    timeout: float = 30.0,
    meter: ports.ScmMeter = lambda *_: None,
) -> ports.CsrStore:
    """Return the client of an account, as the operator makes it."""
    make = client.factory(timeout=timeout, allow_insecure_loopback=True, clock=clock, meter=meter)
    default = TOKEN if isinstance(spec.auth, account.TokenAuth) else PASSWORD
    return make(spec, credential=(credential or default).encode())


def server_certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """Return what a TLS server on 127.0.0.1 needs, and the PEM bundle that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    bundle = certificate.public_bytes(serialization.Encoding.PEM).decode()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    path = folder / "server.pem"
    path.write_text(pem + bundle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, bundle
