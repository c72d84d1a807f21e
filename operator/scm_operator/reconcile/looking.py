"""Looking at what SCM has: for an attempt's entry, for one to adopt, and whether an entry is still there."""

import logging

from scm_operator.domain import account as accounts
from scm_operator.domain import (
    actions,
    attempt,
    conditions,
    entry,
    errors,
    lookup,
    observation,
    ports,
    reasons,
    report,
)
from scm_operator.reconcile import groups, memory, standing, visit
from scm_operator.reconcile.connection import Connection, Outside
from scm_operator.reconcile.observing import Observation

_log = logging.getLogger(__name__)


class Looking:
    """Asks SCM, and keeps the answers in the visit; nothing in SCM changes here."""

    def __init__(
        self,
        *,
        groups: groups.Groups,
        memory: memory.Memory,
        standing: standing.Standing,
        clock: ports.Clock,
        outside: Outside,
    ) -> None:
        self._groups = groups
        self._memory = memory
        self._standing = standing
        self._clock = clock
        self._outside = outside

    async def look_up(self, action: actions.LookUp, at: Observation, seen: visit.Visit) -> None:
        """Look for an attempt's entry; what is found is kept for this upload. Raises: RetryLater."""
        unknown = action.attempt
        sought = lookup.Sought(unknown.scm_name, unknown.group.der_digest, conditions.moment(unknown.at))
        with self._groups.looking(unknown.group):
            answer = await self._search(sought, at.reached[unknown.tenant], seen)
            seen.lookups[unknown] = answer

    async def look_for_adoption(self, action: actions.LookForAdoption, at: Observation, seen: visit.Visit) -> None:
        """Look for an entry of any age that has the wanted name and CSR. Raises: RetryLater."""
        tenant = at.observed.account.tenant
        assert tenant is not None  # noqa: S101 - an account without fault exists
        group = attempt.group_of(tenant, action.content_hash)
        with self._groups.looking(group):
            seen.adoption = await self._search(lookup.Sought(action.scm_name, group.der_digest, None), at.own(), seen)

    async def show(self, action: actions.Show, at: Observation, seen: visit.Visit) -> None:
        """Look at an entry of the upload. Raises: RetryLater."""
        record, current = action.record, at.observed.upload.status.record
        is_current = current is not None and current.scm_id == record.scm_id
        try:
            async with at.own().calling_in_turn(seen.key, outside=self._outside) as store:
                shown = await store.show(record.scm_id)
        except errors.AccountObstacle as obstacle:
            if is_current or obstacle.account_reason is not reasons.AccountReason.ACCESS_DENIED:
                raise
            seen.unverified.add(record.scm_id)
            return
        seen.shown[record.scm_id] = shown
        if not is_current:
            return
        self._standing.recover(record.account, reasons.AccountReason.RESYNC_FAILED)
        if shown:
            self._standing.present(record.account, record.scm_id)
        else:
            self._memory.missing[seen.key] = record.scm_id, at.own().version

    def claim(self, action: actions.Claim, at: Observation) -> None:
        """Take an entry for this upload, in memory first."""
        current, unknown = at.observed.upload, action.attempt
        wanted = at.observed.wanted if isinstance(at.observed.wanted, observation.Wanted) else None
        content_hash = unknown.content_hash if unknown else wanted.content.hash if wanted else ""
        record = report.claimed_record(
            action,
            scm_name=unknown.scm_name if unknown else current.scm_name,
            content_hash=content_hash,
            account=_account_of(unknown.tenant, at) if unknown else at.own().key,
            tenant=unknown.tenant if unknown else at.own().tenant,
        )
        fits = wanted if wanted and wanted.content.hash == content_hash else None
        self._memory.remembered[current.key] = observation.Claimed(current, record, unknown, fits)

    def give_up(self, seen: visit.Visit) -> None:
        """Let others have what was found and isn't claimed next, and forget it: the resource has changed since."""
        if seen.found:
            self._memory.give_up(seen.found)
            seen.forget_found()

    async def _search(self, sought: lookup.Sought, connection: Connection, seen: visit.Visit) -> lookup.Answer:
        try:
            answer = await self._asked(sought, connection, seen)
        except errors.AccountObstacle as obstacle:
            if obstacle.account_reason is not reasons.AccountReason.ACCESS_DENIED:
                raise
            return lookup.CantTell(f"looking for it is not permitted ({obstacle.message.rstrip('.')})")
        if isinstance(answer, lookup.Found):
            self._memory.reserve(answer.entry.scm_id, seen.key)
            seen.found = answer.entry.scm_id
        _log.debug("%s: looked for CSR %r: %s", seen.key, sought.scm_name, lookup.describe(answer))
        return answer

    async def _asked(self, sought: lookup.Sought, connection: Connection, seen: visit.Visit) -> lookup.Answer:
        before = self._clock.now()
        async with connection.calling_in_turn(seen.key, outside=self._outside) as store:
            listing = await store.list_named(sought.scm_name)
        now = before + (self._clock.now() - before) / 2  # when the answer was dated, as near as can be known
        shown: dict[str, entry.ListedEntry | None] = {}
        while True:
            # An entry of any age may be adopted, one that a deleted upload has left behind, too.
            claimed = self._memory.not_sent_by() if sought.since else self._memory.claimed()
            answer = lookup.search(sought, listing, shown=shown, claimed=claimed, now=now)
            if not isinstance(answer, lookup.ShowFirst):
                return answer
            async with connection.calling_in_turn(seen.key, outside=self._outside) as store:
                shown[answer.scm_id] = await store.show(answer.scm_id)


def _account_of(tenant: accounts.Tenant, at: Observation) -> accounts.AccountKey:
    """Return the account that reaches a tenant; one that is gone since, or leads elsewhere, by its own name."""
    reached = at.reached.get(tenant)
    key = reached.key if reached else accounts.account_key_of(tenant.account)
    assert key is not None  # noqa: S101 - a tenant that was asked names its account
    return key
