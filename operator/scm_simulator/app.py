"""The simulator as a whole: its parts, its routes, and what surrounds every request."""

import asyncio
import contextlib
import email.utils
import functools
import socket
import struct
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from aiohttp import web

from scm_simulator import (
    admin,
    errors,
    fault_actions,
    fault_rules,
    faults,
    iam,
    requests_log,
    scm,
    settings,
    shapes,
    store,
)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LARGEST_BODY: Final = 12 * 1024 * 1024  # what the real gateway lets through
_LARGEST_HEADER: Final = settings.LONGEST_TOKEN + 65_536  # a token of the whole range that the contract allows
_SHUTDOWN_SECONDS: Final = 0.2  # whoever is held or delayed then is cut off
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds


class Simulator:
    """One port that serves IAM, SCM and `/_simulator/`."""

    def __init__(
        self,
        config: settings.Settings,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Put the parts together; `clock` tells seconds since the epoch, `sleep` waits for so many."""
        self._clock = clock
        self._log = requests_log.RequestsLog()
        self._faults = faults.Faults(clock=clock, sleep=sleep)
        self._iam = iam.Iam(config, clock=clock)
        entries = store.Store()
        self._scm = scm.Scm(entries, identity=self._iam, clock=clock, offset=config.offset)
        self._admin = admin.Admin(
            config=config,
            identity=self._iam,
            entries=entries,
            log=self._log,
            active_faults=self._faults,
            clock=clock,
        )

    @contextlib.asynccontextmanager
    async def serve(self, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serve inside the running event loop and yield the base URL; port 0 picks a free one.

        Raises:
            OSError: the address can't be listened on.

        """
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            max_field_size=_LARGEST_HEADER,
            max_line_size=_LARGEST_HEADER,
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            bound_port = runner.addresses[0][1]
            yield f"http://[{host}]:{bound_port}" if ":" in host else f"http://{host}:{bound_port}"
        finally:
            await runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_LARGEST_BODY, middlewares=[self._surround])
        application.router.add_routes(self._scm.routes())
        application.router.add_post("/v3/auth/tokens", self._issue_token, name="CreateToken")
        application.router.add_routes(self._admin.routes())
        return application

    @web.middleware
    async def _surround(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        request_id = uuid.uuid4().hex
        try:
            if request.path.startswith(admin.PREFIX):
                response = await _answer_admin(request, handler)
            else:
                response = await self._answer_client(request, handler, request_id=request_id)
        except fault_actions.AbortConnectionError:
            return _reset(request)
        response.headers["X-Request-Id"] = request_id
        response.headers["Date"] = email.utils.formatdate(self._clock(), usegmt=True)
        return response

    async def _answer_client(self, request: web.Request, handler: _Handler, *, request_id: str) -> web.StreamResponse:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return errors.render("html", status=413, code="", message="", request_id=request_id)
        except ConnectionError as error:
            raise fault_actions.AbortConnectionError(request_id) from error
        record = requests_log.Record(
            time=self._clock(),
            method=request.method,
            path=request.path,
            query=request.query_string,
            operation=request.match_info.route.name,
            request_id=request_id,
            body=requests_log.masked_body(body),
        )
        request[requests_log.RECORD] = self._log.add(record)
        fired = self._faults.fire(_call(record))
        record.faults = tuple(rule.name for rule in fired)
        stale = [rule.action.seconds for rule in fired if isinstance(rule.action, fault_actions.StaleList)]
        request[scm.STALE_SECONDS] = max(stale, default=0.0)
        proceed = functools.partial(_handle, request, handler, request_id=request_id)
        try:
            response = await self._faults.around(fired, request_id=request_id, proceed=proceed)
        except fault_actions.AbortConnectionError:
            record.status = "reset"
            raise
        record.status = response.status
        return response

    async def _issue_token(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            raise errors.RefusedError("Content-Type must be application/json", status=400, form="keystone")
        try:
            document = shapes.decode(await request.read())
        except shapes.ShapeError as error:
            raise errors.RefusedError(str(error), status=400, form="keystone") from error
        user, token, body = self._iam.issue(document, catalog="nocatalog" not in request.query)
        request[requests_log.RECORD].who = user
        return web.json_response(body, status=201, headers={"X-Subject-Token": token})


async def _handle(request: web.Request, handler: _Handler, *, request_id: str) -> web.Response:
    """Call a handler; whatever it refuses becomes an answer."""
    try:
        response = await handler(request)
    except errors.RefusedError as refused:
        return errors.render(
            refused.form, status=refused.status, code=refused.code, message=refused.message, request_id=request_id
        )
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        # To the gateway, a method that an API lacks is an API that doesn't exist.
        return errors.render("html", status=404, code="", message="", request_id=request_id)
    if not isinstance(response, web.Response):
        raise TypeError(f"a handler answered with {type(response)}")
    return response


async def _answer_admin(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except shapes.ShapeError as error:
        return web.json_response({"error": str(error)}, status=400)
    except web.HTTPException as error:
        return web.json_response({"error": error.reason}, status=error.status)


def _call(record: requests_log.Record) -> fault_rules.Call:
    name = record.body.get("name") if isinstance(record.body, dict) else None
    return fault_rules.Call(
        method=record.method,
        path=record.path,
        operation=record.operation,
        name=name if isinstance(name, str) else None,
    )


def _reset(request: web.Request) -> web.Response:
    """Close the connection so that the peer sees a reset (RST), not an orderly end."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        request.transport.abort()
    return web.Response()  # written to nobody: the connection is gone
