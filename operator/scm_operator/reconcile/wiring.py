"""How the parts that reconcile an upload are handed to each other; app has the ports."""

import dataclasses
from collections.abc import Collection

from scm_operator.domain import ports
from scm_operator.reconcile import (
    account,
    acting,
    changing,
    connection,
    departing,
    groups,
    looking,
    memory,
    observing,
    report,
    sending,
    standing,
    upload,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Ports:
    """What of the world the reconciling of uploads needs."""

    secrets: ports.SecretReader
    reader: ports.UploadReader
    journal: ports.Journal
    clock: ports.Clock


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What is made before the reconciler of uploads; ``settle_after`` and ``deletion_deadline`` in seconds.

    ``left_out`` are namespaces of which nothing is known.
    """

    ports: Ports
    known: report.UploadCache
    accounts: account.AccountReconciler
    memory: memory.Memory
    standing: standing.Standing
    reporter: report.Reporter
    outside: connection.Outside
    settle_after: float
    deletion_deadline: float
    left_out: Collection[str] = ()


def upload_reconciler(parts: Parts) -> upload.UploadReconciler:
    """Make the reconciler of uploads."""
    clock, journal = parts.ports.clock, parts.ports.journal
    grouped = groups.Groups(known=parts.known, journal=journal, clock=clock, settle_after=parts.settle_after)
    return upload.UploadReconciler(
        known=parts.known,
        reader=parts.ports.reader,
        secrets=parts.ports.secrets,
        journal=journal,
        groups=grouped,
        observer=_observer(parts, grouped),
        acting=_acting(parts, grouped),
        departing=_departing(parts, grouped),
        memory=parts.memory,
        reporter=parts.reporter,
        clock=clock,
        deletion_deadline=parts.deletion_deadline,
    )


def _observer(parts: Parts, grouped: groups.Groups) -> observing.Observer:
    return observing.Observer(
        accounts=parts.accounts,
        secrets=parts.ports.secrets,
        journal=parts.ports.journal,
        groups=grouped,
        memory=parts.memory,
        standing=parts.standing,
        clock=parts.ports.clock,
        deletion_deadline=parts.deletion_deadline,
    )


def _acting(parts: Parts, grouped: groups.Groups) -> acting.Acting:
    clock, memory, standing = parts.ports.clock, parts.memory, parts.standing
    accounts, outside = parts.accounts, parts.outside
    sends = sending.Sending(
        accounts=accounts,
        journal=parts.ports.journal,
        groups=grouped,
        memory=memory,
        standing=standing,
        clock=clock,
        outside=outside,
    )
    looks = looking.Looking(groups=grouped, memory=memory, standing=standing, clock=clock, outside=outside)
    changes = changing.Changing(
        accounts=accounts, memory=memory, standing=standing, reporter=parts.reporter, clock=clock, outside=outside
    )
    return acting.Acting(
        sending=sends,
        looking=looks,
        changing=changes,
        reporter=parts.reporter,
        groups=grouped,
        memory=memory,
        standing=standing,
    )


def _departing(parts: Parts, grouped: groups.Groups) -> departing.Departing:
    return departing.Departing(
        accounts=parts.accounts,
        journal=parts.ports.journal,
        groups=grouped,
        memory=parts.memory,
        reporter=parts.reporter,
        outside=parts.outside,
        left_out=parts.left_out,
    )
