"""Observe: gather what the decision table looks at, and the connections with which its answer can be carried out."""

import dataclasses
from collections.abc import Iterator, Mapping

from scm_operator.domain import account as accounts
from scm_operator.domain import attempt, observation, ports, upload
from scm_operator.reconcile import account, groups, memory, standing, visit
from scm_operator.reconcile.connection import Connection


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """What was observed, the connection of the upload's account, and those by which its tenants are reached."""

    observed: observation.Observed
    connection: Connection | None
    reached: Mapping[accounts.Tenant, Connection]

    def own(self) -> Connection:
        """Return the connection of the upload's account; plan makes no call without one."""
        assert self.connection is not None  # noqa: S101 - as it says
        return self.connection


class Observer:
    """Looks at one upload at a time."""

    def __init__(  # noqa: PLR0913 - ports and rooms
        self,
        *,
        accounts: account.AccountReconciler,
        secrets: ports.SecretReader,
        journal: ports.Journal,
        groups: groups.Groups,
        memory: memory.Memory,
        standing: standing.Standing,
        clock: ports.Clock,
        deletion_deadline: float,
    ) -> None:
        """Take where everything is; ``deletion_deadline`` in seconds: how long a deletion may be in the way."""
        self._accounts = accounts
        self._secrets = secrets
        self._journal = journal
        self._groups = groups
        self._memory = memory
        self._standing = standing
        self._clock = clock
        self._deletion_deadline = deletion_deadline

    async def observe(self, current: upload.Upload, seen: visit.Visit) -> Observation:
        """Look at everything; nothing is awaited between the last look and the answer. Raises: ApiServerError."""
        view, connection = await self._accounts.view(current)
        seen.look_in(view.tenant)
        self._doubt(current, seen, connection)
        views: dict[accounts.Tenant, observation.AccountView] = {}
        reached: dict[accounts.Tenant, Connection] = {}
        for tenant in self._tenants(current, view):
            found = await self._reach(tenant, view, connection)
            if found:
                views[tenant], reached[tenant] = found
        return Observation(self._observed(current, seen, view, views), connection, reached)

    async def _reach(
        self, tenant: accounts.Tenant, view: observation.AccountView, connection: Connection | None
    ) -> tuple[observation.AccountView, Connection] | None:
        if connection and view.tenant == tenant and not view.fault:
            return view, connection
        found = await self._accounts.reach(tenant)
        reached = (found[0], found[1]) if found and found[1] else None
        if reached and not reached[0].fault:
            return reached
        own = (view, connection) if connection and view.tenant and view.tenant.same_as(tenant) else None
        return own if own and not view.fault else reached or own

    def _tenants(self, current: upload.Upload, view: observation.AccountView) -> Iterator[accounts.Tenant]:
        """Return where its entries and attempts are, and where it is wanted: a lost journal may have sent it there."""
        own = (view.tenant,) if view.tenant else ()
        of_records = (record.tenant for record in current.status.records)
        of_attempts = (one.tenant for one in self._journal.of(current.uid))
        yield from dict.fromkeys([*own, *of_records, *of_attempts])

    def _observed(
        self,
        current: upload.Upload,
        seen: visit.Visit,
        view: observation.AccountView,
        views: Mapping[accounts.Tenant, observation.AccountView],
    ) -> observation.Observed:
        remembered, record = self._memory.remembered.get(current.key), current.status.record
        unknowns = self._unknowns(current, remembered)
        names = (accounts.SecretName(current.key.namespace, name) for name in current.secret_names)
        return observation.Observed(
            upload=current,
            memory=remembered,
            account=view,
            seen=tuple(self._secrets.seen(name) for name in names),
            wanted=seen.wanted,
            leads=self._journal.holds(),
            term=self._journal.term,
            now=self._clock.monotonic(),
            unknowns=unknowns,
            groups={group: self._groups.view(group) for group in _groups(remembered, unknowns, seen.wanted, view)},
            reach=views,
            answers=seen.answers,
            missing=self._missing(current),
            resync=seen.resync,
            overdue=self._overdue(current),
            lost=self._journal.lost,
            earlier_settled_in=self._groups.earlier_settled_in if unknowns or self._journal.lost else 0.0,
            notes=self._memory.notes,
            renaming=self._memory.renaming.get(record.scm_id) if record else None,
        )

    def _unknowns(
        self, current: upload.Upload, remembered: observation.Remembered | None
    ) -> tuple[attempt.Attempt, ...]:
        own = remembered.attempt if remembered else None
        return tuple(one for one in self._journal.of(current.uid) if own is None or one.id != own.id)

    def _missing(self, current: upload.Upload) -> observation.Missing | None:
        (scm_id, _), record = self._memory.missing.get(current.key, (None, None)), current.status.record
        if scm_id is None or record is None or record.scm_id != scm_id:
            return None
        return self._standing.missing(record.account, scm_id)

    def _doubt(self, current: upload.Upload, seen: visit.Visit, connection: Connection | None) -> None:
        """Look again for an entry that was found gone if the account has changed since: it may not have led there."""
        (scm_id, version), record = self._memory.missing.get(current.key, (None, None)), current.status.record
        if scm_id is None or connection is None or connection.fault or version == connection.version:
            return
        del self._memory.missing[current.key]
        if record and record.scm_id == scm_id:
            self._standing.present(record.account, scm_id)  # until it is known better
        seen.shown.pop(scm_id, None)
        seen.resync = True

    def _overdue(self, current: upload.Upload) -> bool:
        if not (current.deleting and current.has_finalizer):
            return False
        now = self._clock.monotonic()
        return now - self._memory.deleting_since.setdefault(current.uid, now) >= self._deletion_deadline


def _groups(
    remembered: observation.Remembered | None,
    unknowns: tuple[attempt.Attempt, ...],
    wanted: observation.Reading,
    view: observation.AccountView,
) -> set[attempt.Group]:
    found = {one.group for one in unknowns}
    if isinstance(remembered, observation.Journaled):
        found.add(remembered.attempt.group)
    if isinstance(wanted, observation.Wanted) and view.tenant:
        found.add(attempt.group_of(view.tenant, wanted.content.hash))
    return found
