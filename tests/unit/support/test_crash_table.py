import dataclasses

from tests.support import crash_plan, crash_table
from tests.support.crash_run import Outcome
from tests.support.crash_verdict import Verdict

FINE = Outcome(
    plan=dataclasses.replace(crash_plan.make(17), step=crash_plan.STEPS[0], how="kill", replicas=1, fault="none"),
    verdict=Verdict((), duplicates=0, losses=0, extra=2, left=0),
    reached=True,
    kills=1,
    asked=0,
    exits=0,
    seconds=4.25,
)
FAILED = dataclasses.replace(
    FINE, verdict=Verdict(("DUPLICATE: shop",), duplicates=1, losses=0, extra=0, left=0), reached=False
)


def test_a_run_is_told_in_a_line() -> None:
    """The line says the seed, how it ended and what was done; a failing run's problems follow."""
    assert crash_table.describe(FINE) == ["seed 17: ok, 4.2 s, kill at journal write sent, none, 1 replica"]
    assert crash_table.describe(FAILED) == [
        "seed 17: FAILED, 4.2 s, kill at journal write sent (not reached), none, 1 replica",
        "    DUPLICATE: shop",
    ]


def test_the_table_counts_by_step_and_fault() -> None:
    """Runs, kills, duplicates and extra calls are counted for each step, each fault and all together."""
    lines = crash_table.render([FINE, FAILED], seconds=9).splitlines()
    rows = {line[:20].strip(): line[20:].split() for line in lines if line[:20].strip()}

    expected = ["2", "1", "2", "1", "0", "1", "2", "0", "0", "0"]
    assert rows["journal write sent"] == rows["none"] == rows["kill"] == rows["1"] == expected


def test_the_last_line_says_it_all() -> None:
    """It names the failing seeds, or says that there are none."""
    assert crash_table.verdict([FINE], seconds=4) == "1 runs in 4 s: nothing doubled, nothing lost"
    assert crash_table.verdict([FINE, FAILED], seconds=9) == "2 runs in 9 s: failing seeds: 17"
