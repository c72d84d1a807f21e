"""The session that kopf uses: the operator's identity, and an ear for each complete list."""

import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from scm_operator.handlers import pacing, session
from tests.unit.kube import server

KIND = "/apis/scm.certops.dev/v1alpha1/certificaterequestuploads"


class FakeAuthorization:
    """Gives each request another value, as a projected token does that is replaced."""

    def __init__(self, *values: str | None) -> None:
        self.values = list(values)

    async def __call__(self) -> str | None:
        """Return the next value."""
        return self.values.pop(0)


class RecordingPacer(pacing.Pacer):
    """Never waits, and remembers what it was asked and told."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []

    async def wait(self, what: str) -> None:
        """Remember it."""
        self.calls.append(("wait", what))

    def granted(self, what: str) -> None:
        """Remember it."""
        self.calls.append(("granted", what))


@contextlib.asynccontextmanager
async def _opened(
    api: server.FakeApiServer,
    *values: str | None,
    listed: list[str] | None = None,
    pacer: pacing.Pacer | None = None,
) -> AsyncIterator[aiohttp.ClientSession]:
    opened = session.open_session(
        server=api.url,
        connector=aiohttp.TCPConnector(),
        authorization=FakeAuthorization(*values),
        lists=(KIND,),
        on_list=(listed if listed is not None else []).append,
        pacer=pacer or RecordingPacer(),
    )
    async with opened.aiohttp_session as http:
        yield http


@pytest.fixture
async def api() -> AsyncIterator[server.FakeApiServer]:
    """Return an API server that says yes eight times."""
    async with server.serving() as running:
        running.script.extend([server.Reply(200, {})] * 8)
        yield running


async def test_each_request_carries_the_value_of_its_time(api: server.FakeApiServer) -> None:
    """The Authorization header is asked for anew for each request, and left out where there is none."""
    async with _opened(api, "Bearer one", "Bearer two", None) as http:
        for _ in range(3):
            await (await http.get(f"{api.url}{KIND}")).read()
    assert [request.headers.get("Authorization") for request in api.seen] == ["Bearer one", "Bearer two", None]


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        (KIND, [KIND]),
        (f"{KIND}?limit=500", [KIND]),
        (f"{KIND}?watch=true&resourceVersion=5", []),
        (f"{KIND}?limit=500&continue=token", []),
    ],
    ids=["list", "first page", "watch", "further page"],
)
async def test_list_is_told_and_a_watch_is_not(api: server.FakeApiServer, path: str, listed: list[str]) -> None:
    """A list is told once by its path, whatever number of pages it has; a watch is none."""
    told: list[str] = []
    async with _opened(api, None, listed=told) as http:
        await (await http.get(f"{api.url}{path}")).read()
    assert told == listed


@pytest.mark.parametrize("status", [403, 404, 410, 500])
async def test_refused_list_is_not_told(api: server.FakeApiServer, status: int) -> None:
    """A list that was not made says nothing of what is gone."""
    told: list[str] = []
    api.script.appendleft(server.refusal(status))
    async with _opened(api, None, listed=told) as http:
        await (await http.get(f"{api.url}{KIND}")).read()
    assert told == []


@pytest.mark.parametrize(
    ("path", "calls"),
    [
        (f"{KIND}?watch=true&resourceVersion=5", [("wait", f"watch {KIND}"), ("granted", f"watch {KIND}")]),
        (f"{KIND}?limit=500", [("wait", f"list {KIND}"), ("granted", f"list {KIND}")]),
        (f"{KIND}?limit=500&continue=token", []),
    ],
    ids=["watch", "list", "further page"],
)
async def test_watch_and_list_are_paced(api: server.FakeApiServer, path: str, calls: list[tuple[str, str]]) -> None:
    """A watch and a list ask the pacer first and tell it when they are granted; the pages of one list don't."""
    pacer = RecordingPacer()
    async with _opened(api, None, pacer=pacer) as http:
        await (await http.get(f"{api.url}{path}")).read()
    assert pacer.calls == calls


async def test_refused_watch_is_not_granted(api: server.FakeApiServer) -> None:
    """The pacer is told nothing of a refusal."""
    pacer = RecordingPacer()
    api.script.appendleft(server.refusal(429))
    async with _opened(api, None, pacer=pacer) as http:
        await (await http.get(f"{api.url}{KIND}?watch=true")).read()
    assert pacer.calls == [("wait", f"watch {KIND}")]


async def test_expired_continue_token_breaks_the_list_off(api: server.FakeApiServer) -> None:
    """410 on a further page is said as a list that broke off, after which kopf lists again."""
    api.script.appendleft(server.refusal(410))
    async with _opened(api, None) as http:
        with pytest.raises(aiohttp.ClientPayloadError):
            await http.get(f"{api.url}{KIND}?limit=500&continue=token")


async def test_session_that_is_closed_meanwhile_says_so(api: server.FakeApiServer) -> None:
    """A session that is closed while a request waits for its turn is told by RuntimeError, which kopf knows."""

    class ClosingPacer(RecordingPacer):
        async def wait(self, what: str) -> None:  # noqa: ARG002 - the signature of the one it stands for
            await http.close()

    async with _opened(api, None, pacer=ClosingPacer()) as http:
        with pytest.raises(RuntimeError, match="closed"):
            await http.get(f"{api.url}{KIND}?watch=true")


async def test_refused_token_is_said_as_a_connection_that_failed(api: server.FakeApiServer) -> None:
    """After 401 kopf tries again with the same session, and the token of that time; nobody is told of a list."""
    told: list[str] = []
    api.script.appendleft(server.refusal(401))
    async with _opened(api, "Bearer old", "Bearer new", listed=told) as http:
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.get(f"{api.url}{KIND}")
        assert told == []
        assert (await http.get(f"{api.url}{KIND}")).status == 200
    assert [request.headers["Authorization"] for request in api.seen] == ["Bearer old", "Bearer new"]
