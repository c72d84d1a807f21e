"""One upload from its Secret to an id in its status, and what holds whatever fails on the way."""

import logging
from collections.abc import Callable

import pytest

from scm_operator.domain import account, attempt, csr, errors
from scm_operator.domain.entry import Entry
from scm_operator.reconcile import queue
from tests.support import fake_cluster, fake_scm, fakes
from tests.unit.reconcile import world as worlds

World = worlds.World


async def test_upload_is_journaled_then_sent_then_recorded_then_concluded(world: World) -> None:
    """The attempt stands in the journal before the POST, and leaves it after the id is in the status."""
    assert await world.reconcile() is None
    assert world.log == ["prepare", "journal web", "post web", "write Uploaded", "conclude web"]
    assert world.scm_id() in world.scm.entries
    assert not world.journal.attempts()


async def test_record_tells_what_was_sent_where(world: World) -> None:
    """The record holds the entry's id, name and time, the account, its tenant and the content's hash."""
    await world.reconcile()
    record = world.status().record
    assert record is not None
    posted = world.scm.posts[0]
    assert (record.scm_name, record.content_hash, record.tenant) == (posted.name, posted.content_hash, posted.tenant)
    assert (record.account, record.origin, record.create_time) == (
        worlds.DEFAULT,
        "Uploaded",
        "2026-01-02T12:00:00Z",
    )
    assert record.csr is not None
    assert record.csr.common_name == "host-0.example.com"


async def test_attempt_names_the_resource_and_what_is_sent(world: World) -> None:
    """An attempt in the journal holds uid, key, name, tenant, content hash and time."""
    seen: list[attempt.Attempt] = []
    world.journal.after_add = lambda: seen.extend(world.journal.lease.values())
    await world.reconcile()
    (made,) = seen
    known, posted = world.cluster.upload_of(worlds.WEB), world.scm.posts[0]
    assert (made.uid, made.key) == (known.uid, known.key)
    assert (made.scm_name, made.content_hash, made.tenant) == (
        posted.name,
        posted.content_hash,
        posted.tenant,
    )
    assert made.at == "2026-01-02T12:00:00Z"


async def test_each_attempt_has_an_id_of_its_own(world: World) -> None:
    """Two attempts never share an id."""
    ids: set[str] = set()
    world.journal.after_add = lambda: ids.update(world.journal.lease)
    await world.reconcile()
    await world.reconcile(world.add_upload("api"))
    assert len(ids) == 2


async def test_refused_journal_sends_nothing(world: World) -> None:
    """An attempt that could not be journaled is never sent, and tried again later."""
    world.journal.refusals.append(errors.ApiServerError("journal: 503", retry_after=3.0))
    assert await world.reconcile() == queue.Retry(at_least=3.0)
    assert not world.scm.posts
    await world.settle()
    assert len(world.scm.posts) == 1


@pytest.mark.parametrize("times", [1, 2, 7], ids=["once", "twice", "often"])
async def test_id_survives_failed_status_writes(world: World, times: int) -> None:
    """However often the status write fails, the id is kept, and written once it works, without a second POST."""
    world.cluster.faults.extend([fake_cluster.Fault.REFUSED] * times)
    for _ in range(times):
        assert await world.reconcile() == queue.Retry(at_least=7.0)
        assert world.upload_reconciler.unwritten == (worlds.WEB,)
    assert await world.reconcile() is None
    assert len(world.scm.posts) == 1
    assert world.scm_id() in world.scm.entries
    assert not world.journal.attempts()
    assert not world.upload_reconciler.unwritten


async def test_lost_answer_to_the_status_write_is_no_reason_to_send_again(world: World) -> None:
    """A status write whose answer is lost is found written; the attempt is concluded and nothing is sent again."""
    world.cluster.faults.append(fake_cluster.Fault.LOST)
    assert await world.reconcile() is not None
    assert world.journal.attempts()
    await world.settle()
    assert world.log.count("post web") == 1
    assert world.log.count("write Uploaded") == 1
    assert not world.journal.attempts()


