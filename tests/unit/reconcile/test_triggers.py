"""Which event queues which keys, in which lane."""

import copy
import dataclasses
from typing import Any

import pytest

from scm_operator.domain import account as accounts
from scm_operator.domain import upload
from scm_operator.reconcile import queue, triggers
from tests.support import fake_cluster
from tests.unit.reconcile import world as worlds

FRESH, RETRY = queue.Lane.FRESH, queue.Lane.RETRY
API = upload.UploadKey("shop", "api")
SECOND = accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "second")
READY = {
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Uploaded",
            "message": "",
            "lastTransitionTime": "2026-01-02T12:00:00Z",
        }
    ]
}


class _Desk:
    """Triggers over empty caches and queues that only note."""

    def __init__(self) -> None:
        self.uploads = worlds.upload_cache()
        self.accounts = worlds.account_cache()
        self.upload_queue: worlds.FakeQueue[upload.UploadKey] = worlds.FakeQueue()
        self.account_queue: worlds.FakeQueue[accounts.AccountKey] = worlds.FakeQueue()
        self.told = triggers.Triggers(
            uploads=self.uploads,
            accounts=self.accounts,
            upload_queue=self.upload_queue,
            account_queue=self.account_queue,
        )

    @property
    def woken(self) -> tuple[list[tuple[upload.UploadKey, queue.Lane]], list[tuple[accounts.AccountKey, queue.Lane]]]:
        """Return what was queued since the last time."""
        added = (list(self.upload_queue.added), list(self.account_queue.added))
        self.upload_queue.added.clear()
        self.account_queue.added.clear()
        return added


def _upload(
    name: str = "web",
    *,
    uid: str = "uid-1",
    version: int = 1,
    status: dict[str, object] | None = None,
    spec: dict[str, object] | None = None,
) -> upload.Upload:
    body = fake_cluster.as_stored(fake_cluster.upload_body(name, spec=spec), uid=uid, version=version)
    return upload.parse_upload(body | {"status": copy.deepcopy(status)})


def _account(
    name: str = "default", *, namespace: str = "shop", uid: str = "uid-1", version: int = 1, generation: int = 1
) -> accounts.Account:
    body = fake_cluster.account_body(name, namespace=namespace)
    return accounts.parse_account(fake_cluster.as_stored(body, uid=uid, version=version, generation=generation))


@pytest.fixture
def desk() -> _Desk:
    """Return triggers that have seen nothing."""
    return _Desk()


def test_new_or_changed_upload_is_queued_and_an_echo_is_not(desk: _Desk) -> None:
    """An upload is queued when it appears; what is known already, and an own status write that comes back, is not."""
    desk.told.upload_seen(_upload())
    assert desk.woken == ([(worlds.WEB, FRESH)], [])
    desk.told.upload_seen(_upload())
    assert desk.woken == ([], [])
    desk.told.upload_seen(_upload(version=2))
    assert desk.woken == ([], [])


@pytest.mark.parametrize(
    "change",
    [{"generation": 2}, {"deleting": True}, {"reconcile_requested_at": "now"}, {"uid": "another"}],
    ids=["spec", "deletion", "request", "namesake"],
)
def test_upload_that_somebody_changed_is_queued(desk: _Desk, change: dict[str, Any]) -> None:
    """What others than the operator change about an upload queues it."""
    desk.told.upload_seen(_upload())
    assert desk.woken
    desk.told.upload_seen(dataclasses.replace(_upload(), resource_version="2", **change))
    assert desk.woken == ([(worlds.WEB, FRESH)], [])


def test_late_write_of_its_own_is_queued(desk: _Desk) -> None:
    """A status write whose answer was lost, and which nobody has reckoned with any more, queues its upload."""
    desk.told.upload_seen(_upload())
    assert desk.woken
    desk.told.unsure = {worlds.WEB}
    desk.told.upload_seen(_upload(version=2))
    assert desk.woken == ([], [])
    desk.told.upload_seen(_upload(version=3, status=dict(READY)))
    assert desk.woken == ([(worlds.WEB, FRESH)], [])


def test_late_write_of_a_former_leader_is_queued(desk: _Desk) -> None:
    """A status of an earlier term that comes while this process leads queues its upload; an own one doesn't."""
    desk.told.upload_seen(_upload())
    assert desk.woken
    desk.told.term = lambda: 3
    desk.told.upload_seen(_upload(version=2, status=READY | {"term": 3}))
    assert desk.woken == ([], [])
    desk.told.upload_seen(_upload(version=3, status={"term": 2}))
    assert desk.woken == ([(worlds.WEB, FRESH)], [])


