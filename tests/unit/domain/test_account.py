from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scm_operator.domain import account, errors
from scm_operator.domain.conditions import Verdict, conditions_for
from scm_operator.domain.reasons import AccountReason
from tests.support import builders
from tests.unit.domain import schemas, strategies

SECRET_REF = {"secretRef": {"name": "scm-credential"}}
PASSWORD = {"domain": "acme", "user": "cert-bot", "scope": {"project": "cn-north-4"}} | SECRET_REF
STATUS = account.AccountStatus(1, builders.make_conditions(), "2026-01-01")
FILLED = builders.account_body(
    spec={
        "region": "cn-north-4",
        "endpoint": "https://scm.example.com",
        "auth": {"password": PASSWORD | {"iamEndpoint": "https://iam.example.com"}},
        "caBundle": "a bundle",
        "limits": {"requestsPerSecond": 5, "concurrency": 2, "timeout": "2500ms"},
    },
    metadata={"annotations": {account.RECONCILE_REQUESTED_AT: "2026-02-02"}},
    status=STATUS.to_json(),
)


def parse(spec: dict[str, Any], *, namespace: str | None = "shop") -> account.Account:
    """Parse an account with that spec; without namespace it is a ClusterScmAccount."""
    return account.parse_account(builders.account_body(spec=spec, metadata={"namespace": namespace}))


def refusal_of(spec: dict[str, Any]) -> str:
    """Return the field that a spec is refused for."""
    with pytest.raises(errors.InvalidResource) as refused:
        parse(spec)
    return refused.value.field


def test_an_account_with_a_token_is_parsed() -> None:
    """An account with a ready token says where SCM is and where the token is."""
    parsed = parse({"endpoint": "https://scm.example.com", "auth": {"token": SECRET_REF}})
    assert parsed.key == account.AccountKey(account.AccountKind.NAMESPACED, "shop", "default")
    assert parsed.endpoint == "https://scm.example.com"
    assert parsed.auth == account.TokenAuth(account.SecretKey("scm-credential", "token"))


def test_an_account_with_a_password_is_parsed() -> None:
    """An account with a password says whom to log in as, where, and for what."""
    password = PASSWORD | {"iamEndpoint": "https://iam.example.com"}
    parsed = parse({"endpoint": "https://scm.example.com", "auth": {"password": password}})
    assert parsed.auth == account.PasswordAuth(
        "https://iam.example.com",
        "acme",
        "cert-bot",
        account.Scope("project", "cn-north-4"),
        account.SecretKey("scm-credential", "password"),
    )


def test_a_key_of_the_secret_may_be_named() -> None:
    """The credential may stand under another key than the default one."""
    parsed = parse({"region": "r", "auth": {"token": {"secretRef": {"name": "a", "key": "b"}}}})
    assert parsed.auth.secret == account.SecretKey("a", "b")


def test_an_account_without_namespace_is_a_cluster_account() -> None:
    """The scope of the object tells the kind."""
    assert parse({"region": "r", "auth": {"token": SECRET_REF}}, namespace=None).key == account.AccountKey(
        account.AccountKind.CLUSTER, "", "default"
    )


def test_a_region_stands_for_its_endpoints() -> None:
    """A region is written out as the addresses of SCM and IAM."""
    parsed = parse({"region": "cn-north-4", "auth": {"password": PASSWORD}})
    assert isinstance(parsed.auth, account.PasswordAuth)
    assert parsed.endpoint == "https://scm.cn-north-4.myhuaweicloud.com"
    assert parsed.auth.iam_endpoint == "https://iam.cn-north-4.myhuaweicloud.com"


def test_a_region_may_have_another_iam() -> None:
    """An address of IAM that is given goes before the region's."""
    parsed = parse(
        {"region": "cn-north-4", "auth": {"password": PASSWORD | {"iamEndpoint": "https://iam.example.com"}}}
    )
    assert isinstance(parsed.auth, account.PasswordAuth)
    assert parsed.auth.iam_endpoint == "https://iam.example.com"


