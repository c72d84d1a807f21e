"""Whether another installation serves the same namespaces: two that do would upload everything twice.

A cluster-wide installation carries a ClusterRole of a fixed name, which every ServiceAccount may read (the chart,
templates/cluster-wide.yaml): an installation that serves some namespaces, and may see nothing else of the cluster,
finds it there. Two cluster-wide ones, or two for one namespace, can't be installed: their objects have the same names.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from scm_operator.domain import errors
from scm_operator.kube import client, paths
from scm_operator.kube import scope as scopes

_log = logging.getLogger(__name__)
CLUSTER_WIDE = "scm-csr-operator-cluster-wide"
_INSTALLATION = "scm.certops.dev/installation"


async def find_cluster_wide(kubernetes: client.Kubernetes) -> str | None:
    """Return where the cluster-wide installation is (namespace/Lease), None if there is none. Raises: ApiServerError.

    Without one nobody but an administrator may ask for it: a 403 says that there is none.
    """
    path = paths.path_of("apis", "rbac.authorization.k8s.io", "v1", "clusterroles", CLUSTER_WIDE)
    try:
        found = await client.call(kubernetes.request("GET", path), what=f"get ClusterRole {CLUSTER_WIDE}")
    except errors.Gone:
        return None
    except client.Refused as refusal:
        if refusal.status == 403:
            return None
        raise
    installation: str = (found["metadata"].get("annotations") or {}).get(_INSTALLATION, "unknown place")
    return errors.foreign_text(installation)


class Alone:
    """Knows whether this installation is the only one for its namespaces; see `run`.

    ``period`` in seconds between two looks. ``on_change`` are told why it isn't alone, None when it is,
    first when that is known.
    """

    def __init__(
        self,
        kubernetes: client.Kubernetes,
        *,
        scope: scopes.Scope,
        period: float,
        on_change: Sequence[Callable[[str | None], None]],
    ) -> None:
        self._kubernetes = kubernetes
        self._scope = scope
        self._period = period
        self._on_change = on_change
        self._known = False
        self._alone = asyncio.Event()
        self._overlap = asyncio.Event()
        self.overlap: str | None = None

    async def run(self) -> None:
        """Look again and again until cancelled; what was found last holds while the API server doesn't answer."""
        if self._scope.is_cluster_wide:
            self._alone.set()
            return
        while True:
            try:
                self._found(await find_cluster_wide(self._kubernetes))
            except errors.ApiServerError as error:
                _log.info("can't tell whether another installation overlaps: %s", error)
            await asyncio.sleep(self._period)

    async def wait(self) -> None:
        """Return when it is known that no other installation serves these namespaces."""
        await self._alone.wait()

    async def end(self) -> str:
        """Return why it isn't alone any more, as soon as that is so."""
        await self._overlap.wait()
        return self.overlap or ""

    def _found(self, other: str | None) -> None:
        before = self.overlap
        self.overlap = _overlap(other, self._scope) if other else None
        (self._overlap if other else self._alone).set()
        (self._alone if other else self._overlap).clear()
        if self._known and self.overlap == before:
            return
        self._known = True
        if self.overlap:
            _log.error("%s", self.overlap, extra={"event": "Overlap"})
        elif before:
            _log.info("no other installation serves these namespaces any more", extra={"event": "Alone"})
        for tell in self._on_change:
            tell(self.overlap)


def _overlap(other: str, scope: scopes.Scope) -> str:
    return (
        f"another installation ({other}) serves all namespaces, those of this one too ({', '.join(scope.namespaces)}): "
        "nothing is uploaded from here while it is installed. Uninstall one of the two."
    )
