import copy
import dataclasses
from typing import Any

import pytest

from tests.unit.simulator import harness


def without(document: dict[str, Any], *path: str) -> dict[str, Any]:
    """Return the document without one of its keys."""
    return _edited(document, path, lambda parent, key: parent.pop(key))


def with_extra(document: dict[str, Any], *path: str) -> dict[str, Any]:
    """Return the document with one key more."""
    return _edited(document, path, lambda parent, key: parent.update({key: "x"}))


def _edited(document: dict[str, Any], path: tuple[str, ...], edit: Any) -> dict[str, Any]:  # noqa: ANN401 - a lambda
    edited = parent = copy.deepcopy(document)
    for key in path[:-1]:
        parent = parent[key]
    edit(parent, path[-1])
    return edited


async def test_token_is_in_the_header(client: harness.Client) -> None:
    """The right password is answered with 201 and the token in X-Subject-Token."""
    answer = await client.authenticate(harness.credentials())
    assert (answer.status, len(answer.headers["X-Subject-Token"])) == (201, 4_096)


async def test_body_describes_the_token(client: harness.Client) -> None:
    """The body says when the token was issued and when it ends, with six digits of a second and Z."""
    token = (await client.authenticate(harness.credentials())).json["token"]
    assert token["issued_at"] == "2023-05-29T01:56:39.000000Z"
    assert token["expires_at"] == "2023-05-29T02:56:39.000000Z"
    assert token["methods"] == ["password"]
    assert token["user"]["name"] == "uploader"
    assert token["project"]["name"] == "cn-north-4"


async def test_body_has_no_token(client: harness.Client) -> None:
    """The token itself is in the header only."""
    answer = await client.authenticate(harness.credentials())
    assert answer.headers["X-Subject-Token"] not in answer.text


@pytest.mark.parametrize(("query", "present"), [("", True), ("?nocatalog=1", False)])
async def test_nocatalog_leaves_the_catalog_out(client: harness.Client, *, query: str, present: bool) -> None:
    """The catalog is in the body unless nocatalog is asked for."""
    answer = await client.authenticate(harness.credentials(), query=query)
    assert ("catalog" in answer.json["token"]) is present


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"user": "nobody"}, {"domain": "other"}])
async def test_wrong_credentials_are_401_in_the_keystone_form(client: harness.Client, wrong: dict[str, str]) -> None:
    """A wrong password, user or domain is 401, and the answer doesn't say which it was."""
    answer = await client.authenticate(harness.credentials(**wrong))
    assert answer.status == 401
    assert answer.json == {
        "error": {"code": 401, "message": "The username or password is wrong.", "title": "Unauthorized"}
    }


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        without(harness.credentials(), "auth", "scope"),
        without(harness.credentials(), "auth", "identity", "methods"),
        without(harness.credentials(), "auth", "identity", "password", "user", "domain"),
        with_extra(harness.credentials(), "auth", "extra"),
        with_extra(harness.credentials(), "auth", "identity", "token"),
        with_extra(harness.credentials(), "auth", "identity", "methods"),
        with_extra(harness.credentials(), "auth", "identity", "password", "user", "id"),
        harness.credentials(scope={}),
        harness.credentials(scope={"project": {}}),
        harness.credentials(scope={"project": {"name": "cn-north-4", "id": "1"}}),
        harness.credentials(scope={"project": {"name": "cn-north-4"}, "domain": {"name": "acme"}}),
        harness.credentials(password=""),
    ],
)
async def test_other_shapes_are_400(client: harness.Client, document: object) -> None:
    """A body that isn't exactly the documented one is 400 in the Keystone form."""
    answer = await client.authenticate(document)
    assert (answer.status, answer.json["error"]["code"]) == (400, 400)


async def test_a_complaint_names_the_field(client: harness.Client) -> None:
    """The message about a wrong shape says where it is."""
    answer = await client.authenticate(without(harness.credentials(), "auth", "identity", "password", "user", "domain"))
    assert answer.json["error"]["message"] == "auth.identity.password.user.domain is missing"


