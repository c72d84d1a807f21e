"""Which account an upload goes to, what is wrong with accounts, and what happens when they change."""

import collections
from collections.abc import Iterator

import pytest

from tests.support import pem
from tests.support.accounts import (
    User,
    account,
    event_reasons,
    make_user,
    put,
    secret,
    statuses,
    until_events,
    upload,
)
from tests.support.waiting import until
from tests.support.world import OPERATOR_NAMESPACE, Namespace, Object, World, condition, token_spec

_CSR = secret("csr", {"tls.csr": pem.csr(pem.ec_key())})
_CLUSTER = "ClusterScmAccount"
_BAD_BUNDLE = "-----BEGIN CERTIFICATE-----\nnot a certificate\n-----END CERTIFICATE-----\n"


@pytest.fixture
def namespace(world: World, request: pytest.FixtureRequest) -> Namespace:
    """A namespace of the test's own with a CSR in a Secret, and without any account."""
    world.operator.check()
    return world.namespace_for(request.node.name)


@pytest.fixture
def user(namespace: Namespace) -> User:
    """A user in a domain of the test's own."""
    return make_user(namespace.simulator, namespace.name)


@pytest.fixture
def other(namespace: Namespace) -> User:
    """A user in another domain."""
    return make_user(namespace.simulator, f"other-{namespace.name}")


@pytest.fixture
def cluster_accounts(world: World) -> Iterator[None]:
    """Take away what a test makes outside of its namespace."""
    yield
    world.plane.kubectl("delete", "clusterscmaccounts", "--all")
    world.plane.kubectl("delete", "secrets", "--all", "-n", OPERATOR_NAMESPACE)


def _password(user: User, *, name: str = "iam", namespace: str | None = None) -> Object:
    return secret(name, {"password": user.password}, namespace=namespace)


def _ready(namespace: Namespace, name: str) -> str:
    """Return the SCM id of an upload once it is Ready."""
    scm_id: str = namespace.ready(name)["scmID"]
    return scm_id


def _domains(namespace: Namespace, name: str) -> list[str]:
    """Return the domains in which CSRs of that name are stored, oldest first."""
    return [entry["domain"] for entry in namespace.simulator.entries(name=name)]


def _reasons(namespace: Namespace) -> collections.Counter[str]:
    """Return how many uploads have each reason."""
    path = "{.items[*].status.conditions[?(@.type=='Ready')].reason}"
    return collections.Counter(namespace.kubectl("get", "cru", "-o", f"jsonpath={path}").split())


def _until_generation(namespace: Namespace, resource: str, generation: int) -> None:
    namespace.kubectl("wait", f"--for=jsonpath={{.status.observedGeneration}}={generation}", resource, "--timeout=20s")


@pytest.mark.parametrize(
    ("reference", "named"),
    [(None, "neither ScmAccount/{}/default nor ClusterScmAccount/default exists"), ("later", "ScmAccount/{}/later")],
    ids=["default", "accountRef"],
)
def test_an_upload_waits_for_its_account(namespace: Namespace, user: User, reference: str | None, named: str) -> None:
    """An upload says AccountNotFound and names what is missing until the account is created; then it is Ready."""
    name = f"waiting-for-{reference or 'default'}"
    put(namespace, _CSR, upload(name, account=reference))
    waiting = namespace.reason(name, "AccountNotFound")
    put(namespace, _password(user), account(reference or "default", user.spec()))

    namespace.ready(name)

    assert named.format(namespace.name) in waiting["message"]
    assert waiting["status"] == "False"


@pytest.mark.usefixtures("cluster_accounts")
def test_the_default_of_the_namespace_goes_before_that_of_the_cluster(
    namespace: Namespace, user: User, other: User
) -> None:
    """An upload without accountRef goes to ScmAccount default where the cluster has a default as well."""
    put(
        namespace,
        *(_CSR, _password(user), account("default", user.spec())),
        *(_password(other, namespace=OPERATOR_NAMESPACE), account("default", other.spec(), kind=_CLUSTER)),
        upload("nearer"),
    )

    status = namespace.ready("nearer")

    assert status["account"] == {"kind": "ScmAccount", "name": "default"}
    assert _domains(namespace, "nearer") == [user.domain]


