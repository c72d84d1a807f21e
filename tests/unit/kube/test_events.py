"""Kubernetes Events: written behind, lost rather than late."""

import asyncio
import logging

import pytest

from scm_operator.domain import account, upload
from scm_operator.kube import client, events
from tests.support import fake_cluster, fakes
from tests.unit.kube import server

UPLOAD = upload.parse_upload(fake_cluster.as_stored(fake_cluster.upload_body(), uid="uid-7", version=41))
CREATED = server.Reply(201, {"kind": "Event", "metadata": {}})


def _sink(kubernetes: client.Kubernetes) -> events.EventSink:
    return events.EventSink(
        kubernetes, instance="pod-1", clock=fakes.FakeClock(), namespace="ops", lease="scm-csr-operator"
    )


def _account(namespace: str) -> account.Account:
    return account.parse_account(
        fake_cluster.as_stored(fake_cluster.account_body(namespace=namespace), uid="uid-8", version=42)
    )


def _named(name: str) -> upload.Upload:
    return upload.parse_upload(fake_cluster.as_stored(fake_cluster.upload_body(name)))


async def _write(
    api: server.FakeApiServer,
    kubernetes: client.Kubernetes,
    about: upload.Upload | account.Account = UPLOAD,
    *,
    message: str = "so it is.",
    warning: bool = False,
) -> server.Seen:
    sink = _sink(kubernetes)
    sink.publish(about, reason="Uploaded", message=message, warning=warning)
    api.script.append(CREATED)
    await sink.flush()
    return api.seen[-1]


async def test_event_has_what_the_api_asks_for(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """An Event of events.k8s.io/v1 says about what, by whom, why, and when to the microsecond."""
    request = await _write(api, kubernetes)
    assert (request.method, request.path) == ("POST", "/apis/events.k8s.io/v1/namespaces/shop/events")
    assert request.body == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": "web-", "namespace": "shop"},
        "eventTime": "2026-01-02T12:00:00.000000Z",
        "type": "Normal",
        "reason": "Uploaded",
        "note": "so it is.",
        "action": "Upload",
        "reportingController": "scm.certops.dev/scm-csr-operator",
        "reportingInstance": "pod-1",
        "regarding": {
            "apiVersion": "scm.certops.dev/v1alpha1",
            "kind": "CertificateRequestUpload",
            "namespace": "shop",
            "name": "web",
            "uid": "uid-7",
            "resourceVersion": "41",
        },
    }


@pytest.mark.parametrize(
    ("namespace", "kind", "where"),
    [("shop", "ScmAccount", "shop"), ("", "ClusterScmAccount", "default")],
    ids=["namespaced", "cluster-scoped"],
)
async def test_event_about_an_account(
    api: server.FakeApiServer, kubernetes: client.Kubernetes, namespace: str, kind: str, where: str
) -> None:
    """An Event about a cluster-scoped account goes to namespace default, and its reference names no namespace."""
    request = await _write(api, kubernetes, _account(namespace), warning=True)
    assert request.path == f"/apis/events.k8s.io/v1/namespaces/{where}/events"
    assert (request.body["type"], request.body["action"]) == ("Warning", "Connect")
    assert request.body["metadata"]["namespace"] == where
    assert request.body["regarding"]["kind"] == kind
    assert request.body["regarding"].get("namespace", "") == namespace


