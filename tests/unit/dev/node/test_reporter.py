import asyncio
from typing import Any

import pytest

from dev.node import reporter
from dev.node.api import ApiError

POD = {"metadata": {"name": "web", "namespace": "shop", "uid": "u-1"}}
pytestmark = pytest.mark.looptime


class FakeApi:
    """An API server that answers with given errors, then takes everything; each answer takes a second."""

    def __init__(self, *errors: int) -> None:
        self._errors = list(errors)
        self.asked = 0
        self.written: list[Any] = []

    async def request(self, method: str, path: str, *, body: Any, content_type: str) -> dict[str, Any]:  # noqa: ANN401
        """Take a status, or refuse it."""
        assert (method, path) == ("PATCH", "/api/v1/namespaces/shop/pods/web/status")
        assert content_type.startswith("application/strategic")
        self.asked += 1
        await asyncio.sleep(1)
        if self._errors:
            raise ApiError("no", status=self._errors.pop(0))
        self.written.append(body["status"])
        return {}


async def reported(api: FakeApi, *changes: dict[str, int]) -> list[Any]:
    """Change the status, a tenth of a second after each other, and return what was written in the end."""
    current: dict[str, int] = {}
    reporting = reporter.Reporter(api, pod=POD, current=lambda: dict(current), retry=5)
    task = asyncio.create_task(reporting.run())
    for change in changes:
        current |= change
        reporting.changed()
        await asyncio.sleep(0.1)
    await reporting.flush()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return api.written


async def test_changes_during_a_write_are_written_together() -> None:
    """One write is under way at a time; what changed meanwhile is one more."""
    assert await reported(FakeApi(), {"a": 1}, {"a": 2}, {"b": 1}) == [{"a": 1}, {"a": 2, "b": 1}]


async def test_what_is_written_already_is_not_written_again() -> None:
    """A change that changes nothing costs no request."""
    api = FakeApi()
    assert await reported(api, {"a": 1}, {"a": 1}) == [{"a": 1}]
    assert api.asked == 1


async def test_a_failed_write_is_tried_again_with_what_holds_then() -> None:
    """A server that can't answer gets the newest status later."""
    assert await reported(FakeApi(500, 0), {"a": 1}, {"a": 2}) == [{"a": 2}]


@pytest.mark.parametrize("status", [404, 409])
async def test_a_pod_that_is_gone_is_not_reported_on(status: int) -> None:
    """Nothing is tried again when there is no such Pod any more, or a namesake; nobody waits for it either."""
    api = FakeApi(status)
    assert await reported(api, {"a": 1}, {"a": 2}) == []
    assert api.asked == 1


async def test_a_silenced_reporter_says_nothing_more() -> None:
    """Neither what changes later nor what has failed before is said, and nobody waits for it."""
    api = FakeApi(500)
    reporting = reporter.Reporter(api, pod=POD, current=lambda: {"a": 1}, retry=5)
    task = asyncio.create_task(reporting.run())
    reporting.changed()
    await asyncio.sleep(0.5)
    reporting.silence()
    reporting.changed()
    await reporting.flush()
    await asyncio.sleep(60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (api.asked, api.written) == (1, [])
