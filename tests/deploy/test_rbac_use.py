"""The permissions that the chart gives, against what the operator has asked for while it did all that it can do."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator

import pytest

from dev import helm as helms
from dev.node.launch import Node
from tests.support import accounts, api_proxy, installation, pem, rbac_use
from tests.support.api_proxy import ApiProxy
from tests.support.api_proxy_rules import Hold
from tests.support.installation import Object, Stage
from tests.support.rbac_use import Account, Audit, Permission, Request
from tests.support.waiting import until
from tests.support.world import Namespace

_MARK = "scm-csr-operator-cluster-wide"
# Whoever serves some namespaces asks whether somebody serves all; without such an installation, nobody may know.
_ASKS = Request("get", "clusterroles", "rbac.authorization.k8s.io", name=_MARK)
_NODE = "proxied"
_PLACE = {"nodeSelector": {"kubernetes.io/hostname": _NODE}}
_SHARED = {"kind": "ClusterScmAccount", "name": "shared"}


@pytest.fixture(scope="module")
def proxy(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProxy]:
    """A proxy between the API server and the Pods of a node of its own."""
    folder = tmp_path_factory.mktemp("proxied")
    with (
        api_proxy.running(stage.plane.kubeconfig) as proxy,
        Node.start(stage.plane, images=installation.IMAGES, folder=folder, name=_NODE, server=proxy.url),
    ):
        yield proxy
    stage.plane.kubectl("delete", "node", _NODE)


@pytest.fixture
def team(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace with a CSR and an account, on a cluster without the operator."""
    stage.uninstall()
    stage.cluster.namespace()
    namespace = stage.namespace_for(request.node.name)
    namespace.secret("csr", {"tls.csr": pem.csr(pem.ec_key())})
    yield namespace
    stage.simulator.faults()
    stage.simulator.release()
    stage.uninstall()


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """What the operator's ServiceAccount may do, and has asked for since it was made."""

    stage: Stage
    account: Account
    granted: list[Permission]

    @classmethod
    def of(cls, stage: Stage) -> "Use":
        """Begin with what is installed."""
        account = Account.find(stage.plane, namespace=helms.NAMESPACE, name=helms.RELEASE)
        return cls(stage, account, rbac_use.granted(stage.plane, account=account))

    def audit(self) -> Audit:
        """Return what was asked for until now."""
        return Audit.read(self.stage.plane.audit_log, account=self.account)

    def too_much(self) -> list[str]:
        """Return the permissions that it doesn't need, when Events, which are written behind, had time to be."""
        with contextlib.suppress(AssertionError):
            until(lambda: not self.audit().too_much(self.granted), what="a use of each permission")
        return self.audit().too_much(self.granted)


def own_account(team: Namespace) -> None:
    """Work with an account of the namespace: upload, delete, and leave an entry behind that can't be deleted."""
    team.account()
    for name in ("short", "orphan"):
        team.upload(f"{team.name}-{name}", csr="csr", deletionPolicy="Delete")
    orphan = team.ready(f"{team.name}-orphan")["scmID"]
    team.ready(f"{team.name}-short")
    team.kubectl("delete", "cru", f"{team.name}-short", "--timeout=20s")
    refusal = {"status": {"code": 403, "errorCode": "SCM.0002"}}
    team.simulator.faults({"match": {"operation": "DeleteCsr", "path": f"*/{orphan}"}, "do": refusal})
    team.kubectl("delete", "cru", f"{team.name}-orphan", "--timeout=30s")
    team.simulator.faults()


def cluster_account(stage: Stage, team: Namespace) -> None:
    """Upload with an account of the cluster, whose credential is in the operator's namespace."""
    user = accounts.make_user(stage.simulator, f"shared-{team.name}")
    own = Namespace(helms.NAMESPACE, stage.plane, stage.simulator)
    accounts.put(
        own,
        accounts.secret("iam", {"password": user.password}),
        accounts.account("shared", user.spec(), kind=_SHARED["kind"]),
    )
    team.upload(f"{team.name}-shared", csr="csr", accountRef=_SHARED)
    team.ready(f"{team.name}-shared")


def conflict(team: Namespace, proxy: ApiProxy) -> None:
    """Change an upload while its status is on the way to the API server: the write comes too late."""
    name = f"{team.name}-conflict"
    status = proxy.rule(Hold(), method="PATCH", path=f"*/{name}/status", times=1)
    team.upload(name, csr="csr")
    status.wait_held()
    team.kubectl("annotate", "cru", name, "example.com/changed=true")
    status.release()
    team.ready(name)


MODES = [
    pytest.param({}, id="all namespaces"),
    pytest.param({"clusterAccounts": {"enabled": True}}, id="some namespaces and accounts of the cluster"),
    pytest.param({"secrets": {"watch": False, "names": ["csr", "scm-iam"]}}, id="some namespaces, two Secrets"),
]


@pytest.mark.parametrize("mode", MODES)
def test_the_operator_needs_all_that_it_may_and_asks_for_nothing_else(
    stage: Stage, team: Namespace, proxy: ApiProxy, mode: Object
) -> None:
    """Take a verb away and something is refused; each verb is used, and without it no other would do."""
    everywhere = not mode
    stage.install(**_PLACE | mode | ({} if everywhere else {"watchNamespaces": [team.name]}))
    use = Use.of(stage)
    own_account(team)
    if everywhere or "clusterAccounts" in mode:
        cluster_account(stage, team)
    conflict(team, proxy)
    assert use.too_much() == []
    assert use.audit().refused == (set() if everywhere else {_ASKS})


TAKEN = [
    Permission("ClusterRole scm-csr-operator", "get", "secrets"),
    Permission("Role scm-csr-operator/scm-csr-operator", "update", "leases", "coordination.k8s.io"),
]


def take(stage: Stage, permission: Permission) -> None:
    """Take a verb out of a Role."""
    kind, _, place = permission.role.partition(" ")
    namespace, _, name = place.rpartition("/")
    role = stage.cluster.get(kind, name, namespace or "default")
    for rule in role["rules"]:
        if permission.group in rule["apiGroups"] and permission.resource in rule["resources"]:
            rule["verbs"] = [verb for verb in rule["verbs"] if verb != permission.verb] or ["nothing"]
    stage.plane.kubectl("replace", "-f", "-", input=json.dumps(role))


@pytest.mark.parametrize("taken", TAKEN, ids=lambda taken: f"{taken.verb} {taken.resource}")
def test_a_verb_that_is_taken_away_is_missed(stage: Stage, team: Namespace, taken: Permission) -> None:
    """The audit tells of a request that was refused for want of it."""
    stage.install()
    use = Use.of(stage)
    take(stage, taken)
    team.account()
    team.upload(team.name, csr="csr", deletionPolicy="Delete")
    until(lambda: any(map(taken.covers, use.audit().refused)), what=f"a refusal for want of {taken}")
