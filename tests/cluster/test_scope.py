"""An installation for some namespaces, with Roles alone and, if so wanted, without a watch on Secrets."""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dev import helm, toolchain
from dev.control_plane import ControlPlane
from tests.support import pem
from tests.support import simulator as simulators
from tests.support.operator import Operator
from tests.support.waiting import until
from tests.support.world import Namespace, World, condition, password_spec

CSR = pem.csr(pem.ec_key())
SHOP, OTHER, OPERATOR = "shop", "other", "certs"
MANY = tuple(f"team-{number}" for number in range(9))
LEASE = "scm-csr-operator"
Values = dict[str, Any]


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane with the CRDs and two namespaces to work in."""
    with ControlPlane.start() as started:
        started.install_crds()
        for name in (SHOP, OTHER, OPERATOR, "cluster-wide", *MANY):
            started.kubectl("create", "namespace", name)
        yield started


@contextlib.contextmanager
def _installed(
    plane: ControlPlane, folder: pathlib.Path, namespace: str, values: Values, flags: Mapping[str, str]
) -> Iterator[World]:
    """Install the chart for its permissions, and run the operator with them; uninstall it afterwards."""
    tool = helm.Helm(toolchain.obtain(["helm"])["helm"], folder, plane.kubeconfig)
    tool.run("install", LEASE, helm.CHART, "-n", namespace, values=values | {"crds": {"install": False}})
    identity = plane.service_account_kubeconfig(namespace, LEASE, folder / f"{namespace}.kubeconfig")
    with simulators.running(folder) as simulator:
        operator = Operator(identity, log=folder / f"{namespace}.log", flags={"--namespace": namespace, **flags})
        try:
            yield World(plane, simulator, operator)
        finally:
            operator.stop()
            tool.run("uninstall", LEASE, "-n", namespace)


@pytest.fixture
def some(plane: ControlPlane, tmp_path: pathlib.Path) -> Iterator[World]:
    """An installation for one namespace, with nothing of the cluster but Roles; it doesn't run yet."""
    flags = {"--watch-namespaces": SHOP, "--no-cluster-accounts": ""}
    with _installed(plane, tmp_path, OPERATOR, {"watchNamespaces": [SHOP]}, flags) as world:
        yield world


@pytest.fixture
def many(plane: ControlPlane, tmp_path: pathlib.Path) -> Iterator[World]:
    """An installation for many namespaces with a single worker; it doesn't run yet."""
    flags = {"--watch-namespaces": ",".join(MANY), "--no-cluster-accounts": "", "--workers": "1"}
    with _installed(plane, tmp_path, OPERATOR, {"watchNamespaces": list(MANY)}, flags) as world:
        yield world


@pytest.fixture
def two(plane: ControlPlane, tmp_path: pathlib.Path) -> Iterator[World]:
    """An installation for two namespaces; it doesn't run yet."""
    flags = {"--watch-namespaces": f"{SHOP},{OTHER}", "--no-cluster-accounts": ""}
    with _installed(plane, tmp_path, OPERATOR, {"watchNamespaces": [SHOP, OTHER]}, flags) as world:
        yield world


@pytest.fixture
def unwatched(plane: ControlPlane, tmp_path: pathlib.Path) -> Iterator[World]:
    """An installation for one namespace that may only get the Secrets that are named to it; it doesn't run yet."""
    values = {"watchNamespaces": [SHOP], "secrets": {"watch": False, "names": ["scm-iam", "late"]}}
    flags = {"--watch-namespaces": SHOP, "--no-cluster-accounts": "", "--no-secrets-watch": ""}
    with _installed(plane, tmp_path, OPERATOR, values, flags) as world:
        yield world


def _place(world: World, name: str) -> Namespace:
    return Namespace(name, world.plane, world.simulator)


def _clear(place: Namespace) -> None:
    place.kubectl("delete", "certificaterequestuploads,scmaccounts,secrets", "--all", "--ignore-not-found")


def test_upload_of_its_namespace_becomes_ready(some: World) -> None:
    """With Roles alone an upload is seen, waits for its Secret, and becomes Ready when that appears."""
    some.operator.start()
    shop, other = _place(some, SHOP), _place(some, OTHER)
    for place in (shop, other):
        place.account()
        place.upload("web")
    shop.reason("web", "WaitingForSecret")
    for place in (shop, other):
        place.secret("web", {"tls.csr": CSR})
    shop.ready("web")
    shop.kubectl("delete", "cru", "web")
    until(lambda: some.operator.metrics().value("scm_operator_uploads") == 0, what="the deletion to be seen")
    assert not condition(other.get("web"), "Ready")
    assert "403" not in some.operator.log()
    _clear(shop)
    _clear(other)


def test_cluster_account_that_is_not_served(some: World) -> None:
    """An upload that names a ClusterScmAccount is told that this installation serves none."""
    some.operator.start()
    shop = _place(some, SHOP)
    shop.secret("web", {"tls.csr": CSR})
    shop.upload("web", accountRef={"kind": "ClusterScmAccount", "name": "acme"})
    assert "serves no ClusterScmAccounts" in shop.reason("web", "AccountNotFound")["message"]
    _clear(shop)