@pytest.mark.parametrize("times", [1, 3], ids=["once", "thrice"])
async def test_conflict_reads_live_and_plans_again(world: World, times: int) -> None:
    """A conflict is no error: the resource is read past the watch and the id written upon what stands there."""
    world.cluster.faults.extend([fake_cluster.Fault.CONFLICT] * times)
    assert await world.reconcile() is None
    assert world.log == [
        "prepare",
        "journal web",
        "post web",
        *["read shop/web"] * times,
        "write Uploaded",
        "conclude web",
    ]


async def test_id_is_written_upon_a_spec_that_changed_meanwhile(world: World) -> None:
    """A spec that changes while the POST is out doesn't lose the id; then the new spec is brought about."""

    async def rename_meanwhile(content: csr.Content, name: str) -> Entry:
        world.cluster.change(worlds.WEB, {"name": "other"})
        world.watch()
        return world.scm.store(fake_scm.Posted(name, content.hash, world.scm.posts[-1].tenant))

    world.scm.say(rename_meanwhile)
    await world.settle()
    assert len(world.scm.posts) == 1
    scm_id = world.scm_id()
    assert scm_id is not None
    assert world.scm.entries[scm_id].name == "other"


@pytest.mark.parametrize("shown", ["during the POST", "after the write"])
async def test_deletion_before_the_record_is_told_with_the_id(
    world: World, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A resource deleted between POST and status write leaves a warning with the id, and no attempt."""

    async def delete_meanwhile(content: csr.Content, name: str) -> Entry:
        del world.cluster.bodies[worlds.WEB]
        if shown == "during the POST":
            world.watch()
        return world.scm.store(fake_scm.Posted(name, content.hash, world.scm.posts[-1].tenant))

    world.scm.say(delete_meanwhile)
    await world.reconcile()
    world.watch()
    await world.reconcile()
    (scm_id,) = world.scm.entries
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [(record.__dict__["event"], scm_id in record.getMessage()) for record in warnings] == [("Orphaned", True)]
    assert not world.journal.attempts()
    assert not world.upload_reconciler.unwritten


async def test_namesake_never_inherits_an_id(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A resource re-created under the same name gets a POST and an id of its own; the first one's is orphaned."""
    world.cluster.faults.append(fake_cluster.Fault.RECREATED)
    await world.reconcile()
    assert world.scm_id() is None
    world.watch()
    await world.settle()
    orphan, own = world.scm.entries
    assert world.scm_id() == own
    assert f"{orphan}" in caplog.text
    assert not world.journal.attempts()


async def test_namesake_never_inherits_an_unknown_outcome(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A POST of unknown outcome counts for its uid only; a namesake is uploaded, and the old one told once settled."""
    world.scm.say(errors.OutcomeUnknown("connection reset."))
    world.cluster.faults.append(fake_cluster.Fault.RECREATED)
    await world.reconcile()
    world.watch()
    await world.settle()
    assert world.reason() == "Uploaded"
    assert not world.events.orphans
    assert len(world.journal.attempts()) == 1
    world.clock.advance(worlds.CALL + worlds.SETTLE)
    await world.settle()
    (orphan,) = world.events.orphans
    assert "connection reset" in orphan.message
    assert not world.journal.attempts()
    assert "Orphaned" in [record.__dict__.get("event") for record in caplog.records]


async def test_resource_that_is_unknown_needs_nothing() -> None:
    """A key without a resource is done at once."""
    assert await World().reconcile() is None


async def test_resource_being_deleted_sends_nothing(world: World) -> None:
    """While a resource is being deleted nothing is begun for it."""
    world.cluster.bodies[worlds.WEB]["metadata"]["deletionTimestamp"] = "2026-01-02T12:00:00Z"
    world.cluster.change(worlds.WEB)
    world.watch()
    assert await world.reconcile() is None
    assert not world.scm.posts


def _suspend(world: World) -> None:
    world.cluster.change(worlds.WEB, {"suspend": True})


def _other_name(world: World) -> None:
    world.cluster.change(worlds.WEB, {"name": "other"})


def _other_tenant(world: World) -> None:
    world.cluster.change(worlds.DEFAULT, {"endpoint": "https://elsewhere.example.com"})


def _no_account(world: World) -> None:
    del world.cluster.bodies[worlds.DEFAULT]


@pytest.mark.parametrize(
    ("change", "posts"),
    [(_suspend, []), (_other_name, ["other"]), (_other_tenant, ["web"]), (_no_account, [])],
    ids=["suspended", "renamed", "other tenant", "account deleted"],
)
async def test_attempt_that_is_no_longer_wanted_is_concluded_unsent(
    world: World, change: Callable[[World], None], posts: list[str]
) -> None:
    """What changes between journal and POST is noticed: that attempt is never sent, and all is planned again."""

    def meanwhile() -> None:
        world.journal.after_add = lambda: None
        change(world)
        world.watch()

    world.journal.after_add = meanwhile
    await world.settle()
    assert [entry for entry in world.log if entry not in {"close", "prepare"}][:2] == ["journal web", "conclude web"]
    assert [posted.name for posted in world.scm.posts] == posts
    tenants = {posted.tenant for posted in world.scm.posts}
    assert tenants <= {world.cluster.account_of(worlds.DEFAULT).tenant} if posts else not tenants
    assert not world.journal.attempts()


async def test_api_server_that_is_away_is_a_retry_without_alarm(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """An API server that can't be reached is a retry and one warning, whatever step it hits."""
    world.cluster.unreachable = True
    assert await world.reconcile() == queue.Retry()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    world.cluster.unreachable = False
    await world.settle()
    assert len(world.scm.posts) == 1


async def test_settled_upload_costs_nothing(world: World) -> None:
    """An upload that is reported and unchanged is neither read nor sent nor written again."""
    await world.settle()
    world.log.clear()
    world.secrets.reads.clear()
    assert await world.reconcile() is None
    assert (world.log, world.secrets.reads) == ([], [])


async def test_new_content_is_a_new_entry(world: World) -> None:
    """Another CSR in the Secret is uploaded anew, and the Event names the entry that it replaces."""
    await world.settle()
    world.secrets.put("web-csr", {"tls.csr": fakes.csr_pem(1)})
    await world.settle()
    first, second = world.scm.entries
    assert world.scm_id() == second
    assert f"It replaces {first}" in world.events[-1].message


async def test_same_content_again_is_not_sent(world: World) -> None:
    """A Secret that is written again with the same CSR causes no POST; its version is noted."""
    await world.settle()
    world.secrets.put("web-csr", {"tls.csr": fakes.csr_pem(0)})
    await world.settle()
    assert len(world.scm.posts) == 1
    shown = world.secrets.seen(account.SecretName("shop", "web-csr"))
    assert world.status().observed_secrets == (shown,)


async def test_secret_deleted_after_success_takes_nothing_back(world: World) -> None:
    """An uploaded resource stays Ready when its Secret is deleted, also when the spec is touched then."""
    await world.settle()
    world.secrets.delete("web-csr")
    world.cluster.change(worlds.WEB, {"suspend": False})
    world.watch()
    await world.settle()
    assert world.reason() == "Uploaded"
    assert world.status().observed_generation == 2


async def test_id_is_written_although_the_secret_may_not_be_read_any_more(world: World) -> None:
    """An id in memory is written as the current one also when what is wanted by now can't be known."""
    world.cluster.faults.append(fake_cluster.Fault.REFUSED)
    await world.reconcile()
    world.put_csr(1)
    world.secrets.forbidden.add(account.SecretName("shop", "web-csr"))
    await world.reconcile()
    assert world.scm_id() in world.scm.entries
    assert not world.upload_reconciler.unwritten
