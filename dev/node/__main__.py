"""The node as a process: ``python -m dev.node SETTINGS``, a file that `launch` writes. SIGTERM and SIGINT end it."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

import aiohttp

from dev.node import addresses, child
from dev.node.api import Access, Api
from dev.node.machine import Machine
from dev.node.pod import Pod
from dev.node.pods import Pods
from dev.node.settings import Settings


async def serve(settings: Settings, *, access: Access) -> None:
    """Be the node until this process is asked to end; then end what it runs."""
    asked = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, asked.set)
    block = addresses.Block()
    # A probe tells of what is there now, so no connection is kept for the next.
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with Api.connect(access) as api, aiohttp.ClientSession(connector=connector) as session:
        machine = Machine(api, settings=settings, address=addresses.public(block.host))

        def make(pod: dict[str, object]) -> Pod:
            return Pod(pod, api=api, settings=settings, block=block, session=session)

        pods = Pods(api, node=settings.name, retry=settings.retry, make=make)
        await machine.register()
        tasks = [asyncio.create_task(pods.run()), asyncio.create_task(machine.keep_alive())]
        ending = asyncio.create_task(asked.wait())
        await asyncio.wait([ending, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await pods.stop()
        await machine.leave()
        await asyncio.gather(*tasks, return_exceptions=True)


def main(path: str) -> None:
    """Read the settings and be the node."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    child.adopt_orphans()
    settings = Settings.load(Path(path))
    asyncio.run(serve(settings, access=Access.read(settings.kubeconfig)))


if __name__ == "__main__":
    main(sys.argv[1])
