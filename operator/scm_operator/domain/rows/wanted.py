"""Rows 14a to 19: from what is wanted to what is in SCM."""

from scm_operator.domain import actions, attempt, conditions, lookup, observation, status, upload
from scm_operator.domain.account import Tenant
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.reasons import Reason
from scm_operator.domain.rows import matching

_PAUSE = 30.0
"""Seconds until it is asked again whether another POST of the same CSR has come to an end, if nothing tells sooner."""


def finalizer(observed: observation.Observed) -> actions.Action | None:
    """Row 14a: the finalizer stands exactly where deletionPolicy is Delete."""
    about = observed.upload
    if about.has_finalizer == about.deletes_entries:
        return None
    return actions.AddFinalizer() if about.deletes_entries else actions.RemoveFinalizer()


def suspended(observed: observation.Observed) -> actions.Action | None:
    """Row 14b: what was uploaded stays as it is, the rest says so."""
    about = observed.upload
    if not about.suspend:
        return None
    record, ready = about.status.record, about.status.ready
    if record and ready and ready.status == conditions.TRUE:
        return actions.Report(uploaded(record))
    kept = f" Entry {record.scm_id} of earlier content stays in SCM." if record else ""
    return actions.Report(
        Verdict(Reason.SUSPENDED, f"spec.suspend is true: nothing is uploaded until it is false.{kept}")
    )


def no_account_yet(observed: observation.Observed) -> actions.Action | None:
    """Row 14c: no usable account and nothing uploaded: the Secrets needn't be read to say so."""
    if observed.account.fault and observed.upload.status.record is None:
        return actions.Report(observed.account.fault)
    return None


def gone(observed: observation.Observed) -> actions.Action | None:
    """Row 14d: the current entry is known to be gone: take it out of the status, unless many are gone at once."""
    record, missing = observed.upload.status.record, _missing(observed)
    return actions.DropRecord(record) if record and missing and not (missing.many or missing.hold) else None


def settled(observed: observation.Observed) -> actions.Action | None:
    """Reported before, and nothing has changed since: no read, no call, no write."""
    if not isinstance(observed.wanted, observation.NotRead):
        return None
    known, ready = observed.upload.status, observed.upload.status.ready
    is_held = _is_held_by_status(observed)
    final = ready and ((is_held and _deletable(observed) is None) or ready.reason == Reason.REJECTED)
    unchanged = (
        known.observed_generation == observed.upload.generation
        and not observed.upload.reconcile_requested
        and not observed.resync
        and matching.secrets_unchanged(observed)
    )
    return _held_back(observed) or actions.Nothing() if final and unchanged else actions.ReadSecrets()


def unreadable(observed: observation.Observed) -> actions.Action | None:
    """Row 14c: what is wanted can't be known; but a Secret deleted after success takes nothing back."""
    wanted = observed.wanted
    if not isinstance(wanted, observation.Unreadable) or matching.kept_without_secret(observed):
        return None
    return actions.Report(wanted.verdict, secrets=wanted.secrets)


def held(observed: observation.Observed) -> actions.Action | None:
    """Row 15: the wanted content is recorded, for the same tenant: look at it if asked, at most rename it."""
    record = observed.upload.status.record
    if record is None or not _has_wanted_content(observed, record) or not matching.in_tenant(observed, record):
        return None
    record = matching.under_its_account(record, observed.account)
    shown = observed.answers.shown.get(record.scm_id)
    if observed.resync and shown is None and not (observed.account.fault or _held_back(observed)):
        return actions.Show(record)
    unverified = record.scm_id in observed.answers.unverified
    verdict = uploaded(record, name_in_scm=shown.scm_name if shown else None, unverified=unverified)
    done = actions.Report(verdict, secrets=matching.versions_read(observed), record=record)
    return _held_back(observed) or _renamed(observed, record) or _cleaned_up(observed) or done


def _renamed(observed: observation.Observed, record: status.Record) -> actions.Action | None:
    if _has_wanted_name(observed, record):
        return None
    if observed.account.fault:
        return actions.Report(observed.account.fault, secrets=matching.versions_read(observed))
    return actions.Rename(record, observed.upload.scm_name)


def _cleaned_up(observed: observation.Observed) -> actions.Action | None:
    replaced = _deletable(observed)
    if replaced is None:
        return None
    return actions.Delete(replaced.record) if replaced.deleting else actions.MarkDeleting(replaced.record)


def _held_back(observed: observation.Observed) -> actions.Action | None:
    """Row 14d: it is gone, and it isn't known yet whether many are, or a person is asked first."""
    missing = _missing(observed)
    if missing is None:
        return None
    return actions.Nothing() if missing.many else actions.Wait(missing.hold)


def _missing(observed: observation.Observed) -> observation.Missing | None:
    """Return what is known of the current entry's being gone."""
    record, missing = observed.upload.status.record, observed.missing
    return missing if record and missing and missing.scm_id == record.scm_id else None


def no_account(observed: observation.Observed) -> actions.Action | None:
    """Row 14c: a call is needed, and there is no account to make it with."""
    if observed.account.fault is None:
        return None
    return actions.Report(observed.account.fault, secrets=matching.versions_read(observed))


def in_history(observed: observation.Observed) -> actions.Action | None:
    """Rows 16 and 16a: an entry that was replaced has the wanted content: take it back, if SCM still has it."""
    wanted, _ = _to_send(observed)
    fitting = (
        old for old in observed.upload.status.history if matching.is_held(observed, old.record, wanted.content.hash)
    )
    replaced = next(fitting, None)
    if replaced is None:
        return None
    scm_id = replaced.record.scm_id
    if replaced.deleting:
        return actions.Delete(replaced.record)
    if scm_id in observed.answers.unverified:
        return actions.TakeBack(replaced, wanted, verified=False)
    if scm_id not in observed.answers.shown:
        return actions.Show(replaced.record)
    if observed.answers.shown[scm_id] is None:
        return actions.DropReplaced(replaced.record)
    return actions.TakeBack(replaced, wanted, verified=True)


