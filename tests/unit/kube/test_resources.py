"""The operator's own kinds: listed completely, read one by one."""

import logging

import pytest

from scm_operator import kube
from scm_operator.domain import errors, upload
from scm_operator.kube import client, paths, resources
from tests.support import fake_cluster
from tests.unit.kube import server

PATH = "/apis/scm.certops.dev/v1alpha1/certificaterequestuploads"


def _page(*bodies: server.Body, version: int = 10, following: str = "") -> server.Reply:
    metadata = {"resourceVersion": str(version)} | ({"continue": following} if following else {})
    return server.Reply(200, {"metadata": metadata, "items": list(bodies)})


def _body(name: str) -> server.Body:
    return fake_cluster.as_stored(fake_cluster.upload_body(name))


async def test_all_pages_are_listed(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """A list follows its pages, over all namespaces, and tells the version that it is of."""
    api.script.extend([_page(_body("web"), following="more"), _page(_body("api"), _body("pay"), version=10)])
    listed = await resources.list_all(kubernetes, (paths.kind(kube.UPLOADS),), parse=upload.parse_upload)
    assert [item.key.name for item in listed.items] == ["web", "api", "pay"]
    assert listed.resource_version == "10"
    assert [(request.path, request.query) for request in api.seen] == [
        (PATH, {"limit": "500"}),
        (PATH, {"limit": "500", "continue": "more"}),
    ]


async def test_empty_list(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """A list that is null is empty."""
    api.script.append(server.Reply(200, {"metadata": {"resourceVersion": "10"}, "items": None}))
    listed = await resources.list_all(kubernetes, (paths.kind(kube.UPLOADS),), parse=upload.parse_upload)
    assert listed == resources.Listing((), frozenset(), "10")


async def test_what_can_not_be_parsed_is_left_out_and_logged(
    api: server.FakeApiServer, kubernetes: client.Kubernetes, caplog: pytest.LogCaptureFixture
) -> None:
    """One resource that a loosened schema let through doesn't keep the others from being listed."""
    broken = _body("broken") | {"spec": {"csrSecretRef": "canary"}}
    api.script.append(_page(broken, _body("web")))
    listed = await resources.list_all(kubernetes, (paths.kind(kube.UPLOADS),), parse=upload.parse_upload)
    assert [item.key.name for item in listed.items] == ["web"]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "broken: spec.csrSecretRef: expected an object, found str" in record.getMessage()
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    ("status", "expected"), [(404, errors.Gone), (403, client.Refused)], ids=["not installed", "not permitted"]
)
async def test_kind_that_can_not_be_listed_is_found_out(
    api: server.FakeApiServer, kubernetes: client.Kubernetes, status: int, expected: type[Exception]
) -> None:
    """A missing CRD and a missing permission are told apart, by one small request."""
    api.script.extend([server.refusal(status)] * 2)
    with pytest.raises(expected):
        await resources.check_listable(kubernetes, paths.kind(kube.UPLOADS))
    assert api.seen[0].query == {"limit": "1"}
    with pytest.raises(expected):
        await resources.list_all(kubernetes, (paths.kind(kube.UPLOADS),), parse=upload.parse_upload)


async def test_one_is_read_live(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """An upload is read past the watch; one that doesn't exist is None."""
    api.script.extend([server.Reply(200, _body("web")), server.refusal(404)])
    reader = resources.UploadReader(kubernetes)
    key = upload.UploadKey("shop", "web")
    assert await reader.read_upload(key) == upload.parse_upload(_body("web"))
    assert await reader.read_upload(key) is None
    assert api.seen[0].path == "/apis/scm.certops.dev/v1alpha1/namespaces/shop/certificaterequestuploads/web"


async def test_read_that_fails_is_in_the_tree(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """A read that is refused is an ApiServerError that names the resource."""
    api.script.append(server.refusal(500))
    with pytest.raises(errors.ApiServerError, match="get CertificateRequestUpload shop/web: 500"):
        await resources.UploadReader(kubernetes).read_upload(upload.UploadKey("shop", "web"))
