"""One request to the API server: every way to fail is one of the tree of domain.errors."""

import asyncio
import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from scm_operator.domain import errors
from scm_operator.kube import client
from tests.unit.kube import server

_Get = Callable[[], Awaitable[dict[str, Any]]]


@pytest.fixture
def get(kubernetes: client.Kubernetes) -> _Get:
    """Return a way to make one request."""

    async def make() -> dict[str, Any]:
        request = kubernetes.request("GET", "/api/v1/namespaces/shop/secrets/tls")
        return await client.call(request, what="get Secret shop/tls")

    return make


async def test_answer_is_its_json(api: server.FakeApiServer, get: _Get) -> None:
    """A request that works returns the object."""
    api.script.append(server.Reply(200, {"kind": "Secret", "metadata": {}}))
    assert await get() == {"kind": "Secret", "metadata": {}}


@pytest.mark.parametrize("body", [[], {}, {"metadata": None}, "text"], ids=["list", "empty", "no metadata", "text"])
async def test_answer_that_is_no_object_is_in_the_tree(api: server.FakeApiServer, get: _Get, body: object) -> None:
    """A 200 without an object, such as a proxy's page, is an ApiServerError like any other failure."""
    api.script.append(server.Reply(200, body))
    with pytest.raises(errors.ApiServerError, match="no object in the answer"):
        await get()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (server.refusal(404), errors.Gone),
        (server.refusal(409), errors.Conflict),
        (server.refusal(422), client.TestFailed),
        (server.refusal(422, causes=[]), client.TestFailed),
        (server.refusal(422, causes=[{"reason": "FieldValueInvalid"}]), client.Refused),
        (server.refusal(400), client.Refused),
        (server.refusal(401), client.Refused),
        (server.refusal(403), client.Refused),
        (server.refusal(410), client.Refused),
        (server.refusal(429), client.Refused),
        (server.refusal(500), client.Refused),
        (server.refusal(503), client.Refused),
        (server.Reply(502, b"<html>Bad Gateway</html>"), client.Refused),
        (server.Reply(302, b""), client.Refused),
    ],
    ids=lambda value: f"{value.status}" if isinstance(value, server.Reply) else value.__name__,
)
async def test_each_status_has_its_error(
    api: server.FakeApiServer, get: _Get, reply: server.Reply, expected: type[errors.ApiServerError]
) -> None:
    """404, 409 and a refused test have a meaning of their own; each other status is told as it is."""
    api.script.append(reply)
    with pytest.raises(errors.ApiServerError) as caught:
        await get()
    assert type(caught.value) is expected
    assert str(caught.value).startswith(f"get Secret shop/tls: {reply.status}")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    if isinstance(caught.value, client.Refused):
        assert caught.value.status == reply.status


def test_refused_test_means_that_the_resource_is_another() -> None:
    """A ``test`` that fails is of the kind Gone: the uid is another, or there is none."""
    assert issubclass(client.TestFailed, errors.Gone)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7.0), ({}, 0.0), ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0)],
    ids=["seconds", "none", "date"],
)
async def test_retry_after_is_passed_on(
    api: server.FakeApiServer, get: _Get, headers: dict[str, str], seconds: float
) -> None:
    """The seconds that the API server asks for are passed on."""
    api.script.append(server.Reply(429, b"{}", headers))
    with pytest.raises(errors.ApiServerError) as caught:
        await get()
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("behaviour", [server.reset, server.cut], ids=["reset", "cut"])
async def test_broken_connection_is_in_the_tree(
    api: server.FakeApiServer, get: _Get, behaviour: server.Behaviour
) -> None:
    """A connection that breaks before or within the answer is an ApiServerError, without the library's exception."""
    api.script.extend([behaviour] * 3)  # a GET whose connection breaks is sent again by aiohttp
    with pytest.raises(errors.ApiServerError) as caught:
        await get()
    assert type(caught.value) is errors.ApiServerError
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_refused_connection_is_in_the_tree() -> None:
    """An address where nobody listens is an ApiServerError."""
    async with server.serving() as gone:
        url = gone.url
    async with server.connected(url) as kubernetes:
        request = kubernetes.request("GET", "/api/v1/namespaces/shop/secrets/tls")
        with pytest.raises(errors.ApiServerError, match="get Secret shop/tls: ClientConnectorError"):
            await client.call(request, what="get Secret shop/tls")


@pytest.mark.looptime
async def test_silence_ends_after_half_a_minute() -> None:
    """A request that isn't answered is given up after 30 s."""

    async def never() -> aiohttp.ClientResponse:
        await asyncio.Event().wait()
        raise AssertionError

    loop = asyncio.get_running_loop()
    with pytest.raises(errors.ApiServerError, match="get it: TimeoutError"):
        await client.call(never(), what="get it")
    assert loop.time() == 30.0


async def test_cancellation_is_not_swallowed(api: server.FakeApiServer, get: _Get) -> None:
    """Whoever cancels a request gets the cancellation."""
    asking = asyncio.ensure_future(get())
    while not api.seen:  # noqa: ASYNC110 - each look lets the loop go on
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_message_of_the_api_server_is_made_fit_to_be_shown(api: server.FakeApiServer, get: _Get) -> None:
    """What the API server says is passed on without PEM blocks and control characters, and cut."""
    pem = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----"
    api.script.append(server.refusal(403, f"no\x1b[31m {pem} " + "x" * 1000))
    with pytest.raises(errors.ApiServerError) as caught:
        await get()
    assert "canary" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 300


async def test_no_cluster_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in a Pod without a ServiceAccount is told what to set."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    with pytest.raises(client.NoCluster, match="Set KUBECONFIG, or run in a Pod with a ServiceAccount"):
        async with client.connect(connections=1):
            pass


async def test_nothing_secret_shows_in_the_endpoint(kubernetes: client.Kubernetes) -> None:
    """The repr of the connection shows its address, and not who it is."""
    assert await kubernetes.endpoint.authorization() == "Bearer canary"
    assert "canary" not in repr(kubernetes.endpoint)
    assert kubernetes.endpoint.server in repr(kubernetes.endpoint)


async def test_kubeconfig_is_the_one_of_now(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """$KUBECONFIG is looked at when connecting, not when the client package was imported."""
    path = tmp_path / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )
    monkeypatch.setenv("KUBECONFIG", str(path))
    async with client.connect(connections=1) as connected:
        assert connected.endpoint.server == "http://127.0.0.1:1"


async def test_each_request_is_counted(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """A request is counted by what it asks for and its status, one without an answer too; a watch when it begins."""
    counted: list[tuple[str, str, int | None]] = []
    metered = dataclasses.replace(kubernetes, meter=lambda *what: counted.append(what))
    api.script.extend(
        [server.Reply(200, {"metadata": {}}), server.refusal(409), server.Reply(200), *[server.reset] * 2]
    )
    for method, path, query in (
        ("GET", "/api/v1/namespaces/shop/secrets/tls", {}),
        ("PATCH", "/apis/scm.certops.dev/v1alpha1/namespaces/shop/scmaccounts/default/status", {}),
        ("GET", "/api/v1/secrets", {"watch": "true"}),
        ("GET", "/api/v1/secrets", {"limit": 1}),
    ):
        with contextlib.suppress(errors.ApiServerError):
            await client.call(metered.request(method, path, query=query), what="try")
    assert counted == [
        ("get", "secrets", 200),
        ("patch", "scmaccounts/status", 409),
        ("watch", "secrets", 200),
        ("list", "secrets", None),
    ]
