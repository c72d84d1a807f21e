"""The reconciler of the model: the operator's own wiring, or the same with a rule taken out."""

import dataclasses

from scm_operator.domain import actions, observation, plan
from scm_operator.reconcile import (
    acting,
    changing,
    observing,
    sending,
    upload,
    wiring,
)
from scm_operator.reconcile.departing import Departing
from scm_operator.reconcile.groups import Groups
from scm_operator.reconcile.looking import Looking
from scm_operator.reconcile.memory import Memory
from scm_operator.reconcile.report import Reporter
from tests.support import model_scm


@dataclasses.dataclass(frozen=True)
class Rules:
    """What stands in for the operator's parts; by default those themselves.

    ``checks`` (preconditions of a write) and ``keeps_concluded`` are for the fakes of API server and
    journal; ``relist_is_new``: what a watch shows once more counts as never sent. ``wired`` False: put
    together here, as it has to be where a part is replaced.
    """

    rows: tuple[plan.Row, ...] = plan.ROWS
    groups: type[Groups] = Groups
    looking: type[Looking] = Looking
    departing: type[Departing] = Departing
    observer: type[observing.Observer] = observing.Observer
    memory: type[Memory] = Memory
    reporter: type[Reporter] = Reporter
    reconciler: type["Reconciler"] | None = None
    checks: tuple[str, ...] = ("uid", "version")
    keeps_concluded: bool = False
    relist_is_new: bool = False
    wired: bool = False


ALL = Rules(wired=True)
"""The operator as it is."""


def without(*rows: plan.Row) -> tuple[plan.Row, ...]:
    """Return the table without some rows."""
    assert set(rows) <= set(plan.ROWS)
    return tuple(row for row in plan.ROWS if row not in rows)


def instead(row: plan.Row, other: plan.Row) -> tuple[plan.Row, ...]:
    """Return the table with another row in a row's place."""
    assert row in plan.ROWS
    return tuple(other if each is row else each for each in plan.ROWS)


class Reconciler(upload.UploadReconciler):
    """Plans by another table."""

    rows: tuple[plan.Row, ...] = plan.ROWS

    def _next(self, observed: observation.Observed) -> actions.Action:
        action = plan.plan(observed, rows=self.rows)
        return plan.ending(action, memory=observed.memory) if self._stopping else action


SETTLE_AFTER = model_scm.DEADLINE + model_scm.SETTLE
DELETION_DEADLINE = 600.0


def reconciler(parts: wiring.Parts, rules: Rules) -> upload.UploadReconciler:
    """Put the reconciler of uploads together."""
    if rules.wired:
        return wiring.upload_reconciler(parts)
    return _own(parts, rules)


def _own(parts: wiring.Parts, rules: Rules) -> upload.UploadReconciler:
    clock, journal = parts.ports.clock, parts.ports.journal
    grouped = rules.groups(known=parts.known, journal=journal, clock=clock, settle_after=parts.settle_after)
    made = (rules.reconciler or Reconciler)(
        known=parts.known,
        reader=parts.ports.reader,
        secrets=parts.ports.secrets,
        journal=journal,
        groups=grouped,
        observer=rules.observer(
            accounts=parts.accounts,
            secrets=parts.ports.secrets,
            journal=journal,
            groups=grouped,
            memory=parts.memory,
            standing=parts.standing,
            clock=clock,
            deletion_deadline=parts.deletion_deadline,
        ),
        acting=_acting(parts, rules, grouped),
        departing=rules.departing(
            accounts=parts.accounts,
            journal=journal,
            groups=grouped,
            memory=parts.memory,
            reporter=parts.reporter,
            outside=parts.outside,
        ),
        memory=parts.memory,
        reporter=parts.reporter,
        clock=clock,
        deletion_deadline=parts.deletion_deadline,
    )
    made.rows = rules.rows
    return made


def _acting(parts: wiring.Parts, rules: Rules, grouped: Groups) -> acting.Acting:
    clock = parts.ports.clock
    return acting.Acting(
        sending=sending.Sending(
            accounts=parts.accounts,
            journal=parts.ports.journal,
            groups=grouped,
            memory=parts.memory,
            standing=parts.standing,
            clock=clock,
            outside=parts.outside,
        ),
        looking=rules.looking(
            groups=grouped, memory=parts.memory, standing=parts.standing, clock=clock, outside=parts.outside
        ),
        changing=changing.Changing(
            accounts=parts.accounts,
            memory=parts.memory,
            standing=parts.standing,
            reporter=parts.reporter,
            clock=clock,
            outside=parts.outside,
        ),
        reporter=parts.reporter,
        groups=grouped,
        memory=parts.memory,
        standing=parts.standing,
    )
