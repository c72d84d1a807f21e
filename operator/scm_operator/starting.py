"""Before the work begins: whether what the operator needs is installed and permitted, said in words where it isn't."""

import asyncio
import contextlib
import logging
import time

from scm_operator import kube, lifecycle
from scm_operator.domain import errors
from scm_operator.kube import client, left_out, resources, scope

_log = logging.getLogger(__name__)
_NO_CRD = "the CRD {name}.{group} is not installed (kubectl apply --server-side -f crds/)"
_BEAR, _BETWEEN = 60.0, 1.0  # seconds for which the API server may fail when the process starts, and between two tries


async def find_scope(kubernetes: client.Kubernetes, wanted: scope.Scope, stop: asyncio.Event) -> scope.Scope:
    """Return what can be served of what is wanted, and say it in words, and early, when a CRD or a permission lacks.

    Of several namespaces those that may not be listed are left out. An API server that is overloaded or starts itself
    is tried again for `_BEAR`. When stopped before, the answer says nothing.

    Raises: Fatal when there is nothing that can be served.
    """
    end = time.monotonic() + _BEAR
    listed: set[str] = set()

    async def check(path: str) -> None:
        if path not in listed:
            await _until_listed(kubernetes, path, stop, end=end)
            listed.add(path)

    try:
        refused = await left_out.find(wanted, check)
        if refused and len(refused) == len(wanted.namespaces):
            raise next(iter(refused.values()))
        found = wanted.without(tuple(refused)) if refused else wanted
        for path in (*found.lists, *found.secret_lists):
            await check(path)
    except errors.ApiServerError as error:
        raise lifecycle.Fatal(f"can't start: {error}") from None
    for namespace, refusal in refused.items():
        text = "namespace %s is not served until it can be listed: %s"
        _log.error(text, namespace, refusal, extra={"event": "NamespaceLeftOut", "namespace": namespace})
    return found


async def _until_listed(kubernetes: client.Kubernetes, path: str, stop: asyncio.Event, *, end: float) -> None:
    while not stop.is_set():
        try:
            return await resources.check_listable(kubernetes, path)
        except errors.Gone:
            name = path.rpartition("/")[2]
            raise lifecycle.Fatal(_NO_CRD.format(name=name, group=kube.GROUP)) from None
        except errors.ApiServerError as error:
            pause = max(error.retry_after, _BETWEEN)
            if not _passes(error) or time.monotonic() + pause > end:
                raise
            _log.warning("can't start yet: %s; again in %g s", error, pause, extra={"event": "ApiServerError"})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
    return None


def _passes(error: errors.ApiServerError) -> bool:
    return not isinstance(error, client.Refused) or error.status >= 500 or error.status in {408, 429}
