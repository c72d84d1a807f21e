"""The HTTP session that kopf uses: the operator's own identity, a pace, and an ear for each complete list."""

from collections.abc import Awaitable, Callable

import aiohttp
import kopf

from scm_operator.handlers import pacing

Authorization = Callable[[], Awaitable[str | None]]


def open_session(  # noqa: PLR0913 - what a session of kopf's needs
    *,
    server: str,
    connector: aiohttp.TCPConnector,
    authorization: Authorization,
    plurals: tuple[str, ...],
    on_list: Callable[[str], None],
    pacer: pacing.Pacer,
) -> kopf.AiohttpSession:
    """Make kopf's session inside kopf's own event loop.

    ``on_list`` is called with the plural when a list of one of the ``plurals`` has begun to arrive: kopf doesn't tell
    of what was deleted while its watch was down, so somebody has to compare. ``pacer`` outlives the session.
    """

    async def pace(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if "continue" in request.url.query:
            return _not_expired(await handler(request))
        what = f"{'watch' if 'watch' in request.url.query else 'list'} {request.url.path}"
        await pacer.wait(what)
        response = await handler(request)
        if response.status == 200:
            pacer.granted(what)
        return response

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

    async def notice(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        if (
            response.status == 200
            and request.url.name in plurals
            and not {"watch", "continue"} & set(request.url.query)
        ):
            on_list(request.url.name)
        return response

    session = aiohttp.ClientSession(connector=connector, middlewares=(pace, authorize, notice))
    return kopf.AiohttpSession(server=server, default_namespace=None, aiohttp_session=session)


def _not_expired(page: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    """Return a list's further page; after a 410 kopf would end, but after a list that breaks off it lists again."""
    if page.status == 410:
        page.release()
        raise aiohttp.ClientPayloadError("the list has expired before its last page was read")
    return page