async def test_other_content_types_are_400(client: harness.Client) -> None:
    """A body that isn't declared as JSON is refused."""
    answer = await client.call("POST", "/v3/auth/tokens", data=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status == 400


async def test_project_by_id(client: harness.Client) -> None:
    """The scope may name the project by the id that an earlier answer gave."""
    project = (await client.authenticate(harness.credentials())).json["token"]["project"]
    answer = await client.authenticate(harness.credentials(scope={"project": {"id": project["id"]}}))
    assert answer.json["token"]["project"] == project


async def test_unknown_project_is_401(client: harness.Client) -> None:
    """A project that isn't the user's gives no token."""
    answer = await client.authenticate(harness.credentials(scope={"project": {"name": "eu-west-0"}}))
    assert answer.status == 401


async def test_domain_scope_names_no_project(client: harness.Client) -> None:
    """A token for the whole domain is issued, and speaks for no project."""
    token = (await client.authenticate(harness.credentials(scope={"domain": {"name": "acme"}}))).json["token"]
    assert (token["domain"]["name"], "project" in token) == ("acme", False)


async def test_domain_scoped_token_is_403_at_scm(client: harness.Client) -> None:
    """SCM wants a token of a project: one of a domain is 403 with SCM.0002."""
    await client.log_in(harness.credentials(scope={"domain": {"name": "acme"}}))
    answer = await client.upload()
    assert (answer.status, answer.json["error_code"]) == (403, "SCM.0002")


async def test_token_is_valid_until_it_expires(client: harness.Client) -> None:
    """A second before its end a token is good, at its end it is 401 with SCM.1000."""
    await client.log_in()
    client.clock.advance(3_599)
    before = await client.upload()
    client.clock.advance(1)
    after = await client.upload()
    assert (before.status, after.status, after.json["error_code"]) == (200, 401, "SCM.1000")


async def test_new_token_does_not_end_the_old_one(client: harness.Client) -> None:
    """The earlier token stays valid beside the later one."""
    old = await client.log_in()
    assert await client.log_in() != old
    client.token = old
    assert (await client.upload()).status == 200


async def test_static_token_never_expires(client: harness.Client) -> None:
    """The static token is valid for ever."""
    client.clock.advance(10 * 365 * 86_400)
    assert (await client.upload()).status == 200


async def test_missing_token_is_the_gateways_401(client: harness.Client) -> None:
    """Without a token the gateway answers: APIGW.0301 and a request id in the body."""
    answer = await client.call("GET", "/v3/scm/csr", headers={})
    assert (answer.status, answer.json["error_code"]) == (401, "APIGW.0301")
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(("token", "code"), [("t" * 31, "APIGW.0301"), ("t" * 32, "SCM.1000")])
async def test_unknown_token_is_401(client: harness.Client, token: str, code: str) -> None:
    """A token that was never issued is 401; one shorter than any token doesn't get past the gateway."""
    answer = await client.call("GET", "/v3/scm/csr", headers={"X-Auth-Token": token})
    assert (answer.status, answer.json["error_code"]) == (401, code)


async def test_two_tokens_are_none(client: harness.Client) -> None:
    """A request with two X-Auth-Token headers is refused, even if both are valid."""
    headers = [("X-Auth-Token", harness.STATIC_TOKEN)] * 2
    async with client.session.get("/v3/scm/csr", headers=headers) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("length", [32, 2_097_152])
async def test_tokens_of_the_whole_range_go_both_ways(length: int) -> None:
    """The shortest and the longest token of the contract are sent by IAM and accepted by SCM."""
    config = dataclasses.replace(harness.SETTINGS, token_length=length)
    async with harness.running(config) as client:
        assert len(await client.log_in()) == length
        assert (await client.upload()).status == 200


async def test_without_a_password_nobody_gets_a_token() -> None:
    """An account that has a static token only can't ask for others."""
    async with harness.running(dataclasses.replace(harness.SETTINGS, password=None)) as client:
        assert (await client.authenticate(harness.credentials(password="None"))).status == 401  # noqa: S106 - a guess
