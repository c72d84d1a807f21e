"""The HTTP session that kopf uses: the operator's own identity, and an ear for each complete list."""

from collections.abc import Awaitable, Callable

import aiohttp
import kopf

Authorization = Callable[[], Awaitable[str | None]]


def open_session(
    *,
    server: str,
    connector: aiohttp.TCPConnector,
    authorization: Authorization,
    plurals: tuple[str, ...],
    on_list: Callable[[str], None],
) -> kopf.AiohttpSession:
    """Make kopf's session inside kopf's own event loop.

    ``on_list`` is called with the plural when a list of one of the ``plurals`` has begun to arrive: kopf doesn't tell
    of what was deleted while its watch was down, so somebody has to compare.
    """

    async def authorize(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        # For each request anew: a projected token is replaced every hour.
        if value := await authorization():
            request.headers["Authorization"] = value
        return await handler(request)

    async def notice(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        if (
            response.status == 200
            and request.url.name in plurals
            and not {"watch", "continue"} & set(request.url.query)
        ):
            on_list(request.url.name)
        return response

    session = aiohttp.ClientSession(connector=connector, middlewares=(authorize, notice))
    return kopf.AiohttpSession(server=server, default_namespace=None, aiohttp_session=session)
