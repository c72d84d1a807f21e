"""Making probes: a request, a connection or a command, again and again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from dev.node import child
from dev.node.api import Object
from dev.node.probes import Probe, Tally

_SHOWN = 256
"""Characters of an answer that are shown."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a probe went, and what to tell of it."""

    success: bool
    message: str = ""


Attempt = Callable[[], Awaitable[Result]]


async def watch(probe: Probe, *, since: float, attempt: Attempt, told: Callable[[Tally, Result], None]) -> None:
    """Make the probe in its period, for ever; tell of a result unlike the last, and of a change of the verdict.

    ``since`` is when the container was started, by the loop's clock: its initial delay counts from there.
    """
    tally, clock = Tally(probe), asyncio.get_running_loop().time
    await asyncio.sleep(max(0.0, since + probe.initial_delay - clock()))
    while True:
        begun = clock()
        result = await within(probe.timeout, attempt)
        if tally.add(success=result.success) or tally.in_a_row == 1:
            told(tally, result)
        await asyncio.sleep(max(0.0, begun + probe.period - clock()))


async def within(seconds: float, attempt: Attempt) -> Result:
    """Make an attempt; one that takes longer has failed."""
    try:
        async with asyncio.timeout(seconds):
            return await attempt()
    except TimeoutError:
        return Result(False, f"no answer in {seconds:g} s")


@dataclass(frozen=True, slots=True)
class Prober:
    """What a container's probes are made with."""

    session: aiohttp.ClientSession
    container: Object
    address: str
    environ: Mapping[str, str]
    folder: Path
    """Where commands are run."""

    async def attempt(self, action: Object) -> Result:
        """Make an attempt of a probe or of a lifecycle hook: httpGet, tcpSocket, exec or sleep."""
        if get := action.get("httpGet"):
            return await self._get(get)
        if tcp := action.get("tcpSocket"):
            return await self._connect(tcp)
        if command := action.get("exec"):
            return await self._run(command["command"])
        if pause := action.get("sleep"):
            await asyncio.sleep(pause["seconds"])
            return Result(True)
        return Result(False, f"this node can't do {', '.join(action) or 'nothing'}")

    async def _get(self, get: Object) -> Result:
        host, port = get.get("host") or self.address, self._port(get["port"])
        if port is None:
            return Result(False, f"the container has no port named {get['port']}")
        url = f"{get.get('scheme', 'HTTP').lower()}://{host}:{port}/{get.get('path', '/').removeprefix('/')}"
        headers = {header["name"]: header["value"] for header in get.get("httpHeaders", [])}
        try:
            async with self.session.get(url, headers=headers, ssl=False, allow_redirects=False) as answer:
                said = (await answer.content.read(_SHOWN)).decode(errors="replace")
        except (aiohttp.ClientError, OSError) as error:
            return Result(False, f"GET {url}: {str(error) or type(error).__name__}")
        return Result(200 <= answer.status < 400, f"GET {url}: {answer.status} {said}")

    async def _connect(self, tcp: Object) -> Result:
        host, port = tcp.get("host") or self.address, self._port(tcp["port"])
        if port is None:
            return Result(False, f"the container has no port named {tcp['port']}")
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            return Result(False, f"{host}:{port}: {error}")
        writer.close()
        return Result(True)

    async def _run(self, command: list[str]) -> Result:
        try:
            code, said = await child.run(command, environ=self.environ, folder=self.folder)
        except OSError as error:
            return Result(False, f"{command[0]}: {error}")
        return Result(code == 0, f"{command[0]} ended with {code}: {said[:_SHOWN]}")

    def _port(self, port: int | str) -> int | None:
        if isinstance(port, int):
            return port
        named = {each.get("name"): each["containerPort"] for each in self.container.get("ports", [])}
        return named.get(port)
