import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scm_operator.domain import account, errors
from tests.support import builders
from tests.unit.domain import schemas, strategies

SECRET_REF = {"secretRef": {"name": "scm-credential"}}
PASSWORD = {"domain": "acme", "user": "cert-bot", "scope": {"project": "cn-north-4"}} | SECRET_REF
FILLED = builders.account_body(
    spec={
        "region": "cn-north-4",
        "endpoint": "https://scm.example.com",
        "auth": {"password": PASSWORD | {"iamEndpoint": "https://iam.example.com"}},
        "caBundle": "a bundle",
    },
    status={
        "observedGeneration": 1,
        "conditions": [condition.to_json() for condition in builders.make_conditions()],
    },
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
    parsed = account.parse_account(FILLED)
    assert (parsed.observed_generation, parsed.conditions) == (1, builders.make_conditions())


def test_an_account_without_status_was_never_looked_at() -> None:
    """A new account has no conditions and a generation that no spec has."""
    parsed = parse({"region": "r", "auth": {"token": SECRET_REF}})
    assert (parsed.observed_generation, parsed.conditions) == (-1, ())


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


# Tenants


def test_the_tenant_of_a_login_is_its_domain_and_scope() -> None:
    """An account with a password reaches one domain and scope, which the status can tell."""
    assert builders.make_account().tenant == builders.make_tenant()


def test_the_tenant_of_a_token_is_the_account() -> None:
    """Whose a ready token is can't be seen, so the account stands for it."""
    assert builders.make_account(token=True).tenant == builders.make_tenant(domain=None, scope=None)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({}, {"account": "ScmAccount/shop/own"}, True),
        ({}, {"endpoint": "https://scm.ap-southeast-1.myhuaweicloud.com"}, False),
        ({}, {"domain": "umbrella"}, False),
        ({}, {"scope": "project=ap-southeast-1"}, False),
        ({}, {"scope": "projectID=cn-north-4"}, False),
        ({}, {"scope": None}, False),
        ({"domain": None, "scope": None}, {"domain": None, "scope": None}, True),
        ({"domain": None, "scope": None}, {"domain": None, "scope": None, "account": "ScmAccount/shop/own"}, False),
        ({"domain": None, "scope": None}, {"domain": None, "scope": None, "endpoint": "https://e"}, False),
        ({"domain": None, "scope": None}, {}, True),
        ({"domain": None, "scope": None}, {"account": "ScmAccount/shop/own"}, False),
        ({"domain": None, "scope": None}, {"endpoint": "https://e"}, False),
    ],
    ids=[
        "equal",
        "another account",
        "another endpoint",
        "another domain",
        "another scope",
        "another kind of scope",
        "no scope",
        "tokens of one account",
        "tokens of two accounts",
        "tokens of two endpoints",
        "token and login of one account",
        "token and login of two accounts",
        "token and login of two endpoints",
    ],
)
def test_tenants_are_told_apart(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:  # noqa: FBT001 - a column of the table
    """Two tenants are the same by endpoint, domain and scope, or, where one has no domain, by endpoint and account."""
    left, right = builders.make_tenant(**one), builders.make_tenant(**other)
    assert (left.same_as(right), right.same_as(left)) == (same, same)


@given(st.sampled_from(strategies.TENANTS))
def test_a_tenant_is_the_same_as_itself(tenant: account.Tenant) -> None:
    """A tenant is the same as itself, whatever it names."""
    assert tenant.same_as(tenant)


# Endpoints


def test_the_addresses_that_are_called_are_known() -> None:
    """An account with a password calls SCM and IAM, one with a token only SCM."""
    scm, iam = "https://scm.cn-north-4.myhuaweicloud.com", "https://iam.cn-north-4.myhuaweicloud.com"
    assert builders.make_account().endpoints == {"spec.endpoint": scm, "spec.auth.password.iamEndpoint": iam}
    assert builders.make_account(token=True).endpoints == {"spec.endpoint": scm}


def test_plain_http_endpoints_are_named() -> None:
    """Each address that isn't https is named by its field."""
    plain = {"endpoint": "http://a", "auth": {"password": PASSWORD | {"iamEndpoint": "http://b"}}}
    mixed = {"endpoint": "https://a", "auth": {"password": PASSWORD | {"iamEndpoint": "http://b"}}}
    token = {"endpoint": "http://a", "auth": {"token": SECRET_REF}}
    assert parse(plain).plain_http_endpoints == ("spec.endpoint", "spec.auth.password.iamEndpoint")
    assert parse(mixed).plain_http_endpoints == ("spec.auth.password.iamEndpoint",)
    assert parse(token).plain_http_endpoints == ("spec.endpoint",)
    assert builders.make_account().plain_http_endpoints == ()


@pytest.mark.parametrize("endpoint", ["HTTPS://a", "ftp://a", "https:/a", "", "a"])
def test_only_https_is_https(endpoint: str) -> None:
    """What isn't written as https:// is treated as plain."""
    assert builders.make_account(endpoint=endpoint).plain_http_endpoints == ("spec.endpoint",)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *itertools.product(["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "[::1]"], [True]),
        *itertools.product(
            [
                "127.evil.com",
                "localhost.evil.com",
                "evil.com",
                "localhost@evil.com",
                "127.0.0.1@evil.com",
                "127.1",
                "0.0.0.0",  # noqa: S104 - nothing is bound here
                "[::]",
                "[::2]",
                "128.0.0.1",
                "2130706433",
                "",
            ],
            [False],
        ),
    ],
)
def test_loopback_is_this_machine_only(host: str, loopback: bool) -> None:  # noqa: FBT001 - a column of the table
    """Only localhost and loopback addresses are this machine, whatever else looks like them, with a port or without."""
    assert account.is_loopback(f"http://{host}") is loopback
    assert account.is_loopback(f"http://{host}:8080") is loopback


@pytest.mark.parametrize("url", ["http://[", "http://[x]", "http://[::1", "http://[127.0.0.1]"])
def test_what_is_no_address_is_not_this_machine(url: str) -> None:
    """An address that can't be read is refused as any other than loopback."""
    assert not account.is_loopback(url)
