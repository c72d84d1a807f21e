"""The decision table: what has to be done next for one upload, as a pure function of what is known.

Each row is a function in `domain.rows`; the first that answers wins, in the order in which they stand here. A row that
needs something that wasn't asked for yet answers with the action that asks. Everything with a side effect is in
reconcile. Numbers are those of docs/guarantees.md.
"""

from collections.abc import Callable

from scm_operator.domain import actions, observation
from scm_operator.domain.rows import deletion, memory, unknown, wanted

Row = Callable[[observation.Observed], actions.Action | None]

ROWS: tuple[Row, ...] = (
    memory.not_leading,  # 1
    memory.in_flight,  # 3
    memory.recorded,  # 5
    memory.claimed,  # 6
    memory.not_wanted_any_more,  # 7
    memory.send,  # 8
    deletion.nothing_to_wait_for,
    deletion.overdue,
    deletion.entries,
    unknown.unfenced,  # 9
    unknown.unsettled,  # 10
    unknown.not_asked,  # 10a, 14
    unknown.answered,  # 11 to 14
    deletion.deleting,
    wanted.finalizer,  # 14a
    wanted.suspended,  # 14b
    wanted.no_account_yet,  # 14c
    wanted.gone,  # 14d
    wanted.settled,
    wanted.unreadable,  # 14c
    wanted.held,  # 15
    wanted.no_account,  # 14c
    wanted.in_history,  # 16, 16a
    wanted.adoption,  # 17
    wanted.rival,  # 18
    wanted.begin,  # 19
)


def plan(observed: observation.Observed, *, rows: tuple[Row, ...] = ROWS) -> actions.Action:
    """Return what has to be done next; pure, total, and free of any knowledge of how it is done."""
    for row in rows:
        if (action := row(observed)) is not None:
            return action
    raise AssertionError("the last row answers everything")


def ending(action: actions.Action, *, memory: observation.Remembered | None) -> actions.Action:
    """Return what is left of a step when the process ends: what was begun is written, nothing is begun."""
    match action:
        case actions.Post(attempt):
            return actions.Conclude(attempt)  # journaled and never sent
        case actions.Conclude() | actions.WriteRecord() | actions.Report() | actions.Stop() | actions.Nothing():
            return action
        case actions.Wait(_, verdict) if verdict:
            return actions.Report(verdict)  # what is unknown is said, and left to the next leader
        case actions.ReadSecrets() if isinstance(memory, observation.Claimed):
            return action  # to know where its id belongs
        case _:
            return actions.Nothing()
