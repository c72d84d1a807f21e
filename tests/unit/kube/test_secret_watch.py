"""The metadata-only watch on Secrets."""

import asyncio
import collections
import itertools
import logging

import aiohttp
import pytest

from scm_operator.domain import errors
from scm_operator.kube import client, secret_watch
from tests.unit.kube import server, watching

AS_METADATA = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"


async def test_all_pages_are_listed_as_metadata(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """A list asks for metadata only and follows its pages; named Secrets are told, and of others nothing is kept."""
    api.script.append(
        server.Reply(200, watching.page([watching.item("n1", 1), watching.item("x", 2)], version=10, following="more"))
    )
    api.script.append(server.Reply(200, watching.page([watching.item("n2", 3)], version=10)))
    watcher = watching.Watcher(kubernetes)
    await watcher.watch.sync()
    assert watcher.told == ["n1", "n2"]
    assert (watcher.version("n1"), watcher.version("n2"), watcher.version("x")) == ("1", "3", None)
    assert [request.query for request in api.seen] == [{"limit": "2000"}, {"limit": "2000", "continue": "more"}]
    assert {request.headers["Accept"] for request in api.seen} == {AS_METADATA.format("List")}
    assert {request.path for request in api.seen} == {"/api/v1/secrets"}


async def test_cluster_without_secrets(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """An empty list comes as null, and is one."""
    api.script.append(server.Reply(200, watching.page(None, version=10)))
    watcher = watching.Watcher(kubernetes)
    await watcher.watch.sync()
    assert watcher.told == []


async def test_list_finds_what_changed_and_what_was_deleted(
    api: server.FakeApiServer, kubernetes: client.Kubernetes
) -> None:
    """A later list tells what is newer and what is gone, and nothing of what is as it was."""
    api.script.append(
        server.Reply(
            200, watching.page([watching.item("n1", 1), watching.item("n2", 2), watching.item("n3", 3)], version=10)
        )
    )
    api.script.append(server.Reply(200, watching.page([watching.item("n1", 1), watching.item("n2", 12)], version=20)))
    watcher = watching.Watcher(kubernetes)
    await watcher.watch.sync()
    watcher.told.clear()
    await watcher.watch.sync()
    assert watcher.told == ["n2", "n3"]
    assert watcher.version("n3") is None


async def test_failed_list_is_in_the_tree(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """A list that is refused is an ApiServerError for the caller."""
    api.script.append(server.refusal(403))
    with pytest.raises(errors.ApiServerError, match="list Secrets"):
        await watching.Watcher(kubernetes).watch.sync()


async def test_watch_over_the_wire(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """A watch begins at the list's version, asks for bookmarks and metadata, and reads lines of any length."""
    annotated = watching.item("n1", 11, annotations={"last-applied": "x" * 300 * 1024})
    api.script.append(server.Reply(200, watching.page([], version=10)))
    api.script.append(server.Stream([watching.line("ADDED", annotated)]))
    watcher = watching.Watcher(kubernetes)
    async with watcher.running():
        while len(api.seen) < 3:  # noqa: ASYNC110 - each look lets the loop go on
            await asyncio.sleep(0.001)
    assert watcher.told == ["n1"]
    query = api.seen[1].query
    assert (query["watch"], query["allowWatchBookmarks"], query["resourceVersion"]) == ("true", "true", "10")
    assert int(query["timeoutSeconds"]) < 300
    assert api.seen[1].headers["Accept"] == AS_METADATA.format("")
    assert api.seen[2].query["resourceVersion"] == "11"


@pytest.mark.looptime
async def test_events_of_named_secrets_are_told() -> None:
    """What appears, changes and goes is told if it is named; the deletion of an old uid is not."""
    core = watching.FakeConnection(
        watching.EMPTY,
        watching.FakeResponse(
            watching.line("ADDED", watching.item("n1", 11)),
            watching.line("ADDED", watching.item("x", 12)),
            watching.line("MODIFIED", watching.item("n1", 13)),
            watching.line("MODIFIED", watching.item("n1", 13)),
            watching.line("DELETED", watching.item("n1", 14, uid="uid-old")),
            watching.line("ADDED", watching.item("n2", 15)),
            watching.line("DELETED", watching.item("n2", 16)),
            silent=True,
        ),
    )
    watcher = watching.Watcher(server.over(core))
    async with watcher.running():
        await asyncio.sleep(10)
    assert watcher.told == ["n1", "n1", "n2", "n2"]
    assert (watcher.version("n1"), watcher.version("n2"), watcher.version("x")) == ("13", None, None)


@pytest.mark.looptime
@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
async def test_lines_are_put_together_however_they_are_cut(size: int) -> None:
    """A line may come in any number of chunks, and a chunk may hold any number of lines; a cut last line is dropped."""
    stream = (
        b"".join(watching.line("ADDED", watching.item(f"n{number}", 11 + number)) for number in range(5))
        + b'\n{"type":"ADD'
    )
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    core = watching.FakeConnection(watching.EMPTY, watching.FakeResponse(*chunks), watching.SILENT)
    watcher = watching.Watcher(server.over(core))
    async with watcher.running():
        await asyncio.sleep(10)
    assert watcher.told == ["n0", "n1", "n2", "n3", "n4"]
    assert core.kinds == ["list", "watch 10", "watch 15"]


@pytest.mark.looptime
async def test_bookmarks_move_the_watch_on() -> None:
    """A watch goes on where the last bookmark was, and needs no list for it."""
    core = watching.FakeConnection(
        watching.EMPTY,
        watching.FakeResponse(watching.bookmark(50)),
        watching.FakeResponse(watching.bookmark(70)),
        watching.SILENT,
    )
    async with watching.Watcher(server.over(core)).running():
        await asyncio.sleep(10)
    assert core.kinds == ["list", "watch 10", "watch 50", "watch 70"]


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("failure", "then"),
    [
        (watching.FakeResponse(watching.expired()), "list"),
        (watching.FakeResponse(status=410), "list"),
        (watching.FakeResponse(status=403), "list"),
        (watching.FakeResponse(watching.line("ERROR", {"code": 500})), "list"),
        (watching.FakeResponse(end=aiohttp.ClientPayloadError()), "watch 10"),
        (watching.FakeResponse(end=ConnectionResetError()), "watch 10"),
        (aiohttp.ServerDisconnectedError(), "watch 10"),
        (watching.FakeResponse(), "watch 10"),
    ],
    ids=["410 event", "410", "403", "500 event", "payload", "reset", "disconnected", "end"],
)
async def test_watch_goes_on_after_any_failure(failure: "watching.FakeResponse | Exception", then: str) -> None:
    """Where the thread of events is lost it lists again, else it goes on watching; it never ends by itself."""
    core = watching.FakeConnection(
        watching.EMPTY,
        failure,
        watching.FakeResponse(body=watching.page([watching.item("n1", 20)], version=30)),
        watching.SILENT,
    )
    if then != "list":
        core = watching.FakeConnection(watching.EMPTY, failure, watching.SILENT)
    watcher = watching.Watcher(server.over(core))
    async with watcher.running():
        await asyncio.sleep(60)
    assert core.kinds == ["list", "watch 10", *(["list", "watch 30"] if then == "list" else ["watch 10"])]
    assert watcher.told == (["n1"] if then == "list" else [])


@pytest.mark.looptime
@pytest.mark.parametrize(
    "refusals",
    [
        [watching.FakeResponse(body={}, status=403)],
        [watching.FakeResponse(status=403), watching.EMPTY] * 20,
    ],
    ids=["both", "watch"],
)
async def test_watch_that_is_forbidden_for_long_ends(refusals: list[watching.FakeResponse]) -> None:
    """A permission that doesn't come back within a minute or two ends it: else Secrets would be waited for in vain."""
    core = watching.FakeConnection(watching.EMPTY, *refusals)
    watcher = watching.Watcher(server.over(core))
    with pytest.raises(secret_watch.Forbidden, match="403"):
        async with asyncio.timeout(150):
            await watcher.watch.run()
    assert asyncio.get_running_loop().time() > 45


@pytest.mark.looptime
async def test_watch_that_is_forbidden_now_and_then_goes_on() -> None:
    """A watch that is granted in between counts anew."""
    refused, granted = watching.FakeResponse(body={}, status=403), watching.FakeResponse(watching.bookmark(50))
    core = watching.FakeConnection(*[watching.EMPTY, granted, refused, refused] * 40, watching.EMPTY, watching.SILENT)
    async with watching.Watcher(server.over(core)).running():
        await asyncio.sleep(100)
    assert len(core.times) > 100


@pytest.mark.looptime
async def test_list_that_is_refused_is_made_again() -> None:
    """Also while listing again no failure ends it, an expired page among them."""
    refused = watching.FakeResponse(body={}, status=410)
    unreachable = aiohttp.ClientConnectionError()
    core = watching.FakeConnection(
        refused, unreachable, watching.FakeResponse(body={}, status=500), watching.EMPTY, watching.SILENT
    )
    async with watching.Watcher(server.over(core)).running():
        await asyncio.sleep(60)
    assert core.kinds == ["list"] * 4 + ["watch 10"]


@pytest.mark.looptime
async def test_silent_watch_is_given_up() -> None:
    """Bookmarks come every minute: a watch that says nothing for far longer is begun anew where it was."""
    core = watching.FakeConnection(
        watching.EMPTY, watching.FakeResponse(watching.bookmark(50), silent=True), watching.SILENT
    )
    async with watching.Watcher(server.over(core)).running():
        await asyncio.sleep(95)
    assert core.kinds == ["list", "watch 10", "watch 50"]


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("response", "most"),
    [
        (watching.FakeResponse(), 300),
        (watching.FakeResponse(watching.bookmark(50)), 300),
        (watching.FakeResponse(watching.expired()), 20),
        (watching.FakeResponse(status=500), 20),
        (aiohttp.ServerDisconnectedError(), 20),
    ],
    ids=["ends at once", "ends after a bookmark", "expired", "500", "unreachable"],
)
async def test_watch_that_always_ends_is_no_busy_loop(response: "watching.FakeResponse | Exception", most: int) -> None:
    """In a minute a watch that ends at once makes some requests, not thousands; the pauses grow while nothing comes."""

    class FakeEnding(watching.FakeConnection):
        async def call_api(self, _method: str, url: str, *_: object, **__: object) -> watching.FakeAnswer:
            self.script = collections.deque([response if "watch=true" in url else watching.EMPTY])
            return await super().call_api(_method, url)

    core = FakeEnding(watching.EMPTY)
    async with watching.Watcher(server.over(core)).running():
        await asyncio.sleep(60)
    watches = [time for time, kind in zip(core.times, core.kinds, strict=True) if kind.startswith("watch")]
    assert 3 <= len(watches) <= most
    pauses = [after - before for before, after in itertools.pairwise(watches)]
    assert min(pauses) > 0.199
    if most < 300:
        assert pauses == sorted(pauses)


@pytest.mark.looptime
async def test_longest_pause_is_bounded() -> None:
    """However long the API server was away, it is tried again within half a minute."""
    core = watching.FakeConnection(aiohttp.ServerDisconnectedError())
    async with watching.Watcher(server.over(core)).running():
        await asyncio.sleep(3600)
    pauses = [after - before for before, after in itertools.pairwise(core.times)]
    assert max(pauses) == pytest.approx(30.0)


@pytest.mark.looptime
async def test_order_of_the_day_is_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    """A watch that ends or expires is not logged above INFO."""
    caplog.set_level(logging.DEBUG, logger="scm_operator")
    core = watching.FakeConnection(
        watching.EMPTY,
        watching.FakeResponse(watching.expired()),
        watching.EMPTY,
        watching.FakeResponse(end=ConnectionResetError()),
        watching.SILENT,
    )
    async with watching.Watcher(server.over(core)).running():
        await asyncio.sleep(60)
    assert {record.levelno for record in caplog.records} <= {logging.DEBUG, logging.INFO}


@pytest.mark.looptime
@pytest.mark.parametrize(
    "script",
    [
        (watching.EMPTY, watching.SILENT),
        (watching.EMPTY, watching.FakeResponse(watching.bookmark(50), silent=True), watching.SILENT),
        (aiohttp.ServerDisconnectedError(),),
        (watching.FakeResponse(status=500),),
        (watching.FakeResponse(watching.expired()),),
    ],
    ids=["silent", "silent after a bookmark", "unreachable", "500", "always expired"],
)
async def test_watch_shows_signs_of_life_whatever_happens(
    script: "tuple[watching.FakeResponse | Exception, ...]",
) -> None:
    """However long nothing comes, or nothing works, there is something to hear of it at least every two minutes."""
    watcher = watching.Watcher(server.over(watching.FakeConnection(*script)))
    async with watcher.running():
        await asyncio.sleep(3600)
    assert watcher.moves[-1] > 3600 - 120
    assert max(after - before for before, after in itertools.pairwise([0.0, *watcher.moves])) <= 120


@pytest.mark.looptime
async def test_watch_that_is_never_answered_is_given_up() -> None:
    """A server that takes requests and answers none is asked again and again, which shows that the watch lives."""

    class FakeBlackHole(watching.FakeConnection):
        async def call_api(self, _method: str, url: str, *_: object, **__: object) -> watching.FakeAnswer:
            if "watch=true" in url:
                self.times.append(asyncio.get_running_loop().time())
                await asyncio.Event().wait()
            return await super().call_api(_method, url)

    core = FakeBlackHole(watching.EMPTY)
    watcher = watching.Watcher(server.over(core))
    async with watcher.running():
        await asyncio.sleep(3600)
    assert max(after - before for before, after in itertools.pairwise([0.0, *watcher.moves, 3600.0])) <= 120
    assert len(core.times) >= 3600 / 125


@pytest.mark.looptime
async def test_each_event_is_a_sign_of_life() -> None:
    """A bookmark is enough, and so is an event of a Secret that nobody names."""
    lines = [watching.bookmark(50), watching.line("ADDED", watching.item("x", 51))]
    core = watching.FakeConnection(watching.EMPTY, watching.FakeResponse(*lines, silent=True))
    watcher = watching.Watcher(server.over(core))
    async with watcher.running():
        await asyncio.sleep(10)
    assert len(watcher.moves) == 4  # the watch, the list, and both
