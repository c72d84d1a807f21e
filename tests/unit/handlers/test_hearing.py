"""The ear at kopf's requests: signs of life of its watches, and how many requests there are."""

import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from scm_operator.handlers import hearing
from tests.unit.kube import server

KIND = "/apis/scm.certops.dev/v1alpha1/certificaterequestuploads"


class Ears:
    """What was heard."""

    def __init__(self) -> None:
        self.moves: list[str] = []
        self.counted: list[tuple[str, str, int | None]] = []

    def meter(self, verb: str, resource: str, code: int | None) -> None:
        """Remember a request."""
        self.counted.append((verb, resource, code))


@contextlib.asynccontextmanager
async def _listening(
    api: server.FakeApiServer, ears: Ears, *, prefix: str = ""
) -> AsyncIterator[aiohttp.ClientSession]:
    ear = hearing.middleware(prefix=prefix, lists=(KIND,), on_move=ears.moves.append, meter=ears.meter)
    async with aiohttp.ClientSession(base_url=api.url, middlewares=(ear,)) as http:
        yield http


@pytest.fixture
async def api() -> AsyncIterator[server.FakeApiServer]:
    """Return an API server without a script."""
    async with server.serving() as running:
        yield running


async def test_each_thing_that_is_read_of_a_watch_is_a_sign_of_life(api: server.FakeApiServer) -> None:
    """A watch moves when it is asked for, when it is answered, and with each chunk that is read; all of it is read."""
    api.script.append(server.Stream([b"one\n", b"two\n", b"three\n"]))
    ears = Ears()
    async with _listening(api, ears) as http, http.get(f"{KIND}?watch=true") as response:
        assert ears.moves == [KIND] * 2
        read = b""
        async for chunk in response.content.iter_chunked(1024):
            read += chunk
            before = len(ears.moves)
        assert read == b"one\ntwo\nthree\n"
        assert before == len(ears.moves) > 2
    assert ears.counted == [("watch", "certificaterequestuploads", 200)]


async def test_what_nobody_reads_is_no_sign_of_life(api: server.FakeApiServer) -> None:
    """Bytes that have arrived and that kopf doesn't take are as good as none."""
    api.script.append(server.Stream([b"one\n"]))
    ears = Ears()
    async with _listening(api, ears) as http, http.get(f"{KIND}?watch=true"):
        pass
    assert ears.moves == [KIND] * 2


@pytest.mark.parametrize(("failure", "code"), [(server.reset, None), (server.refusal(500), 500)], ids=["reset", "500"])
async def test_trying_is_a_sign_of_life(api: server.FakeApiServer, failure: server.Behaviour, code: int | None) -> None:
    """A request that fails moves the watch: no restart would help it."""
    api.script.extend([failure] * 2)  # aiohttp itself tries a request once more whose connection was reset
    ears = Ears()
    async with _listening(api, ears) as http:
        with contextlib.suppress(aiohttp.ClientError):
            await http.get(KIND)
    assert ears.moves
    assert ears.moves == [KIND] * 2 * len(ears.counted)
    assert set(ears.counted) == {("list", "certificaterequestuploads", code)}


async def test_other_paths_are_counted_and_are_no_watch(api: server.FakeApiServer) -> None:
    """What kopf asks for once, when it starts, must not be waited for again."""
    api.script.append(server.Reply(200, {}))
    ears = Ears()
    async with _listening(api, ears) as http:
        await http.get("/apis")
    assert (ears.moves, ears.counted) == ([], [("get", "discovery", 200)])


async def test_path_of_the_server_is_left_out(api: server.FakeApiServer) -> None:
    """Behind a proxy with a path of its own the watch is the same."""
    api.script.append(server.Reply(200, {}))
    ears = Ears()
    async with _listening(api, ears, prefix="/clusters/one") as http:
        await http.get(f"/clusters/one{KIND}?limit=500")
    assert ears.moves == [KIND] * 2
    assert ears.counted == [("list", "certificaterequestuploads", 200)]
