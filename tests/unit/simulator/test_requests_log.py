import aiohttp
import pytest

from scm_simulator import requests_log
from tests.unit.simulator import harness


async def test_a_request_is_taken_down(client: harness.Client) -> None:
    """The log tells who asked for what, when, and what came of it."""
    answer = await client.call("GET", "/v3/scm/csr?limit=10&name=a%20b")
    assert await client.requests() == [
        {
            "n": 1,
            "time": "2023-05-29T01:56:39.000Z",
            "method": "GET",
            "path": "/v3/scm/csr",
            "query": "limit=10&name=a b",
            "operation": "ListCsr",
            "who": "static token",
            "status": 200,
            "fault": None,
            "body": None,
            "requestId": answer.headers["X-Request-Id"],
        }
    ]


async def test_upload_shows_name_and_digest(client: harness.Client) -> None:
    """Of an upload the name stays; the CSR becomes the digest of its DER, the key its length."""
    await client.upload("shop", private_key=harness.key_pem())
    [stored] = await client.stored()
    [record] = await client.requests()
    assert record["body"] == {
        "name": "shop",
        "csr": {"sha256": stored["csrSha256"], "length": len(harness.csr_pem())},
        "private_key": f"*** ({len(harness.key_pem())} characters)",
    }


async def test_credentials_show_no_password(client: harness.Client) -> None:
    """Of a request for a token the names stay; of the password not even the length does."""
    await client.log_in()
    [record] = await client.requests()
    user = {"name": "uploader", "password": "***", "domain": {"name": "acme"}}
    assert record["body"]["auth"]["identity"]["password"]["user"] == user


@pytest.mark.parametrize(
    ("body", "masked"),
    [
        (b"", None),
        (b"secret", "*** (6 bytes, not JSON)"),
        (b'"secret"', "*** (6 characters)"),
        (b'{"privateKey": "secret"}', {"privateKey": "*** (6 characters)"}),
        (b'{"private_key": {"pem": ["secret"]}}', {"private_key": {"pem": ["*** (6 characters)"]}}),
        (b'{"csr": "secret"}', {"csr": {"sha256": None, "length": 6}}),
        (b'{"csr": 1}', {"csr": 1}),
    ],
)
def test_only_what_is_known_to_be_harmless_is_shown(body: bytes, masked: object) -> None:
    """A secret under a misspelt key isn't shown either."""
    assert requests_log.masked_body(body) == masked


async def test_no_secret_is_in_the_log(client: harness.Client) -> None:
    """Neither tokens nor passwords nor keys are in the log, whatever became of the requests."""
    token = await client.log_in()
    await client.upload(private_key=harness.key_pem())
    await client.upload(private_key=harness.key_pem("EC_P384"))
    log = (await client.admin("GET", "requests")).text
    secrets = [token, harness.STATIC_TOKEN, harness.PASSWORD, harness.key_pem().splitlines()[1]]
    assert [secret for secret in secrets if secret in log] == []


async def test_who_is_the_tokens_user(client: harness.Client) -> None:
    """A request is the user's whose token it carries; one without is nobody's."""
    await client.log_in()
    await client.upload()
    await client.call("GET", "/v3/scm/csr", headers={})
    assert [record["who"] for record in await client.requests()] == ["uploader", "uploader", None]


async def test_faults_are_named(client: harness.Client) -> None:
    """The log tells which rules fired, and that a connection was reset."""
    await client.faults(
        {"name": "slow", "do": {"delay": {"seconds": 1}}}, {"name": "cut", "do": {"status": {"code": 503}}}
    )
    await client.upload()
    [record] = await client.requests()
    assert (record["fault"], record["status"]) == ("slow, cut", 503)


async def test_reset_is_a_status(client: harness.Client) -> None:
    """A request that got no answer has the status "reset"."""
    await client.faults({"match": {"operation": "UploadCsr"}, "do": {"reset": "after-store"}})
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.upload()
    assert [record["status"] for record in await client.requests()] == ["reset"]


async def test_operation_narrows_the_log(client: harness.Client) -> None:
    """One operation's requests can be asked for."""
    await client.log_in()
    await client.upload()
    await client.call("GET", "/nothing")
    assert [record["n"] for record in await client.requests("?operation=UploadCsr")] == [2]


async def test_after_narrows_the_log(client: harness.Client) -> None:
    """Only what came after a known request can be asked for."""
    for _ in range(3):
        await client.upload()
    assert [record["n"] for record in await client.requests("?after=1")] == [2, 3]


async def test_after_must_be_a_number(client: harness.Client) -> None:
    """Another value is 400."""
    assert (await client.admin("GET", "requests?after=x")).json == {"error": "after must be a whole number"}


async def test_own_endpoints_are_not_logged(client: harness.Client) -> None:
    """What a test asks the simulator isn't in the log."""
    await client.admin("GET", "csrs")
    assert await client.requests() == []


def test_oldest_requests_are_dropped() -> None:
    """The log is bounded, and numbers go on counting."""
    log = requests_log.RequestsLog(capacity=2)
    for path in ("/a", "/b", "/c"):
        log.add(
            requests_log.Record(time=0, method="GET", path=path, query="", operation=None, request_id="", body=None)
        )
    assert [(record.n, record.path) for record in log.records()] == [(2, "/b"), (3, "/c")]
