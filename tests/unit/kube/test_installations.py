"""Whether another installation serves the same namespaces."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import pytest

from scm_operator.kube import client, installations, scope
from tests.unit.kube import server

PATH = "/apis/rbac.authorization.k8s.io/v1/clusterroles/scm-csr-operator-cluster-wide"
THERE = server.Reply(200, {"metadata": {"annotations": {"scm.certops.dev/installation": "ops/uploads"}}})
NONE = server.refusal(403)


@contextlib.asynccontextmanager
async def _looking(kubernetes: client.Kubernetes, told: list[str | None]) -> AsyncIterator[installations.Alone]:
    """Look again and again, a moment apart."""
    scoped = scope.Scope("mine", ("shop", "web"))
    alone = installations.Alone(kubernetes, scope=scoped, period=0.001, on_change=[told.append])
    task = asyncio.create_task(alone.run())
    yield alone
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("answer", [NONE, server.refusal(404)], ids=["not permitted", "not there"])
async def test_alone(api: server.FakeApiServer, kubernetes: client.Kubernetes, answer: server.Reply) -> None:
    """No cluster-wide installation has let it be asked for, or none is there: it is alone, and so it is told, once."""
    told: list[str | None] = []
    api.script.extend([answer] * 1000)
    async with _looking(kubernetes, told) as alone:
        await alone.wait()
    assert api.seen[0].path == PATH
    assert told == [None]


async def test_overlap_is_told_once_and_ends(
    api: server.FakeApiServer, kubernetes: client.Kubernetes, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is not alone says why, where the other is and what to do, and goes on when it is alone again."""
    caplog.set_level(logging.INFO)
    told: list[str | None] = []
    api.script.extend([THERE, THERE, server.refusal(500), *[NONE] * 1000])
    async with _looking(kubernetes, told) as alone:
        assert "another installation (ops/uploads) serves all namespaces" in await alone.end()
        await alone.wait()
    overlap, end = told
    assert end is None
    assert overlap is not None
    assert "(shop, web)" in overlap
    assert "Uninstall one of the two" in overlap
    said = [getattr(record, "event", None) for record in caplog.records]
    assert [event for event in said if event] == ["Overlap", "Alone"]


async def test_unknown_is_not_alone(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """While the API server doesn't answer, nothing is begun."""
    api.script.extend([server.refusal(503), server.refusal(503), THERE, *[NONE] * 1000])
    async with _looking(kubernetes, []) as alone:
        await alone.wait()
    assert len(api.seen) >= 4


async def test_cluster_wide_one_does_not_ask(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """The cluster-wide installation is the one that the others give way to."""
    alone = installations.Alone(kubernetes, scope=scope.Scope("ops"), period=0.001, on_change=[])
    await alone.run()
    await alone.wait()
    assert api.seen == []