def test_deleted_upload_is_queued(desk: _Desk) -> None:
    """A deletion is queued, so that what is remembered is let go; a deletion of an old uid is not."""
    desk.told.upload_seen(_upload(uid="uid-2"))
    assert desk.woken
    desk.told.upload_gone(worlds.WEB, uid="uid-1")
    assert desk.woken == ([], [])
    desk.told.upload_gone(worlds.WEB, uid="uid-2")
    assert desk.woken == ([(worlds.WEB, FRESH)], [])
    assert desk.uploads.get(worlds.WEB) is None


async def test_what_is_gone_does_not_pile_up_on_a_standby() -> None:
    """Where nobody works yet, what comes and goes leaves no key behind; what is there waits for the day of the lead."""
    uploads: queue.WorkQueue[upload.UploadKey] = queue.WorkQueue(workers=1, backoff=queue.Backoff())
    kinds: queue.WorkQueue[accounts.AccountKey] = queue.WorkQueue(workers=1, backoff=queue.Backoff())
    told = triggers.Triggers(
        uploads=worlds.upload_cache(), accounts=worlds.account_cache(), upload_queue=uploads, account_queue=kinds
    )
    told.leads = lambda: False
    told.upload_seen(_upload("stays"))
    for number in range(3):
        told.upload_seen(_upload(f"web-{number}"))
        told.upload_gone(upload.UploadKey("shop", f"web-{number}"), uid="uid-1")
        told.account_seen(_account(f"team-{number}"))
        told.account_gone(accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", f"team-{number}"), uid="uid-1")
    assert (len(uploads), len(kinds)) == (1, 0)


def test_list_tells_what_is_new_and_what_is_gone(desk: _Desk) -> None:
    """A complete list queues what is newer than known, and drops what it would have to hold and doesn't."""
    for name, version in (("web", 1), ("api", 2), ("later", 9)):
        desk.told.upload_seen(_upload(name, version=version))
    assert desk.woken
    listed = [_upload(version=1), _upload("new", version=4)]
    desk.told.uploads_listed(listed, names={("shop", "web"), ("shop", "new")}, resource_version="5")
    assert desk.woken == ([(upload.UploadKey("shop", "new"), FRESH), (API, FRESH)], [])
    assert sorted(known.key.name for known in desk.uploads) == ["later", "new", "web"]


def test_listed_resource_that_can_not_be_parsed_is_not_deleted(desk: _Desk) -> None:
    """A resource of which a list shows only the name stays known as it was, and nothing is let go."""
    desk.told.upload_seen(_upload())
    assert desk.woken
    desk.told.uploads_listed([], names={("shop", "web")}, resource_version="5")
    assert desk.woken == ([], [])
    assert desk.uploads.get(worlds.WEB) is not None


def test_list_of_one_kind_of_account_drops_none_of_the_other(desk: _Desk) -> None:
    """A list of ScmAccounts says nothing of ClusterScmAccounts."""
    desk.told.account_seen(_account())
    desk.told.account_seen(_account(namespace=""))
    assert desk.woken
    desk.told.accounts_listed([], kind=accounts.AccountKind.NAMESPACED, names=(), resource_version="5")
    assert desk.woken == ([], [(worlds.DEFAULT, FRESH)])
    assert [known.key for known in desk.accounts] == [worlds.CLUSTER_DEFAULT]


def test_account_wakes_the_uploads_that_may_be_its_own(desk: _Desk) -> None:
    """An account that appears, changes its spec, is re-created or goes wakes whoever names it or may default to it."""
    desk.told.upload_seen(_upload())
    desk.told.upload_seen(_upload("api", spec={"accountRef": {"name": "second"}}))
    assert desk.woken
    default, second = [(worlds.WEB, FRESH)], [(API, FRESH)]
    desk.told.account_seen(_account())
    assert desk.woken == (default, [(worlds.DEFAULT, FRESH)])
    desk.told.account_seen(_account("second"))
    assert desk.woken == (second, [(SECOND, FRESH)])
    desk.told.account_seen(_account(namespace=""))
    assert desk.woken == (default, [(worlds.CLUSTER_DEFAULT, FRESH)])
    desk.told.account_seen(_account(version=2, generation=2))
    assert desk.woken == (default, [(worlds.DEFAULT, FRESH)])
    desk.told.account_seen(_account(version=3, generation=2, uid="uid-2"))
    assert desk.woken == (default, [(worlds.DEFAULT, FRESH)])
    desk.told.account_gone(worlds.DEFAULT, uid="uid-1")
    assert desk.woken == ([], [])
    desk.told.account_gone(worlds.DEFAULT, uid="uid-2")
    assert desk.woken == (default, [(worlds.DEFAULT, FRESH)])


def test_status_of_an_account_wakes_no_upload(desk: _Desk) -> None:
    """A new version of an account with the same generation is looked at, and wakes none of its uploads."""
    desk.told.upload_seen(_upload())
    desk.told.account_seen(_account())
    assert desk.woken
    desk.told.account_seen(_account(version=2))
    assert desk.woken == ([], [(worlds.DEFAULT, FRESH)])
    desk.told.account_seen(_account(version=2))
    assert desk.woken == ([], [])


@pytest.mark.parametrize(
    ("status", "lane"),
    [
        (None, FRESH),
        (READY, FRESH),
        (READY | {"observedGeneration": 1}, RETRY),
        ({"conditions": [READY["conditions"][0] | {"status": "False"}], "observedGeneration": 1}, FRESH),
    ],
    ids=["new", "changed while nobody looked", "done", "not Ready"],
)
def test_what_is_done_when_it_is_first_seen_lets_others_go_first(
    desk: _Desk, status: dict[str, object] | None, lane: queue.Lane
) -> None:
    """A process that starts among many that are done comes to what is new or changed first."""
    desk.told.upload_seen(_upload(status=status))
    assert desk.woken == ([(worlds.WEB, lane)], [])


@pytest.mark.parametrize(
    ("status", "lane"),
    [
        (None, FRESH),
        (READY, RETRY),
        ({"conditions": [READY["conditions"][0] | {"status": "False"}]}, FRESH),
    ],
    ids=["new", "Ready", "not Ready"],
)
def test_uploads_that_are_ready_let_others_go_first(
    desk: _Desk, status: dict[str, object] | None, lane: queue.Lane
) -> None:
    """When an account changes, its uploads that are Ready already wait in the later lane."""
    desk.told.upload_seen(_upload(status=status))
    assert desk.woken
    desk.told.account_changed(worlds.DEFAULT)
    assert desk.woken == ([(worlds.WEB, lane)], [])


def test_verdict_on_an_account_wakes_the_account_alone(desk: _Desk) -> None:
    """A refused call is for the account's status to say, a little later: calls fail and succeed in turn."""
    desk.told.upload_seen(_upload())
    assert desk.woken
    desk.told.account_verdict(worlds.DEFAULT)
    assert desk.woken == ([], [])
    assert (desk.upload_queue.added_later, desk.account_queue.added_later) == ([], [worlds.DEFAULT])


def test_secret_wakes_who_names_it(desk: _Desk) -> None:
    """A Secret wakes the uploads and accounts that name it, in its namespace alone."""
    desk.told.upload_seen(_upload())
    desk.told.upload_seen(_upload("api", spec={"privateKeySecretRef": {"name": "web-csr"}}))
    desk.told.account_seen(_account())
    desk.told.account_seen(_account(namespace=""))
    assert desk.woken
    desk.told.secret_changed(accounts.SecretName("shop", "web-csr"))
    uploads, no_accounts = desk.woken
    assert (sorted(uploads), no_accounts) == ([(API, FRESH), (worlds.WEB, FRESH)], [])
    desk.told.secret_changed(accounts.SecretName("shop", "scm-token"))
    assert desk.woken == ([], [(worlds.DEFAULT, FRESH)])
    desk.told.secret_changed(accounts.SecretName(worlds.OPERATOR_NAMESPACE, "scm-token"))
    assert desk.woken == ([], [(worlds.CLUSTER_DEFAULT, FRESH)])
    desk.told.secret_changed(accounts.SecretName("elsewhere", "web-csr"))
    assert desk.woken == ([], [])


def test_secret_counts_as_named_while_somebody_names_it(desk: _Desk) -> None:
    """A Secret is named by uploads and accounts that are there, and by none that is gone."""
    csr_secret, credential = accounts.SecretName("shop", "web-csr"), accounts.SecretName("shop", "scm-token")
    assert not desk.told.is_named(csr_secret)
    desk.told.upload_seen(_upload())
    desk.told.account_seen(_account())
    assert desk.told.is_named(csr_secret)
    assert desk.told.is_named(credential)
    desk.told.upload_gone(worlds.WEB, uid="uid-1")
    desk.told.account_gone(worlds.DEFAULT, uid="uid-1")
    assert not desk.told.is_named(csr_secret)
    assert not desk.told.is_named(credential)
