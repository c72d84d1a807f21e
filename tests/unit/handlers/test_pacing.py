"""The pause before a list or a watch whose predecessor has ended at once."""

import asyncio

import pytest

from scm_operator.handlers import pacing

pytestmark = pytest.mark.looptime


async def _waited(pacer: pacing.Pacer, what: str = "watch /uploads", *, lives: float = 0.0) -> float:
    """Ask once more, be granted, and live for so many seconds; return the seconds that were waited before."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await pacer.wait(what)
    waited = loop.time() - begun
    pacer.granted(what)
    await asyncio.sleep(lives)
    return waited


async def test_what_ends_at_once_waits_longer_each_time() -> None:
    """The first is at once; then the pause doubles up to the longest."""
    pacer = pacing.Pacer(first=0.5, longest=3.0)
    assert [await _waited(pacer) for _ in range(6)] == pytest.approx([0.0, 0.5, 1.0, 2.0, 3.0, 3.0])


async def test_what_has_lived_for_a_while_does_not_wait() -> None:
    """After one that lived for a second the next is at once, and the pauses begin anew."""
    pacer = pacing.Pacer(first=0.5, longest=3.0)
    waited = [await _waited(pacer, lives=lives) for lives in (0.0, 0.0, 1.0, 0.0, 0.0)]
    assert waited == pytest.approx([0.0, 0.5, 1.0, 0.0, 0.5])


async def test_what_was_refused_does_not_wait() -> None:
    """After a refusal kopf has paused itself."""
    pacer = pacing.Pacer()
    await _waited(pacer)
    await pacer.wait("watch /uploads")  # and is refused
    assert await _waited(pacer) == 0.0


async def test_each_kind_waits_for_itself() -> None:
    """A watch that ends at once delays no other, and not its list."""
    pacer = pacing.Pacer()
    await _waited(pacer, "watch /uploads")
    assert await _waited(pacer, "watch /accounts") == 0.0
    assert await _waited(pacer, "list /uploads") == 0.0


async def test_an_hour_of_watches_closed_at_once_is_few_requests() -> None:
    """With the defaults a watch that is always closed at once is opened less than 400 times in an hour."""
    pacer = pacing.Pacer()
    opened = 0
    while asyncio.get_running_loop().time() < 3600:
        await _waited(pacer)
        opened += 1
    assert opened < 400
