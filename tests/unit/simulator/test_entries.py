import dataclasses
from typing import Literal

import pytest

from tests.unit.simulator import harness

CSRS = "/v3/scm/csr"
ABSENT = "0" * 32


async def upload_many(client: harness.Client, count: int) -> list[str]:
    """Upload so many CSRs, a second apart, and return their names."""
    names = [f"csr-{number:03}" for number in range(count)]
    for name in names:
        client.clock.advance(1)
        await client.upload(name)
    return names


async def names(client: harness.Client, query: str = "") -> list[str]:
    """Return the names on a page of the list."""
    answer = await client.call("GET", f"{CSRS}{query}")
    assert answer.status == 200, answer.text
    return [item["name"] for item in answer.json["csr_list"]]


async def test_show_derives_its_fields_from_the_csr(client: harness.Client) -> None:
    """An entry has all keys of CSRResponseBody, most of them read from the CSR."""
    pem = harness.csr_pem(sans=("a.example.com", "b.example.com"))
    entry_id = (await client.upload("shop-tls", csr=pem)).json["id"]
    assert (await client.call("GET", f"{CSRS}/{entry_id}")).json == {
        "id": entry_id,
        "name": "shop-tls",
        "csr": pem,
        "domain_name": "shop.example.com",
        "sans": "a.example.com,b.example.com",
        "private_key_algo": "EC_P256",
        "usage": "ENTERPRISE",
        "company_country": "CN",
        "company_province": "",
        "company_city": "",
        "company_name": "Acme",
        "create_time": 1_685_325_399_000,
        "update_time": 1_685_325_399_000,
    }


@pytest.mark.parametrize("kind", ["EC_P256", "EC_P384", "RSA_2048"])
async def test_algorithm_is_the_csrs(client: harness.Client, kind: str) -> None:
    """private_key_algo tells kind and size of the CSR's key."""
    entry_id = (await client.upload(csr=harness.csr_pem(kind))).json["id"]
    assert (await client.call("GET", f"{CSRS}/{entry_id}")).json["private_key_algo"] == kind


async def test_list_has_items_as_show_gives_them(client: harness.Client) -> None:
    """A list item is the whole entry, CSR included."""
    entry_id = (await client.upload()).json["id"]
    shown = (await client.call("GET", f"{CSRS}/{entry_id}")).json
    assert (await client.call("GET", CSRS)).json == {"csr_list": [shown], "total": 1}


async def test_page_has_ten_items_unless_told_otherwise(client: harness.Client) -> None:
    """Without a limit ten entries come, and total counts all."""
    await upload_many(client, 12)
    answer = await client.call("GET", CSRS)
    assert (len(answer.json["csr_list"]), answer.json["total"]) == (10, 12)


async def test_offset_counts_rows(client: harness.Client) -> None:
    """The second page starts where the first ended."""
    uploaded = await upload_many(client, 12)
    assert await names(client) + await names(client, "?offset=10") == uploaded[::-1]


@pytest.mark.parametrize(("offset", "second"), [("pages", 2), ("ignored", 10)])
async def test_offset_can_be_broken_otherwise(offset: Literal["pages", "ignored"], second: int) -> None:
    """The real offset is broken in an unknown way: it may count pages, or nothing."""
    async with harness.running(dataclasses.replace(harness.SETTINGS, offset=offset)) as client:
        await upload_many(client, 12)
        assert len(await names(client, "?offset=1")) == second


@pytest.mark.parametrize("query", ["limit=10", "limit=20", "limit=50", "offset=100", "name=", "private_key_algo=SM2"])
async def test_documented_queries_are_taken(client: harness.Client, query: str) -> None:
    """Page sizes 10, 20, 50 and offsets up to 100 are fine."""
    assert (await client.call("GET", f"{CSRS}?{query}")).status == 200


@pytest.mark.parametrize(
    "query",
    [
        "limit=1",
        "limit=100",
        "limit=x",
        "limit=",
        "offset=101",
        "offset=-1",
        "private_key_algo=DSA",
        "page=1",
        "limit=10&limit=20",
    ],
)
async def test_other_queries_are_400(client: harness.Client, query: str) -> None:
    """What the list doesn't document is refused with SCM.0005."""
    answer = await client.call("GET", f"{CSRS}?{query}")
    assert (answer.status, answer.json["error_code"]) == (400, "SCM.0005")


