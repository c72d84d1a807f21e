"""How many uploads stand where: by account and reason, and since when the longest unready one is so."""

import collections
import dataclasses
import datetime
from collections.abc import Iterable, Mapping

from scm_operator.domain import account as accounts
from scm_operator.domain import conditions, reasons, upload
from scm_operator.reconcile import account, choice

NEW = "New"
"""Stands for the reason of an upload that has none yet."""
_REASONS = frozenset(reason.value for reason in reasons.Reason)
_ACCOUNT_REASONS = frozenset(reason.value for reason in reasons.AccountReason)
_OTHER = "Other"  # nobody but the operator writes a status; a restored one may say anything


@dataclasses.dataclass(frozen=True, slots=True)
class Census:
    """``counts`` by account (None: none exists) and reason; ``unready`` by reason in seconds."""

    counts: Mapping[tuple[accounts.AccountKey | None, str], int]
    unready: Mapping[str, float]


def take(uploads: Iterable[upload.Upload], *, known: account.AccountCache, now: datetime.datetime) -> Census:
    """Count the uploads; an upload belongs to the account that it would go to now."""
    counts: collections.Counter[tuple[accounts.AccountKey | None, str]] = collections.Counter()
    since: dict[str, str] = {}
    for each in uploads:
        ready = each.status.ready
        reason = NEW if ready is None else ready.reason if ready.reason in _REASONS else _OTHER
        counts[_account_of(each, known), reason] += 1
        if ready is None or ready.status != conditions.TRUE:
            # RFC 3339 in UTC with whole seconds, as the API server writes it: texts are ordered like times.
            began = each.created if ready is None else ready.last_transition_time
            since[reason] = min(since.get(reason, began), began)
    return Census(counts, {reason: _seconds(began, now) for reason, began in since.items()})


def reason_of_account(condition: conditions.Condition | None) -> str:
    """Return the reason of an account's condition, `NEW` where there is none yet."""
    if condition is None:
        return NEW
    return condition.reason if condition.reason in _ACCOUNT_REASONS else _OTHER


def _account_of(about: upload.Upload, known: account.AccountCache) -> accounts.AccountKey | None:
    return next((key for key in choice.candidates_of(about) if known.get(key)), None)


def _seconds(began: str, now: datetime.datetime) -> float:
    try:
        return max(0.0, (now - conditions.moment(began)).total_seconds())
    except (ValueError, TypeError):  # no time, or one without a zone: not the API server's
        return 0.0
