"""Without a watch on Secrets: what waits for one looks again, on backoff and at resync."""

import pytest

from scm_operator.domain import errors, reasons, upload
from scm_operator.reconcile import choice, queue
from tests.support import fake_cluster, fakes
from tests.unit.reconcile import world as worlds

World = worlds.World
REFUSED = errors.AccountObstacle(
    reasons.Reason.AUTHENTICATION_FAILED, "401.", account_reason=reasons.AccountReason.LOGIN_FAILED
)


@pytest.fixture
def unwatched(world: World) -> World:
    """Return a world whose Secrets nobody watches."""
    world.secrets.watched = False
    return world


def _change(world: World, name: str, data: dict[str, bytes]) -> None:
    """Change a Secret and show it to nobody."""
    shown = dict(world.secrets.shown)
    world.secrets.put(name, data)
    world.secrets.shown = shown


async def test_upload_looks_again_for_its_secret(unwatched: World) -> None:
    """An upload that waits for a Secret comes back by itself, and one that has it doesn't."""
    unwatched.add_upload(spec={"csrSecretRef": {"name": "late"}})
    assert isinstance(await unwatched.reconcile(), queue.Retry)
    _change(unwatched, "late", {"tls.csr": fakes.csr_pem(1)})
    assert await unwatched.reconcile() is None
    assert unwatched.reason() == "Uploaded"


async def test_watched_upload_waits_for_the_watch(world: World) -> None:
    """With a watch nothing is polled."""
    world.add_upload(spec={"csrSecretRef": {"name": "late"}})
    assert await world.reconcile() is None
    assert world.reason() == "WaitingForSecret"


async def test_secret_deleted_after_success_is_not_polled(unwatched: World) -> None:
    """An upload that stays Ready without its Secret has nothing to come back for."""
    unwatched.add_upload()
    await unwatched.settle()
    unwatched.secrets.delete("web-csr")
    unwatched.memory.resync.add(worlds.WEB)
    assert await unwatched.reconcile() is None
    assert unwatched.reason() == "Uploaded"
    assert len(unwatched.secrets.reads) > 2


async def test_account_looks_again_for_its_credential(unwatched: World) -> None:
    """An account without its Secret comes back by itself, and is Ready when the Secret is there."""
    unwatched.secrets.delete("scm-token")
    assert await unwatched.account_reconciler.reconcile(worlds.DEFAULT) == queue.Retry(slow=True)
    _change(unwatched, "scm-token", {"token": b"t" * 40})
    assert await unwatched.account_reconciler.reconcile(worlds.DEFAULT) is None


async def test_refused_account_takes_a_credential_that_was_mended(unwatched: World) -> None:
    """After a refused login the credential is read anew, though nothing tells of its change."""
    reconciler = unwatched.account_reconciler
    unwatched.add_upload()
    _, connection = await reconciler.view(unwatched.cluster.upload_of(worlds.WEB))
    assert connection is not None
    reconciler.met(connection, REFUSED)
    assert await reconciler.reconcile(worlds.DEFAULT) == queue.Retry(slow=True)
    _change(unwatched, "scm-token", {"token": b"another"})
    assert await reconciler.reconcile(worlds.DEFAULT) is None


def test_cluster_account_that_is_not_served_is_said() -> None:
    """Where ClusterScmAccounts aren't served, an upload that names one is told so, and what to do."""
    body = fake_cluster.upload_body(spec={"accountRef": {"kind": "ClusterScmAccount", "name": "acme"}})
    wanted = upload.parse_upload(fake_cluster.as_stored(body))
    verdict = choice.not_found(wanted, choice.candidates_of(wanted), cluster_accounts=False)
    assert "serves no ClusterScmAccounts" in verdict.message
    assert "clusterAccounts.enabled" in verdict.message
