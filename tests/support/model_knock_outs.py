"""The operator with one rule taken out, each by its name: what the model has to find without it."""

import contextlib
import dataclasses
import datetime
from collections.abc import Iterator

from scm_operator.domain import actions, attempt, conditions, lookup, observation, plan, upload
from scm_operator.domain import report as domain_report
from scm_operator.domain.account import Tenant
from scm_operator.domain.rows import memory as memory_rows
from scm_operator.domain.rows import unknown, wanted
from scm_operator.reconcile import departing, groups, looking, memory, observing, report, visit
from scm_operator.reconcile.connection import Connection
from scm_operator.reconcile.observing import Observation
from tests.support import model_loop, model_wiring
from tests.support.model_wiring import Rules


class _NoClaims(memory.Memory):
    def claimed(self) -> frozenset[str]:
        return frozenset()


class _NoDeparted(memory.Memory):
    def departed(self, about: upload.Upload) -> None:
        """Keep nothing in mind."""


class _NoLock(groups.Groups):
    @contextlib.contextmanager
    def looking(self, group: attempt.Group) -> Iterator[None]:
        del group
        yield

    @contextlib.contextmanager
    def posting(self, group: attempt.Group) -> Iterator[None]:
        del group
        yield


class _NoSettling(groups.Groups):
    @property
    def earlier_settled_in(self) -> float:
        return 0.0

    def view(self, group: attempt.Group) -> observation.GroupView:
        return dataclasses.replace(super().view(group), settled_in=0.0)


class _SettlesAlone(groups.Groups):
    """Each attempt by itself, and not its group as a whole."""

    def view(self, group: attempt.Group) -> observation.GroupView:
        seen = super().view(group)
        return dataclasses.replace(seen, settled_in=min(map(self._left_of, seen.attempts), default=0.0))

    def _left_of(self, one: attempt.Attempt) -> float:
        return self._left(self._journal.added_at(one))


class _NoUnfencedTwins(groups.Groups):
    def view(self, group: attempt.Group) -> observation.GroupView:
        return dataclasses.replace(super().view(group), unfenced=frozenset())


class _AnyAge(looking.Looking):
    async def look_up(self, action: actions.LookUp, at: Observation, seen: visit.Visit) -> None:
        before = conditions.moment(action.attempt.at) - datetime.timedelta(days=1)
        aged = dataclasses.replace(action.attempt, at=conditions.timestamp(before))
        await super().look_up(actions.LookUp(aged), at, seen)


class _NoLeaseCheck(report.Reporter):
    def _check_lease(self) -> None:
        """Write whoever holds it."""


class _NoAttemptIds(report.Reporter):
    """Records don't carry the id of their attempt."""

    async def _write(self, about: upload.Upload, status: upload.Status) -> None:
        record = dataclasses.replace(status.record, attempt_id=None) if status.record else None
        history = tuple(
            dataclasses.replace(old, record=dataclasses.replace(old.record, attempt_id=None)) for old in status.history
        )
        await super()._write(about, dataclasses.replace(status, record=record, history=history))


class _CallsRenamedReady(report.Reporter):
    """Says of an entry under an old name that it is as it should be."""

    async def _write(self, about: upload.Upload, status: upload.Status) -> None:
        if status.record and status.record.scm_name != about.scm_name:
            after = dataclasses.replace(about, status=status)
            verdict = wanted.uploaded(status.record)
            status = domain_report.reported(after, verdict, secrets=None, now=model_loop.START)
        await super()._write(about, status)


class _PresentName(looking.Looking):
    """Looks under the name that the resource has now."""

    async def look_up(self, action: actions.LookUp, at: Observation, seen: visit.Visit) -> None:
        named = dataclasses.replace(action.attempt, scm_name=at.observed.upload.scm_name)
        await super().look_up(actions.LookUp(named), at, seen)


class _PresentAccount(observing.Observer):
    """Looks where the resource's account leads now."""

    async def _reach(
        self, tenant: Tenant, view: observation.AccountView, connection: Connection | None
    ) -> tuple[observation.AccountView, Connection] | None:
        return (view, connection) if connection else await super()._reach(tenant, view, connection)


class _ForgetsGone(departing.Departing):
    def _conclude(self, one: attempt.Attempt) -> float:
        self._groups.conclude(one)
        self._reporter.orphaned(one.key, uid=one.uid, message="gone")
        return 0.0


class _LetsGoWithoutLease(departing.Departing):
    async def let_go(self, key: upload.UploadKey, current: upload.Upload | None) -> float | None:
        await self._let_go_of_memory(key, current)
        return await super().let_go(key, current)

    async def _delete(self, known: observation.Claimed) -> bool:
        reached = await self._accounts.reach(known.record.tenant)
        if reached is None or reached[1] is None:
            return False
        async with self._outside(), reached[1].calling() as store:
            await store.delete(known.record.scm_id)
        return True


