"""Kill the operator at random steps, over and over, and check each time that nothing is doubled and nothing lost.

``python -m tests.crash --seeds 1000`` plays a thousand runs, ``--seed 17`` one of them again. The exit code is 1 if
one failed. Each run follows from its number alone; what the operator logged in it is kept where it failed.
"""

import argparse
import pathlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from tests.support import crash_stage, crash_table
from tests.support.crash_run import Outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the runs; return the exit code."""
    flags = _parser().parse_args(arguments)
    seeds = [flags.seed] if flags.seed is not None else range(flags.first, flags.first + flags.seeds)
    signal.signal(signal.SIGTERM, _interrupt)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crash-"))
    outcomes: list[Outcome] = []
    began = time.monotonic()
    try:
        _play(seeds, folder=folder, flags=flags, outcomes=outcomes)
    except KeyboardInterrupt:
        _say("interrupted")
    _say("\n" + crash_table.render(outcomes, seconds=time.monotonic() - began))
    if any(outcome.verdict.problems for outcome in outcomes):
        _say(f"What the operator logged in the failing runs: {folder}")
    else:
        shutil.rmtree(folder)
    return int(len(outcomes) < len(seeds) or any(outcome.verdict.problems for outcome in outcomes))


def _play(seeds: Sequence[int], *, folder: pathlib.Path, flags: argparse.Namespace, outcomes: list[Outcome]) -> None:
    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        _say(f"{len(outcomes)}/{len(seeds)} " + "\n".join(crash_table.describe(outcome)))

    if flags.jobs == 1:
        crash_stage.play_each(seeds, folder, real=flags.real_times, tell=tell)
    else:
        for outcome in crash_stage.play_beside(seeds, folder, real=flags.real_times, jobs=flags.jobs):
            tell(outcome)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many runs (default: %(default)s)")
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="seed of the first (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="play this run alone")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs beside each other (default: 1)")
    parser.add_argument("--real-times", action="store_true", help="the operator's own times: a run takes minutes")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
