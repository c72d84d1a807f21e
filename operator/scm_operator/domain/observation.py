"""What the decision table looks at: a resource, its account, what its Secrets hold, what this process remembers."""

import dataclasses

from scm_operator.domain.account import AccountKey, Tenant
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.csr import Content
from scm_operator.domain.upload import ObservedSecret, Record, Status, Upload, UploadKey


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """One POST that may have been made; ``id`` is random, ``at`` an RFC 3339 time."""

    id: str
    uid: str
    key: UploadKey
    scm_name: str
    tenant: Tenant
    content_hash: str
    at: str


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
    """The attempt stands in the journal; nothing was sent yet. ``generation`` is the spec's that it was made for."""

    attempt: Attempt
    wanted: Wanted
    generation: int


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """SCM answered with an id; ``status`` is what has to be written, however often that must be tried."""

    attempt: Attempt
    status: Status

    @property
    def record(self) -> Record:
        """Return the entry that was made."""
        assert self.status.record is not None  # noqa: S101 - the constructor's callers make it so
        return self.status.record


@dataclasses.dataclass(frozen=True, slots=True)
class Unknown:
    """The POST may have been stored; the answer doesn't say."""

    attempt: Attempt
    verdict: Verdict


Remembered = Journaled | Stored | Unknown
"""What this process remembers of a resource between two steps."""


@dataclasses.dataclass(frozen=True, slots=True)
class AccountView:
    """The account that an upload goes to: ``tenant`` if the account exists, ``fault`` if no call can be made."""

    key: AccountKey | None
    tenant: Tenant | None
    fault: Verdict | None


@dataclasses.dataclass(frozen=True, slots=True)
class Observed:
    """Everything that the table looks at.

    ``seen`` holds, for each Secret of the upload, the newest version that the watch has shown, None if it is absent.
    """

    upload: Upload
    memory: Remembered | None
    account: AccountView
    seen: tuple[ObservedSecret | None, ...]
    wanted: Reading = dataclasses.field(default_factory=NotRead)
