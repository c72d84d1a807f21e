"""The HTTP server for probes and metrics, in the event loop of the work: where that doesn't turn, nobody answers."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from scm_operator.telemetry import health

_log = logging.getLogger(__name__)
Exposition = Callable[[str], tuple[bytes, str]]
"""Takes an Accept header, and returns a body and its content type."""
_GOODBYE = 1.0  # seconds for answers under way when it is closed


class CannotListen(Exception):  # noqa: N818 - reads as what is the matter
    """The address can't be listened on."""


@contextlib.asynccontextmanager
async def serving(address: tuple[str | None, int], *, state: health.Health, metrics: Exposition) -> AsyncIterator[None]:
    """Serve /livez, /readyz and /metrics meanwhile; no host means all interfaces. Raises: CannotListen."""
    # handle_signals is the application's: a signal ends the work first, and this last.
    runner = web.AppRunner(
        _application(state, metrics), access_log=None, handle_signals=False, shutdown_timeout=_GOODBYE
    )
    await runner.setup()
    try:
        await _listen(runner, *address)
        for url in _urls(runner):
            _log.info("probes and metrics are at %s", url, extra={"event": "Listening", "url": url})
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str | None, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except (OSError, OverflowError) as error:
        raise CannotListen(
            f"can't listen on {host or ''}:{port} for probes and metrics: {error}. End what uses the port, or set "
            "another address by --listen (SCM_OPERATOR_LISTEN)."
        ) from None


def _urls(runner: web.AppRunner) -> list[str]:
    return [f"http://{_bracketed(str(address[0]))}:{address[1]}" for address in runner.addresses]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _application(state: health.Health, metrics: Exposition) -> web.Application:
    async def livez(_: web.Request) -> web.Response:
        return _answer(state.live())

    async def readyz(_: web.Request) -> web.Response:
        return _answer(state.ready())

    async def expose(request: web.Request) -> web.Response:
        body, content_type = metrics(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    application = web.Application()
    application.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", expose)])
    return application


def _answer(report: health.Report) -> web.Response:
    return web.Response(text=str(report), status=200 if report.ok else 503, headers={"Cache-Control": "no-cache"})