@pytest.mark.usefixtures("cluster_accounts")
def test_the_account_is_resolved_once_and_kept(namespace: Namespace, user: User, other: User) -> None:
    """What went to the cluster's default stays there, its new content too, when the namespace gets a default later."""
    cluster = [_password(other, namespace=OPERATOR_NAMESPACE), account("default", other.spec(), kind=_CLUSTER)]
    put(namespace, _CSR, *cluster, upload("kept-account"))
    before = _ready(namespace, "kept-account")
    put(namespace, _password(user), account("default", user.spec()), upload("went-to-the-new-default"))
    namespace.ready("went-to-the-new-default")
    unmoved = namespace.look_again("kept-account")
    put(namespace, secret("csr", {"tls.csr": pem.csr(pem.ec_key())}))

    status = namespace.new_entry("kept-account", after=before)

    assert unmoved["scmID"] == before
    assert status["account"] == {"kind": _CLUSTER, "name": "default"}
    assert _domains(namespace, "kept-account") == [other.domain, other.domain]
    assert _domains(namespace, "went-to-the-new-default")[0] == user.domain


@pytest.mark.usefixtures("cluster_accounts")
def test_a_cluster_account_reads_secrets_in_the_operators_namespace_only(namespace: Namespace, user: User) -> None:
    """A Secret beside the upload is none for a ClusterScmAccount; one in the operator's namespace is."""
    shared = {"kind": _CLUSTER, "name": "shared"}
    put(
        namespace,
        *(_CSR, _password(user), _password(user, namespace="default")),
        *(account("shared", user.spec(), kind=_CLUSTER), upload("by-cluster-account", account=shared)),
    )
    waiting = namespace.reason("by-cluster-account", "AccountNotReady")
    namespace.reason("shared", "CredentialNotFound", kind="cscma")
    logins = user.logins()
    put(namespace, _password(user, namespace=OPERATOR_NAMESPACE))

    status = namespace.ready("by-cluster-account")

    assert f"Secret {OPERATOR_NAMESPACE}/iam" in waiting["message"]
    assert (status["account"], logins) == (shared, [])


def test_an_account_by_name_goes_before_the_default(namespace: Namespace, user: User, other: User) -> None:
    """An accountRef with a name alone is an ScmAccount of the namespace, used in place of the default."""
    put(
        namespace,
        *(_CSR, _password(user), account("default", user.spec())),
        *(_password(other, name="named"), account("named", other.spec(secret="named"))),  # noqa: S106 - a Secret's name
        upload("by-name", account="named"),
    )

    status = namespace.ready("by-name")

    assert status["account"] == {"kind": "ScmAccount", "name": "named"}
    assert _domains(namespace, "by-name") == [other.domain]


def test_a_missing_credential_is_waited_for(namespace: Namespace, user: User) -> None:
    """Without its Secret the account says CredentialNotFound, and the upload says so until the Secret appears."""
    put(namespace, _CSR, account("default", user.spec()), upload("no-secret-yet"))
    waiting = namespace.reason("no-secret-yet", "AccountNotReady")
    namespace.reason("default", "CredentialNotFound", kind="scma")
    put(namespace, _password(user))

    namespace.ready("no-secret-yet")

    namespace.reason("default", "Ready", kind="scma")
    assert f"CredentialNotFound): Secret {namespace.name}/iam" in waiting["message"]


def test_a_credential_without_its_key_is_waited_for(namespace: Namespace, user: User) -> None:
    """A Secret that lacks the key is CredentialNotFound until it has the key."""
    put(namespace, _CSR, secret("iam", {"passwd": "x"}), account("default", user.spec()), upload("no-key-yet"))
    waiting = namespace.reason("no-key-yet", "AccountNotReady")
    put(namespace, _password(user))

    namespace.ready("no-key-yet")

    assert "CredentialNotFound" in waiting["message"]
    assert "has no key 'password'" in waiting["message"]


