import asyncio
import io
import json
import re

import pytest

from tests.unit.simulator import harness

UPLOAD = "/v3/scm/csr/upload"


async def test_answer_has_id_name_and_create_time(client: harness.Client) -> None:
    """An upload is 200 with exactly a 32-digit id, the name, and the time in milliseconds."""
    answer = await client.upload("shop-tls")
    assert answer.status == 200
    assert re.fullmatch(r"[0-9a-f]{32}", answer.json.pop("id"))
    assert answer.json == {"name": "shop-tls", "create_time": 1_685_325_399_000}


async def test_csr_is_kept_unchanged(client: harness.Client) -> None:
    """The CSR is stored as it was sent, line breaks and all."""
    pem = harness.csr_pem().replace("\n", "\r\n")
    await client.upload(csr=pem)
    assert [entry["csr"] for entry in await client.stored()] == [pem]


async def test_names_are_not_unique(client: harness.Client) -> None:
    """The same upload twice makes two entries."""
    first, second = await client.upload("twin"), await client.upload("twin")
    assert first.json["id"] != second.json["id"]
    assert [entry["name"] for entry in await client.stored()] == ["twin", "twin"]


@pytest.mark.parametrize("length", [0, 63])
async def test_names_of_the_contracts_range_are_taken(client: harness.Client, length: int) -> None:
    """A name may have 0 to 63 characters."""
    assert (await client.upload("n" * length)).status == 200


@pytest.mark.parametrize("kind", ["EC_P256", "EC_P384", "RSA_2048"])
async def test_matching_key_is_taken(client: harness.Client, kind: str) -> None:
    """A key goes along, far longer than the 63 characters of the document, and is stored."""
    answer = await client.upload(csr=harness.csr_pem(kind), private_key=harness.key_pem(kind))
    assert answer.status == 200
    assert [entry["hasPrivateKey"] for entry in await client.stored()] == [True]


async def test_sm2_is_taken_unchecked(client: harness.Client) -> None:
    """A CSR of an algorithm that can't be verified here is stored if its structure is sound."""
    assert (await client.upload(csr=harness.sm2_csr_pem())).status == 200
    assert [entry["privateKeyAlgo"] for entry in await client.stored()] == ["SM2"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body must be JSON: Expecting value at character 0"),
        (b"\xff", "the body must be UTF-8"),
        (b'{"name": NaN}', "the body must be JSON: NaN is none of its values"),
        (b'{"name": "a", "name": "b"}', "the body has a key twice in one object"),
        (b"[]", "the body must be an object, not a list"),
        (b"{}", "name is missing"),
        (b'{"name": "a"}', "csr is missing"),
        (b'{"name": "a", "csr": "b", "usage": "c"}', "usage is unknown (allowed here: name, csr, private_key)"),
        (b'{"name": 1, "csr": "b"}', "name must be a string, not a number"),
        (b'{"name": "a", "csr": null}', "csr must be a string, not null"),
    ],
)
async def test_other_bodies_are_400(client: harness.Client, body: bytes, message: str) -> None:
    """A body that isn't exactly the contract's is 400 with SCM.0005, and the message names the field."""
    headers = {"X-Auth-Token": harness.STATIC_TOKEN, "Content-Type": "application/json"}
    answer = await client.call("POST", UPLOAD, data=body, headers=headers)
    assert (answer.status, answer.json) == (400, {"error_code": "SCM.0005", "error_msg": message})


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
async def test_other_content_types_are_400(client: harness.Client, content_type: str) -> None:
    """A valid body under another content type is refused."""
    body = json.dumps({"name": "a", "csr": harness.csr_pem()}).encode()
    headers = {"X-Auth-Token": harness.STATIC_TOKEN, "Content-Type": content_type}
    assert (await client.call("POST", UPLOAD, data=body, headers=headers)).status == 400


async def test_charset_may_be_named(client: harness.Client) -> None:
    """The form that the vendor's documents use, application/json;charset=utf8, is taken."""
    body = json.dumps({"name": "a", "csr": harness.csr_pem()}).encode()
    headers = {"X-Auth-Token": harness.STATIC_TOKEN, "Content-Type": "application/json;charset=utf8"}
    assert (await client.call("POST", UPLOAD, data=body, headers=headers)).status == 200


async def test_name_of_64_characters_is_400(client: harness.Client) -> None:
    """A name that is one character too long is refused."""
    answer = await client.upload("n" * 64)
    assert answer.json == {"error_code": "SCM.0005", "error_msg": "name must have 0 to 63 characters, it has 64"}


