import asyncio
import hashlib

import aiohttp
import pytest

from tests.unit.simulator import harness


async def test_csrs_show_all_but_the_key(client: harness.Client) -> None:
    """An entry is shown with its CSR, its tenant and its uploader; of the key only the digest."""
    uploaded = (await client.upload("shop", private_key=harness.key_pem())).json
    [entry] = await client.stored()
    assert len(entry.pop("csrSha256")) == 64
    assert entry == {
        "id": uploaded["id"],
        "name": "shop",
        "csr": harness.csr_pem(),
        "commonName": "shop.example.com",
        "sans": [],
        "privateKeyAlgo": "EC_P256",
        "hasPrivateKey": True,
        "privateKeySha256": hashlib.sha256(harness.key_pem().encode()).hexdigest(),
        "createTime": uploaded["create_time"],
        "updateTime": uploaded["create_time"],
        "uploadedBy": "static token",
        "domain": "acme",
        "project": "cn-north-4",
    }


async def test_entry_without_key(client: harness.Client) -> None:
    """An entry without a key has no digest of one."""
    await client.upload()
    [entry] = await client.stored()
    assert (entry["hasPrivateKey"], entry["privateKeySha256"]) == (False, None)


async def test_foreign_entry(client: harness.Client) -> None:
    """An entry can be put there that no client uploaded; the service lists it like any other."""
    body = {"name": "theirs", "csr": harness.csr_pem(), "createTime": 1_000}
    added = await client.admin("POST", "csrs", json=body)
    [listed] = (await client.call("GET", "/v3/scm/csr")).json["csr_list"]
    assert (added.status, added.json["uploadedBy"]) == (201, "somebody else")
    assert (listed["id"], listed["name"], listed["create_time"]) == (added.json["id"], "theirs", 1_000)


async def test_foreign_entry_of_another_tenant(client: harness.Client) -> None:
    """An entry put into another project isn't seen in this one."""
    body = {"name": "theirs", "csr": harness.csr_pem(), "project": "ap-southeast-1"}
    await client.admin("POST", "csrs", json=body)
    assert (await client.call("GET", "/v3/scm/csr")).json["total"] == 0


async def test_foreign_entry_must_be_a_csr(client: harness.Client) -> None:
    """What is no CSR is 400."""
    assert (await client.admin("POST", "csrs", json={"name": "n", "csr": "x"})).status == 400


async def test_password_can_be_changed(client: harness.Client) -> None:
    """After a change the new password is right and the old one wrong."""
    await client.admin("PUT", "credentials", json={"password": "new"})
    old = await client.authenticate(harness.credentials())
    new = await client.authenticate(harness.credentials(password="new"))  # noqa: S106 - of an account in this test
    assert (old.status, new.status) == (401, 201)


async def test_tokens_outlive_their_password(client: harness.Client) -> None:
    """A change of the password alone ends no token."""
    await client.log_in()
    await client.admin("PUT", "credentials", json={"password": "new"})
    assert (await client.upload()).status == 200


async def test_tokens_can_be_revoked(client: harness.Client) -> None:
    """Revoked tokens are 401; the static one isn't revoked."""
    await client.log_in()
    answer = await client.admin("PUT", "credentials", json={"revokeTokens": True})
    revoked = await client.upload()
    client.token = harness.STATIC_TOKEN
    assert (answer.json["tokensRevoked"], revoked.status, (await client.upload()).status) == (1, 401, 200)


async def test_static_token_can_be_replaced(client: harness.Client) -> None:
    """The new static token is valid and the old one no longer."""
    await client.admin("PUT", "credentials", json={"staticToken": "n" * 32})
    old = await client.upload()
    client.token = "n" * 32
    assert (old.status, (await client.upload()).status) == (401, 200)


async def test_further_account(client: harness.Client) -> None:
    """Another domain's account can be made, and sees nothing of the first one's."""
    await client.upload()
    account = {"domain": "other", "user": "bob", "projects": ["cn-north-4"]}
    answer = await client.admin("PUT", "credentials", json=account | {"password": "p"})
    await client.log_in(harness.credentials(domain="other", user="bob", password="p"))  # noqa: S106 - of this test
    assert answer.json == account | {"tokensRevoked": 0}
    assert (await client.call("GET", "/v3/scm/csr")).json["total"] == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"token": "x"},
            "token is unknown (allowed here: domain, user, projects, password, staticToken, revokeTokens)",
        ),
        ({"password": ""}, "password must not be empty"),
        ({"projects": []}, "projects must not be empty"),
        ({"revokeTokens": 1}, "revokeTokens must be true or false, not a number"),
        ({"staticToken": "short"}, "staticToken: the static token must have 32 to 2097152 characters, it has 5"),
    ],
)
async def test_wrong_credentials_are_400(client: harness.Client, body: object, message: str) -> None:
    """A change that can't be made is refused with the field's name."""
    answer = await client.admin("PUT", "credentials", json=body)
    assert (answer.status, answer.json) == (400, {"error": message})


async def test_state_can_be_cleared(client: harness.Client) -> None:
    """Clearing forgets entries, requests and faults; tokens stay valid."""
    await client.log_in()
    await client.upload()
    await client.faults({"do": {"status": {"code": 500}}})
    assert (await client.admin("DELETE", "state")).status == 204
    assert (await client.stored(), await client.requests()) == ([], [])
    assert (await client.upload()).status == 200


async def test_clearing_drops_what_is_held(client: harness.Client) -> None:
    """A held request is reset, and stores nothing into the cleared state."""
    await client.faults({"hold": True})
    uploading = asyncio.create_task(client.upload())
    await client.until_held()
    await client.admin("DELETE", "state")
    with pytest.raises(aiohttp.ClientConnectionError):
        await uploading
    assert await client.stored() == []


async def test_what_is_not_there_is_404(client: harness.Client) -> None:
    """An unknown path under /_simulator/ is 404 with an error in JSON."""
    answer = await client.admin("GET", "nothing")
    assert (answer.status, answer.json) == (404, {"error": "Not Found"})


async def test_broken_json_is_400(client: harness.Client) -> None:
    """A body that isn't JSON is refused, not crashed on."""
    answer = await client.call("PUT", "/_simulator/faults", data=b"{", headers={})
    assert answer.status == 400
