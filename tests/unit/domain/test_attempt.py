"""What can be mistaken for each other, and what stands for a journal that was lost."""

import dataclasses

import pytest

from scm_operator.domain import account as accounts
from scm_operator.domain import attempt
from tests.support import builders

KEY, NO_KEY = builders.make_content().hash, builders.make_content(key=False).hash
OTHER = builders.make_content(digest=builders.OTHER_DIGEST).hash
ATTEMPT = builders.make_attempt()
TENANT = builders.make_tenant()


@pytest.mark.parametrize(
    "changed",
    [
        {"content_hash": NO_KEY},
        {"scm_name": "another"},
        {"tenant": builders.make_tenant(domain="umbrella")},
        {"tenant": builders.make_tenant(domain=None, scope=None, account="ScmAccount/shop/own")},
        {"id": "6a1b", "uid": "uid-of-another", "term": 7},
    ],
    ids=["key", "name", "domain", "token", "resource"],
)
def test_a_group_is_coarse(changed: dict[str, object]) -> None:
    """Endpoint and CSR make the group: whether a key went along, the name and the domain don't count."""
    assert dataclasses.replace(ATTEMPT, **changed).group == ATTEMPT.group  # type: ignore[arg-type] # a table


@pytest.mark.parametrize(
    "changed",
    [{"content_hash": OTHER}, {"tenant": builders.make_tenant(endpoint="https://scm.example.com")}],
    ids=["CSR", "endpoint"],
)
def test_a_group_has_one_csr_and_one_endpoint(changed: dict[str, object]) -> None:
    """A look-up can tell CSRs apart, and asks one service."""
    assert dataclasses.replace(ATTEMPT, **changed).group != ATTEMPT.group  # type: ignore[arg-type] # a table


@pytest.mark.parametrize("content_hash", [KEY, NO_KEY])
def test_a_groups_digest_is_what_an_entry_shows(content_hash: str) -> None:
    """The digest is the bare hash of the CSR's DER, as a listed entry has it."""
    assert attempt.group_of(TENANT, content_hash) == attempt.Group(TENANT.endpoint, builders.DIGEST)


@pytest.mark.parametrize(
    ("changed", "rivals"),
    [
        ({}, False),
        ({"id": "6a1b", "uid": "uid-of-another"}, False),
        ({"content_hash": NO_KEY}, True),
        ({"content_hash": NO_KEY, "uid": "uid-of-another"}, True),
        ({"content_hash": NO_KEY, "tenant": builders.make_tenant(domain="umbrella")}, True),
        ({"content_hash": NO_KEY, "scm_name": "another"}, False),
        ({"content_hash": NO_KEY, "tenant": builders.make_tenant(endpoint="https://e")}, False),
        ({"content_hash": OTHER}, False),
    ],
    ids=["itself", "twin", "key", "twin without key", "another domain", "another name", "another endpoint", "CSR"],
)
def test_rivals_have_name_and_csr_but_not_the_content(changed: dict[str, object], rivals: bool) -> None:  # noqa: FBT001 - a column of the table
    """Counterexample 5: an entry of one could be taken for that of the other, and holds a key or not."""
    other = dataclasses.replace(ATTEMPT, **changed)  # type: ignore[arg-type] # a table
    assert (ATTEMPT.rivals(other), other.rivals(ATTEMPT)) == (rivals, rivals)


@pytest.mark.parametrize(
    "key",
    [
        builders.CLUSTER_DEFAULT,
        accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "own"),
        accounts.AccountKey(accounts.AccountKind.CLUSTER, "", "a.b-c"),
    ],
    ids=str,
)
def test_a_tenant_names_its_account(key: accounts.AccountKey) -> None:
    """The account with which an attempt was sent is found again by what its tenant says."""
    assert accounts.account_key_of(str(key)) == key


@pytest.mark.parametrize(
    "text", ["", "default", "Account/default", "ScmAccount/own", "ClusterScmAccount/a/b", "ScmAccount/a/b/c", "/a/b"]
)
def test_what_names_no_account_is_none(text: str) -> None:
    """A tenant whose account can't be read leads to none, and to no failure."""
    assert accounts.account_key_of(text) is None
