"""What an installation lists and watches."""

import pytest

from scm_operator import kube
from scm_operator.kube import scope

GROUP = "/apis/scm.certops.dev/v1alpha1"
ALL = scope.Scope("ops")
TWO = scope.Scope("ops", ("shop", "web"))


def test_cluster_wide_lists_each_kind_once() -> None:
    """Without namespaces each kind is listed in all of them at once."""
    assert ALL.is_cluster_wide
    assert ALL.lists == tuple(
        f"{GROUP}/{kind}" for kind in ("certificaterequestuploads", "scmaccounts", "clusterscmaccounts")
    )


def test_some_namespaces_are_listed_one_by_one() -> None:
    """With namespaces nothing is listed beyond them but what has no namespace."""
    assert not TWO.is_cluster_wide
    assert TWO.lists_of(kube.UPLOADS) == (
        f"{GROUP}/namespaces/shop/certificaterequestuploads",
        f"{GROUP}/namespaces/web/certificaterequestuploads",
    )
    assert TWO.lists_of(kube.CLUSTER_ACCOUNTS) == (f"{GROUP}/clusterscmaccounts",)


def test_without_cluster_accounts_nothing_cluster_wide_is_listed() -> None:
    """An installation that doesn't serve ClusterScmAccounts never asks for them."""
    assert all("/namespaces/" in path for path in scope.Scope("ops", ("shop",), cluster_accounts=False).lists)


@pytest.mark.parametrize(
    ("scoped", "lists"),
    [
        (ALL, ("/api/v1/secrets",)),
        (TWO, tuple(f"/api/v1/namespaces/{name}/secrets" for name in ("shop", "web", "ops"))),
        (scope.Scope("ops", ("ops",)), ("/api/v1/namespaces/ops/secrets",)),
        (scope.Scope("ops", ("shop",), cluster_accounts=False), ("/api/v1/namespaces/shop/secrets",)),
        (scope.Scope("ops", ("shop",), secrets_watch=False), ()),
    ],
    ids=["all", "some, and the operator's own", "its own alone", "no cluster accounts", "no watch"],
)
def test_secrets_are_listed_where_some_may_be_named(scoped: scope.Scope, lists: tuple[str, ...]) -> None:
    """Secrets are listed where uploads and accounts are, and where ClusterScmAccounts have theirs, if at all."""
    assert scoped.secret_lists == lists
