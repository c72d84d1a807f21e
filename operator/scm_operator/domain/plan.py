"""The decision table: what has to be done next for one upload, as a pure function of what is known.

Each row is a function; the first that answers wins, in the order in which `plan` lists them. Rows that need
something that wasn't asked for yet answer with the action that asks. Everything with a side effect is in reconcile.
"""

import dataclasses

from scm_operator.domain.actions import (
    Action,
    Conclude,
    Journal,
    Nothing,
    Post,
    ReadSecrets,
    Rename,
    Report,
    WriteRecord,
)
from scm_operator.domain.conditions import TRUE, Condition, Verdict
from scm_operator.domain.observation import (
    AccountView,
    Journaled,
    NotRead,
    Observed,
    Stored,
    Unknown,
    Unreadable,
    Wanted,
)
from scm_operator.domain.reasons import Reason
from scm_operator.domain.upload import Record

_CALL_FAILED = frozenset(
    {
        Reason.ACCOUNT_NOT_FOUND,
        Reason.ACCOUNT_NOT_READY,
        Reason.AUTHENTICATION_FAILED,
        Reason.ACCESS_DENIED,
        Reason.ENDPOINT_NOT_FOUND,
        Reason.THROTTLED,
        Reason.UNREACHABLE,
        Reason.SERVER_ERROR,
    }
)


def plan(observed: Observed) -> Action:
    """Return what has to be done next; pure, total, and free of any knowledge of how it is done."""
    for row in _ROWS:
        if (action := row(observed)) is not None:
            return action
    return _send(observed)


def ending(action: Action) -> Action:
    """Return what is left of a step when the process ends: what was begun is written, nothing is begun."""
    match action:
        case Post(attempt):
            return Conclude(attempt)  # journaled and never sent
        case ReadSecrets() | Journal() | Rename():
            return Nothing()
        case _:
            return action


def uploaded(record: Record) -> Verdict:
    """Return the verdict of an upload whose wanted content is in SCM."""
    return Verdict(Reason.UPLOADED, f"Uploaded to SCM as {record.scm_id}.")


def _stored(observed: Observed) -> Action | None:
    """An id in memory: write its record, however often; once a record has it, the attempt is concluded."""
    memory = observed.memory
    if not isinstance(memory, Stored):
        return None
    recorded = observed.upload.status.record
    if recorded and recorded.scm_id == memory.record.scm_id:
        return Conclude(memory.attempt)
    return WriteRecord(memory.status)


def _unknown(observed: Observed) -> Action | None:
    """An unknown outcome: nothing is ever sent for this resource again, whatever its spec and Secrets become."""
    if isinstance(observed.memory, Unknown):
        return Report(observed.memory.verdict)
    ready = observed.upload.status.ready
    if ready and ready.reason == Reason.OUTCOME_UNKNOWN:
        return Report(Verdict(Reason.OUTCOME_UNKNOWN, ready.message))
    return None


def _journaled(observed: Observed) -> Action | None:
    """Journaled and not sent: send it if it is still what is wanted, else conclude it as never sent."""
    memory, upload = observed.memory, observed.upload
    if not isinstance(memory, Journaled):
        return None
    still_wanted = (
        not upload.deleting
        and not upload.suspend
        and upload.generation == memory.generation
        and observed.seen == memory.wanted.secrets
        and memory.attempt.tenant == observed.account.tenant
        and observed.account.fault is None
    )
    return Post(memory.attempt, memory.wanted) if still_wanted else Conclude(memory.attempt)


def _deleting(observed: Observed) -> Action | None:
    """Being deleted: nothing is begun."""
    return Nothing() if observed.upload.deleting else None


def _suspended(observed: Observed) -> Action | None:
    """Suspended: what was uploaded stays as it is, the rest says so."""
    upload = observed.upload
    if not upload.suspend:
        return None
    record, ready = upload.status.record, upload.status.ready
    if record and ready and ready.status == TRUE:
        return Report(uploaded(record))
    kept = f" Entry {record.scm_id} of earlier content stays in SCM." if record else ""
    return Report(Verdict(Reason.SUSPENDED, f"spec.suspend is true: nothing is uploaded until it is false.{kept}"))


def _no_account_yet(observed: Observed) -> Action | None:
    """No usable account and nothing uploaded: the Secrets needn't be read to say so."""
    if observed.account.fault and observed.upload.status.record is None:
        return Report(observed.account.fault)
    return None


