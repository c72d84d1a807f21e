"""Before the work begins: whether what the operator needs is installed and permitted, said in words where it isn't."""

import asyncio
import contextlib
import logging
import time

from scm_operator import kube, lifecycle
from scm_operator.domain import errors
from scm_operator.kube import client, resources, scope

_log = logging.getLogger(__name__)
_BEAR, _BETWEEN = 60.0, 1.0  # seconds for which the API server may fail when the process starts, and between two tries


async def is_installed(kubernetes: client.Kubernetes, scoped: scope.Scope, stop: asyncio.Event) -> bool:
    """Find out early, and say it in words, when a CRD or a permission is missing; return False when stopped before.

    An API server that is overloaded or starts itself is tried again for `_BEAR`.
    """
    end = time.monotonic() + _BEAR
    missing = [*scoped.lists, *scoped.secret_lists]
    while missing and not stop.is_set():
        try:
            await resources.check_listable(kubernetes, missing[0])
            missing.pop(0)
        except errors.Gone:
            name = missing[0].rpartition("/")[2]
            raise lifecycle.Fatal(
                f"the CRD {name}.{kube.GROUP} is not installed (kubectl apply --server-side -f crds/)"
            ) from None
        except errors.ApiServerError as error:
            pause = max(error.retry_after, _BETWEEN)
            if not _passes(error) or time.monotonic() + pause > end:
                raise lifecycle.Fatal(f"can't start: {error}") from None
            _log.warning("can't start yet: %s; again in %g s", error, pause, extra={"event": "ApiServerError"})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
    return not missing


def _passes(error: errors.ApiServerError) -> bool:
    return not isinstance(error, client.Refused) or error.status >= 500 or error.status in {408, 429}