def test_a_token_that_is_too_short_is_never_sent(namespace: Namespace, user: User) -> None:
    """A token of 31 characters is CredentialInvalid, is not tried, and clears when the Secret holds a proper one."""
    token = f"token-of-{namespace.name}".ljust(32, "x")[:32]
    user.change(staticToken=token)
    url = namespace.simulator.url
    put(
        namespace,
        *(_CSR, secret("scm-token", {"token": token[:31]})),
        *(account("default", token_spec(url)), upload("short-token")),
    )
    waiting = namespace.reason("short-token", "AccountNotReady")
    invalid = namespace.reason("default", "CredentialInvalid", kind="scma")
    put(namespace, secret("scm-token", {"token": token}))

    namespace.ready("short-token")

    assert "CredentialInvalid" in waiting["message"]
    assert "has 31 characters" in invalid["message"]
    assert statuses(namespace.simulator, "short-token") == [200]


def test_a_broken_ca_bundle_is_said_and_clears(namespace: Namespace, user: User) -> None:
    """An unreadable caBundle is InvalidCABundle, and the upload goes on when the account is corrected."""
    broken = account("default", user.spec() | {"caBundle": _BAD_BUNDLE})
    put(namespace, _CSR, _password(user), broken, upload("broken-bundle"))
    waiting = namespace.reason("broken-bundle", "AccountNotReady")
    namespace.reason("default", "InvalidCABundle", kind="scma")
    put(namespace, account("default", user.spec()))

    namespace.ready("broken-bundle")

    namespace.reason("default", "Ready", kind="scma")
    assert "InvalidCABundle" in waiting["message"]


def test_a_wrong_password_is_tried_once_and_clears_with_the_secret(namespace: Namespace, user: User) -> None:
    """Twenty uploads with a wrong password make one login; all are Ready as soon as the Secret has the right one."""
    put(namespace, _CSR, secret("iam", {"password": "wrong"}), account("default", user.spec()))
    names = [f"wrong-password-{n}" for n in range(20)]
    namespace.uploads(names, csrSecretRef={"name": "csr"})
    failed = namespace.reason("default", "LoginFailed", kind="scma")
    until(lambda: _reasons(namespace) == {"AuthenticationFailed": 20}, what="20 uploads to be AuthenticationFailed")
    refused = user.logins()
    put(namespace, _password(user))

    until(lambda: _reasons(namespace) == {"Uploaded": 20}, what="20 uploads to be Ready")

    namespace.reason("default", "Ready", kind="scma")
    assert failed["status"] == "False"
    assert (refused, user.logins()) == ([401], [401, 201])


def test_each_transition_of_an_account_is_one_event(namespace: Namespace, user: User) -> None:
    """An account tells each change of its verdict by one Event, and no repetition by another."""
    put(namespace, _CSR, account("default", user.spec()), upload("told"), upload("told-too"))
    until_events(namespace, "default", ["CredentialNotFound"])
    namespace.look_again("told")
    put(namespace, secret("iam", {"password": "wrong"}))
    until_events(namespace, "default", ["CredentialNotFound", "Ready", "LoginFailed"])
    namespace.look_again("told-too")
    put(namespace, _password(user))
    for name in ("told", "told-too"):
        namespace.ready(name)
    transitions = ["CredentialNotFound", "Ready", "LoginFailed", "Ready"]

    until_events(namespace, "default", transitions)

    namespace.look_again("told")
    put(namespace, upload("told-last"))
    namespace.events("told-last", reason="Uploaded")  # Events are written in order
    assert event_reasons(namespace, "default") == transitions


def test_a_status_of_an_account_says_which_spec_it_is_about_and_nothing_of_tokens(
    namespace: Namespace, user: User
) -> None:
    """Beside conditions a status has observedGeneration, which follows the spec, and nothing else, logged in or not."""
    put(namespace, _CSR, _password(user), account("default", user.spec()), upload("observed"))
    namespace.ready("observed")
    _until_generation(namespace, "scma/default", 1)
    put(namespace, account("default", user.spec() | {"caBundle": _BAD_BUNDLE}))

    _until_generation(namespace, "scma/default", 2)

    found = namespace.get("default", kind="scma")
    assert condition(found, "Ready")["observedGeneration"] == 2
    assert set(found["status"]) == {"observedGeneration", "conditions"}


