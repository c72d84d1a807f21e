import asyncio
import base64

import pytest

from scm_operator.domain import account, errors, ports
from scm_operator.domain.reasons import AccountReason, Reason
from scm_operator.scm import client
from tests.unit.scm import service as fakes

SETTING = "SCM_OPERATOR_ALLOW_INSECURE_LOOPBACK"
PUBLIC = "https://scm.example.com"


def make(spec: account.Account, *, credential: bytes = fakes.TOKEN.encode(), allow: bool = False) -> ports.CsrStore:
    """Make a client without any I/O."""
    factory = client.factory(timeout=2, allow_insecure_loopback=allow, clock=fakes.FakeClock())
    return factory(spec, credential=credential)


def fault_of(
    spec: account.Account, *, credential: bytes = fakes.TOKEN.encode(), allow: bool = False
) -> errors.AccountFault:
    """Return why no client can be made."""
    with pytest.raises(errors.AccountFault) as caught:
        make(spec, credential=credential, allow=allow)
    return caught.value


def test_https_accounts_need_no_permission() -> None:
    """An https endpoint is good, and making a client needs neither network nor event loop."""
    make(fakes.token_account(PUBLIC))
    make(fakes.password_account(PUBLIC, iam="https://iam.example.com:8443/"))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_plain_http_needs_loopback_and_the_setting(host: str) -> None:
    """Plain http to this machine is good only where the operator's setting allows it."""
    spec = fakes.token_account(f"http://{host}:8080")
    make(spec, allow=True)
    fault = fault_of(spec)
    assert fault.reason == AccountReason.ENDPOINT_NOT_ALLOWED
    assert SETTING in fault.message


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param(fakes.token_account("http://scm.example.com"), "spec.endpoint", id="SCM"),
        pytest.param(fakes.token_account("http://127.0.0.1.example.com"), "spec.endpoint", id="looks like loopback"),
        pytest.param(
            fakes.password_account(PUBLIC, iam="http://iam.example.com"), "spec.auth.password.iamEndpoint", id="IAM"
        ),
    ],
)
def test_plain_http_elsewhere_is_never_allowed(spec: account.Account, field: str) -> None:
    """A credential isn't sent in the clear over a network; the message names the field."""
    fault = fault_of(spec, allow=True)
    assert fault.reason == AccountReason.ENDPOINT_NOT_ALLOWED
    assert fault.message.startswith(f"{field} is not https")


@pytest.mark.parametrize(
    "endpoint",
    ["scm.example.com", "https://", "https://u:p@scm.example.com", "https://h/path", "https://h?q", "https://h:99999"],
)
def test_other_texts_are_no_endpoint(endpoint: str) -> None:
    """An endpoint is scheme, host and port, also where no schema has checked it."""
    assert fault_of(fakes.token_account(endpoint)).reason == AccountReason.ENDPOINT_NOT_ALLOWED


@pytest.mark.parametrize("credential", [b"", b"\n", b"\xff\xfe" * 32], ids=["empty", "newline", "binary"])
@pytest.mark.parametrize(
    "spec", [fakes.token_account(PUBLIC), fakes.password_account(PUBLIC)], ids=["token", "password"]
)
def test_unusable_credential_is_invalid(spec: account.Account, credential: bytes) -> None:
    """An empty or binary credential is CredentialInvalid; the message names the Secret and its key."""
    fault = fault_of(spec, credential=credential)
    assert fault.reason == AccountReason.CREDENTIAL_INVALID
    assert spec.auth.secret.name in fault.message


@pytest.mark.parametrize(
    "bundle",
    ["no PEM", "ümlaut", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    ids=["words", "not ASCII", "damaged"],
)
def test_broken_ca_bundle_is_said(bundle: str) -> None:
    """A caBundle that holds no certificates is InvalidCABundle, not a failure of every call."""
    spec = fakes.token_account(PUBLIC, caBundle=bundle)
    assert fault_of(spec).reason == AccountReason.INVALID_CA_BUNDLE


async def refused(spec: account.Account) -> errors.Obstacle:
    """Return what an upload fails with."""
    store = make(spec)
    with pytest.raises(errors.Obstacle) as caught:
        await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)
    await store.aclose()
    return caught.value


async def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY gets a CONNECT with its user and password; a proxy that refuses means that nothing was sent."""
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with fakes.listening(proxy) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:p%40ss@{address}")
        monkeypatch.setenv("NO_PROXY", "")
        obstacle = await refused(fakes.token_account(PUBLIC))
    assert obstacle.reason == Reason.UNREACHABLE
    assert "proxy refused" in obstacle.message
    (request,) = asked
    assert request.startswith(b"CONNECT scm.example.com:443 ")
    assert b"Basic " + base64.b64encode(b"user:p@ss") in request
    assert fakes.TOKEN.encode() not in request


async def test_proxy_that_says_nothing_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a proxy is a part of connecting: its limit, lower than the call's, holds."""

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with fakes.listening(silent) as address:
        monkeypatch.setenv("HTTPS_PROXY", address)
        monkeypatch.setenv("NO_PROXY", "")
        store = fakes.store(fakes.token_account(PUBLIC), clock=fakes.FakeClock(), timeout=0.2)
        with pytest.raises(errors.RetryLater, match=r"Unreachable: .* no connection in time"):
            await store.upload(fakes.CONTENT, name="shop-tls", timeout=30)
        await store.aclose()


async def test_loopback_and_no_proxy_hosts_are_called_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy isn't asked for this machine, nor for what NO_PROXY names."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", ".invalid")
    for endpoint in ("https://127.0.0.1:1", "https://scm.invalid"):
        assert "proxy can't" not in (await refused(fakes.token_account(endpoint))).message
    assert "the proxy can't be reached" in (await refused(fakes.token_account(PUBLIC))).message


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "http://"], ids=["SOCKS", "no host"])
def test_unusable_proxy_is_said(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """A proxy that can't be used is told at once, with the variable to correct."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "")
    assert "HTTPS_PROXY" in fault_of(fakes.token_account(PUBLIC)).message
