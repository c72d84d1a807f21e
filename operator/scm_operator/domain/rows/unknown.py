"""Rows 9 to 14: a POST that may have been stored is resolved before anything else is sent for its resource."""

from scm_operator.domain import actions, attempt, conditions, lookup, observation, upload
from scm_operator.domain.entry import ListedEntry
from scm_operator.domain.reasons import Reason
from scm_operator.domain.rows import matching

_PAUSE = 0.5
"""Seconds until it is asked again whether a twin is fenced, or the look-up for it done."""


def unknown_of(observed: observation.Observed) -> attempt.Attempt | None:
    """Return the resource's first unknown attempt, or what stands for the one that a lost journal may have held."""
    open_ones = (one for one in observed.unknowns if one.id not in observed.upload.status.concluded_attempts)
    return next(open_ones, None) or _stand_in(observed)


def unfenced(observed: observation.Observed) -> actions.Action | None:
    """Row 9: an unknown of an earlier term: write the own term first, so that the old leader's late write conflicts."""
    unknown = unknown_of(observed)
    if unknown is None or unknown.term >= observed.term or observed.upload.status.term >= observed.term:
        return None
    return actions.Fence()


def unsettled(observed: observation.Observed) -> actions.Action | None:
    """Row 10: a POST of the group may still be stored, or a late write may still land on a twin: wait."""
    unknown = unknown_of(observed)
    if unknown is None or unknown in observed.answers.lookups:
        return None
    group = observed.group(unknown.group)
    settled_in = max(group.settled_in, observed.earlier_settled_in if unknown.term < observed.term else 0.0)
    if not settled_in and not group.unfenced - {observed.upload.uid} and not group.looking_up:
        return None
    return actions.Wait(settled_in or _PAUSE, _resolving(observed, unknown), unknown.group)


def not_asked(observed: observation.Observed) -> actions.Action | None:
    """Rows 10a and 14: look it up with an account of its tenant; without any, it can't be told."""
    unknown = unknown_of(observed)
    if unknown is None or unknown in observed.answers.lookups:
        return None
    view = observed.reach.get(unknown.tenant)
    if view is None:
        why = f"{unknown.tenant.account}, with which it was sent, is gone or leads elsewhere"
        return _cannot_tell(observed, unknown, why)
    if view.fault:
        reason = Reason.DELETE_BLOCKED if observed.upload.deleting else view.fault.reason
        return actions.Report(conditions.Verdict(reason, view.fault.message))
    return actions.LookUp(unknown)


def answered(observed: observation.Observed) -> actions.Action | None:
    """Rows 11 to 14: found, surely absent, or can't tell."""
    unknown = unknown_of(observed)
    match observed.answers.lookups.get(unknown) if unknown else None:
        case lookup.Found(entry) if unknown:
            return _found(observed, unknown, entry)
        case lookup.Absent() if unknown:
            return actions.WriteConcluded(unknown) if _is_stand_in(observed, unknown) else actions.Conclude(unknown)
        case lookup.CantTell(only_age=True) if unknown and _is_adopted_instead(observed, unknown):
            return None
        case lookup.CantTell(why) if unknown:
            return _cannot_tell(observed, unknown, why)
        case _:
            return None


def _is_adopted_instead(observed: observation.Observed, unknown: attempt.Attempt) -> bool:
    """Say whether row 17 takes the entry over whoever has made it: then it needn't be known whether a POST did."""
    about = observed.upload
    return (
        _is_stand_in(observed, unknown)
        and about.adoption_policy is upload.AdoptionPolicy.IF_IDENTICAL
        and not about.deleting
        and not isinstance(observed.answers.adoption, lookup.Absent)
    )


def _found(observed: observation.Observed, unknown: attempt.Attempt, entry: ListedEntry) -> actions.Action:
    """Rows 11 and 12: it is the attempt's, unless it may be that of one with, or without, a key."""
    if any(unknown.rivals(other) for other in observed.group(unknown.group).attempts):
        why = f"entry {entry.scm_id} has that name and CSR, and may hold a private key or not"
        return _cannot_tell(observed, unknown, why)
    return actions.Claim(entry, unknown)


def _cannot_tell(observed: observation.Observed, unknown: attempt.Attempt, why: str) -> actions.Action:
    about = observed.upload
    if about.confirm_upload == unknown.id:
        return actions.WriteConcluded(unknown)
    command = f"kubectl annotate --overwrite cru {about.key.name} -n {about.key.namespace}"
    message = (
        f"the POST of {unknown.at} may or may not have been stored, and that can't be told: {why}. Nothing is sent "
        f"until it is. Look in SCM for the CSR named {unknown.scm_name!r} and delete it there if it exists; then say "
        f"so with: {command} {upload.CONFIRM_UPLOAD}={unknown.id}"
    )
    reason = Reason.DELETE_BLOCKED if about.deleting else Reason.OUTCOME_UNKNOWN
    return actions.Report(conditions.Verdict(reason, message))


def _resolving(observed: observation.Observed, unknown: attempt.Attempt) -> conditions.Verdict | None:
    ready = observed.upload.status.ready
    if note := observed.notes.get(unknown.id):
        return conditions.Verdict(
            Reason.DELETING if observed.upload.deleting else Reason.SERVER_ERROR,
            f"the POST of {unknown.at} may or may not have been stored: {note} It is looked for in SCM before anything "
            "is sent again.",
        )
    if ready and ready.reason == Reason.OUTCOME_UNKNOWN:
        return None
    what = f"The POST of {unknown.at}, which an earlier operator process began, may have been stored."
    if _is_stand_in(observed, unknown):
        what = f"CSR {unknown.scm_name!r} may have been sent before the journal was lost."
    return conditions.Verdict(
        Reason.DELETING if observed.upload.deleting else Reason.RESOLVING_OUTCOME,
        f"{what} It is looked for in SCM before anything is sent.",
    )


def _is_stand_in(observed: observation.Observed, unknown: attempt.Attempt) -> bool:
    return observed.lost is not None and unknown.id == observed.lost.attempt_id


def stand_in_is_possible(observed: observation.Observed) -> bool:
    """Say whether the lost journal may have held an attempt of this resource."""
    lost, about = observed.lost, observed.upload
    return (
        lost is not None
        and about.created <= conditions.timestamp(lost.time)
        and about.status.concluded_attempt_id != lost.attempt_id
    )


def _stand_in(observed: observation.Observed) -> attempt.Attempt | None:
    """Return what stands for an attempt of the lost journal: for the wanted content, if no record has it."""
    lost, about, tenant, wanted = observed.lost, observed.upload, observed.account.tenant, observed.wanted
    if lost is None or tenant is None or not isinstance(wanted, observation.Wanted):
        return None
    has_record = any(matching.is_held(observed, record, wanted.content.hash) for record in about.status.records)
    if has_record or not stand_in_is_possible(observed):
        return None
    return attempt.Attempt(
        id=lost.attempt_id,
        uid=about.uid,
        key=about.key,
        scm_name=about.scm_name,
        tenant=tenant,
        content_hash=wanted.content.hash,
        at=about.created,
        term=lost.term - 1,
    )
