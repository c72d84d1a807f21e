"""Status writes: one JSON patch with uid and resourceVersion as preconditions."""

import copy

import pytest

from scm_operator.domain import account, conditions, errors, reasons, report, upload
from scm_operator.kube import client, status
from tests.support import fake_cluster, fakes
from tests.unit.kube import server

BODY = fake_cluster.as_stored(fake_cluster.upload_body(), uid="uid-7", version=41)
ABOUT = upload.parse_upload(BODY)
VERDICT = conditions.Verdict(reasons.Reason.THROTTLED, "429.")
STATUS = report.reported(ABOUT, VERDICT, secrets=None, now=fakes.FakeClock().now())
GROUP = "/apis/scm.certops.dev/v1alpha1"


async def test_upload_is_patched_with_its_preconditions(
    api: server.FakeApiServer, kubernetes: client.Kubernetes
) -> None:
    """The patch tests the uid, replaces the version that was planned upon, and puts the whole status."""
    written = copy.deepcopy(BODY) | {"status": STATUS.to_json()}
    written["metadata"]["resourceVersion"] = "42"
    api.script.append(server.Reply(200, written))
    answer = await status.StatusWriter(kubernetes).write_upload(ABOUT, STATUS)
    (request,) = api.seen
    assert (request.method, request.path) == (
        "PATCH",
        f"{GROUP}/namespaces/shop/certificaterequestuploads/web/status",
    )
    assert request.headers["Content-Type"] == "application/json-patch+json"
    assert request.body == [
        {"op": "test", "path": "/metadata/uid", "value": "uid-7"},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "41"},
        {"op": "add", "path": "/status", "value": STATUS.to_json()},
    ]
    assert (answer.resource_version, answer.status) == ("42", STATUS)


@pytest.mark.parametrize(
    ("namespace", "path"),
    [
        ("shop", f"{GROUP}/namespaces/shop/scmaccounts/default/status"),
        ("", f"{GROUP}/clusterscmaccounts/default/status"),
    ],
    ids=["ScmAccount", "ClusterScmAccount"],
)
async def test_account_is_patched_with_its_preconditions(
    api: server.FakeApiServer, kubernetes: client.Kubernetes, namespace: str, path: str
) -> None:
    """An account of either kind is patched where it stands, with the same preconditions."""
    body = fake_cluster.as_stored(fake_cluster.account_body(namespace=namespace), uid="uid-7", version=41)
    about = account.parse_account(body)
    wanted = conditions.conditions_for(VERDICT, previous=(), generation=1, now=fakes.FakeClock().now())
    api.script.append(server.Reply(200, body))
    reported_status = account.AccountStatus(1, wanted, "monday")
    answer = await status.StatusWriter(kubernetes).write_account(about, reported_status)
    (request,) = api.seen
    assert (request.method, request.path, answer) == ("PATCH", path, about)
    assert [operation["op"] for operation in request.body] == ["test", "replace", "add"]
    assert [operation["value"] for operation in request.body[:2]] == ["uid-7", "41"]
    assert request.body[2]["value"] == {
        "observedGeneration": 1,
        "conditions": [condition.to_json() for condition in wanted],
        "lastHandledReconcileAt": "monday",
    }


@pytest.mark.parametrize("finalizers", [(), ("other/one", upload.FINALIZER)], ids=["none left", "two"])
async def test_finalizers_are_patched_with_their_preconditions(
    api: server.FakeApiServer, kubernetes: client.Kubernetes, finalizers: tuple[str, ...]
) -> None:
    """The patch of the resource itself puts all finalizers, of which there may be none before and none after."""
    written = copy.deepcopy(BODY)
    written["metadata"] |= {"finalizers": list(finalizers), "resourceVersion": "42"}
    api.script.append(server.Reply(200, written))
    answer = await status.StatusWriter(kubernetes).write_finalizers(ABOUT, finalizers)
    (request,) = api.seen
    assert (request.method, request.path) == ("PATCH", f"{GROUP}/namespaces/shop/certificaterequestuploads/web")
    assert request.body == [
        {"op": "test", "path": "/metadata/uid", "value": "uid-7"},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "41"},
        {"op": "add", "path": "/metadata/finalizers", "value": list(finalizers)},
    ]
    assert (answer.finalizers, answer.resource_version) == (finalizers, "42")


async def test_finalizers_of_what_is_gone(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """A resource that is gone has no finalizers to write."""
    api.script.append(server.refusal(404))
    with pytest.raises(errors.Gone, match="write the finalizers of shop/web: 404"):
        await status.StatusWriter(kubernetes).write_finalizers(ABOUT, ())


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (server.refusal(409), errors.Conflict),
        (server.refusal(404), errors.Gone),
        (server.refusal(422), errors.Gone),
        (server.refusal(422, causes=[{"reason": "FieldValueInvalid"}]), client.Refused),
    ],
    ids=["version", "deleted", "uid", "schema"],
)
async def test_refused_preconditions_are_told_apart(
    api: server.FakeApiServer, kubernetes: client.Kubernetes, reply: server.Reply, expected: type[Exception]
) -> None:
    """Another version is a conflict, another uid is as good as deleted, and a status that breaks the schema neither."""
    api.script.append(reply)
    with pytest.raises(expected, match="write the status of shop/web: 4"):
        await status.StatusWriter(kubernetes).write_upload(ABOUT, STATUS)
