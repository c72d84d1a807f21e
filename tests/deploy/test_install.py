"""The operator installed as users do it: by Helm, which waits, in a namespace with Pod Security "restricted"."""

import os
import signal
from collections.abc import Iterator

import httpx
import pytest

from dev import helm as helms
from tests.support import installation, pem
from tests.support.installation import Stage
from tests.support.pods import Pods
from tests.support.waiting import until
from tests.support.world import Namespace


@pytest.fixture(scope="module")
def installed(stage: Stage) -> Iterator[Stage]:
    """The operator with two replicas, in a namespace that has no other release."""
    stage.uninstall()
    stage.install()
    yield stage
    stage.uninstall()


@pytest.fixture
def team(installed: Stage, request: pytest.FixtureRequest) -> Namespace:
    """A namespace of the test's own, with an account and a CSR."""
    namespace = installed.namespace_for(request.node.name)
    namespace.account()
    namespace.secret("csr", {"tls.csr": pem.csr(pem.ec_key())})
    return namespace


@pytest.fixture
def operator(installed: Stage) -> Pods:
    """The operator's Pods."""
    return Pods(Namespace(helms.NAMESPACE, installed.plane, installed.simulator), installed.node)


def uploaded(team: Namespace, name: str) -> str:
    """Make an upload, wait until it is Ready, and return its id in SCM."""
    team.upload(name, csr="csr")
    scm_id: str = team.ready(name)["scmID"]
    return scm_id


def test_two_replicas_are_there_when_helm_has_waited(installed: Stage, operator: Pods) -> None:
    """Both are ready, one leads and one waits, and the namespace lets nothing in that Pod Security would refuse."""
    replicas = installed.replicas()
    assert len(replicas) == 2
    assert installed.leader() in replicas
    for name in replicas:
        assert operator.container(name)["ready"]
        assert httpx.get(installed.url(operator.get(name), "/readyz"), timeout=10).status_code == 200
    labels = installed.cluster.get("namespace", helms.NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_an_upload_becomes_ready(installed: Stage, team: Namespace) -> None:
    """What the status says is what SCM has."""
    scm_id = uploaded(team, team.name)
    assert [entry["id"] for entry in installed.simulator.entries(name=team.name)] == [scm_id]


def test_metrics_are_behind_the_service(installed: Stage, operator: Pods) -> None:
    """The Service selects both replicas, by the name of their port, and each answers there."""
    until(lambda: list(operator.endpoints(helms.RELEASE).values()) == [True, True], what="two ready endpoints")
    assert set(operator.endpoints(helms.RELEASE)) == {
        operator.get(name)["status"]["podIP"] for name in installed.replicas()
    }
    assert sum(installed.metrics(name).value("scm_operator_leader") for name in installed.replicas()) == 1


def test_when_the_leader_is_deleted_the_other_takes_over(installed: Stage, operator: Pods, team: Namespace) -> None:
    """An upload made afterwards becomes Ready, and the Deployment makes a replica in place of the deleted one."""
    before = uploaded(team, f"{team.name}-before")
    leader = installed.leader()
    [other] = set(installed.replicas()) - {leader}
    operator.namespace.kubectl("delete", "pod", leader, "--wait=false")
    assert installed.leader(other_than=leader) == other
    uploaded(team, f"{team.name}-after")
    operator.wait(leader, "delete")
    operator.namespace.kubectl("rollout", "status", f"deployment/{helms.RELEASE}", "--timeout=30s")
    assert team.status(f"{team.name}-before")["scmID"] == before
    assert len(installed.simulator.entries()) == len({entry["name"] for entry in installed.simulator.entries()})


def test_when_the_leader_is_killed_the_other_takes_over(installed: Stage, operator: Pods, team: Namespace) -> None:
    """The kubelet starts the container again, but the Lease goes to the replica that waited; uploads go on."""
    leader = installed.leader()
    [other] = set(installed.replicas()) - {leader}
    os.kill(operator.node.pid(helms.NAMESPACE, leader), signal.SIGKILL)
    assert installed.leader(other_than=leader) == other
    uploaded(team, team.name)
    until(lambda: operator.restarts(leader) == 1, what="a restart")
    assert operator.container(leader)["lastState"]["terminated"]["exitCode"] == 128 + signal.SIGKILL
    operator.wait(leader)


def test_an_upgrade_with_a_changed_setting_rolls(installed: Stage, operator: Pods, team: Namespace) -> None:
    """When Helm has waited, two other replicas have the setting, and uploads go on."""
    before = set(installed.replicas())
    installed.upgrade(settings={"workers": 7})
    after = set(installed.replicas())
    assert len(after) == 2
    assert not after & before
    for name in after:
        [container] = operator.get(name)["spec"]["containers"]
        assert {"name": "SCM_OPERATOR_WORKERS", "value": "7"} in container["env"]
    uploaded(team, team.name)


def test_a_setting_that_the_operator_refuses_fails_the_upgrade(installed: Stage, operator: Pods) -> None:
    """Helm says so, the replicas of before stay, and a rollback brings their settings back."""
    before = set(installed.replicas())
    with pytest.raises(helms.HelmError):
        installed.upgrade(environment={"SCM_OPERATOR_RETRY_FIRST": "-1"}, timeout="5s")
    assert before < set(installed.replicas())
    [broken] = set(installed.replicas()) - before
    assert "--retry-first (SCM_OPERATOR_RETRY_FIRST)" in operator.said(broken, "RETRY_FIRST")
    installed.cluster.helm.run("rollback", helms.RELEASE, "--namespace", helms.NAMESPACE, "--wait", "--timeout", "60s")
    assert set(installed.replicas()) == before
    assert installation.ENVIRONMENT["SCM_OPERATOR_RETRY_FIRST"] in str(installed.cluster.get("deployment"))
