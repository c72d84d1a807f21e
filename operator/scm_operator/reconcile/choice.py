"""Which account an upload goes to, and what it is told when there is none to use."""

from scm_operator.domain import account as accounts
from scm_operator.domain import conditions, reasons, upload


def candidates_of(wanted: upload.Upload) -> tuple[accounts.AccountKey, ...]:
    """Return the accounts that an upload may go to, the first that exists wins.

    The accountRef; else the account that was resolved once and is kept; else the defaults.
    """
    if wanted.account:
        return (wanted.account,)
    if wanted.status.record:
        return (wanted.status.record.account,)
    return (
        accounts.AccountKey(accounts.AccountKind.NAMESPACED, wanted.key.namespace, accounts.DEFAULT_NAME),
        accounts.AccountKey(accounts.AccountKind.CLUSTER, "", accounts.DEFAULT_NAME),
    )


def concerns(key: accounts.AccountKey, wanted: upload.Upload) -> bool:
    """Say whether an account is, or may be, the upload's, or that of an entry which it has."""
    return key in candidates_of(wanted) or any(record.account == key for record in wanted.status.records)


def namesake_of(wanted: upload.Upload) -> accounts.AccountKey | None:
    """Return the account of the other kind that has the name in the accountRef: its kind is easily left out."""
    if not wanted.account:
        return None
    if wanted.account.kind is accounts.AccountKind.NAMESPACED:
        return accounts.AccountKey(accounts.AccountKind.CLUSTER, "", wanted.account.name)
    return accounts.AccountKey(accounts.AccountKind.NAMESPACED, wanted.key.namespace, wanted.account.name)


def not_found(
    wanted: upload.Upload,
    candidates: tuple[accounts.AccountKey, ...],
    *,
    cluster_accounts: bool,
    namesake: accounts.AccountKey | None = None,
) -> conditions.Verdict:
    """Return the verdict on an upload none of whose accounts exists, or is served: ``cluster_accounts`` may not be.

    ``namesake`` is an account of the other kind that exists.
    """
    unserved = not cluster_accounts and candidates[0].kind is accounts.AccountKind.CLUSTER
    if unserved:
        message = (
            f"{candidates[0]} can't be used: this installation of the operator serves no ClusterScmAccounts. Name a "
            "ScmAccount, or have them served (chart value clusterAccounts.enabled)."
        )
    elif wanted.account and namesake:
        message = (
            f"spec.accountRef names {candidates[0]}, which does not exist. There is {namesake}: set "
            f"spec.accountRef.kind to {namesake.kind} to use it."
        )
    elif wanted.account:
        message = f"spec.accountRef names {candidates[0]}, which does not exist. Create it, or name another."
    elif len(candidates) == 1:
        message = f"{candidates[0]}, to which this was uploaded, does not exist any more. Create it, or name another."
    else:
        message = (
            f"no spec.accountRef, and neither {candidates[0]} nor {candidates[1]} exists. "
            "Create one of them, or name an account."
        )
    return conditions.Verdict(reasons.Reason.ACCOUNT_NOT_FOUND, message)


def not_ready(key: accounts.AccountKey, fault: conditions.Verdict) -> conditions.Verdict:
    """Return the verdict on an upload whose account has a fault."""
    message = f"{key} is not ready ({fault.reason}): {fault.message}"
    return conditions.Verdict(reasons.Reason.ACCOUNT_NOT_READY, message)
