"""What a look-up comes to: found, surely absent, or not to be told; and who decides then."""

import asyncio
import dataclasses

import pytest

from scm_operator.domain import errors, reasons
from scm_operator.reconcile import queue
from tests.support import fake_cluster, fake_scm, pem
from tests.unit.reconcile import world as worlds

World = worlds.World
RESET = errors.OutcomeUnknown("the connection was reset.")
DENIED = fake_scm.DENIED


async def _lose(world: World, *, stored: bool) -> str:
    """Let web's POST end in an unknown outcome that has settled; return its attempt's id."""
    if stored:
        world.scm.lose_answer()
    else:
        world.scm.say(RESET)
    await world.reconcile()
    (attempt,) = world.journal.attempts()
    world.clock.advance(worlds.CALL + worlds.SETTLE)
    return attempt.id


async def test_entry_that_is_found_is_recorded_as_recovered(world: World) -> None:
    """What the lost POST has stored is found, recorded with the attempt's id, and nothing is sent again."""
    attempt = await _lose(world, stored=True)
    assert await world.reconcile() is None
    record = world.record()
    assert (record.origin, record.attempt_id, record.scm_name) == ("Recovered", attempt, "web")
    assert (len(world.scm.posts), world.reason(), world.journal.attempts()) == (1, "Uploaded", ())
    assert "found there after its answer was lost" in world.message()


async def test_entry_that_is_found_is_not_forgotten_when_it_can_not_be_written(world: World) -> None:
    """An entry that was found is kept in memory until its record is written."""
    await _lose(world, stored=True)
    world.cluster.faults.append(fake_cluster.Fault.REFUSED)
    await world.reconcile()
    assert world.upload_reconciler.unwritten == (worlds.WEB,)
    await world.settle()
    assert (world.log.count("list web"), world.record().origin) == (1, "Recovered")


async def test_surely_absent_is_sent_again(world: World) -> None:
    """What is surely not in SCM leaves the journal and is sent again, as another attempt."""
    attempt = await _lose(world, stored=False)
    await world.settle()
    assert (len(world.scm.posts), world.reason(), world.record().origin) == (2, "Uploaded", "Uploaded")
    assert world.record().attempt_id not in {None, attempt}


async def test_older_entry_is_not_the_posts(world: World) -> None:
    """An entry of the same name and CSR that is far older than the POST is left alone, and it is sent again."""
    await _lose(world, stored=False)
    world.scm.put("web", worlds.hash_of(0), world.scm.posts[0].tenant, age=3600)
    await world.settle()
    assert (len(world.scm.posts), len(world.scm.entries), world.record().origin) == (2, 2, "Uploaded")


def _deny_list(world: World) -> None:
    world.scm.refusals["list"] = DENIED


def _deny_show(world: World) -> None:
    (scm_id,) = world.scm.entries
    world.scm.change(scm_id, listed=False)
    world.scm.refusals["show"] = DENIED


def _full_page(world: World) -> None:
    world.scm.entries.clear()
    for number in range(fake_scm.PAGE):
        world.scm.put(f"web-{number}", worlds.hash_of(1), world.scm.posts[0].tenant)


def _unreadable(world: World) -> None:
    (scm_id,) = world.scm.entries
    world.scm.change(scm_id, readable=False)


def _a_little_older(world: World) -> None:
    world.scm.entries.clear()
    world.scm.put("web", worlds.hash_of(0), world.scm.posts[0].tenant, age=worlds.CALL + worlds.SETTLE + 60)


def _no_account(world: World) -> None:
    world.add_account("second")
    world.cluster.change(worlds.WEB, {"accountRef": {"name": "second"}})
    world.delete(worlds.DEFAULT)


CAN_NOT_TELL = pytest.mark.parametrize(
    ("hide", "why"),
    [
        (_deny_list, "not permitted"),
        (_deny_show, "not permitted"),
        (_full_page, "more CSRs whose names resemble"),
        (_unreadable, "its CSR can't be read"),
        (_a_little_older, "a little older than the POST"),
        (_no_account, "is gone or leads elsewhere"),
    ],
    ids=["403 on list", "403 on show", "full page", "unreadable", "a little older", "account gone"],
)


