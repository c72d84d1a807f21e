"""Rows 1 to 8: what this process has begun comes before anything else."""

from scm_operator.domain import actions, observation
from scm_operator.domain.rows import matching

_LOOK_UP_PAUSE = 0.2
"""Seconds until it is asked again whether a look-up of the group is done."""


def not_leading(observed: observation.Observed) -> actions.Action | None:
    """Row 1: this process doesn't hold the Lease by its own clock."""
    return None if observed.leads else actions.Stop()


def in_flight(observed: observation.Observed) -> actions.Action | None:
    """Row 3: a POST of this resource is under way; its end is the next step."""
    return actions.Nothing() if isinstance(observed.memory, observation.InFlight) else None


def recorded(observed: observation.Observed) -> actions.Action | None:
    """Row 5: an attempt, or an id in memory, that a record has already."""
    status, memory = observed.upload.status, observed.memory
    if isinstance(memory, observation.Claimed) and memory.record.scm_id in {record.scm_id for record in status.records}:
        return actions.Conclude(memory.attempt)
    ended = (attempt for attempt in observed.unknowns if attempt.id in status.concluded_attempts)
    attempt = next(ended, None)
    return actions.Conclude(attempt) if attempt else None


def claimed(observed: observation.Observed) -> actions.Action | None:
    """Row 6: an id in memory: as the current record if it is wanted, or if there is none; else to the history."""
    memory, current = observed.memory, observed.upload.status.record
    if not isinstance(memory, observation.Claimed):
        return None
    if observed.upload.deleting:
        return actions.WriteRecord(memory.record, current=current is None, wanted=None)
    wanted = _wanted_of(observed, memory)
    if isinstance(wanted, observation.NotRead):
        return actions.ReadSecrets()
    if not isinstance(wanted, observation.Wanted):
        return actions.WriteRecord(memory.record, current=current is None, wanted=None)
    fits = wanted.content.hash == memory.record.content_hash and matching.in_tenant(observed, memory.record)
    as_current = current is None or (fits and not matching.is_held(observed, current, wanted.content.hash))
    return actions.WriteRecord(memory.record, current=as_current, wanted=wanted if fits else None)


def _wanted_of(observed: observation.Observed, memory: observation.Claimed) -> observation.Reading:
    """Return what is wanted now; the Secrets needn't be read again if they are as they were when it was sent."""
    unchanged = (
        isinstance(observed.wanted, observation.NotRead)
        and memory.wanted is not None
        and memory.about.generation == observed.upload.generation
        and memory.wanted.secrets == observed.seen
    )
    return memory.wanted if unchanged and memory.wanted else observed.wanted


def not_wanted_any_more(observed: observation.Observed) -> actions.Action | None:
    """Row 7: journaled and not sent, and it isn't wanted any more, or too late to be sent in time."""
    memory, upload = observed.memory, observed.upload
    if not isinstance(memory, observation.Journaled):
        return None
    still_wanted = (
        not upload.deleting
        and not upload.suspend
        and upload.generation == memory.generation
        and observed.seen == memory.wanted.secrets
        and memory.attempt.tenant == observed.account.tenant
        and observed.account.fault is None
        and observed.now < memory.begin_by
    )
    return None if still_wanted else actions.Conclude(memory.attempt)


def send(observed: observation.Observed) -> actions.Action | None:
    """Row 8: journaled and not sent: send the bytes that were hashed, unless a look-up of its group runs."""
    memory = observed.memory
    if not isinstance(memory, observation.Journaled):
        return None
    if observed.group(memory.attempt.group).looking_up:
        return actions.Wait(_LOOK_UP_PAUSE)
    return actions.Post(memory.attempt, memory.wanted)
