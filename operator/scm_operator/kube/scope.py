"""What an installation watches: all namespaces, or some; and the paths at which to list and watch that."""

import dataclasses
from collections.abc import Collection, Iterable

from scm_operator import kube
from scm_operator.kube import paths


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """The resources that an installation serves.

    ``namespaces``: empty for all. ``operator_namespace`` is where ClusterScmAccounts have their Secrets. ``left_out``
    are namespaces that should be served and can't be listed: nothing is known of what is in them.
    """

    operator_namespace: str
    namespaces: tuple[str, ...] = ()
    cluster_accounts: bool = True
    secrets_watch: bool = True
    left_out: tuple[str, ...] = ()

    def without(self, names: Collection[str]) -> "Scope":
        """Return the scope with these namespaces left out."""
        served = tuple(name for name in self.namespaces if name not in names)
        return dataclasses.replace(self, namespaces=served, left_out=tuple(names))

    @property
    def is_cluster_wide(self) -> bool:
        """Say whether all namespaces are served."""
        return not self.namespaces

    @property
    def plurals(self) -> tuple[str, ...]:
        """Return the kinds that are watched."""
        return (kube.UPLOADS, kube.ACCOUNTS, *((kube.CLUSTER_ACCOUNTS,) if self.cluster_accounts else ()))

    @property
    def lists(self) -> tuple[str, ...]:
        """Return the paths of all lists of these kinds."""
        return tuple(path for plural in self.plurals for path in self.lists_of(plural))

    def lists_of(self, plural: str) -> tuple[str, ...]:
        """Return the paths whose lists together hold all resources of a kind."""
        if self.is_cluster_wide or plural == kube.CLUSTER_ACCOUNTS:
            return (paths.kind(plural),)
        return tuple(paths.kind(plural, namespace=namespace) for namespace in self.namespaces)

    def lists_in(self, namespace: str) -> tuple[str, ...]:
        """Return the paths of all lists of one namespace that is served by its name."""
        kinds = tuple(paths.kind(plural, namespace=namespace) for plural in (kube.UPLOADS, kube.ACCOUNTS))
        return (*kinds, paths.secrets(namespace)) if self.secrets_watch else kinds

    @property
    def secret_lists(self) -> tuple[str, ...]:
        """Return the paths whose lists together hold all Secrets that may be named; none without a watch on them."""
        if not self.secrets_watch:
            return ()
        if self.is_cluster_wide:
            return (paths.secrets(),)
        return tuple(paths.secrets(namespace) for namespace in dict.fromkeys(self._secret_namespaces()))

    def _secret_namespaces(self) -> Iterable[str]:
        yield from self.namespaces
        if self.cluster_accounts:
            yield self.operator_namespace
