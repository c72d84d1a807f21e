"""The API server's faults on writes of status and Lease: nothing is lost, nothing is sent twice."""

from collections.abc import Iterator, Mapping

import pytest

from tests.support import api_proxy_world as worlds
from tests.support.api_proxy_rules import Action, Delay, Lose, Refuse, Reset
from tests.support.api_proxy_world import LEASE, STATUS, ProxiedWorld

_FAULTS: Mapping[str, Action] = {
    "401": Refuse(401),
    "403": Refuse(403),
    "409": Refuse(409),
    "429": Refuse(429, retry_after=1),
    "500": Refuse(500),
    "reset": Reset(),
    "lost": Lose(),
    "late": Delay(1),
}


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedWorld]:
    """A world whose API server goes wrong."""
    with worlds.running(tmp_path_factory.mktemp("writes")) as running:
        yield running


@pytest.fixture
def faulty(proxied: ProxiedWorld) -> Iterator[ProxiedWorld]:
    """The world, with no fault yet."""
    with proxied.rested():
        yield proxied


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_status_that_is_not_written(faulty: ProxiedWorld, fault: str) -> None:
    """A status write is refused, lost or late some times: the id is written in the end, and nothing is sent again."""
    with faulty.recovers():
        rule = faulty.proxy.rule(_FAULTS[fault], method="PATCH", path=STATUS, times=3)
        faulty.upload(f"status-{fault}")
        faulty.wait_uploaded_once(f"status-{fault}")
        assert rule.fired
    assert len(faulty.proxy.asked(method="PATCH", path=STATUS)) <= 8


def test_retry_after_of_a_status_write_is_obeyed(faulty: ProxiedWorld) -> None:
    """A status write that is refused with Retry-After is not tried before."""
    faulty.proxy.rule(Refuse(429, retry_after=2), method="PATCH", path=STATUS, times=1)
    faulty.upload("retry-after")
    faulty.wait_uploaded_once("retry-after")
    first, second, *_ = faulty.proxy.asked(method="PATCH", path=STATUS)
    assert second.at - first.at >= 2


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_lease_that_is_not_written(faulty: ProxiedWorld, fault: str) -> None:
    """A Lease write is refused, lost or late some times: the operator stays the leader, and sends what waits once."""
    with faulty.recovers():
        rule = faulty.proxy.rule(_FAULTS[fault], method="PUT", path=LEASE, times=3)
        faulty.upload(f"lease-{fault}")
        rule.wait_fired(times=3)
        faulty.wait_uploaded_once(f"lease-{fault}")


def test_a_lease_that_cannot_be_written_for_long(faulty: ProxiedWorld) -> None:
    """The Lease can't be written past its deadline: the process ends with 1, having sent nothing new."""
    faulty.proxy.rule(Refuse(403), method="PUT", path=LEASE)
    faulty.upload("lease-refused-long")
    assert faulty.operator.wait() == 1
    assert faulty.simulator.requests(name="lease-refused-long") == []
    faulty.restart()
    faulty.wait_uploaded_once("lease-refused-long")


def test_lease_answers_lost_for_long(faulty: ProxiedWorld) -> None:
    """The answers to all Lease writes are lost: each is read back, and the operator stays the leader."""
    with faulty.recovers():
        rule = faulty.proxy.rule(Lose(), method="PUT", path=LEASE)
        faulty.upload("lease-answers")
        rule.wait_fired(times=12)
        faulty.wait_uploaded_once("lease-answers")