def _settled(observed: Observed) -> Action | None:
    """Reported before, and nothing has changed since: no read, no call, no write."""
    if not isinstance(observed.wanted, NotRead):
        return None
    status, ready = observed.upload.status, observed.upload.status.ready
    final = ready and (_is_held_by_status(observed) or ready.reason == Reason.REJECTED)
    unchanged = (
        status.observed_generation == observed.upload.generation
        and not observed.upload.reconcile_requested
        and _secrets_unchanged(observed)
    )
    return Nothing() if final and unchanged else ReadSecrets()


def _unreadable(observed: Observed) -> Action | None:
    """What is wanted can't be known; but a Secret deleted after success takes nothing back."""
    wanted = observed.wanted
    if not isinstance(wanted, Unreadable) or _kept_without_secret(observed):
        return None
    return Report(wanted.verdict, secrets=wanted.secrets)


def _held(observed: Observed) -> Action | None:
    """The wanted content is recorded, for the same tenant: at most its name has to change."""
    record = observed.upload.status.record
    if record is None or not _same_content(observed, record) or not _same_tenant(observed, record):
        return None
    secrets = observed.wanted.secrets if isinstance(observed.wanted, Wanted) else None
    record = _under_its_account(record, observed.account)
    if record.scm_name == observed.upload.scm_name:
        return Report(uploaded(record), secrets=secrets, record=record)
    if observed.account.fault:
        return Report(observed.account.fault, secrets=secrets)
    return Rename(record, observed.upload.scm_name)


def _no_account(observed: Observed) -> Action | None:
    """A call is needed, and there is no account to make it with."""
    if observed.account.fault is None:
        return None
    secrets = observed.wanted.secrets if isinstance(observed.wanted, Wanted) else None
    return Report(observed.account.fault, secrets=secrets)


_ROWS = (
    _stored,
    _unknown,
    _journaled,
    _deleting,
    _suspended,
    _no_account_yet,
    _settled,
    _unreadable,
    _held,
    _no_account,
)


def _send(observed: Observed) -> Action:
    """Never sent: one POST, after its attempt stands in the journal."""
    wanted, tenant = observed.wanted, observed.account.tenant
    assert isinstance(wanted, Wanted)  # noqa: S101 - the rows above have answered everything else
    assert tenant is not None  # noqa: S101 - an account without fault exists
    return Journal(wanted, tenant)


def _secrets_unchanged(observed: Observed) -> bool:
    """Say whether each Secret is as it was when it was read, or, after success, gone."""
    recorded = {secret.name: secret for secret in observed.upload.status.observed_secrets}
    return all(
        name in recorded and seen in (recorded[name], None)
        for name, seen in zip(observed.upload.secret_names, observed.seen, strict=True)
    )


def _is_held_by_status(observed: Observed) -> bool:
    status = observed.upload.status
    return (
        status.record is not None
        and status.ready is not None
        and status.ready.status == TRUE
        and _same_tenant(observed, status.record)
    )


def _kept_without_secret(observed: Observed) -> bool:
    """Say whether an upload only lost the Secrets that its entry was made from."""
    status, wanted = observed.upload.status, observed.wanted
    known = {secret.name for secret in status.observed_secrets}
    return (
        isinstance(wanted, Unreadable)
        and wanted.secret_gone
        and status.record is not None
        and _same_tenant(observed, status.record)
        and _was_as_wanted(status.ready, status.record, observed.upload.scm_name)
        and known.issuperset(observed.upload.secret_names)
        and set(wanted.secrets) <= set(status.observed_secrets)
    )


def _was_as_wanted(ready: Condition | None, record: Record, scm_name: str) -> bool:
    """Say whether the entry held the wanted content when last looked at; a rename that failed says nothing else."""
    if ready is None:
        return False
    return ready.status == TRUE or (record.scm_name != scm_name and ready.reason in _CALL_FAILED)


def _under_its_account(record: Record, account: AccountView) -> Record:
    """Return the record with the account that reaches it now: another one of the same tenant may be named."""
    if account.key is None or account.tenant is None:
        return record
    return dataclasses.replace(record, account=account.key, tenant=account.tenant)


def _same_content(observed: Observed, record: Record) -> bool:
    if isinstance(observed.wanted, Wanted):
        return observed.wanted.content.hash == record.content_hash
    return _kept_without_secret(observed)


def _same_tenant(observed: Observed, record: Record) -> bool:
    """Say whether the entry is where it is wanted; an account that is gone is taken at its name."""
    account = observed.account
    if account.tenant is None:
        return account.key in (None, record.account)
    return account.tenant.same_as(record.tenant)