@pytest.mark.parametrize(("length", "status"), [(2_555, 200), (2_556, 400)])
async def test_csr_has_at_most_2555_characters(client: harness.Client, length: int, status: int) -> None:
    """A CSR of 2,555 characters is taken, one of 2,556 is not."""
    pem = harness.csr_pem(sans=tuple(f"host-{number:03}.example.com" for number in range(60)))
    answer = await client.upload(csr=pem + "\n" * (length - len(pem)))
    assert (len(pem) < 2_555, answer.status) == (True, status)


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "xxxxxx",
        "comment\n" + harness.csr_pem(),
        harness.csr_pem() + harness.csr_pem(),
        harness.csr_pem().replace("\n", "\\n"),
        harness.csr_pem().replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
        harness.csr_pem().replace("\nM", "\n!"),
        harness.csr_der_to_pem(b"\x30\x03\x02\x01\x00"),
        harness.key_pem(),
    ],
    ids=["empty", "text", "comment", "two", "escaped", "new", "base64", "der", "key"],
)
async def test_what_is_no_csr_is_400(client: harness.Client, pem: str) -> None:
    """Whatever isn't one PEM block with a CSR in it is refused, and nothing is stored."""
    answer = await client.upload(csr=pem)
    assert (answer.status, answer.json["error_code"]) == (400, "SCM.0005")
    assert await client.stored() == []


async def test_csr_with_a_wrong_signature_is_400(client: harness.Client) -> None:
    """A CSR that isn't signed with its own key is refused."""
    pem = harness.csr_der_to_pem(harness.csr_der(common_name="a.example.com").replace(b"a.example", b"b.example"))
    answer = await client.upload(csr=pem)
    assert answer.json == {"error_code": "SCM.0005", "error_msg": "csr is not signed with its own key"}


@pytest.mark.parametrize(
    ("private_key", "code"),
    [
        ("", "SCM.0059"),
        (None, "SCM.0005"),
        ("xxxxxx", "SCM.0114"),
        (harness.csr_pem(), "SCM.0114"),
        (harness.key_pem() + harness.key_pem(), "SCM.0114"),
        (harness.key_pem(encrypted=True), "SCM.0012"),
        (harness.key_pem().replace("MIG", "MIH"), "SCM.0012"),
        (harness.key_pem().replace("\nM", "\n!"), "SCM.0012"),
        (harness.key_pem("EC_P384"), "SCM.0014"),
    ],
    ids=["empty", "null", "text", "csr", "two", "encrypted", "damaged", "base64", "another's"],
)
async def test_what_is_not_the_csrs_key_is_400(client: harness.Client, private_key: str | None, code: str) -> None:
    """A key must be one unencrypted PEM block, and the CSR's; the codes tell what is wrong, and nothing is stored."""
    answer = await client.upload(private_key=private_key)
    assert (answer.status, answer.json["error_code"]) == (400, code)
    assert await client.stored() == []


async def test_answer_never_repeats_the_key(client: harness.Client) -> None:
    """A refused key isn't quoted."""
    answer = await client.upload(private_key=harness.key_pem("EC_P384"))
    assert harness.key_pem("EC_P384").splitlines()[1] not in answer.text


async def test_each_answer_has_its_own_request_id(client: harness.Client) -> None:
    """Success and failure alike carry X-Request-Id, never the same twice."""
    answers = [await client.upload(), await client.upload(csr=""), await client.call("GET", "/")]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 3


async def test_answers_carry_the_simulators_date(client: harness.Client) -> None:
    """The Date header tells the same time as create_time."""
    assert (await client.upload()).headers["Date"] == "Mon, 29 May 2023 01:56:39 GMT"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("POST", "/v3/scm/csr"), ("POST", "/v2/scm/csr/upload"), ("DELETE", "/v3/scm/csr")],
)
async def test_unknown_path_is_the_gateways_page(client: harness.Client, method: str, path: str) -> None:
    """What the API doesn't have is 404 with a page in HTML and no service code."""
    answer = await client.call(method, path)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


async def test_body_beyond_the_gateways_limit_is_413(client: harness.Client) -> None:
    """The gateway takes 12 MiB at most."""
    answer = await client.call("POST", UPLOAD, data=io.BytesIO(b" " * (12 * 1024 * 1024 + 1)))
    assert answer.status == 413


async def test_upload_that_breaks_off_is_nothing(client: harness.Client, caplog: pytest.LogCaptureFixture) -> None:
    """A client that goes away in the middle of its body leaves no entry, no request in the log, and no complaint."""
    port = client.port
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v3/scm/csr/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{")
    await writer.drain()
    writer.transport.abort()
    assert (await client.stored(), await client.requests(), caplog.records) == ([], [], [])
