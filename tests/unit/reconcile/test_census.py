"""The count of uploads by account and reason, and since when the longest unready one is so."""

import dataclasses
import datetime

from scm_operator.domain import account, conditions, reasons, status, upload
from scm_operator.domain.reasons import Reason
from scm_operator.reconcile import cache, census
from scm_operator.reconcile.account import AccountCache
from tests.support import builders

NAMESPACED = account.AccountKey(account.AccountKind.NAMESPACED, "shop", "default")


def _accounts(*known: account.Account) -> AccountCache:
    accounts: AccountCache = cache.Cache(key=lambda each: each.key, secrets=lambda _: ())
    for each in known:
        accounts.put(each)
    return accounts


def _upload(reason: Reason | None, name: str = "web", **fields: object) -> upload.Upload:
    made = status.Status() if reason is None else builders.make_status(reason=reason)
    return dataclasses.replace(builders.make_upload(name=name, status=made), **fields)  # type: ignore[arg-type]


def _taken(*uploads: upload.Upload, known: AccountCache, after: float = 60.0) -> census.Census:
    return census.take(uploads, known=known, now=builders.NOW + datetime.timedelta(seconds=after))


def test_uploads_are_counted_by_account_and_reason() -> None:
    """An upload counts for the account that it would go to, under the reason of its Ready condition."""
    known = _accounts(builders.make_account(), builders.make_account(kind=account.AccountKind.NAMESPACED))
    named = builders.CLUSTER_DEFAULT
    counts = _taken(
        _upload(Reason.UPLOADED, account=named),
        _upload(Reason.UPLOADED, account=named),
        _upload(Reason.THROTTLED),
        _upload(None),
        known=known,
    ).counts
    assert counts == {
        (builders.CLUSTER_DEFAULT, "Uploaded"): 2,
        (NAMESPACED, "Throttled"): 1,
        (NAMESPACED, "New"): 1,
    }


def test_account_that_does_not_exist_is_none() -> None:
    """An upload that names an account which isn't there, or finds no default, counts for nobody."""
    gone = NAMESPACED._replace(name="gone")
    uploads = (_upload(Reason.ACCOUNT_NOT_FOUND, account=gone), _upload(Reason.ACCOUNT_NOT_FOUND))
    assert _taken(*uploads, known=_accounts()).counts == {(None, "AccountNotFound"): 2}


def test_reason_that_is_none_of_ours_is_other() -> None:
    """A status that somebody else wrote makes no series of its own."""
    foreign = conditions.Condition("Ready", "False", "MadeUp", "", 1, "2026-02-03T04:05:06Z")
    strange = _upload(Reason.THROTTLED, status=status.Status(conditions=(foreign,)))
    assert set(_taken(strange, known=_accounts()).counts) == {(None, "Other")}


def test_unready_counts_from_when_it_was_ready_last() -> None:
    """Of each reason the oldest: since its Ready condition turned, or since its creation if nobody has looked yet."""
    late = conditions.conditions_for(
        conditions.Verdict(Reason.THROTTLED, ""), previous=(), generation=1, now=builders.NOW + datetime.timedelta(20)
    )
    unready = _taken(
        _upload(Reason.THROTTLED, "first"),
        _upload(Reason.THROTTLED, "later", status=status.Status(conditions=late)),
        _upload(None, created="2026-02-03T04:05:00Z"),
        _upload(Reason.UPLOADED),
        known=_accounts(),
        after=30 * 86400,
    ).unready
    assert unready == {"Throttled": 30 * 86400, "New": 30 * 86400 + 6}


def test_time_that_can_not_be_read_is_no_failure() -> None:
    """Metrics must not break on a status that somebody has edited; a clock that is behind gives no negative time."""
    odd = conditions.Condition("Ready", "False", "Throttled", "", 1, "yesterday")
    strange = _upload(Reason.THROTTLED, status=status.Status(conditions=(odd,)))
    assert _taken(strange, known=_accounts()).unready == {"Throttled": 0}
    assert _taken(_upload(Reason.THROTTLED), known=_accounts(), after=-5).unready == {"Throttled": 0}


def test_reason_of_an_account_is_one_of_ours() -> None:
    """An account without a condition is New; one with a foreign reason Other."""
    ready = conditions.Condition("Ready", "True", reasons.AccountReason.READY, "", 1, "")
    assert census.reason_of_account(None) == "New"
    assert census.reason_of_account(ready) == "Ready"
    assert census.reason_of_account(dataclasses.replace(ready, reason="MadeUp")) == "Other"
