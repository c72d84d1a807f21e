"""What changes between two steps of one pass, and what must survive a failed write."""

from scm_operator.domain import account, csr, entry, errors, reasons
from scm_operator.reconcile import queue
from tests.support import fake_cluster, fake_scm, fakes, pem
from tests.unit.reconcile import world as worlds


async def test_secret_changed_between_journal_and_post_is_read_again(world: worlds.World) -> None:
    """A Secret that changes after the attempt was journaled is read again, and only its new content is sent."""

    def meanwhile() -> None:
        world.journal.after_add = lambda: None
        world.secrets.put("web-csr", {"tls.csr": fakes.csr_pem(1)})

    world.journal.after_add = meanwhile
    await world.settle()
    assert len(world.scm.posts) == 1


async def test_secret_changed_while_the_other_is_read_is_read_again(world: worlds.World) -> None:
    """Of two Secrets one changes while the other is read: the upload goes out once, and the pass has an end."""
    key = pem.ec_key()
    world.secrets.put("web-key", {"tls.key": pem.private_key(key)})
    world.secrets.put("web-csr", {"tls.csr": pem.csr(key)})
    world.cluster.change(worlds.WEB, {"privateKeySecretRef": {"name": "web-key"}})
    world.watch()

    def meanwhile(name: account.SecretName) -> None:
        if name.name == "web-key":
            world.secrets.after_read = lambda _: None
            world.secrets.put("web-csr", {"tls.csr": pem.csr(key)})

    world.secrets.after_read = meanwhile
    await world.settle()
    assert len(world.scm.posts) == 1


async def test_namesake_created_while_a_secret_is_read_is_read_for_itself(world: worlds.World) -> None:
    """Re-created under the same name while its Secret is read: what is sent is the namesake's own content."""
    world.secrets.put("web-csr", {"tls.csr": fakes.csr_pem(0), "other.csr": fakes.csr_pem(1)})

    def meanwhile(name: account.SecretName) -> None:
        if name.name == "web-csr":
            world.secrets.after_read = lambda _: None
            world.cluster.recreate(worlds.WEB)
            world.cluster.bodies[worlds.WEB]["spec"]["csrSecretRef"] = {"name": "web-csr", "key": "other.csr"}
            world.watch()

    world.secrets.after_read = meanwhile
    await world.settle()
    (posted,) = world.scm.posts
    wanted = csr.content_of(csr.parse_request(fakes.csr_pem(1), source="other"), None)
    assert posted.content_hash == wanted.hash


async def test_retry_after_survives_a_conflict(world: worlds.World) -> None:
    """What SCM asked for holds although the write that reports it met a conflict; the report is made all the same."""
    world.scm.say(errors.RetryLater(reasons.Reason.THROTTLED, "429", retry_after=60.0))
    world.cluster.faults.append(fake_cluster.Fault.CONFLICT)
    assert await world.reconcile() == queue.Retry(at_least=60.0)
    assert world.reason() == "Throttled"


async def test_retry_after_survives_a_refused_write(world: worlds.World) -> None:
    """What SCM asked for holds although the report of it can't be written now."""
    world.scm.say(errors.RetryLater(reasons.Reason.THROTTLED, "429", retry_after=60.0))
    world.cluster.faults.append(fake_cluster.Fault.REFUSED)
    retry = await world.reconcile()
    assert isinstance(retry, queue.Retry)
    assert retry.at_least >= 60.0


async def test_spec_changed_before_the_report_is_looked_at(world: worlds.World) -> None:
    """A spec that changed before the report of a refusal, found out by its conflict, is looked at without its event."""
    world.scm.say(errors.NeedsChange(reasons.Reason.REJECTED, "no."))
    world.scm.at["post"] = lambda: world.cluster.change(worlds.WEB, {"name": "other"})
    assert await world.reconcile() == queue.Retry()
    assert world.reason() is None


async def test_credential_that_may_not_be_read_is_asked_for_once(world: worlds.World) -> None:
    """A credential that is shown and may not be read costs one read, not one for each look of each upload."""
    name = account.SecretName("shop", "scm-token")
    world.secrets.forbidden.add(name)
    for _ in range(3):
        await world.reconcile()
    assert [read for read, _ in world.secrets.reads].count(name) == 1


async def test_a_rename_that_is_taken_back_while_it_is_done_is_taken_back_in_scm(world: worlds.World) -> None:
    """The wanted name is compared with the name that the entry was last given, and not only with the record's."""
    await world.settle()
    scm_id = world.scm_id()
    assert scm_id
    world.change({"name": "other"})
    world.cluster.faults.append(fake_cluster.Fault.REFUSED)
    await world.reconcile()
    assert world.scm.entries[scm_id].name == "other"
    world.change({"name": "web"})
    await world.settle()
    assert (world.scm.entries[scm_id].name, world.record().scm_name, world.reason()) == ("web", "web", "Uploaded")


async def test_an_entry_that_no_status_had_is_not_taken_for_a_namesakes(world: worlds.World) -> None:
    """An id that came when its resource was gone is kept in mind: no later POST has made that entry."""
    world.scm.answers.append(_deleted_meanwhile(world))
    await world.reconcile()
    await world.reconcile()
    (first,) = world.scm.entries
    world.add_upload()
    world.scm.say(errors.OutcomeUnknown("the connection was reset."))
    await world.reconcile()
    world.clock.advance(worlds.CALL + worlds.SETTLE)
    await world.settle()
    assert world.scm_id() != first
    assert world.reason() == "Uploaded"


def _deleted_meanwhile(world: worlds.World) -> fake_scm.Answer:
    async def answer(content: csr.Content, name: str) -> entry.Entry:
        stored = world.scm.store(world.scm.posts[-1])
        assert (content.hash, name) == (world.scm.posts[-1].content_hash, world.scm.posts[-1].name)
        world.delete()
        return stored

    return answer


async def test_a_rename_that_was_not_recorded_is_made_up_for_when_its_entry_is_taken_back(world: worlds.World) -> None:
    """An entry that was replaced before its rename could be recorded has the wanted name once it is current again."""
    await world.settle()
    first = world.scm_id()
    assert first
    world.change({"name": "other"})
    world.cluster.faults.append(fake_cluster.Fault.REFUSED)
    await world.reconcile()
    world.put_csr(1)
    world.change({"name": "web"})
    await world.settle()
    world.put_csr(0)
    await world.settle()
    assert (world.scm_id(), world.scm.entries[first].name, world.record().scm_name) == (first, "web", "web")
