"""What the process lists for itself, and how little of it when most is known."""

import logging

import pytest

from scm_operator import listing
from scm_operator.domain import upload
from scm_operator.kube import client, scope
from scm_operator.reconcile import triggers
from tests.support import fake_cluster
from tests.unit.kube import server
from tests.unit.reconcile import world as worlds

ROOT = "/apis/scm.certops.dev/v1alpha1"
UPLOADS, SHOP = f"{ROOT}/certificaterequestuploads", f"{ROOT}/namespaces/shop"
NOTHING = server.Reply(200, {"metadata": {"resourceVersion": "9"}, "items": None})


@pytest.fixture
def known(kubernetes: client.Kubernetes) -> listing.Listing:
    """Return the lists of a process that knows uploads ``web`` and ``api``, both in version 5."""
    uploads = worlds.upload_cache()
    told = triggers.Triggers(
        uploads=uploads,
        accounts=worlds.account_cache(),
        upload_queue=worlds.FakeQueue(),
        account_queue=worlds.FakeQueue(),
    )
    made = listing.Listing(kubernetes, scope=scope.Scope("ops"), triggers=told, known=uploads)
    for name in ("web", "api"):
        told.upload_seen(upload.parse_upload(_body(name, version=5)))
    return made


def _body(name: str, *, version: int) -> server.Body:
    return fake_cluster.as_stored(fake_cluster.upload_body(name), uid=f"uid-{name}", version=version)


def _versions(**versions: int) -> server.Reply:
    items = [
        {"metadata": {"namespace": "shop", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}}
        for name, version in versions.items()
    ]
    return server.Reply(200, {"metadata": {"resourceVersion": "9"}, "items": items})


def _names(known: listing.Listing) -> dict[str, str]:
    return {each.key.name: each.resource_version for each in known.known}


async def test_catching_up_reads_only_what_is_newer(api: server.FakeApiServer, known: listing.Listing) -> None:
    """Versions are listed, without anything else, and only a resource that is newer than known is read."""
    api.script.extend([_versions(web=5, api=7), NOTHING, NOTHING, server.Reply(200, _body("api", version=7))])
    await known.catch_up()
    assert _names(known) == {"web": "5", "api": "7"}
    assert [request.path for request in api.seen] == [
        UPLOADS,
        f"{ROOT}/scmaccounts",
        f"{ROOT}/clusterscmaccounts",
        f"{SHOP}/certificaterequestuploads/api",
    ]
    assert "PartialObjectMetadataList" in api.seen[0].headers["Accept"]


async def test_catching_up_sees_what_is_gone(api: server.FakeApiServer, known: listing.Listing) -> None:
    """What is not listed any more is gone; what has gone between the list and the reading is left to the watch."""
    api.script.extend([_versions(api=7), NOTHING, NOTHING, server.refusal(404)])
    await known.catch_up()
    assert _names(known) == {"api": "5"}


async def test_catching_up_with_much_lists_everything(api: server.FakeApiServer, known: listing.Listing) -> None:
    """Where many are newer they are listed rather than read one by one."""
    new = [f"new-{number}" for number in range(101)]
    page = server.Reply(200, {"metadata": {"resourceVersion": "9"}, "items": [_body(name, version=7) for name in new]})
    api.script.extend([_versions(**dict.fromkeys(new, 7)), NOTHING, NOTHING, page])
    await known.catch_up()
    assert _names(known) == dict.fromkeys(new, "7")
    assert len(api.seen) == 4


async def test_resource_that_cannot_be_parsed_is_said(
    api: server.FakeApiServer, known: listing.Listing, caplog: pytest.LogCaptureFixture
) -> None:
    """A resource that makes no sense is logged, and the others are taken in."""
    caplog.set_level(logging.ERROR)
    broken = _body("web", version=7)
    broken["spec"]["csrSecretRef"] = {}
    api.script.extend([_versions(web=7, api=5), NOTHING, NOTHING, server.Reply(200, broken)])
    await known.catch_up()
    assert _names(known) == {"web": "5", "api": "5"}
    assert "certificaterequestuploads shop/web: spec.csrSecretRef" in caplog.text


async def test_accounts_that_are_not_served_are_not_listed(
    api: server.FakeApiServer, known: listing.Listing, kubernetes: client.Kubernetes
) -> None:
    """An installation for some namespaces lists these, and of the cluster nothing."""
    some = scope.Scope("ops", ("shop",), cluster_accounts=False)
    api.script.extend([NOTHING, NOTHING])
    await listing.Listing(kubernetes, scope=some, triggers=known.triggers, known=known.known).list_all()
    assert [request.path for request in api.seen] == [f"{SHOP}/scmaccounts", f"{SHOP}/certificaterequestuploads"]
