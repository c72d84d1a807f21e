"""Where an account leads: whose entries it reaches, and which addresses are called for it."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scm_operator.domain import account
from tests.support import builders
from tests.unit.domain import strategies

SECRET_REF = {"secretRef": {"name": "scm-credential"}}
PASSWORD = {"domain": "acme", "user": "cert-bot", "scope": {"project": "cn-north-4"}} | SECRET_REF


def parse(spec: dict[str, Any]) -> account.Account:
    """Parse an account with that spec."""
    return account.parse_account(builders.account_body(spec=spec))


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
