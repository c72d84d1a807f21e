"""What the decision table answers: one step each; who takes it is in reconcile."""

import dataclasses

from scm_operator.domain.account import Tenant
from scm_operator.domain.attempt import Attempt, Group
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.entry import ListedEntry
from scm_operator.domain.observation import Wanted
from scm_operator.domain.status import ObservedSecret, Record, Replaced


@dataclasses.dataclass(frozen=True, slots=True)
class Nothing:
    """All is as it should be."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """This process isn't the leader any more: do nothing at all."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """Come back in ``after`` seconds, and report ``verdict`` meanwhile if there is one.

    Sooner if an attempt of ``group`` comes to an end.
    """

    after: float
    verdict: Verdict | None = None
    group: Group | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ReadSecrets:
    """Read the Secrets, then plan again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fence:
    """Write the term to the status, so that a late write of an earlier leader conflicts."""


@dataclasses.dataclass(frozen=True, slots=True)
class Journal:
    """Write an attempt to the journal, then plan again."""

    wanted: Wanted
    tenant: Tenant


@dataclasses.dataclass(frozen=True, slots=True)
class Post:
    """Send the attempt, once."""

    attempt: Attempt
    wanted: Wanted


@dataclasses.dataclass(frozen=True, slots=True)
class LookUp:
    """Look for the attempt's entry in SCM."""

    attempt: Attempt


@dataclasses.dataclass(frozen=True, slots=True)
class LookForAdoption:
    """Look for an entry of any age that has the wanted name and CSR."""

    scm_name: str
    content_hash: str


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """Take an entry for this resource, in memory first; ``attempt`` None: adopted."""

    entry: ListedEntry
    attempt: Attempt | None


@dataclasses.dataclass(frozen=True, slots=True)
class Show:
    """Look at an entry of this resource in SCM."""

    record: Record


@dataclasses.dataclass(frozen=True, slots=True)
class Conclude:
    """Take the attempt out of the journal and what is known of it out of memory, then plan again."""

    attempt: Attempt | None


@dataclasses.dataclass(frozen=True, slots=True)
class WriteConcluded:
    """Write to the status that an attempt has ended, before anything is sent in its place."""

    attempt: Attempt


@dataclasses.dataclass(frozen=True, slots=True)
class WriteRecord:
    """Write a claimed entry to the status: as the ``current`` one, or to the history; ``wanted`` if it is that."""

    record: Record
    current: bool
    wanted: Wanted | None


@dataclasses.dataclass(frozen=True, slots=True)
class DropRecord:
    """Write the status without the current entry, which is gone."""

    record: Record


@dataclasses.dataclass(frozen=True, slots=True)
class TakeBack:
    """Make an entry of the history the current one again; ``verified`` if SCM was seen to have it."""

    replaced: Replaced
    wanted: Wanted
    verified: bool


@dataclasses.dataclass(frozen=True, slots=True)
class DropReplaced:
    """Write the status without an entry of the history, which is gone."""

    record: Record


@dataclasses.dataclass(frozen=True, slots=True)
class MarkDeleting:
    """Write to the status that an entry of the history is going to be deleted."""

    record: Record


@dataclasses.dataclass(frozen=True, slots=True)
class Delete:
    """Delete an entry in SCM, then plan again."""

    record: Record


@dataclasses.dataclass(frozen=True, slots=True)
class Rename:
    """Rename the entry in SCM, then report it."""

    record: Record
    scm_name: str


@dataclasses.dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Make the resource's deletion wait for that of its entries."""


@dataclasses.dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let the resource go; what is ``left`` behind in SCM (or may be) is told to a person."""

    left: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """Write a verdict to the status, if it isn't there already.

    ``secrets`` are the versions that led to it, or None to keep those of the status. ``record`` replaces the one of
    the status if it is given.
    """

    verdict: Verdict
    secrets: tuple[ObservedSecret, ...] | None = None
    record: Record | None = None


Action = (
    Nothing
    | Stop
    | Wait
    | ReadSecrets
    | Fence
    | Journal
    | Post
    | LookUp
    | LookForAdoption
    | Claim
    | Show
    | Conclude
    | WriteConcluded
    | WriteRecord
    | DropRecord
    | TakeBack
    | DropReplaced
    | MarkDeleting
    | Delete
    | Rename
    | AddFinalizer
    | RemoveFinalizer
    | Report
)


def describe(action: Action) -> str:
    """Return a step as a log shows it: what it is, never what is sent."""
    match action:
        case Wait(after, verdict) if verdict:
            return f"Wait {after:g} s ({verdict.reason})"
        case Wait(after):
            return f"Wait {after:g} s"
        case Report(verdict):
            return f"Report {verdict.reason}"
        case _:
            return type(action).__name__
