import re
from collections.abc import Callable, Iterator

import pytest

from tests.support import doc_plan
from tests.support.doc_shell import Shell
from tests.support.installation import Stage
from tests.support.waiting import until
from tests.support.world import Namespace, Object

PAGE = "docs/operations.md"
_BLOCKS = doc_plan.runnable(PAGE)
_BEGIN = doc_plan.runnable("docs/getting-started.md")
_STOP = """
kubectl -n scm-csr-operator scale deployment/scm-csr-operator --replicas=0
kubectl -n scm-csr-operator wait --for=delete pod -l app.kubernetes.io/name=scm-csr-operator --timeout=90s
"""
_START = """
kubectl -n scm-csr-operator scale deployment/scm-csr-operator --replicas=2
kubectl -n scm-csr-operator rollout status deployment/scm-csr-operator --timeout=60s
"""
_READY = "kubectl -n shop wait --for=condition=Ready cru --all --timeout=60s"


@pytest.fixture(scope="module")
def shop(shell: Shell, stage: Stage) -> Namespace:
    """An installation, and namespace shop with a Ready upload shop-tls, as Getting started makes them."""
    for heading in ("With Helm", *(heading for heading in _BEGIN if heading[0] in "234")):
        shell.run_all(_BEGIN[heading])
    return Namespace("shop", stage.plane, stage.simulator)


@pytest.fixture(autouse=True)
def _nothing_is_sent_twice(shop: Namespace) -> Iterator[None]:
    """Whatever is done here, each name is uploaded once."""
    yield
    names = [request["body"]["name"] for request in shop.simulator.requests()]
    assert sorted(set(names)) == sorted(names)


def _looked_at(shop: Namespace, name: str = "shop-tls") -> Object:
    """Have the operator that runs now look at an upload; return its status."""
    shop.look_again(name)
    return shop.ready(name)


def _upgrade(shell: Shell, shop: Namespace) -> None:
    helm, kubectl = _BLOCKS["Upgrade"]
    assert "REVISION: 2" in shell.run(helm)
    # What Helm has applied is Helm's: here it is only tried whether the API server would take it.
    shell.run(kubectl, ("--server-side", "--server-side --dry-run=server --force-conflicts"))
    _looked_at(shop)


def _roll_back(shell: Shell, shop: Namespace) -> None:
    assert "Rollback was a success" in shell.run_all(_BLOCKS["Roll back"])
    _looked_at(shop)


def _restore(shell: Shell, shop: Namespace) -> None:
    """Everything is lost but the backup and SCM; then the statuses too; then what was written after a snapshot."""
    backup, restore, adopt, snapshot = _BLOCKS["Backup and restore"]
    before = shop.status("shop-tls")["scmID"]
    shell.run(backup)
    lose = "kubectl delete cru -A --all\nkubectl delete clusterscmaccounts --all\n"
    shell.command(_STOP + lose + "kubectl -n scm-csr-operator delete lease --all", what="losing everything")
    shell.run(restore)
    after = _looked_at(shop)
    assert (after["scmID"], after["origin"]) == (before, "Uploaded")
    _restore_what_is_there(shell, shop, shell.as_here(restore.text))

    again = "kubectl create -f accounts.yaml\nkubectl create -f uploads.yaml"
    never = "sed -i 's/adoptionPolicy: IfIdentical/adoptionPolicy: Never/' uploads.yaml\n"
    shell.command(_STOP + lose + never + again, what="restoring without statuses")
    shell.run(adopt)
    shell.command(_START, what="starting")
    after = _looked_at(shop)
    assert (after["scmID"], after["origin"]) == (before, "Adopted")

    shop.upload("late", csr="shop-tls")
    late = shop.ready("late")["scmID"]
    erased = '{"status": null}'
    patch = f"kubectl -n shop patch cru late --subresource=status --type=merge -p '{erased}'"
    shell.command(_STOP + patch, what="setting back the status")
    shell.run(snapshot)
    shell.command(_READY, what="waiting")
    after = shop.status("late")
    assert (after["scmID"], after["origin"]) == (late, "Recovered")


