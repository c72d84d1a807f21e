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


def upload_reconciler(  # noqa: PLR0913 - rooms
    *,
    ports: Ports,
    known: report.UploadCache,
    accounts: account.AccountReconciler,
    memory: memory.Memory,
    standing: standing.Standing,
    reporter: report.Reporter,
    outside: connection.Outside,
    settle_after: float,
    deletion_deadline: float,
    left_out: Collection[str] = (),
) -> upload.UploadReconciler:
    """Make the reconciler of uploads; ``settle_after`` and ``deletion_deadline`` in seconds.

    ``left_out`` are namespaces of which nothing is known.
    """
    clock, journal = ports.clock, ports.journal
    grouped = groups.Groups(known=known, journal=journal, clock=clock, settle_after=settle_after)
    observer = observing.Observer(
        accounts=accounts,
        secrets=ports.secrets,
        journal=journal,
        groups=grouped,
        memory=memory,
        standing=standing,
        clock=clock,
        deletion_deadline=deletion_deadline,
    )
    sends = sending.Sending(
        accounts=accounts,
        journal=journal,
        groups=grouped,
        memory=memory,
        standing=standing,
        clock=clock,
        outside=outside,
    )
    looks = looking.Looking(groups=grouped, memory=memory, standing=standing, clock=clock, outside=outside)
    changes = changing.Changing(
        accounts=accounts, memory=memory, standing=standing, reporter=reporter, clock=clock, outside=outside
    )
    steps = acting.Acting(
        sending=sends,
        looking=looks,
        changing=changes,
        reporter=reporter,
        groups=grouped,
        memory=memory,
        standing=standing,
    )
    leaves = departing.Departing(
        accounts=accounts,
        journal=journal,
        groups=grouped,
        memory=memory,
        reporter=reporter,
        outside=outside,
        left_out=left_out,
    )
    return upload.UploadReconciler(
        known=known,
        reader=ports.reader,
        secrets=ports.secrets,
        journal=journal,
        groups=grouped,
        observer=observer,
        acting=steps,
        departing=leaves,
        memory=memory,
        reporter=reporter,
        clock=clock,
        deletion_deadline=deletion_deadline,
    )
