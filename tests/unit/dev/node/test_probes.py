import asyncio
from collections.abc import Sequence

import pytest

from dev.node import probes, probing
from dev.node.probing import Result


def tally(**spec: object) -> probes.Tally:
    """Return a tally of a probe with these fields."""
    return probes.Tally(probes.Probe.parse(spec))


def verdicts(results: Sequence[bool], **spec: object) -> list[bool | None]:
    """Return the verdict after each result."""
    counted = tally(**spec)
    found = []
    for success in results:
        counted.add(success=success)
        found.append(counted.verdict)
    return found


def test_missing_fields_have_the_defaults_of_the_api() -> None:
    """A probe that says nothing is made every 10 s, waits 1 s, and needs 3 failures in a row or one success."""
    probe = probes.Probe.parse({"tcpSocket": {"port": 80}, "timeoutSeconds": 2})
    assert probe == probes.Probe({"tcpSocket": {"port": 80}}, 0, 10, 2, 1, 3, None)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([True], [True]),
        ([False, False, False], [None, None, False]),
        ([True, False, False, True], [True, True, True, True]),  # not in a row
        ([True, False, False, False, True], [True, True, True, False, True]),
        ([False, False, True, False], [None, None, True, True]),
    ],
)
def test_a_verdict_needs_results_in_a_row(results: Sequence[bool], expected: list[bool | None]) -> None:
    """Three failures in a row turn a verdict, and one success turns it back."""
    assert verdicts(results) == expected


def test_a_success_threshold_counts_in_a_row_too() -> None:
    """With successThreshold 2 one success isn't enough, after a failure neither."""
    results = [True, False, True, True]
    assert verdicts(results, successThreshold=2, failureThreshold=1) == [None, False, False, True]


def test_only_a_change_of_the_verdict_is_one() -> None:
    """The same verdict again is no news."""
    counted = tally(failureThreshold=1)
    assert [counted.add(success=success) for success in (True, True, False, False, True)] == [
        True, False, True, False, True,
    ]  # fmt: skip


def test_the_probes_of_a_container_are_known_by_kind() -> None:
    """What a container doesn't have is not there."""
    found = probes.of({"name": "web", "livenessProbe": {"exec": {"command": ["true"]}}})
    assert set(found) == {probes.LIVENESS}


class FakeAttempts:
    """Attempts with given results, the last of them for ever, and the moments at which they were made."""

    def __init__(self, *results: bool, takes: float = 0.0) -> None:
        self._results, self._takes = list(results), takes
        self.moments: list[float] = []

    async def __call__(self) -> Result:
        """Make an attempt."""
        self.moments.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._takes)
        return Result(self._results.pop(0) if len(self._results) > 1 else self._results[0])


async def watched(attempts: FakeAttempts, *, seconds: float, **spec: object) -> list[tuple[bool | None, bool]]:
    """Watch for so many seconds, and return what was told: the verdict, and the result that it was told with."""
    told: list[tuple[bool | None, bool]] = []
    since = asyncio.get_running_loop().time()
    watching = probing.watch(
        probes.Probe.parse(spec),
        since=since,
        attempt=attempts,
        told=lambda counted, result: told.append((counted.verdict, result.success)),
    )
    with pytest.raises(TimeoutError):
        async with asyncio.timeout_at(since + seconds):
            await watching
    attempts.moments = [moment - since for moment in attempts.moments]
    return told


@pytest.mark.looptime
async def test_a_probe_waits_its_initial_delay_and_keeps_its_period() -> None:
    """However long an attempt takes, the next begins a period after it began."""
    attempts = FakeAttempts(True, takes=1.5)
    await watched(attempts, seconds=30, initialDelaySeconds=5, periodSeconds=10, timeoutSeconds=2)
    assert attempts.moments == [5, 15, 25]


@pytest.mark.looptime
async def test_an_attempt_that_takes_too_long_has_failed() -> None:
    """After timeoutSeconds nobody waits any more; the next attempt is made in time."""
    attempts = FakeAttempts(True, takes=60)
    told = await watched(attempts, seconds=25, timeoutSeconds=2, failureThreshold=2)
    assert told == [(None, False), (False, False)]
    assert attempts.moments == [0, 10, 20]


@pytest.mark.looptime
async def test_what_is_told_is_the_first_of_a_row_and_a_new_verdict() -> None:
    """Somebody who fails for hours is told of twice: at once, and when the verdict turns."""
    attempts = FakeAttempts(True, True, False, False, False, False, False, True)
    told = await watched(attempts, seconds=75)
    assert told == [(True, True), (True, False), (False, False), (True, True)]
