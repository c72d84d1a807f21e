"""What the watches have shown: every resource of a kind, compact, and who names which Secret.

Events come late, twice and out of order (a watch that starts again, an old uid's deletion after its namesake's
creation), and the operator's own writes are known before their events. So newest wins, by resourceVersion, which
is ordered within a cluster (KEP-5504), and a deletion counts only for the uid that it names.
"""

import collections
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from scm_operator.domain import account


class Resource(Protocol):
    """What the cache needs to know of a resource."""

    @property
    def uid(self) -> str:
        """Return metadata.uid."""

    @property
    def resource_version(self) -> str:
        """Return metadata.resourceVersion."""


K = TypeVar("K", bound=Hashable)
R = TypeVar("R", bound=Resource)


class Cache(Generic[K, R]):
    """The resources of one kind by key."""

    def __init__(self, *, key: Callable[[R], K], secrets: Callable[[R], Iterable[account.SecretName]]) -> None:
        self._key = key
        self._secrets = secrets
        self.on_gone: Callable[[R], None] = lambda _: None
        self._resources: dict[K, R] = {}
        self._named_by: dict[account.SecretName, set[K]] = collections.defaultdict(set)

    def get(self, key: K) -> R | None:
        """Return a resource, or None if it isn't known."""
        return self._resources.get(key)

    def __iter__(self) -> Iterator[R]:
        """Iterate over all resources; don't change the cache meanwhile."""
        return iter(self._resources.values())

    def __len__(self) -> int:
        """Return how many resources there are."""
        return len(self._resources)

    def is_news(self, key: K, *, resource_version: str) -> bool:
        """Say whether a version is newer than what is known: cheaper to ask than to parse for nothing."""
        known = self._resources.get(key)
        return known is None or int(resource_version) > int(known.resource_version)

    def put(self, resource: R) -> bool:
        """Take over what an event shows. Return False if it isn't newer than what is known."""
        key = self._key(resource)
        if not self.is_news(key, resource_version=resource.resource_version):
            return False
        if known := self._resources.get(key):
            self._unname(key, known)
            if known.uid != resource.uid:
                self.on_gone(known)
        self._resources[key] = resource
        for secret in self._secrets(resource):
            self._named_by[secret].add(key)
        return True

    def refresh(self, resource: R) -> None:
        """Take over the answer to a write or a read of our own; never bring back what was deleted meanwhile."""
        known = self._resources.get(self._key(resource))
        if known and known.uid == resource.uid:
            self.put(resource)

    def remove(self, key: K, *, uid: str) -> bool:
        """Take over a deletion. Return False if another uid stands there by now, or none."""
        known = self._resources.get(key)
        if known is None or known.uid != uid:
            return False
        del self._resources[key]
        self._unname(key, known)
        self.on_gone(known)
        return True

    def missing_from(self, present: Collection[K], *, resource_version: str) -> list[R]:
        """Return what a complete list as of that version doesn't hold although it would have to."""
        return [
            resource
            for key, resource in self._resources.items()
            if key not in present and int(resource.resource_version) <= int(resource_version)
        ]

    def naming(self, secret: account.SecretName) -> tuple[K, ...]:
        """Return the keys of the resources that name a Secret."""
        return tuple(self._named_by.get(secret, ()))

    def _unname(self, key: K, resource: R) -> None:
        for secret in self._secrets(resource):
            keys = self._named_by[secret]
            keys.discard(key)
            if not keys:
                del self._named_by[secret]