async def test_event_about_what_is_gone_stands_in_the_operators_namespace(
    api: server.FakeApiServer, kubernetes: client.Kubernetes
) -> None:
    """A Warning about an upload that is gone is about the operator's Lease; the upload is related, and in the note."""
    sink = _sink(kubernetes)
    sink.publish_orphan(UPLOAD.key, uid="uid-7", message="SCM has entry scs123 of it.")
    api.script.append(CREATED)
    await sink.flush()
    (request,) = api.seen
    assert request.path == "/apis/events.k8s.io/v1/namespaces/ops/events"
    assert request.body == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": "web-", "namespace": "ops"},
        "eventTime": "2026-01-02T12:00:00.000000Z",
        "type": "Warning",
        "reason": "Orphaned",
        "note": "shop/web: SCM has entry scs123 of it.",
        "action": "Upload",
        "reportingController": "scm.certops.dev/scm-csr-operator",
        "reportingInstance": "pod-1",
        "regarding": {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "namespace": "ops",
            "name": "scm-csr-operator",
        },
        "related": {
            "apiVersion": "scm.certops.dev/v1alpha1",
            "kind": "CertificateRequestUpload",
            "namespace": "shop",
            "name": "web",
            "uid": "uid-7",
        },
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web", "web-"),
        ("a.b", "a.b-"),
        ("x" * 253, "x" * 200 + "-"),
        ("x" * 199 + ".tail", "x" * 199 + "-"),
        ("x" * 198 + ".-tail", "x" * 198 + "-"),
    ],
    ids=["short", "dot", "long", "cut behind a dot", "cut behind dot and hyphen"],
)
async def test_generated_name_is_valid(
    api: server.FakeApiServer, kubernetes: client.Kubernetes, name: str, expected: str
) -> None:
    """Names are cut so that the generated one fits, and no label of it ends in a dot or begins with a hyphen."""
    request = await _write(api, kubernetes, _named(name))
    assert request.body["metadata"]["generateName"] == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("x" * 1024, "x" * 1024),
        ("x" * 1025, "x" * 1021 + "…"),
        ("x" * 9999, "x" * 1021 + "…"),
        ("证" * 400, "证" * 340 + "…"),
    ],
    ids=["fits", "a little long", "long", "three bytes each"],
)
async def test_note_is_cut_to_the_apis_limit(
    api: server.FakeApiServer, kubernetes: client.Kubernetes, message: str, expected: str
) -> None:
    """A note has at most 1,024 bytes: the API server refuses a longer one, whatever its characters."""
    request = await _write(api, kubernetes, message=message)
    assert request.body["note"] == expected
    assert len(expected.encode()) <= 1024


@pytest.mark.parametrize("behaviour", [server.refusal(403), server.refusal(500), server.cut], ids=["403", "500", "cut"])
async def test_failure_is_only_logged(
    api: server.FakeApiServer,
    kubernetes: client.Kubernetes,
    behaviour: server.Behaviour,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An Event that can't be written is lost without harm: one line of INFO, and the next one is written."""
    caplog.set_level(logging.INFO, logger="scm_operator")
    sink = _sink(kubernetes)
    for reason in ("First", "Second"):
        sink.publish(UPLOAD, reason=reason, message="m", warning=False)
    api.script.extend([behaviour, CREATED])
    await sink.flush()
    assert [request.body["reason"] for request in api.seen] == ["First", "Second"]
    assert [(record.levelname, "create an Event in shop" in record.getMessage()) for record in caplog.records] == [
        ("INFO", True)
    ]


async def test_events_are_written_in_order_while_it_runs(
    api: server.FakeApiServer, kubernetes: client.Kubernetes
) -> None:
    """While it runs, Events are written as they come, and publishing one waits for nothing."""
    sink = _sink(kubernetes)
    running = asyncio.create_task(sink.run())
    api.script.extend([CREATED] * 3)
    for number in range(3):
        sink.publish(UPLOAD, reason=f"R{number}", message="m", warning=False)
    assert not api.seen
    while len(api.seen) < 3:  # noqa: ASYNC110 - each look lets the loop go on
        await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert [request.body["reason"] for request in api.seen] == ["R0", "R1", "R2"]


class FakeConnection:
    """Takes Events without a network, and keeps their reasons."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    async def call_api(
        self, _method: str, _url: str, _headers: object, body: dict[str, str], **_: object
    ) -> "FakeConnection":
        """Take one."""
        self.reasons.append(body["reason"])
        return self

    @property
    def response(self) -> "FakeConnection":
        """Return the answer."""
        return self

    status = 201

    async def read(self) -> bytes:
        """Return the answer's body."""
        return b'{"metadata": {}}'


async def test_overflow_drops_the_oldest() -> None:
    """Of a burst beyond what can wait the newest Events are kept."""
    connection = FakeConnection()
    sink = _sink(server.over(connection))
    for number in range(10_003):
        sink.publish(UPLOAD, reason=f"{number}", message="m", warning=False)
    await sink.flush()
    assert (len(connection.reasons), connection.reasons[0], connection.reasons[-1]) == (10_000, "3", "10002")
