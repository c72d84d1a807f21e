"""The ClusterScmAccount that can be made from values: never made anew, and it outlives the release."""

from typing import Any

import pytest

from dev import helm as helms
from dev.helm import Helm, HelmError
from tests.support.releases import Cluster, Object
from tests.support.rendering import render

TOKEN = {"token": {"secretRef": {"name": "scm-token"}}}


def account(**spec: object) -> dict[str, Any]:
    """Return values that make an account, with what the test adds to its spec."""
    return {"account": {"create": True, "spec": {"region": "cn-north-4", "auth": TOKEN} | spec}}


def stored(cluster: Cluster) -> Object:
    """Return the account."""
    return cluster.get("clusterscmaccount", "default")


def test_an_account_is_made_by_a_hook(helm: Helm) -> None:
    """After an installation or upgrade, since a release can't hold what its own CRDs bring; none deletes it before."""
    made = render(helm, **account()).one("ClusterScmAccount", "default")

    annotations = made["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "post-install,post-upgrade"
    assert annotations["helm.sh/hook-delete-policy"] == "hook-failed"
    # Argo CD deletes a hook of this policy whenever any sync fails.
    assert annotations["argocd.argoproj.io/hook"] == "Skip"
    assert made["spec"] == account()["account"]["spec"]


def test_an_account_comes_with_the_first_installation(bare_cluster: Cluster) -> None:
    """On a cluster without the CRDs; the notes say which Secret it reads."""
    said = bare_cluster.install(**account())

    assert stored(bare_cluster)["spec"]["region"] == "cn-north-4"
    assert "there is no account yet" not in said
    assert "reads its token from Secret scm-token, key token, in namespace scm-csr-operator" in said


def test_an_account_comes_with_an_upgrade(cluster: Cluster) -> None:
    """Whenever the values ask for it."""
    cluster.install()

    cluster.upgrade(**account())

    assert stored(cluster)["spec"]["region"] == "cn-north-4"


def test_an_account_is_changed_in_place(cluster: Cluster) -> None:
    """It keeps its uid, for uploads that use it; what the values no longer say goes back to the default."""
    cluster.install(**account())
    before = stored(cluster)

    cluster.upgrade(**account(limits={"concurrency": 3}))
    changed = stored(cluster)
    cluster.upgrade(**account())
    back = stored(cluster)

    assert {each["metadata"]["uid"] for each in (before, changed, back)} == {before["metadata"]["uid"]}
    assert [each["spec"]["limits"]["concurrency"] for each in (before, changed, back)] == [8, 3, 8]


def test_an_account_is_left_alone_while_its_values_are_the_same(cluster: Cluster) -> None:
    """An upgrade of other things doesn't write it, and doesn't undo what a person has changed."""
    wanted = account(limits={"concurrency": 3})
    cluster.install(**wanted)
    cluster.plane.kubectl(
        "patch", "clusterscmaccount", "default", "--type=merge", "--patch", '{"spec": {"limits": {"concurrency": 2}}}'
    )
    before = stored(cluster)

    cluster.upgrade(**wanted, replicaCount=1)

    assert stored(cluster) == before


def test_another_tenant_is_refused(cluster: Cluster) -> None:
    """What can't be edited can't be changed by an upgrade either: the account stays, and the CRD's message is shown."""
    cluster.install(**account())
    before = stored(cluster)

    with pytest.raises(HelmError, match="another tenant is another account"):
        cluster.upgrade(**account(region="cn-east-3"))

    assert stored(cluster) == before
    cluster.upgrade(**account())


def test_a_field_that_somebody_else_has_set_is_not_taken_from_them(cluster: Cluster) -> None:
    """Until a person says so, by the command that the chart's README has; the account stays the same one."""
    cluster.install(**account())
    uid = stored(cluster)["metadata"]["uid"]
    cluster.plane.kubectl(
        "patch", "clusterscmaccount", "default", "--type=merge", "--patch", '{"spec": {"limits": {"concurrency": 2}}}'
    )
    wanted = account(limits={"concurrency": 3})

    with pytest.raises(HelmError, match='conflict with "kubectl-patch"'):
        cluster.upgrade(**wanted)
    text = cluster.helm.template(wanted, "--show-only", "templates/account.yaml")
    command = ("apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", "-")
    cluster.plane.kubectl(*command, input=text)
    cluster.upgrade(**wanted)

    assert (stored(cluster)["metadata"]["uid"], stored(cluster)["spec"]["limits"]["concurrency"]) == (uid, 3)


def test_an_account_outlives_the_release(cluster: Cluster) -> None:
    """Uninstalling leaves it, as does switching it off; the next release of that name takes it up again."""
    cluster.install(**account())
    uid = stored(cluster)["metadata"]["uid"]
    cluster.upgrade()
    assert stored(cluster)["metadata"]["uid"] == uid

    cluster.uninstall()
    cluster.install(**account(limits={"concurrency": 3}))

    assert stored(cluster)["metadata"]["uid"] == uid
    assert stored(cluster)["spec"]["limits"]["concurrency"] == 3


def test_a_rollback_leaves_the_account(cluster: Cluster) -> None:
    """It is no part of a revision."""
    cluster.install(**account())
    cluster.upgrade(**account(limits={"concurrency": 3}))
    before = stored(cluster)

    cluster.rollback(1)

    assert stored(cluster) == before


def test_an_account_of_somebody_elses_is_not_taken(cluster: Cluster) -> None:
    """The message says whose it is, and what to do."""
    cluster.install(**account())
    cluster.uninstall()

    with pytest.raises(HelmError) as refused:
        cluster.install("second", namespace=helms.NAMESPACE, crds={"install": False}, **account())

    assert (
        "ClusterScmAccount default exists and belongs to release scm-csr-operator in namespace scm-csr-operator. "
        "Set account.create to false" in str(refused.value)
    )
