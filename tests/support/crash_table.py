"""The summary of many crash runs: what was done how often, and what came of it. Pure."""

import collections
from collections.abc import Iterable, Sequence

from tests.support.crash_run import Outcome

_HEAD = ("", "runs", "reached", "kills", "duplicates", "losses", "failed", "extra calls", "asked", "left", "exits")


def render(outcomes: Sequence[Outcome], *, seconds: float) -> str:
    """Return the table, the failing seeds with what was wrong, and one line that says it all."""
    failed = [outcome for outcome in outcomes if outcome.verdict.problems]
    lines = [
        *_section("step", outcomes, by=[outcome.plan.step.name for outcome in outcomes]),
        *_section("fault", outcomes, by=[outcome.plan.fault for outcome in outcomes]),
        *_section("how", outcomes, by=[outcome.plan.how for outcome in outcomes]),
        *_section("replicas", outcomes, by=[str(outcome.plan.replicas) for outcome in outcomes]),
        *_section("all", outcomes, by=["all"] * len(outcomes)),
        *(line for outcome in failed for line in describe(outcome)),
        verdict(outcomes, seconds=seconds),
    ]
    return "\n".join(lines)


def verdict(outcomes: Sequence[Outcome], *, seconds: float) -> str:
    """Return one line that says it all."""
    failed = [str(outcome.plan.seed) for outcome in outcomes if outcome.verdict.problems]
    end = f"failing seeds: {' '.join(failed)}" if failed else "nothing doubled, nothing lost"
    return f"{len(outcomes)} runs in {seconds:.0f} s: {end}"


def line(outcome: Outcome) -> str:
    """Return the line of one run."""
    plan = outcome.plan
    reached = "" if outcome.reached else " (not reached)"
    end = "ok" if not outcome.verdict.problems else "FAILED"
    what = f"{plan.how} at {plan.step.name}{reached}, {plan.fault}, {plan.replicas} replica"
    return f"seed {plan.seed}: {end}, {outcome.seconds:.1f} s, {what}{'s' * (plan.replicas > 1)}"


def describe(outcome: Outcome) -> list[str]:
    """Return the run and what was wrong with it."""
    return [line(outcome), *(f"    {problem}" for problem in outcome.verdict.problems)]


def _section(title: str, outcomes: Iterable[Outcome], *, by: Sequence[str]) -> list[str]:
    groups: dict[str, list[Outcome]] = collections.defaultdict(list)
    for name, outcome in zip(by, outcomes, strict=True):
        groups[name].append(outcome)
    return [_row(title, _HEAD[1:]), *(_row(name, _counts(group)) for name, group in sorted(groups.items())), ""]


def _counts(group: Sequence[Outcome]) -> list[object]:
    return [
        len(group),
        sum(outcome.reached for outcome in group),
        sum(outcome.kills for outcome in group),
        sum(outcome.verdict.duplicates for outcome in group),
        sum(outcome.verdict.losses for outcome in group),
        sum(bool(outcome.verdict.problems) for outcome in group),
        sum(outcome.verdict.extra for outcome in group),
        sum(outcome.asked for outcome in group),
        sum(outcome.verdict.left for outcome in group),
        sum(outcome.exits for outcome in group),
    ]


def _row(name: str, cells: Iterable[object]) -> str:
    return f"{name:20}" + "".join(f"{cell!s:>12}" for cell in cells)
