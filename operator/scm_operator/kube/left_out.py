"""Namespaces that should be served and can't be listed: found at the start, and looked at until one can be again.

One team's namespace that is deleted, or whose Role is, must not stop the others. What is in such a namespace is unknown
rather than gone: its attempts stay in the journal.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

from scm_operator.domain import errors
from scm_operator.kube import client, resources
from scm_operator.kube import scope as scopes

Check = Callable[[str], Awaitable[None]]
"""Returns when what is at a path can be listed. Raises: ApiServerError."""


async def find(scope: scopes.Scope, check: Check) -> dict[str, client.Refused]:
    """Return the namespaces that may not be listed, and why. Raises: ApiServerError for anything but a 403."""
    found: dict[str, client.Refused] = {}
    for namespace in scope.namespaces:
        try:
            for path in scope.lists_in(namespace):
                await check(path)
        except client.Refused as refusal:
            if refusal.status != 403:
                raise
            found[namespace] = refusal
    return found


async def until_one_is_back(kubernetes: client.Kubernetes, scope: scopes.Scope, *, period: float) -> str:
    """Return a namespace that was left out as soon as it can be listed, looking every ``period`` seconds or so."""
    while True:
        await asyncio.sleep(period * random.uniform(1.0, 1.5))  # noqa: S311 - so that replicas don't end together
        for namespace in scope.left_out:
            try:
                for path in scope.lists_in(namespace):
                    await resources.check_listable(kubernetes, path)
            except errors.ApiServerError:
                continue
            return namespace