def test_many_namespaces_are_served_at_once(many: World) -> None:
    """Each namespace keeps watches open, and however many there are, something is left to work with."""
    many.operator.start()
    places = [_place(many, name) for name in MANY]
    for place in places:
        place.upload("web")
    for place in places:
        place.reason("web", "AccountNotFound")
        _clear(place)


def test_namespace_that_may_not_be_listed_is_left_out_until_it_may(two: World) -> None:
    """One team's namespace whose Role is gone doesn't stop the other's; when it is back, the next start serves both."""
    shop, other = _place(two, SHOP), _place(two, OTHER)
    binding = other.kubectl("get", "rolebinding", "scm-csr-operator-uploads", "-o", "yaml")
    other.kubectl("delete", "rolebinding", "scm-csr-operator-uploads")
    two.operator.start()
    for place in (shop, other):
        place.upload("web")
    shop.reason("web", "AccountNotFound")
    (left_out,) = two.operator.events("NamespaceLeftOut")
    assert left_out["namespace"] == OTHER
    assert f"namespace {OTHER} is not served until it can be listed" in left_out["message"]
    assert "403" in left_out["message"]
    assert two.operator.metrics().value("scm_operator_namespaces_left_out") == 1

    two.plane.kubectl("create", "-f", "-", input=binding)
    assert two.operator.wait() == 1
    assert f"namespace {OTHER} can be listed by now" in two.operator.errors()[-1]["message"]
    two.operator.start()
    other.reason("web", "AccountNotFound")
    assert two.operator.metrics().value("scm_operator_namespaces_left_out") == 0
    for place in (shop, other):
        _clear(place)


def test_without_a_watch_secrets_are_found_on_retry(unwatched: World) -> None:
    """With nothing but get on named Secrets an upload becomes Ready once its Secret is there."""
    unwatched.operator.start()
    shop = _place(unwatched, SHOP)
    shop.account()
    shop.upload("web", csr="late")
    shop.reason("web", "WaitingForSecret")
    shop.secret("late", {"tls.csr": CSR})
    shop.ready("web")
    _clear(shop)


def test_without_a_watch_a_new_credential_is_found_on_retry(unwatched: World) -> None:
    """After a refused login the credential is read anew until it is the right one."""
    unwatched.operator.start()
    shop = _place(unwatched, SHOP)
    shop.secret("scm-iam", {"password": b"a wrong one"})
    shop.apply("ScmAccount", "default", spec=password_spec(unwatched.simulator.url))
    shop.secret("late", {"tls.csr": CSR})
    shop.upload("web", csr="late")
    shop.reason("web", "AuthenticationFailed")
    shop.secret("scm-iam", {"password": simulators.PASSWORD.encode()})
    shop.ready("web")
    shop.reason("default", "Ready", kind="scmaccount")
    _clear(shop)


def test_secret_that_may_not_be_read_is_said(unwatched: World) -> None:
    """An upload that names a Secret beyond those that the Role names is told so."""
    unwatched.operator.start()
    shop = _place(unwatched, SHOP)
    shop.account()
    shop.secret("unnamed", {"tls.csr": CSR})
    shop.upload("web", csr="unnamed")
    assert "not permitted to get Secret shop/unnamed" in shop.reason("web", "WaitingForSecret")["message"]
    _clear(shop)


def test_it_gives_way_to_a_cluster_wide_installation(some: World, tmp_path: pathlib.Path) -> None:
    """While a cluster-wide installation is there it says so and uploads nothing; it goes on when that is gone."""
    values = {"preflight": {"enabled": False}}
    with _installed(some.plane, tmp_path, "cluster-wide", values, {}):
        some.operator.start(wait=False)
        until(lambda: some.operator.events("Overlap"), what="the overlap to be told")
        _, body = some.operator.get("/readyz")
        assert "another installation (cluster-wide/scm-csr-operator)" in body
        assert some.operator.get("/readyz")[0] == 503
        Namespace(OPERATOR, some.plane, some.simulator).events(LEASE, reason="Overlap")
        assert not some.operator.events("LeaseAcquired")
    until(lambda: some.operator.events("Started"), what="the operator to go on")
    assert some.operator.get("/readyz")[0] == 200


def test_leader_steps_down_for_a_cluster_wide_installation(some: World, tmp_path: pathlib.Path) -> None:
    """A leader ends, and gives its Lease back, when a cluster-wide installation appears."""
    some.operator.start()
    with _installed(some.plane, tmp_path, "cluster-wide", {"preflight": {"enabled": False}}, {}):
        assert some.operator.wait() == 1
    (line,) = [line for line in some.operator.lines() if "the process has to start again" in line.get("message", "")]
    assert "another installation (cluster-wide/scm-csr-operator) serves all namespaces" in line["message"]
    lease = Namespace(OPERATOR, some.plane, some.simulator).get(LEASE, kind="lease")
    assert not lease["spec"].get("holderIdentity")
