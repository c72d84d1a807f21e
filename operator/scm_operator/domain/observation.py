"""What the decision table looks at: a resource, its accounts, its Secrets, the journal, and what this process knows."""

import dataclasses
from collections.abc import Mapping

from scm_operator.domain import lookup
from scm_operator.domain.account import AccountKey, Tenant
from scm_operator.domain.attempt import Attempt, Group, JournalLost
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.csr import Content
from scm_operator.domain.entry import ListedEntry
from scm_operator.domain.status import ObservedSecret, Record
from scm_operator.domain.upload import Upload


@dataclasses.dataclass(frozen=True, slots=True)
class NotRead:
    """The Secrets were not read in this pass."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """The content that the Secrets hold, and the versions that were read."""

    content: Content
    secrets: tuple[ObservedSecret, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """What is wanted can't be known; ``secret_gone`` says that a whole Secret is absent."""

    verdict: Verdict
    secrets: tuple[ObservedSecret, ...]
    secret_gone: bool = False


Reading = Wanted | Unreadable | NotRead
"""What is wanted: known, not to be known, or not asked for yet."""


@dataclasses.dataclass(frozen=True, slots=True)
class Journaled:
    """The attempt stands in the journal; nothing was sent yet.

    ``generation`` is the spec's that it was made for. ``begin_by`` and ``end_by`` (monotonic clock): when the POST must
    have begun, and when it is cut off.
    """

    attempt: Attempt
    wanted: Wanted
    generation: int
    begin_by: float
    end_by: float


@dataclasses.dataclass(frozen=True, slots=True)
class InFlight:
    """The POST is under way."""

    attempt: Attempt


@dataclasses.dataclass(frozen=True, slots=True)
class Claimed:
    """An id that no record is known to have yet: an answer's, one that a look-up found, or an adopted one.

    ``about`` is the resource as it was then. ``attempt`` is None for an adopted entry. ``wanted`` is what it was made
    from, None if that isn't known here.
    """

    about: Upload
    record: Record
    attempt: Attempt | None
    wanted: Wanted | None


Remembered = Journaled | InFlight | Claimed
"""What this process remembers of a resource between two steps."""


@dataclasses.dataclass(frozen=True, slots=True)
class AccountView:
    """The account that an upload goes to: ``tenant`` if the account exists, ``fault`` if no call can be made."""

    key: AccountKey | None
    tenant: Tenant | None
    fault: Verdict | None


@dataclasses.dataclass(frozen=True, slots=True)
class GroupView:
    """How a group stands: what could be mistaken for each other in a look-up.

    ``attempts`` are all that aren't concluded, of any resource. ``settled_in`` is in seconds, 0 when no POST of it is
    under way and none can still be stored. ``unfenced`` lists the uids of resources on which an earlier leader's late
    write could still land. ``looking_up`` says that a look-up of it runs.
    """

    attempts: tuple[Attempt, ...] = ()
    settled_in: float = 0.0
    unfenced: frozenset[str] = frozenset()
    looking_up: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Missing:
    """The current entry is known to be gone: ``hold`` seconds until it is decided whether ``many`` are."""

    scm_id: str
    hold: float = 0.0
    many: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Answers:
    """What was asked in this pass: nothing of it outlives the pass.

    ``lookups`` by the whole attempt, since what a stand-in seeks may change; ``adoption`` the answer for the wanted
    name and content; ``shown`` by the entry's id, None for one that is gone; ``unverified`` and ``deleted`` entries'
    ids.
    """

    lookups: Mapping[Attempt, lookup.Answer] = dataclasses.field(default_factory=dict)
    adoption: lookup.Answer | None = None
    shown: Mapping[str, ListedEntry | None] = dataclasses.field(default_factory=dict)
    unverified: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Observed:
    """Everything that the table looks at.

    ``leads``: this process holds the Lease by its own clock. ``unknowns`` are the resource's attempts in the journal
    that this process neither waits to send nor has in flight. ``reach`` has, by tenant, the accounts with which the
    entries and attempts of the resource can be looked at. ``seen`` holds, for each Secret of the upload, the newest
    version that the watch has shown, None if it is absent. ``resync`` asks for a look at the entry in SCM, ``overdue``
    says that a deletion has taken too long. ``earlier_settled_in`` is in seconds: until no POST of an earlier term can
    still be stored. ``renaming`` is the name that the current entry was last given while no status says so, empty if it
    isn't known. ``notes`` say, by the attempt's id, what happened to a POST of this process.
    """

    upload: Upload
    memory: Remembered | None
    account: AccountView
    seen: tuple[ObservedSecret | None, ...]
    wanted: Reading = dataclasses.field(default_factory=NotRead)
    leads: bool = True
    term: int = 1
    now: float = 0.0
    unknowns: tuple[Attempt, ...] = ()
    groups: Mapping[Group, GroupView] = dataclasses.field(default_factory=dict)
    reach: Mapping[Tenant, AccountView] = dataclasses.field(default_factory=dict)
    answers: Answers = dataclasses.field(default_factory=Answers)
    missing: Missing | None = None
    resync: bool = False
    overdue: bool = False
    lost: JournalLost | None = None
    earlier_settled_in: float = 0.0
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    renaming: str | None = None

    def group(self, group: Group) -> GroupView:
        """Return how a group stands."""
        return self.groups.get(group, GroupView())
