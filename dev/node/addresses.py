"""Loopback addresses for Pods: a block of 254 for each node, one for the node itself and one for each of its Pods.

The API server refuses loopback addresses in EndpointSlices, so what it is told differs in the first number: where it
says 198.18.7.2, the process is at 127.18.7.2. 198.18.0.0/15 is kept for benchmarks (RFC 2544) and leads nowhere.
Linux has all of 127.0.0.0/8 on its loopback interface; elsewhere these addresses would have to be added.
"""

import contextlib
import errno
import random
import socket
from collections import deque

_CLAIM = 47_113
"""The UDP port by whose binding a node claims its block; nothing is ever sent there."""


class NoBlockError(Exception):
    """All blocks of addresses are taken by other nodes on this machine."""


class Block:
    """A block of addresses that no other node on this machine has, until it is closed or the process ends."""

    def __init__(self) -> None:
        self._claim, self._prefix = _claim()
        self._free = deque(range(2, 255))

    @property
    def host(self) -> str:
        """The node's own address."""
        return f"{self._prefix}.1"

    def take(self) -> str:
        """Return an address for a Pod: the one that has been free for longest."""
        return f"{self._prefix}.{self._free.popleft()}"

    def give_back(self, address: str) -> None:
        """Take an address back, for a later Pod."""
        self._free.append(int(address.rsplit(".", 1)[1]))

    def close(self) -> None:
        """Leave the block to other nodes."""
        self._claim.close()


def public(address: str) -> str:
    """Return what the API is told in place of a loopback address."""
    return address.replace("127.", "198.", 1)


def loopback(address: str) -> str:
    """Return where the process listens that has this address in the API."""
    return address.replace("198.", "127.", 1)


def _claim() -> tuple[socket.socket, str]:
    blocks = [f"127.{second}.{third}" for second in (18, 19) for third in range(256)]
    random.shuffle(blocks)
    for prefix in blocks:
        with contextlib.ExitStack() as stack:
            claim = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            try:
                claim.bind((f"{prefix}.1", _CLAIM))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            stack.pop_all()
            return claim, prefix
    raise NoBlockError("all blocks of loopback addresses are taken: stop other nodes on this machine")
