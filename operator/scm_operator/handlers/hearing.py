"""An ear at kopf's requests: how many there are, and whether its lists and watches still move.

kopf ends a watch after 70 s of silence by itself (bookmarks come about every 60 s), tries again what fails, and pauses
for seconds in between: a list or a watch that hasn't made, ended or read anything for minutes never will.
"""

import functools
from collections.abc import AsyncIterator, Callable, Collection
from typing import cast

import aiohttp

from scm_operator.domain import ports
from scm_operator.kube import asked


def middleware(
    *, prefix: str, lists: Collection[str], on_move: Callable[[str], None], meter: ports.ApiMeter
) -> aiohttp.ClientMiddlewareType:
    """Return what is put before each request of kopf's session; ``prefix`` is what the server's paths begin with.

    ``on_move`` is told the path whenever one of the ``lists``, or the watch of one, gets on: a request begins, is
    answered or fails, or kopf reads something of a watch. ``meter`` counts all requests.
    """

    async def measure(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        path, watch = request.url.path.removeprefix(prefix), "watch" in request.url.query
        moved = functools.partial(on_move, path) if path in lists else _nobody
        verb, resource = asked.verb_and_resource(request.method, path, watch=watch)
        moved()
        try:
            response = await handler(request)
        except BaseException:
            meter(verb, resource, None)
            raise
        finally:
            moved()
        meter(verb, resource, response.status)
        if watch:
            response.content = cast("aiohttp.StreamReader", _Heard(response.content, moved))
        return response

    return measure


def _nobody() -> None:
    """Tell nobody."""


class _Heard:
    """A watch's stream: whoever reads of it, as kopf does, is heard to; in all else it is the stream itself."""

    def __init__(self, stream: aiohttp.StreamReader, moved: Callable[[], None]) -> None:
        self._stream = stream
        self._moved = moved

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        async for chunk in self._stream.iter_chunked(size):
            self._moved()
            yield chunk

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
