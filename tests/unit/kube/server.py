"""An API server of a script, on loopback, and a client of it."""

import asyncio
import atexit
import collections
import contextlib
import dataclasses
import datetime
import functools
import json
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import kubernetes.aio.client
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from scm_operator.kube import client

Body = dict[str, Any]
Behaviour = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclasses.dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclasses.dataclass(frozen=True)
class Reply:
    """An answer: ``body`` as it is, or as JSON."""

    status: int = 200
    body: object = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    async def __call__(self, _request: web.BaseRequest) -> web.StreamResponse:
        """Send it."""
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return web.Response(status=self.status, body=raw, headers=self.headers, content_type="application/json")


@dataclasses.dataclass(frozen=True)
class Stream:
    """A watch: chunks as they are, then the end."""

    chunks: Sequence[bytes]

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Send them."""
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in self.chunks:
            await response.write(chunk)
            await asyncio.sleep(0)
        await response.write_eof()
        return response


async def reset(request: web.BaseRequest) -> web.StreamResponse:
    """Reset the connection before any answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut(request: web.BaseRequest) -> web.StreamResponse:
    """Send half of an answer."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"kind":')
    assert request.transport is not None
    request.transport.close()
    return response


def refusal(status: int, message: str = "no", *, causes: Sequence[Body] | None = None) -> Reply:
    """Make a metav1.Status, as the API server refuses."""
    body: Body = {"kind": "Status", "status": "Failure", "message": message, "code": status}
    return Reply(status, body | ({"details": {"causes": list(causes)}} if causes is not None else {}))


class FakeApiServer:
    """Answers as scripted, and remembers what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.script: collections.deque[Behaviour] = collections.deque()
        self.seen: list[Seen] = []
        self.over = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer; a request beyond the script gets none before the test is over."""
        body = await request.read()
        parsed = json.loads(body) if body else None
        self.seen.append(Seen(request.method, request.path, dict(request.query), dict(request.headers), parsed))
        if not self.script:
            await self.over.wait()
            return web.Response(status=503)
        return await self.script.popleft()(request)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[FakeApiServer]:
    """Run an API server on a free port of loopback."""
    api = FakeApiServer()
    runner = web.ServerRunner(web.Server(api.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        api.over.set()
        await runner.cleanup()


@functools.cache
def _some_ca() -> str:
    """Make the path of one CA's certificate: reading all of the system's for each client takes a while."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(1)).sign(key, hashes.SHA256())
    with tempfile.NamedTemporaryFile(suffix=".pem", delete=False) as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    atexit.register(os.unlink, file.name)
    return file.name


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[client.Kubernetes]:
    """Open a client as `client.connect` does, with an address instead of a kubeconfig."""
    configuration = kubernetes.aio.client.Configuration(host=url)
    configuration.ssl_ca_cert = _some_ca()
    configuration.client_session_kwargs = {"trust_env": False}
    async with kubernetes.aio.client.ApiClient(configuration) as api:
        yield over(api, server=url)


def over(api: Any, *, server: str = "http://127.0.0.1") -> client.Kubernetes:  # noqa: ANN401 - a fake of it
    """Make requests over the client package's connection, or over a fake of it."""

    async def authorization() -> str | None:
        return "Bearer canary"

    endpoint = client.Endpoint(server, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), authorization)
    return client.Kubernetes(endpoint, api)