def test_an_account_ref_to_another_tenant_is_a_new_upload_there(namespace: Namespace, user: User, other: User) -> None:
    """When accountRef names an account of another domain, the CSR is uploaded there, and the old entry stays."""
    put(
        namespace,
        *(_CSR, _password(user), account("here", user.spec())),
        *(_password(other, name="there"), account("there", other.spec(secret="there"))),  # noqa: S106 - a Secret's name
        upload("moved", account="here"),
    )
    before = _ready(namespace, "moved")
    put(namespace, upload("moved", account="there"))

    status = namespace.new_entry("moved", after=before)

    assert status["account"] == {"kind": "ScmAccount", "name": "there"}
    assert status["tenant"]["domain"] == other.domain
    assert _domains(namespace, "moved") == [user.domain, other.domain]


def test_an_account_ref_within_a_tenant_sends_nothing(namespace: Namespace, user: User) -> None:
    """When accountRef names another user of the same domain and project, the entry is where it is wanted already."""
    colleague = make_user(namespace.simulator, f"colleague-{namespace.name}", domain=user.domain)
    put(
        namespace,
        *(_CSR, _password(user), account("one", user.spec())),
        *(_password(colleague, name="two"), account("two", colleague.spec(secret="two"))),  # noqa: S106 - a Secret's name
        upload("stays", account="one"),
    )
    before = _ready(namespace, "stays")
    put(namespace, upload("stays", account="two"))
    _until_generation(namespace, "cru/stays", 2)

    status = namespace.look_again("stays")

    assert (status["scmID"], condition({"status": status}, "Ready")["status"]) == (before, "True")
    assert statuses(namespace.simulator, "stays") == [200]


def test_a_deleted_account_takes_nothing_back(namespace: Namespace, user: User) -> None:
    """What was uploaded stays Ready without its account; new content waits for one."""
    put(namespace, _CSR, _password(user), account("default", user.spec()), upload("accountless"))
    before = _ready(namespace, "accountless")
    namespace.kubectl("delete", "scma", "default")
    kept = namespace.look_again("accountless")
    put(namespace, secret("csr", {"tls.csr": pem.csr(pem.ec_key())}))

    waiting = namespace.reason("accountless", "AccountNotFound")

    assert (kept["scmID"], condition({"status": kept}, "Ready")["reason"]) == (before, "Uploaded")
    assert "does not exist any more" in waiting["message"]
    assert namespace.status("accountless")["scmID"] == before


@pytest.mark.parametrize("what", ["endpoint", "domain"])
def test_an_account_made_anew_for_another_tenant_gets_the_upload(
    namespace: Namespace, user: User, other: User, what: str
) -> None:
    """A namesake account with another endpoint or domain is another tenant: the CSR is uploaded there as well."""
    name = f"another-{what}"
    put(namespace, _CSR, _password(user), account("default", user.spec()), upload(name))
    before = _ready(namespace, name)
    namespace.kubectl("delete", "scma/default", "secret/iam")
    owner = other if what == "domain" else user
    url = namespace.simulator.url.replace("127.0.0.1", "localhost") if what == "endpoint" else None
    put(namespace, _password(owner), account("default", owner.spec(url=url)))

    status = namespace.new_entry(name, after=before)

    assert (status["tenant"]["domain"], status["tenant"]["endpoint"]) == (owner.domain, url or namespace.simulator.url)
    assert _domains(namespace, name) == [user.domain, owner.domain]


def test_an_account_made_anew_for_the_same_tenant_sends_nothing(namespace: Namespace, user: User) -> None:
    """A namesake account of the same tenant finds its uploads done."""
    put(namespace, _CSR, _password(user), account("default", user.spec()), upload("namesake"))
    before = _ready(namespace, "namesake")
    namespace.kubectl("delete", "scma", "default")
    put(namespace, account("default", user.spec()))
    until(lambda: namespace.get("default", kind="scma")["status"].get("conditions"), what="a verdict on the namesake")

    assert namespace.look_again("namesake")["scmID"] == before
    assert statuses(namespace.simulator, "namesake") == [200]
