import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from dev import kubeconfig
from dev.node import api
from dev.node.api import Access, Api, Changed, Listed

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def served(*answers: Answer) -> AsyncIterator[tuple[Api, list[web.Request]]]:
    """Serve one answer after the other, and return a client and the requests that came."""
    requests: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        requests.append(request)
        return await answers[len(requests) - 1](request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with aiohttp.ClientSession() as session:
            yield Api(session, access=Access(site.name, b"", "token")), requests
    finally:
        await runner.cleanup()


def said(status: int, body: object) -> Answer:
    """Answer with an object."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return answer


def streamed(*chunks: bytes) -> Answer:
    """Answer with what is sent in chunks, and end."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        return response

    return answer


def pod(name: str, version: str = "1") -> dict[str, object]:
    """Return a Pod."""
    return {"metadata": {"name": name, "resourceVersion": version}}


def event(kind: str, found: object) -> bytes:
    """Return a line of a watch."""
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


def listed(*names: str) -> Answer:
    """Answer with a list; the API server says null for an empty one."""
    return said(200, {"metadata": {"resourceVersion": "7"}, "items": [pod(name) for name in names] or None})


async def seen(client: Api, *, count: int) -> list[Listed | Changed]:
    """Follow, and return the first so many things that were told."""
    found: list[Listed | Changed] = []
    async with contextlib.aclosing(client.follow("/pods", query={"fieldSelector": "a=b"}, retry=0)) as following:
        async for each in following:
            found.append(each)
            if len(found) == count:
                break
    return found


async def test_a_list_is_followed_by_its_changes() -> None:
    """Events come as they are sent, however the lines are cut; a bookmark only moves the place to go on from."""
    lines = event("ADDED", pod("b", "8")) + event("BOOKMARK", pod("", "9")) + event("DELETED", pod("a", "10"))
    chunks = [lines[:20], lines[20:-30], lines[-30:]]
    async with served(listed("a"), streamed(*chunks), streamed(event("ADDED", pod("c", "11")))) as (client, requests):
        found = await seen(client, count=4)
    assert found == [
        Listed([pod("a")]),
        Changed(pod("b", "8"), gone=False),
        Changed(pod("a", "10"), gone=True),
        Changed(pod("c", "11"), gone=False),
    ]
    assert [request.query.get("resourceVersion") for request in requests] == [None, "7", "10"]
    assert {request.query["fieldSelector"] for request in requests} == {"a=b"}


@pytest.mark.parametrize("broken", [said(410, {}), streamed(event("ERROR", {"code": 410})), said(500, {})])
async def test_a_watch_that_can_not_go_on_is_begun_anew_with_a_list(broken: Answer) -> None:
    """What was missed meanwhile is found by comparing, so everything is listed again."""
    async with served(listed(), broken, listed("a")) as (client, _):
        assert await seen(client, count=2) == [Listed([]), Listed([pod("a")])]


async def test_a_refusal_has_its_status_and_message() -> None:
    """What the API server says reaches whoever reads the log."""
    async with served(said(409, {"message": "it exists"})) as (client, _):
        with pytest.raises(api.ApiError, match="POST /pods: it exists") as refused:
            await client.request("POST", "/pods", body={})
    assert refused.value.status == 409


@pytest.mark.parametrize("answer", [streamed(b"no json"), streamed(b"")])
async def test_no_answer_has_no_status(answer: Answer) -> None:
    """An answer that can't be read is none."""
    async with served(answer) as (client, _):
        with pytest.raises(api.ApiError) as error:
            await client.request("GET", "/pods")
    assert error.value.status == 0


def test_a_kubeconfig_says_how_to_get_there(tmp_path: Path) -> None:
    """The administrator's kubeconfig is enough; its token is not shown."""
    path = kubeconfig.write(tmp_path / "config", server="https://api", authority=b"PEM", user="admin", token="canary")  # noqa: S106 - a made-up one
    access = Access.read(path)
    assert (access.server, access.authority, access.token) == ("https://api", b"PEM", "canary")
    assert "canary" not in repr(access)