@CAN_NOT_TELL
async def test_what_can_not_be_told_is_left_to_a_person(world: World, hide: worlds.Change, why: str) -> None:
    """Where it can't be told nothing is sent; the message says why, what to do, and the id to confirm with."""
    attempt = await _lose(world, stored=True)
    hide(world)
    world.watch()
    for _ in range(3):
        await world.settle()
    assert (len(world.scm.posts), world.reason()) == (1, "OutcomeUnknown")
    for part in (why, "'web'", f"{worlds.CONFIRM}={attempt}", "kubectl annotate --overwrite cru web -n shop"):
        assert part in world.message()
    kinds = {condition.type: condition.status for condition in world.status().conditions}
    assert kinds == {"Ready": "Unknown", "Stalled": "True"}


@CAN_NOT_TELL
async def test_confirmation_is_written_before_anything_is_sent(world: World, hide: worlds.Change, why: str) -> None:
    """A person who confirms the attempt's id ends it: that stands in the status first, then it is sent again, once."""
    attempt = await _lose(world, stored=hide not in {_deny_list, _full_page, _no_account})
    hide(world)
    world.watch()
    await world.settle()
    assert why in world.message()
    world.log.clear()
    world.change(annotations={worlds.CONFIRM: attempt})
    await world.settle()
    sent = [line for line in world.log if line.startswith(("write concluded", "conclude", "journal", "post"))]
    assert sent[:4] == [f"write concluded {attempt}", "conclude web", "journal web", "post web"]
    assert (len(world.scm.posts), world.reason()) == (2, "Uploaded")


@pytest.mark.parametrize("fault", [fake_cluster.Fault.REFUSED, fake_cluster.Fault.LOST, fake_cluster.Fault.CONFLICT])
async def test_confirmation_that_can_not_be_written_sends_nothing(world: World, fault: fake_cluster.Fault) -> None:
    """Until it is known that the confirmed end stands in the status nothing is sent; then it is, once."""
    attempt = await _lose(world, stored=False)
    _deny_list(world)
    await world.settle()
    world.change(annotations={worlds.CONFIRM: attempt})
    world.cluster.faults.append(fault)
    world.scm.at["post"] = lambda: seen.append(world.status().concluded_attempt_id)
    seen: list[str | None] = []
    await world.settle()
    assert (seen, len(world.scm.posts)) == ([attempt], 2)


async def test_confirmation_of_another_attempt_counts_for_nothing(world: World) -> None:
    """An annotation that names an earlier attempt, or any other text, confirms nothing."""
    await _lose(world, stored=False)
    _deny_list(world)
    for text in ("yes", "true", ""):
        world.change(annotations={worlds.CONFIRM: text})
        await world.settle()
    assert (len(world.scm.posts), world.reason()) == (1, "OutcomeUnknown")


async def test_confirmation_counts_once(world: World) -> None:
    """A confirmation that was used says nothing of the next attempt."""
    attempt = await _lose(world, stored=False)
    _deny_list(world)
    world.change(annotations={worlds.CONFIRM: attempt})
    world.scm.say(RESET)
    await world.settle()
    assert (len(world.scm.posts), world.reason()) == (2, "OutcomeUnknown")


async def test_permission_that_comes_later_resolves_it(world: World) -> None:
    """Once the list is permitted a request of a person is enough: the entry is found."""
    await _lose(world, stored=True)
    _deny_list(world)
    await world.settle()
    world.scm.refusals.clear()
    world.change(annotations={worlds.REQUESTED: "now"})
    await world.settle()
    assert (world.reason(), world.record().origin, len(world.scm.posts)) == ("Uploaded", "Recovered", 1)


@pytest.mark.parametrize(
    ("obstacle", "retry"),
    [
        (errors.RetryLater(reasons.Reason.THROTTLED, "429.", retry_after=60.0), queue.Retry(at_least=60.0)),
        (errors.RetryLater(reasons.Reason.SERVER_ERROR, "500."), queue.Retry()),
        (errors.RetryLater(reasons.Reason.UNREACHABLE, "refused."), queue.Retry()),
        (
            errors.AccountObstacle(
                reasons.Reason.AUTHENTICATION_FAILED, "401.", account_reason=reasons.AccountReason.LOGIN_FAILED
            ),
            queue.Retry(slow=True),
        ),
    ],
    ids=["429", "500", "refused", "401"],
)
@pytest.mark.parametrize("call", ["list", "show"])
async def test_look_up_that_fails_backs_off_with_its_own_reason(
    world: World, obstacle: errors.RetryLater, retry: queue.Retry, call: str
) -> None:
    """A look-up that can't be made is no answer: it is tried again, and nobody is asked to decide."""
    await _lose(world, stored=True)
    (scm_id,) = world.scm.entries
    world.scm.change(scm_id, listed=call == "list")
    world.scm.refusals[call] = obstacle
    assert await world.reconcile() == retry
    assert (world.reason(), len(world.scm.posts)) == (obstacle.reason, 1)
    world.scm.refusals.clear()
    world.clock.advance(60)
    await world.settle()
    assert (world.reason(), world.record().origin) == ("Uploaded", "Recovered")


