"""The HTTP session that kopf uses: the operator's own identity, a pace, and an ear for each complete list."""

import urllib.parse
from collections.abc import Awaitable, Callable

import aiohttp
import kopf

from scm_operator.domain import ports
from scm_operator.handlers import hearing, pacing

Authorization = Callable[[], Awaitable[str | None]]


def open_session(  # noqa: PLR0913 - what a session of kopf's needs
    *,
    server: str,
    connector: aiohttp.TCPConnector,
    authorization: Authorization,
    lists: tuple[str, ...],
    on_list: Callable[[str], None],
    pacer: pacing.Pacer,
    on_move: Callable[[str], None] = lambda _: None,
    meter: ports.ApiMeter = lambda *_: None,
) -> kopf.AiohttpSession:
    """Make kopf's session inside kopf's own event loop.

    ``on_list`` is called with the path when one of the ``lists`` has begun to arrive: kopf doesn't tell of what was
    deleted while its watch was down, so somebody has to compare. ``pacer`` outlives the session.

    ``on_move`` is told of each sign of life of one of the ``lists``, ``meter`` of each request (see `hearing`).
    """
    prefix = urllib.parse.urlsplit(server).path.rstrip("/")
    notice = _notice(prefix=prefix, lists=lists, on_list=on_list)
    measure = hearing.middleware(prefix=prefix, lists=lists, on_move=on_move, meter=meter)

    async def authorize(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        # For each request anew: a projected token is replaced every hour.
        if value := await authorization():
            request.headers["Authorization"] = value
        if session.closed:  # by kopf, for another watch's sake; so said, it takes the next session
            raise RuntimeError("the session is closed")
        response = await handler(request)
        if response.status == 401:
            # Of a 401 kopf would close the session under all watches, of which some then fail for good.
            response.release()
            raise aiohttp.ClientConnectionError("the token was refused (401)")
        return response

    session = aiohttp.ClientSession(connector=connector, middlewares=(_pace(pacer), authorize, notice, measure))
    return kopf.AiohttpSession(server=server, default_namespace=None, aiohttp_session=session)


def _pace(pacer: pacing.Pacer) -> aiohttp.ClientMiddlewareType:
    async def pace(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if "continue" in request.url.query:
            return _not_expired(await handler(request))
        what = f"{'watch' if 'watch' in request.url.query else 'list'} {request.url.path}"
        await pacer.wait(what)
        response = await handler(request)
        if response.status == 200:
            pacer.granted(what)
        return response

    return pace


def _notice(*, prefix: str, lists: tuple[str, ...], on_list: Callable[[str], None]) -> aiohttp.ClientMiddlewareType:
    async def notice(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        path = request.url.path.removeprefix(prefix)
        if response.status == 200 and path in lists and not {"watch", "continue"} & set(request.url.query):
            on_list(path)
        return response

    return notice


def _not_expired(page: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    """Return a list's further page; after a 410 kopf would end, but after a list that breaks off it lists again."""
    if page.status == 410:
        page.release()
        raise aiohttp.ClientPayloadError("the list has expired before its last page was read")
    return page
