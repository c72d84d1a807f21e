"""What is counted of each request to SCM and IAM, and what is known of a token's age."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from scm_operator.domain import account, errors, ports
from tests.unit.scm import service as fakes
from tests.unit.scm.service import Reply

SHOP = account.AccountKey(account.AccountKind.NAMESPACED, "shop", "default")


class Meter:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.counted: list[tuple[account.AccountKey, str, str]] = []
        self.seconds: list[float] = []

    def __call__(self, key: account.AccountKey, operation: str, code: str, seconds: float) -> None:
        """Count a request."""
        self.counted.append((key, operation, code))
        self.seconds.append(seconds)

    @property
    def codes(self) -> list[tuple[str, str]]:
        """Return operations and codes."""
        return [(operation, code) for _, operation, code in self.counted]


@pytest.fixture
def meter() -> Meter:
    """Return a meter at zero."""
    return Meter()


@pytest.fixture
async def counted(service: fakes.FakeService, clock: fakes.FakeClock, meter: Meter) -> AsyncIterator[ports.CsrStore]:
    """Return a client with an IAM user, whose requests are counted."""
    opened = fakes.store(fakes.password_account(service.endpoint), clock=clock, meter=meter)
    yield opened
    await opened.aclose()


async def test_each_request_is_one_of_its_account(
    service: fakes.FakeService, counted: ports.CsrStore, meter: Meter
) -> None:
    """The login and the repeat after a 401 are requests of their own, whatever became of them."""
    service.scm.extend([Reply(401), Reply(200, fakes.STORED)])
    await counted.upload(fakes.CONTENT, name="shop-tls", timeout=30)
    assert meter.counted == [
        (SHOP, "CreateToken", "201"),
        (SHOP, "UploadCsr", "401"),
        (SHOP, "CreateToken", "201"),
        (SHOP, "UploadCsr", "200"),
    ]
    assert min(meter.seconds) >= 0.0


async def test_operations_have_the_names_of_the_api(
    service: fakes.FakeService, counted: ports.CsrStore, meter: Meter
) -> None:
    """Each call is counted as what SCM's reference calls it."""
    service.scm.extend([Reply(500)] * 4)
    for call in (
        counted.list_named("shop-tls"),
        counted.show("0123456789abcdef"),
        counted.rename("0123456789abcdef", name="x"),
        counted.delete("0123456789abcdef"),
    ):
        with contextlib.suppress(errors.Obstacle):
            await call
    assert meter.codes[1:] == [("ListCsr", "500"), ("ShowCsr", "500"), ("UpdateCsr", "500"), ("DeleteCsr", "500")]


async def test_request_without_an_answer_says_whether_it_was_sent(
    service: fakes.FakeService, clock: fakes.FakeClock, meter: Meter
) -> None:
    """A POST that may be stored is another thing than one that never left."""
    lost = fakes.store(fakes.token_account(service.endpoint), clock=clock, meter=meter)
    unsent = fakes.store(fakes.token_account("http://127.0.0.1:1"), clock=clock, meter=meter)
    service.scm.append(service.hang)
    for store in (lost, unsent):
        with pytest.raises(errors.Obstacle):
            await store.upload(fakes.CONTENT, name="shop-tls", timeout=0.2)
        await store.aclose()
    assert meter.codes == [("UploadCsr", ports.LOST), ("UploadCsr", ports.UNSENT)]


async def test_age_of_a_token_is_known_while_it_lives(
    service: fakes.FakeService, clock: fakes.FakeClock, password_store: ports.CsrStore
) -> None:
    """A token's age and what is left of its life, once there is one and until it ends."""
    lives = [password_store.token_life]
    service.iam.append(fakes.login("x" * 40, lifetime=3600))
    await password_store.prepare()
    for seconds in (600, 3000):
        clock.advance(seconds)
        lives.append(password_store.token_life)
    assert lives == [None, ports.TokenLife(age=600, left=3000), None]


async def test_age_of_a_ready_token_is_not_known(store: ports.CsrStore) -> None:
    """Nobody says when a token that stands in a Secret was made."""
    await store.prepare()
    assert store.token_life is None