async def test_name_filter_is_fuzzy(client: harness.Client) -> None:
    """The filter finds every name that contains it, not only the name itself."""
    for name in ("shop", "my-shop-2", "sho"):
        await client.upload(name)
    assert await names(client, "?name=shop") == ["my-shop-2", "shop"]


async def test_name_filter_is_cut_at_32_characters(client: harness.Client) -> None:
    """Beyond its 32nd character the filter doesn't matter."""
    await client.upload("n" * 32 + "-a")
    assert await names(client, f"?name={'n' * 32}-b") == ["n" * 32 + "-a"]


async def test_algorithm_filter_is_exact(client: harness.Client) -> None:
    """private_key_algo selects by the CSR's key."""
    await client.upload("p256")
    await client.upload("p384", csr=harness.csr_pem("EC_P384"))
    assert await names(client, "?private_key_algo=EC_P384") == ["p384"]


async def test_private_key_is_what_was_uploaded(client: harness.Client) -> None:
    """The key can be read back by its owner."""
    entry_id = (await client.upload(private_key=harness.key_pem())).json["id"]
    answer = await client.call("GET", f"{CSRS}/{entry_id}/private-key")
    assert (answer.status, answer.json) == (200, {"private_key": harness.key_pem()})


async def test_private_key_of_an_entry_without_one_is_empty(client: harness.Client) -> None:
    """An entry that was uploaded without its key has an empty one."""
    entry_id = (await client.upload()).json["id"]
    assert (await client.call("GET", f"{CSRS}/{entry_id}/private-key")).json == {"private_key": ""}


async def test_rename_changes_name_and_update_time(client: harness.Client) -> None:
    """PUT gives the entry another name and update time, and returns it."""
    entry_id = (await client.upload("old")).json["id"]
    client.clock.advance(2)
    answer = await client.call("PUT", f"{CSRS}/{entry_id}", json={"name": "new"})
    assert answer.json == (await client.call("GET", f"{CSRS}/{entry_id}")).json
    assert (answer.json["name"], answer.json["update_time"] - answer.json["create_time"]) == ("new", 2_000)


@pytest.mark.parametrize("body", [{}, {"name": "a", "csr": "b"}, {"name": None}, {"name": "n" * 256}])
async def test_rename_takes_a_name_only(client: harness.Client, body: object) -> None:
    """PUT takes a name of up to 255 characters and nothing else."""
    entry_id = (await client.upload()).json["id"]
    answer = await client.call("PUT", f"{CSRS}/{entry_id}", json=body)
    assert (answer.status, answer.json["error_code"]) == (400, "SCM.0005")


async def test_delete_is_204_and_final(client: harness.Client) -> None:
    """A deleted entry is gone."""
    entry_id = (await client.upload()).json["id"]
    answer = await client.call("DELETE", f"{CSRS}/{entry_id}")
    assert (answer.status, answer.text, await client.stored()) == (204, "", [])


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/private-key"), ("PUT", ""), ("DELETE", "")], ids=str
)
async def test_missing_id_is_400_with_scm_0707(client: harness.Client, method: str, path: str) -> None:
    """An id that isn't there is 400 with SCM.0707, never 404."""
    body = {"name": "n"} if method == "PUT" else None
    answer = await client.call(method, f"{CSRS}/{ABSENT}{path}", json=body)
    assert (answer.status, answer.json["error_code"]) == (400, "SCM.0707")


@pytest.mark.parametrize(("length", "code"), [(15, "SCM.0005"), (16, "SCM.0707"), (40, "SCM.0707"), (41, "SCM.0005")])
async def test_ids_have_16_to_40_characters(client: harness.Client, length: int, code: str) -> None:
    """An id of another length is a wrong parameter, not a missing entry."""
    assert (await client.call("DELETE", f"{CSRS}/{'0' * length}")).json["error_code"] == code


async def test_projects_do_not_see_each_others_entries(client: harness.Client) -> None:
    """What one project uploaded, another neither lists nor shows."""
    entry_id = (await client.upload()).json["id"]
    await client.log_in(harness.credentials(scope={"project": {"name": "ap-southeast-1"}}))
    assert await names(client) == []
    assert (await client.call("GET", f"{CSRS}/{entry_id}")).json["error_code"] == "SCM.0707"


async def test_one_project_is_one_tenant_whatever_the_token(client: harness.Client) -> None:
    """Two tokens of the same project see the same entries."""
    await client.upload("by-static-token")
    await client.log_in()
    assert await names(client) == ["by-static-token"]
