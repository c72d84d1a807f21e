import re

from tests.unit.simulator import harness


async def page(client: harness.Client) -> str:
    """Return the page's HTML."""
    answer = await client.admin("GET", "")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return answer.text


async def test_page_shows_what_was_uploaded(client: harness.Client) -> None:
    """The page has name, subject, algorithm, uploader and time of each entry."""
    await client.upload("shop-tls", private_key=harness.key_pem())
    text = await page(client)
    shown = ["shop-tls", "shop.example.com", "EC_P256", "yes", "static token", "2023-05-29 01:56:39.000"]
    assert [word for word in shown if f">{word}</td>" not in text] == []


async def test_page_shows_the_last_fifty_requests(client: harness.Client) -> None:
    """The newest request is on the page, one of fifty before isn't."""
    for number in range(51):
        await client.call("GET", f"/path-{number:02}")
    text = await page(client)
    assert ("/path-50" in text, "/path-01" in text, "/path-00" in text) == (True, True, False)


async def test_page_shows_the_faults_in_force(client: harness.Client) -> None:
    """A rule is on the page with what it does."""
    await client.faults({"name": "outage", "do": {"status": {"code": 503}}})
    text = await page(client)
    assert ">outage</td>" in text
    assert "{&quot;status&quot;: {&quot;code&quot;: 503}}" in text


async def test_empty_page(client: harness.Client) -> None:
    """Without entries, faults and requests each section says so."""
    assert (await page(client)).count("None so far.") == 3


async def test_markup_is_escaped(client: harness.Client) -> None:
    """Names, paths and rules that contain markup are shown as text."""
    nasty = "<script>alert(1)</script>"
    await client.upload(nasty, csr=harness.csr_pem(common_name=nasty))
    await client.call("GET", f"/{nasty}?{nasty}")
    await client.faults({"name": nasty, "match": {"path": nasty}, "hold": True})
    assert "<script" not in await page(client)


async def test_page_stands_alone(client: harness.Client) -> None:
    """Nothing is fetched from elsewhere, and the browser is told to allow nothing."""
    answer = await client.admin("GET", "")
    assert re.findall(r"(?:src|href|url|import)\W", answer.text) == []
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"


async def test_no_secret_is_on_the_page(client: harness.Client) -> None:
    """Neither tokens nor passwords nor keys are on the page."""
    token = await client.log_in()
    await client.upload(private_key=harness.key_pem())
    text = await page(client)
    secrets = [token, harness.STATIC_TOKEN, harness.PASSWORD, harness.key_pem().splitlines()[1]]
    assert [secret for secret in secrets if secret in text] == []