async def test_entry_without_csr_in_the_list_is_shown(world: World) -> None:
    """An entry of the exact name whose CSR the list leaves out is looked at itself."""
    await _lose(world, stored=True)
    (scm_id,) = world.scm.entries
    world.scm.change(scm_id, listed=False)
    await world.settle()
    assert (world.scm_id(), world.log.count("show")) == (scm_id, 1)


async def test_account_without_login_is_not_asked(world: World) -> None:
    """A fault of the account that is known here is told as such; the look-up waits for its end."""
    await _lose(world, stored=True)
    world.secrets.delete("scm-token")
    await world.settle()
    assert (world.reason(), "list web" in world.log) == ("AccountNotReady", False)
    world.secrets.put("scm-token", {"token": b"a token"})
    await world.settle()
    assert world.record().origin == "Recovered"


async def test_with_or_without_key_can_not_be_told(world: World) -> None:
    """A re-created resource with a key waits for the key-less POST of its predecessor, and takes no entry of it."""
    key = pem.ec_key()
    secret = {"tls.csr": pem.csr(key), "tls.key": pem.private_key(key)}
    world.secrets.put("web-csr", secret)
    await _lose(world, stored=False)
    world.clock.advance(-worlds.SETTLE)
    world.cluster.recreate(worlds.WEB)
    world.cluster.change(worlds.WEB, {"privateKeySecretRef": {"name": "web-csr"}})
    world.watch()
    assert isinstance(await world.reconcile(), queue.Again)
    assert (len(world.scm.posts), world.reason()) == (1, "ResolvingOutcome")
    world.scm.store(world.scm.posts[0])
    world.clock.advance(worlds.SETTLE)
    await world.settle()
    assert (len(world.scm.posts), world.record().origin) == (2, "Uploaded")
    assert world.scm.entries[world.record().scm_id].content_hash.endswith("+key")
    assert len(world.events.orphans) == 1


async def test_rivals_unknown_at_once_leave_the_entry_to_a_person(world: World) -> None:
    """Where another open POST of one name and CSR had a key, the entry that is found may be either's."""
    attempt = await _lose(world, stored=True)
    (lost,) = world.journal.attempts()
    other = dataclasses.replace(
        lost, id="0b5e", uid="another-uid", key=worlds.API, content_hash=f"{lost.content_hash}+key"
    )
    await world.journal.add(other)
    world.clock.advance(worlds.CALL + worlds.SETTLE)
    await world.settle()
    assert world.reason() == "OutcomeUnknown"
    assert "may hold a private key or not" in world.message()
    assert attempt in world.message()


async def test_rivals_are_never_open_at_once(world: World) -> None:
    """A POST of the same name and CSR, now with a key, waits for one that was begun while it waited for a token."""
    key = pem.ec_key()
    request = pem.csr(key)
    world.secrets.put("web-csr", {"tls.csr": request})
    world.add_upload("api", spec={"name": "web", "privateKeySecretRef": {"name": "api-csr"}})
    world.secrets.put("api-csr", {"tls.csr": request, "tls.key": pem.private_key(key)})
    world.scm.gates["prepare"] = asyncio.Event()
    world.scm.lose_answer()
    both = [asyncio.create_task(world.reconcile(name)) for name in (worlds.WEB, worlds.API)]
    await worlds.idle()
    world.scm.gates["prepare"].set()
    await asyncio.gather(*both)
    assert len(world.scm.posts) == len(world.journal.attempts()) == 1
    assert {world.reason(name) for name in (worlds.WEB, worlds.API)} == {"ServerError", "ResolvingOutcome"}
