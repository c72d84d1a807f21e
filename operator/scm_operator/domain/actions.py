"""What the decision table answers: one step each; who takes it is in reconcile."""

import dataclasses

from scm_operator.domain.account import Tenant
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.observation import Attempt, Wanted
from scm_operator.domain.upload import ObservedSecret, Record, Status


@dataclasses.dataclass(frozen=True, slots=True)
class Nothing:
    """All is as it should be."""


@dataclasses.dataclass(frozen=True, slots=True)
class ReadSecrets:
    """Read the Secrets, then plan again."""


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
class Conclude:
    """Take the attempt out of the journal and out of memory, then plan again."""

    attempt: Attempt


@dataclasses.dataclass(frozen=True, slots=True)
class WriteRecord:
    """Write the status that a stored entry has earned."""

    status: Status


@dataclasses.dataclass(frozen=True, slots=True)
class Rename:
    """Rename the entry in SCM, then report it."""

    record: Record
    scm_name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """Write a verdict to the status, if it isn't there already.

    ``secrets`` are the versions that led to it, or None to keep those of the status. ``record`` replaces the one of
    the status if it is given.
    """

    verdict: Verdict
    secrets: tuple[ObservedSecret, ...] | None = None
    record: Record | None = None


Action = Nothing | ReadSecrets | Journal | Post | Conclude | WriteRecord | Rename | Report
