"""A resource that is being deleted: its entries go first if deletionPolicy is Delete, and nothing is ever wedged."""

from scm_operator.domain import actions, conditions, observation, status
from scm_operator.domain.reasons import Reason
from scm_operator.domain.rows import unknown


def nothing_to_wait_for(observed: observation.Observed) -> actions.Action | None:
    """Being deleted, and the operator has no say in it, or no reason to keep it."""
    about = observed.upload
    if not about.deleting:
        return None
    if not about.has_finalizer:
        return actions.Nothing()
    return None if about.deletes_entries else actions.RemoveFinalizer()


def overdue(observed: observation.Observed) -> actions.Action | None:
    """Being deleted for too long, whatever is in the way: let it go, and say what is left behind."""
    if not (observed.upload.deleting and observed.overdue):
        return None
    left = [f"{record.scm_id} ({record.scm_name!r})" for record in _to_delete(observed)]
    left += [f"whatever the POST of {one.at} made (named {one.scm_name!r})" for one in observed.unknowns]
    return actions.RemoveFinalizer(tuple(left))


def entries(observed: observation.Observed) -> actions.Action | None:
    """Being deleted: delete one by one the entries that can be reached."""
    if not observed.upload.deleting:
        return None
    for record in _to_delete(observed):
        view = observed.reach.get(record.tenant)
        if view and not view.fault:
            return actions.Delete(record)
    return None


def deleting(observed: observation.Observed) -> actions.Action | None:
    """Being deleted, and all that can be deleted is: let the resource go, unless something is in the way."""
    if not observed.upload.deleting:
        return None
    for record in _to_delete(observed):
        return actions.Report(_blocked(record, observed.reach.get(record.tenant)))
    if unknown.stand_in_is_possible(observed) and isinstance(observed.wanted, observation.NotRead):
        return actions.ReadSecrets()  # the lost journal may have held a POST of what is wanted
    return actions.RemoveFinalizer()


def _to_delete(observed: observation.Observed) -> list[status.Record]:
    return [
        record
        for record in observed.upload.status.records
        if record.origin != status.Origin.ADOPTED and record.scm_id not in observed.answers.deleted
    ]


def _blocked(record: status.Record, view: observation.AccountView | None) -> conditions.Verdict:
    why = f"{record.account}, with which it was made, is gone"
    if view and view.fault:
        why = view.fault.message.rstrip(".")
    return conditions.Verdict(
        Reason.DELETE_BLOCKED,
        f"entry {record.scm_id} ({record.scm_name!r}) can't be deleted in SCM: {why}. If that stays so, this "
        "resource is let go in the end, and the entry stays in SCM.",
    )