def _restore_what_is_there(shell: Shell, shop: Namespace, restore: str) -> None:
    """An upload that is still there keeps its status, and the operator isn't started."""
    before = shop.status("shop-tls")
    shell.command(f"set +e\n{restore}\ntest $? -ne 0", what="restoring what isn't gone")
    assert shop.status("shop-tls") == before
    replicas = "kubectl -n scm-csr-operator get deployment scm-csr-operator -o jsonpath={.spec.replicas}"
    assert shell.command(replicas, what="looking at the replicas") == "0"
    shell.command(_START, what="starting")


def _move(shell: Shell, shop: Namespace) -> None:
    """In the old cluster no operator runs any more: the upload goes, and its entry stays."""
    shop.upload("moved", csr="shop-tls", deletionPolicy="Delete")
    shop.ready("moved")
    shell.command(_STOP + "kubectl -n shop delete cru moved --wait=false", what="deleting")
    shell.run_all(_BLOCKS["Move to another cluster"], ("cru shop-tls", "cru moved"))
    shop.kubectl("wait", "--for=delete", "cru/moved", "--timeout=20s")
    assert len(shop.simulator.entries(name="moved")) == 1
    shell.command(_START, what="starting")


def _change_namespaces(shell: Shell, shop: Namespace) -> None:
    """There and back: uploads stay Ready, new ones go, and the Lease is the same one."""
    some, every = _BLOCKS["Change which namespaces are served"]
    before = _lease_uid(shop)
    for name, block in (("by-some", some), ("by-all", every)):
        shell.run(block)
        shop.upload(name, csr="shop-tls")
        shop.ready(name)
        _looked_at(shop)
        served = shop.plane.kubectl("get", "clusterrole", "scm-csr-operator-cluster-wide", "--ignore-not-found").stdout
        assert bool(served) == (name == "by-all")
    assert _lease_uid(shop) == before


def _lease_uid(shop: Namespace) -> str:
    shown = shop.plane.kubectl("-n", "scm-csr-operator", "get", "lease", "-o", "jsonpath={.items[*].metadata.uid}")
    return shown.stdout


def _lease(shell: Shell, _: Namespace) -> None:
    """An idle operator's journal is empty, as soon as it has renewed the Lease; and somebody holds it."""
    blocks = _BLOCKS["The Lease and its journal"]
    shown = until(lambda: _empty_journal(shell.run_all(blocks)), what="an empty journal")
    assert shown.splitlines()[0]


def _empty_journal(shown: str) -> str | None:
    return shown if '"attempts":[]' in shown else None


def _no_leader(shell: Shell, _: Namespace) -> None:
    assert re.search(r"scm-csr-operator\S* .*\byes$", " ".join(shell.run_all(_BLOCKS["ScmOperatorNoLeader"]).split()))


def _uninstall(shell: Shell, shop: Namespace) -> None:
    """What is uploaded stays in SCM, unless deletionPolicy says otherwise; nothing else stays."""
    keep, remove = _BLOCKS["Uninstall"]
    shell.run(keep)
    assert shop.status("shop-tls")["scmID"]
    shell.run_all(_BEGIN["With Helm"])
    _looked_at(shop)
    shop.upload("short-lived", csr="shop-tls", deletionPolicy="Delete")
    shop.ready("short-lived")
    shell.run(remove)
    assert shop.simulator.entries(name="shop-tls")
    assert not shop.simulator.entries(name="short-lived")
    assert "certops" not in shop.plane.kubectl("get", "crd", "-o", "name").stdout


CHECKS: dict[str, Callable[[Shell, Namespace], None]] = {
    "Upgrade": _upgrade,
    "Roll back": _roll_back,
    "Backup and restore": _restore,
    "Move to another cluster": _move,
    "Change which namespaces are served": _change_namespaces,
    "The Lease and its journal": _lease,
    "ScmOperatorNoLeader": _no_leader,
    "Uninstall": _uninstall,
}
"""What is done and looked at in a section; in one that isn't named all commands are run, in their order."""


@pytest.mark.parametrize("heading", _BLOCKS)
def test_a_section(shell: Shell, shop: Namespace, heading: str) -> None:
    """The commands of each section do what it says, and nothing is sent to SCM that was sent before."""
    if check := CHECKS.get(heading):
        check(shell, shop)
    else:
        shell.run_all(_BLOCKS[heading])


def test_no_check_is_left_over() -> None:
    """A section that gets another name takes its check along."""
    assert sorted(CHECKS.keys() - _BLOCKS.keys()) == []
