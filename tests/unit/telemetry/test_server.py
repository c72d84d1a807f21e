"""The server for probes and metrics, over a real socket."""

import asyncio
import concurrent.futures
import contextlib
import logging
from collections.abc import AsyncIterator

import httpx
import pytest

from scm_operator.telemetry import health, server


def _metrics(accept: str) -> tuple[bytes, str]:
    return f"asked for {accept}".encode(), "text/plain; version=0.0.4; charset=utf-8"


@contextlib.asynccontextmanager
async def _serving(
    state: health.Health, caplog: pytest.LogCaptureFixture, *, host: str | None = "127.0.0.1"
) -> AsyncIterator[httpx.AsyncClient]:
    caplog.set_level(logging.INFO)
    async with (
        server.serving((host, 0), state=state, metrics=_metrics),
        httpx.AsyncClient(base_url=_urls(caplog)[0]) as client,
    ):
        yield client


def _urls(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["url"] for record in caplog.records if record.__dict__.get("event") == "Listening"]


async def test_probes_answer_with_a_status_and_a_table(caplog: pytest.LogCaptureFixture) -> None:
    """A probe is 200 when all is well and 503 otherwise, and says which check is what."""
    state = health.Health()
    async with _serving(state, caplog) as client:
        livez, readyz = await client.get("/livez"), await client.get("/readyz")
        state.synced()
        later = await client.get("/readyz")
    assert (livez.status_code, livez.text) == (200, str(state.live()))
    assert (readyz.status_code, later.status_code) == (503, 200)
    assert livez.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_metrics_come_in_the_form_that_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """The Accept header goes to whoever makes the text, and its content type comes back as it is."""
    async with _serving(health.Health(), caplog) as client:
        answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert (answer.status_code, answer.text) == (200, "asked for application/openmetrics-text")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/livez/", 404), ("POST", "/livez", 405)]
)
async def test_nothing_else_is_served(caplog: pytest.LogCaptureFixture, method: str, path: str, status: int) -> None:
    """Three paths to GET, and nothing more."""
    async with _serving(health.Health(), caplog) as client:
        assert (await client.request(method, path)).status_code == status


async def test_port_in_use_is_said_in_words(caplog: pytest.LogCaptureFixture) -> None:
    """A port that somebody else has is named, with what to do."""
    async with _serving(health.Health(), caplog) as client:
        port = client.base_url.port
        assert port is not None
        with pytest.raises(server.CannotListen, match=rf"can't listen on 127\.0\.0\.1:{port} .*--listen"):
            async with server.serving(("127.0.0.1", port), state=health.Health(), metrics=_metrics):
                pass


async def test_host_that_is_none_of_ours_is_said_in_words() -> None:
    """An address of another machine can't be listened on, and that is told the same way."""
    with pytest.raises(server.CannotListen, match=r"can't listen on 192\.0\.2\.1:0"):
        async with server.serving(("192.0.2.1", 0), state=health.Health(), metrics=_metrics):
            pass


async def test_loop_that_does_not_turn_answers_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The answer comes out of the loop of the work: while that is blocked, a probe runs into its timeout."""
    async with _serving(health.Health(), caplog) as client:
        url = str(client.base_url)

        def probe(timeout: float) -> int | None:
            with contextlib.suppress(httpx.TimeoutException):
                return httpx.get(f"{url}/livez", timeout=timeout).status_code
            return None

        with concurrent.futures.ThreadPoolExecutor() as threads:
            assert threads.submit(probe, 0.2).result() is None  # waited for by the loop itself, which is what blocks it
            assert await asyncio.wrap_future(threads.submit(probe, 20.0)) == 200


async def test_all_interfaces_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Without a host it listens everywhere, and the log has an address for each family."""
    async with _serving(health.Health(), caplog, host=None):
        hosts = {url.rpartition(":")[0] for url in _urls(caplog)}
    assert "http://0.0.0.0" in hosts
    assert hosts <= {"http://0.0.0.0", "http://[::]"}