@pytest.mark.parametrize("kind", ["project", "projectID", "domain", "domainID"])
def test_each_scope_is_parsed(kind: str) -> None:
    """A scope keeps the field that it came from, and is shown with it."""
    parsed = parse({"region": "r", "auth": {"password": PASSWORD | {"scope": {kind: "x"}}}})
    assert parsed.tenant.scope == f"{kind}=x"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"auth": {"token": SECRET_REF}}, "spec.endpoint"),
        ({"region": "r"}, "spec.auth"),
        ({"region": "r", "auth": {}}, "spec.auth.password"),
        ({"region": "r", "auth": {"token": {}}}, "spec.auth.token.secretRef"),
        ({"region": "r", "auth": {"token": {"secretRef": {}}}}, "spec.auth.token.secretRef.name"),
        ({"region": "r", "auth": {"password": PASSWORD | {"domain": ""}}}, "spec.auth.password.domain"),
        ({"region": "r", "auth": {"password": PASSWORD | {"user": None}}}, "spec.auth.password.user"),
        ({"region": "r", "auth": {"password": PASSWORD | {"scope": {}}}}, "spec.auth.password.scope.project"),
        ({"endpoint": "e", "auth": {"password": PASSWORD}}, "spec.auth.password.iamEndpoint"),
        ({"region": "r", "auth": {"token": SECRET_REF}, "caBundle": 1}, "spec.caBundle"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_incomplete_account_is_refused(spec: dict[str, Any], field: str) -> None:
    """What the CRD's schema should have refused is refused with the field's path."""
    assert refusal_of(spec) == field


@given(strategies.damaged(FILLED))
def test_any_object_is_parsed_or_refused(body: dict[str, Any]) -> None:
    """No JSON in the place of any field leads to another failure than a refusal that names a field."""
    try:
        account.parse_account(body)
    except errors.InvalidResource as refusal:
        assert refusal.field.split(".")[0] in {"metadata", "spec", "status"}  # noqa: PT017 - it may also be parsed


def test_the_status_is_read() -> None:
    """What an account's status says is known, so that it isn't written again."""
    assert account.parse_account(FILLED).status == STATUS


@given(
    st.sampled_from([-1, 1, 2]),
    st.sampled_from(AccountReason),
    st.sampled_from([None, *AccountReason]),
    st.sampled_from(strategies.REQUESTS),
)
def test_a_status_is_read_as_it_was_written(
    generation: int, reason: AccountReason, degraded: AccountReason | None, request: str | None
) -> None:
    """What the operator writes, it reads back unchanged: nothing is lost in a restart."""
    conditions = conditions_for(
        Verdict(reason, "m"),
        previous=(),
        generation=1,
        now=builders.NOW,
        degraded=Verdict(degraded, "d") if degraded else None,
    )
    status = account.AccountStatus(generation, conditions, request)
    assert account.parse_account(builders.account_body(status=status.to_json())).status == status


def test_the_status_has_each_field_of_the_crd_and_no_other() -> None:
    """No field is written that the API server would drop, and none is declared that nobody writes."""
    for plural in ("scmaccounts", "clusterscmaccounts"):
        schema = schemas.schema_of(plural)["properties"]["status"]
        assert set(schemas.paths_of(STATUS.to_json())) == set(schemas.paths_of_schema(schema))


def test_what_is_not_known_is_left_out() -> None:
    """An account that nobody asked to look at again has no answer to that in its status."""
    assert account.AccountStatus().to_json() == {"observedGeneration": -1, "conditions": []}


@pytest.mark.parametrize(
    ("requested", "handled", "expected"),
    [(None, None, False), (None, "1", False), ("1", None, True), ("1", "1", False), ("2", "1", True), ("", None, True)],
    ids=["never", "taken away", "first", "handled", "again", "empty"],
)
def test_a_request_is_open_until_it_is_handled(requested: str | None, handled: str | None, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """A person asks by giving the annotation a value that the status doesn't have yet."""
    asked = builders.make_account(reconcile_requested_at=requested, last_handled_reconcile_at=handled)
    assert asked.reconcile_requested is expected


# Limits


def test_limits_are_parsed() -> None:
    """What a person allows an account to use is known."""
    assert account.parse_account(FILLED).limits == account.Limits(5, 2, 2.5)


@pytest.mark.parametrize("limits", [None, {}], ids=["none", "empty"])
def test_limits_have_the_crds_defaults(limits: dict[str, Any] | None) -> None:
    """An account without limits has those that the API server fills in."""
    declared = schemas.schema_of("scmaccounts")["properties"]["spec"]["properties"]["limits"]["properties"]
    filled = {name: field["default"] for name, field in declared.items()}
    assert limits_of(limits) == limits_of(filled) == account.Limits()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30.0), ("1s", 1.0), ("2500ms", 2.5), ("0.5s", 0.5), ("1m", 60.0), ("1m30s", 90.0), ("1s500ms", 1.5)],
)
def test_a_duration_is_in_seconds(text: str, seconds: float) -> None:
    """A time is read as Kubernetes writes it."""
    assert limits_of({"timeout": text}).timeout == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["30", "s", "30 s", "-30s", "30S", "30h", "30s.", "x30s", "1e3s", "∞"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A time that can't be read is refused with its path."""
    spec = {"region": "r", "auth": {"token": SECRET_REF}, "limits": {"timeout": text}}
    assert refusal_of(spec) == "spec.limits.timeout"


@pytest.mark.parametrize("field", ["requestsPerSecond", "concurrency"])
def test_a_limit_is_a_number(field: str) -> None:
    """A limit that is no number is refused with its path."""
    assert refusal_of({"region": "r", "auth": {"token": SECRET_REF}, "limits": {field: "5"}}) == f"spec.limits.{field}"


def limits_of(limits: dict[str, Any] | None) -> account.Limits:
    """Return the limits of an account that has those in its spec."""
    spec = {"region": "r", "auth": {"token": SECRET_REF}} | ({} if limits is None else {"limits": limits})
    return parse(spec).limits


def test_an_account_without_status_was_never_looked_at() -> None:
    """A new account has no conditions and a generation that no spec has."""
    parsed = parse({"region": "r", "auth": {"token": SECRET_REF}})
    assert (parsed.status, parsed.reconcile_requested) == (account.AccountStatus(), False)


def test_a_repr_shows_no_certificates() -> None:
    """A CA bundle may be a key, pasted by mistake."""
    assert "s3cret" not in repr(builders.make_account(ca_bundle="s3cret"))


@pytest.mark.parametrize("kind", account.AccountKind)
def test_a_credential_is_read_where_the_account_is(kind: account.AccountKind) -> None:
    """An account's Secret is in its own namespace; a cluster account's is in the operator's."""
    place = builders.make_account(kind=kind).secret_name(operator_namespace="scm-csr-operator")
    expected = {"ScmAccount": "shop/scm-credential", "ClusterScmAccount": "scm-csr-operator/scm-credential"}
    assert str(place) == expected[kind]


def test_keys_are_shown_as_people_write_them() -> None:
    """Messages name an account by kind, namespace and name."""
    keys = [builders.make_account(kind=kind).key for kind in account.AccountKind]
    assert [str(key) for key in keys] == ["ScmAccount/shop/default", "ClusterScmAccount/default"]


def test_the_kinds_are_those_of_the_crds() -> None:
    """An accountRef may name exactly the kinds that there are CRDs for."""
    reference = schemas.schema_of("certificaterequestuploads")["properties"]["spec"]["properties"]["accountRef"]
    assert reference["properties"]["kind"]["enum"] == list(account.AccountKind)
    assert reference["properties"]["kind"]["default"] == account.AccountKind.NAMESPACED