def adoption(observed: observation.Observed) -> actions.Action | None:
    """Row 17: an entry of the same name and CSR that somebody else made is taken over, if the policy says so."""
    about = observed.upload
    if about.adoption_policy is not upload.AdoptionPolicy.IF_IDENTICAL:
        return None
    wanted, tenant = _to_send(observed)
    match observed.answers.adoption:
        case None:
            group = attempt.group_of(tenant, wanted.content.hash)
            seen = observed.group(group)
            in_doubt = any(other.scm_name == about.scm_name for other in seen.attempts if other.uid != about.uid)
            if seen.settled_in or seen.looking_up or in_doubt or seen.unfenced - {about.uid}:
                return actions.Wait(seen.settled_in or _PAUSE, _waiting_for_others(about.scm_name), group)
            return actions.LookForAdoption(about.scm_name, wanted.content.hash)
        case lookup.Found(entry):
            return actions.Claim(entry, None)
        case lookup.CantTell(why):
            return actions.Report(_adoption_unknown(about.scm_name, why), secrets=wanted.secrets)
        case _:
            return None


def rival(observed: observation.Observed) -> actions.Action | None:
    """Row 18: a POST of the same name and CSR, with or without a key where this is the other, isn't resolved yet."""
    sought = _sought(observed)
    if any(sought.rivals(other) for other in observed.group(sought.group).attempts):
        return actions.Wait(_PAUSE, _waiting_for_others(sought.scm_name), sought.group)
    return None


def begin(observed: observation.Observed) -> actions.Action:
    """Row 19: never sent: journal an attempt."""
    return actions.Journal(*_to_send(observed))


def uploaded(record: status.Record, *, name_in_scm: str | None = None, unverified: bool = False) -> Verdict:
    """Return the verdict of an upload whose wanted content is in SCM.

    ``name_in_scm`` if it was seen there; ``unverified`` if it was taken back and may not be looked at.
    """
    message = {
        status.Origin.RECOVERED: f"uploaded to SCM as {record.scm_id}, found there after its answer was lost.",
        status.Origin.ADOPTED: (
            f"adopted entry {record.scm_id} of SCM, which has this name and CSR; whether it has a private key can't be "
            "seen."
        ),
    }.get(status.Origin(record.origin), f"uploaded to SCM as {record.scm_id}.")
    if name_in_scm is not None and name_in_scm != record.scm_name:
        message += f" Somebody has renamed it there to {name_in_scm!r}; it stays so."
    if unverified:
        message += " That SCM still has it was not verified: no permission."
    return Verdict(Reason.UPLOADED, message)


def is_deleted_when_replaced(about: upload.Upload, record: status.Record) -> bool:
    """Say whether an entry is deleted in SCM once newer content is recorded; what others made never is."""
    return about.deletes_entries and record.origin != status.Origin.ADOPTED


def _sought(observed: observation.Observed) -> attempt.Attempt:
    about, (wanted, tenant) = observed.upload, _to_send(observed)
    return attempt.Attempt("", about.uid, about.key, about.scm_name, tenant, wanted.content.hash, "", observed.term)


def _to_send(observed: observation.Observed) -> tuple[observation.Wanted, Tenant]:
    """Return what is wanted, and where."""
    wanted, tenant = observed.wanted, observed.account.tenant
    assert isinstance(wanted, observation.Wanted)  # noqa: S101 - the rows above have answered everything else
    assert tenant is not None  # noqa: S101 - an account without fault exists
    return wanted, tenant


def _deletable(observed: observation.Observed) -> status.Replaced | None:
    """Return the next entry of the history to be deleted: its own, and with an account to do it."""
    for replaced in observed.upload.status.history:
        view = observed.reach.get(replaced.record.tenant)
        if is_deleted_when_replaced(observed.upload, replaced.record) and view and not view.fault:
            return replaced
    return None


def _is_held_by_status(observed: observation.Observed) -> bool:
    known = observed.upload.status
    return (
        known.record is not None
        and known.ready is not None
        and known.ready.status == conditions.TRUE
        and _has_wanted_name(observed, known.record)  # a rename may have come while it was sent
        and matching.in_tenant(observed, known.record)
    )


def _has_wanted_name(observed: observation.Observed, record: status.Record) -> bool:
    """Say whether an entry has the wanted name, in its record and by a rename that no status tells of yet."""
    wanted = observed.upload.scm_name
    return record.scm_name == wanted and observed.renaming in {None, wanted}


def _has_wanted_content(observed: observation.Observed, record: status.Record) -> bool:
    if isinstance(observed.wanted, observation.Wanted):
        return observed.wanted.content.hash == record.content_hash
    return matching.kept_without_secret(observed)


def _waiting_for_others(scm_name: str) -> Verdict:
    return Verdict(
        Reason.RESOLVING_OUTCOME,
        f"another POST of the same CSR as {scm_name!r} may not be stored yet; this one waits until that is known.",
    )


def _adoption_unknown(scm_name: str, why: str) -> Verdict:
    return Verdict(
        Reason.ADOPTION_UNKNOWN,
        f"spec.adoptionPolicy is IfIdentical, and whether SCM has a CSR named {scm_name!r} with this content can't be "
        f"told: {why}. Nothing is sent. Allow the account's user to list CSRs, or set adoptionPolicy to Never.",
    )
