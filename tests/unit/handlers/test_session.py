"""The session that kopf uses: the operator's identity, and an ear for each complete list."""

import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from scm_operator.handlers import session
from tests.unit.kube import server

KIND = "/apis/scm.certops.dev/v1alpha1/certificaterequestuploads"


class FakeAuthorization:
    """Gives each request another value, as a projected token does that is replaced."""

    def __init__(self, *values: str | None) -> None:
        self.values = list(values)

    async def __call__(self) -> str | None:
        """Return the next value."""
        return self.values.pop(0)


@contextlib.asynccontextmanager
async def _opened(
    api: server.FakeApiServer, *values: str | None, listed: list[str] | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    opened = session.open_session(
        server=api.url,
        connector=aiohttp.TCPConnector(),
        authorization=FakeAuthorization(*values),
        plurals=("certificaterequestuploads",),
        on_list=(listed if listed is not None else []).append,
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
        (KIND, ["certificaterequestuploads"]),
        (f"{KIND}?limit=500", ["certificaterequestuploads"]),
        (f"{KIND}?watch=true&resourceVersion=5", []),
        (f"{KIND}?limit=500&continue=token", []),
    ],
    ids=["list", "first page", "watch", "further page"],
)
async def test_list_is_told_and_a_watch_is_not(api: server.FakeApiServer, path: str, listed: list[str]) -> None:
    """A list is told once by its plural, whatever number of pages it has; a watch is none."""
    told: list[str] = []
    async with _opened(api, None, listed=told) as http:
        await (await http.get(f"{api.url}{path}")).read()
    assert told == listed


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500])
async def test_refused_list_is_not_told(api: server.FakeApiServer, status: int) -> None:
    """A list that was not made says nothing of what is gone."""
    told: list[str] = []
    api.script.appendleft(server.refusal(status))
    async with _opened(api, None, listed=told) as http:
        await (await http.get(f"{api.url}{KIND}")).read()
    assert told == []