class _UsesUpRequests(model_wiring.Reconciler):
    async def _report(self, current: upload.Upload, action: actions.Report, *, handled: bool = True) -> None:
        await super()._report(current, action, handled=handled or True)


def _settled_whatever_the_name(observed: observation.Observed) -> actions.Action | None:
    record, about = observed.upload.status.record, observed.upload
    if record is None:
        return wanted.settled(observed)
    named = dataclasses.replace(about, scm_name=record.scm_name)
    return wanted.settled(dataclasses.replace(observed, upload=named))


def _adopts_in_doubt(observed: observation.Observed) -> actions.Action | None:
    action = wanted.adoption(observed)
    group = action.group if isinstance(action, actions.Wait) else None
    if group is None or observed.group(group).settled_in or observed.group(group).looking_up:
        return action
    content_hash = observed.wanted.content.hash if isinstance(observed.wanted, observation.Wanted) else ""
    return actions.LookForAdoption(observed.upload.scm_name, content_hash)


def _finds_whatever_rivals(observed: observation.Observed) -> actions.Action | None:
    one = unknown.unknown_of(observed)
    match observed.answers.lookups.get(one) if one else None:
        case lookup.Found(entry):
            return actions.Claim(entry, one)
        case _:
            return unknown.answered(observed)


def _absent_is_unknown(observed: observation.Observed) -> actions.Action | None:
    action = unknown.answered(observed)
    return actions.Nothing() if isinstance(action, actions.Conclude) else action


def _unknown_is_absent(observed: observation.Observed) -> actions.Action | None:
    action = unknown.answered(observed)
    return actions.Conclude(unknown.unknown_of(observed)) if isinstance(action, actions.Report) else action


def _never_confirmed(observed: observation.Observed) -> actions.Action | None:
    about = dataclasses.replace(observed.upload, confirm_upload=None)
    return unknown.answered(dataclasses.replace(observed, upload=about))


def _name(row: plan.Row) -> str:
    return f"{row.__module__.rpartition('.')[2]}.{row.__name__}"


ROWS: dict[str, Rules] = {
    _name(row): Rules(rows=model_wiring.without(row)) for row in plan.ROWS if row is not wanted.begin
}
"""Each row of the table is left out; the last one answers what no other does."""

PARTS: dict[str, Rules] = {
    "row 11 (with or without a key can't be told)": Rules(
        rows=model_wiring.instead(unknown.answered, _finds_whatever_rivals)
    ),
    "row 13 (surely absent)": Rules(rows=model_wiring.instead(unknown.answered, _absent_is_unknown)),
    "row 14 (can't tell)": Rules(rows=model_wiring.instead(unknown.answered, _unknown_is_absent)),
    "row 14 (confirmed)": Rules(rows=model_wiring.instead(unknown.answered, _never_confirmed)),
    "a rename that is due is seen": Rules(
        rows=model_wiring.instead(wanted.settled, _settled_whatever_the_name), reporter=_CallsRenamedReady
    ),
    "adoption waits for other attempts": Rules(rows=model_wiring.instead(wanted.adoption, _adopts_in_doubt)),
    "claims": Rules(memory=_NoClaims),
    "departed ids": Rules(memory=_NoDeparted),
    "group lock": Rules(groups=_NoLock),
    "settle time": Rules(groups=_NoSettling),
    "settle time of the whole group": Rules(groups=_SettlesAlone),
    "records carry the attempt's id": Rules(reporter=_NoAttemptIds),
    "looked up under the attempt's own name": Rules(looking=_PresentName),
    "looked up with the attempt's own tenant": Rules(observer=_PresentAccount),
    "a relist makes nothing new": Rules(relist_is_new=True),
    "unfenced twins": Rules(groups=_NoUnfencedTwins),
    "lease check before a status write": Rules(reporter=_NoLeaseCheck),
    "not older than the attempt": Rules(looking=_AnyAge),
    "neither row 1 nor the lease check before a status write": Rules(
        rows=model_wiring.without(memory_rows.not_leading), reporter=_NoLeaseCheck
    ),
    "row 9, for itself and for twins": Rules(rows=model_wiring.without(unknown.unfenced), groups=_NoUnfencedTwins),
    "uid precondition": Rules(checks=("version",)),
    "resourceVersion precondition": Rules(checks=("uid",)),
    "concluded attempts leave with the adding write": Rules(keeps_concluded=True),
    "attempts of the gone stay until settled": Rules(departing=_ForgetsGone),
    "nothing is let go without the Lease": Rules(departing=_LetsGoWithoutLease),
    "a wait uses up no request": Rules(reconciler=_UsesUpRequests),
}
"""Rules that are part of a row, or stand outside of the table."""

ALL: dict[str, Rules] = ROWS | PARTS
