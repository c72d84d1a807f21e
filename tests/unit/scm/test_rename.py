import pytest

from scm_operator.domain import errors, ports
from scm_operator.domain.reasons import Reason
from tests.unit.scm import service as fakes
from tests.unit.scm.service import Reply


async def refused(store: ports.CsrStore) -> errors.Obstacle:
    """Return what a rename fails with."""
    with pytest.raises(errors.Obstacle) as caught:
        await store.rename(fakes.SCM_ID, name="new-name")
    return caught.value


@pytest.mark.parametrize("reply", [Reply(200, fakes.STORED), Reply(200), Reply(204)], ids=["entry", "empty", "204"])
async def test_rename_puts_the_name(service: fakes.FakeService, store: ports.CsrStore, reply: Reply) -> None:
    """A rename is a PUT of the name alone to the entry's address; any 2xx will do."""
    service.scm.append(reply)
    await store.rename(fakes.SCM_ID, name="new-name")
    (seen,) = service.seen
    assert (seen.method, seen.path) == ("PUT", f"/v3/scm/csr/{fakes.SCM_ID}")
    assert (seen.body, seen.token) == ({"name": "new-name"}, fakes.TOKEN)


async def test_id_cannot_change_the_address(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """An id out of a status is one segment of the path, whatever it holds."""
    await store.rename("../../x?y#z", name="new-name")
    assert service.seen[0].path == "/v3/scm/csr/..%2F..%2Fx%3Fy%23z"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(400, {"error_code": "SCM.0707", "error_msg": "no such CSR"}), id="400 SCM.0707"),
        pytest.param(Reply(404, {"error_code": "SCM.0001", "error_msg": "no such CSR"}), id="404 of SCM"),
    ],
)
async def test_absent_entry_blocks(service: fakes.FakeService, store: ports.CsrStore, reply: Reply) -> None:
    """SCM's own word that there is no such entry is EntryMissing."""
    service.scm.append(reply)
    obstacle = await refused(store)
    assert (type(obstacle), obstacle.reason) == (errors.Blocked, Reason.ENTRY_MISSING)
    assert fakes.SCM_ID in obstacle.message


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        pytest.param(Reply(404), Reason.ENDPOINT_NOT_FOUND, id="404 of anybody"),
        pytest.param(Reply(403), Reason.ACCESS_DENIED, id="403"),
        pytest.param(Reply(429), Reason.THROTTLED, id="429"),
        pytest.param(Reply(400, {"error_code": "SCM.0005"}), Reason.REJECTED, id="400 with a code"),
        pytest.param(Reply(400), Reason.SERVER_ERROR, id="400 without a code"),
        pytest.param(Reply(409, {"error_code": "SCM.0005"}), Reason.SERVER_ERROR, id="409"),
        pytest.param(Reply(302), Reason.SERVER_ERROR, id="302"),
        pytest.param(Reply(500), Reason.SERVER_ERROR, id="500"),
        pytest.param(fakes.reset, Reason.SERVER_ERROR, id="reset"),
    ],
)
async def test_nothing_about_a_rename_is_unknown(
    service: fakes.FakeService, store: ports.CsrStore, reply: Reply, reason: Reason
) -> None:
    """A rename may be repeated, so what is unclear is SERVER_ERROR and retried."""
    service.scm.extend([reply, reply])  # the library itself may repeat a PUT whose connection broke
    assert (await refused(store)).reason == reason


async def test_retry_after_of_an_outage_is_passed_on(service: fakes.FakeService, store: ports.CsrStore) -> None:
    """503 with Retry-After says when to come back."""
    service.scm.append(Reply(503, b"", {"Retry-After": "7"}))
    obstacle = await refused(store)
    assert isinstance(obstacle, errors.RetryLater)
    assert obstacle.retry_after == 7


async def test_rename_without_a_connection_is_unreachable(clock: fakes.FakeClock) -> None:
    """Where nobody listens, a rename is Unreachable."""
    store = fakes.store(fakes.token_account("http://127.0.0.1:1"), clock=clock)
    assert (await refused(store)).reason == Reason.UNREACHABLE
    await store.aclose()
