"""Questions that several rows ask: is this entry where, and what, is wanted."""

import dataclasses

from scm_operator.domain import conditions, observation, status
from scm_operator.domain.reasons import Reason

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


def in_tenant(observed: observation.Observed, record: status.Record) -> bool:
    """Say whether an entry is where it is wanted; an account that is gone is taken at its name."""
    account = observed.account
    if account.tenant is None:
        return account.key in (None, record.account)
    return account.tenant.same_as(record.tenant)


def is_held(observed: observation.Observed, record: status.Record, content_hash: str) -> bool:
    """Say whether a record has the wanted content, for the wanted tenant."""
    return record.content_hash == content_hash and in_tenant(observed, record)


def kept_without_secret(observed: observation.Observed) -> bool:
    """Say whether an upload only lost the Secrets that its entry was made from."""
    known, wanted = observed.upload.status, observed.wanted
    names = {secret.name for secret in known.observed_secrets}
    return (
        isinstance(wanted, observation.Unreadable)
        and wanted.secret_gone
        and known.record is not None
        and in_tenant(observed, known.record)
        and _was_as_wanted(known.ready, known.record, observed.upload.scm_name)
        and names.issuperset(observed.upload.secret_names)
        and set(wanted.secrets) <= set(known.observed_secrets)
    )


def secrets_unchanged(observed: observation.Observed) -> bool:
    """Say whether each Secret is as it was when it was read, or, after success, gone."""
    known = {secret.name: secret for secret in observed.upload.status.observed_secrets}
    return all(
        name in known and seen in (known[name], None)
        for name, seen in zip(observed.upload.secret_names, observed.seen, strict=True)
    )


def under_its_account(record: status.Record, account: observation.AccountView) -> status.Record:
    """Return the record with the account that reaches it now: another one of the same tenant may be named."""
    if account.key is None or account.tenant is None:
        return record
    return dataclasses.replace(record, account=account.key, tenant=account.tenant)


def versions_read(observed: observation.Observed) -> tuple[status.ObservedSecret, ...] | None:
    """Return the versions of the Secrets that were read in this pass, or None."""
    return observed.wanted.secrets if isinstance(observed.wanted, observation.Wanted) else None


def _was_as_wanted(ready: conditions.Condition | None, record: status.Record, scm_name: str) -> bool:
    """Say whether the entry held the wanted content when last looked at; a rename that failed says nothing else."""
    if ready is None:
        return False
    return ready.status == conditions.TRUE or (record.scm_name != scm_name and ready.reason in _CALL_FAILED)
