"""What the reconciler needs of the world, as Protocols; app hands adapters in.

Every method that can fail says so by the error tree of domain.errors.
"""

import dataclasses
import datetime
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Protocol, TypeAlias

from scm_operator.domain.account import Account, AccountKey, AccountStatus, SecretName
from scm_operator.domain.attempt import Attempt, JournalLost
from scm_operator.domain.csr import Content
from scm_operator.domain.entry import Entry, ListedEntry, Listing
from scm_operator.domain.upload import ObservedSecret, Status, Upload, UploadKey


class Clock(Protocol):
    """Time, injected so that tests own it."""

    def now(self) -> datetime.datetime:
        """Return the time of day in UTC, for people."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for deadlines."""


@dataclasses.dataclass(frozen=True, slots=True)
class Secret:
    """A Secret as it was read; ``data`` holds the keys that were asked for and exist, decoded."""

    observed: ObservedSecret
    data: Mapping[str, bytes] = dataclasses.field(repr=False)


class SecretReader(Protocol):
    """Secrets, read when needed and not kept."""

    @property
    def watched(self) -> bool:
        """Say whether a watch tells of changes; without one, whoever waits for a Secret has to look again."""

    async def read(self, name: SecretName, *, keys: Collection[str]) -> Secret | None:
        """Read some keys of a Secret live, or None if there is no such Secret.

        Raises: ApiServerError; RetryLater when the operator isn't permitted to read it.
        """

    def seen(self, name: SecretName) -> ObservedSecret | None:
        """Return the newest version that the watch or a read has shown of a Secret that is named somewhere."""


class TokenLife(NamedTuple):
    """A token that a login gave: its age, and what is left of its life, in seconds."""

    age: float
    left: float


class CsrStore(Protocol):
    """SCM for one account: where CSRs are stored.

    Every call has one deadline for all of it: the account's, or what is handed in.
    """

    @property
    def token_life(self) -> TokenLife | None:
        """Return how old the token in hand is; None without one, and for one that no login gave."""

    async def prepare(self) -> None:
        """Have a token in hand, so that the next call needs no login. Raises: RetryLater, AccountObstacle."""

    async def upload(self, content: Content, *, name: str, timeout: float) -> Entry:  # noqa: ASYNC109 - of the call
        """POST /v3/scm/csr/upload, once; cut off after ``timeout`` seconds.

        Raises: OutcomeUnknown when the request may have been stored; any other Obstacle when it surely was not.
        """

    async def rename(self, scm_id: str, *, name: str) -> None:
        """PUT /v3/scm/csr/{id}; safe to repeat.

        Raises: RetryLater, NeedsChange; Blocked with reason EntryMissing when there is no such entry.
        """

    async def list_named(self, name: str) -> Listing:
        """GET /v3/scm/csr with the name as filter (fuzzy: what it returns begins or merely resembles).

        Raises: RetryLater; AccountObstacle with account_reason AccessDenied when listing isn't permitted.
        """

    async def show(self, scm_id: str) -> ListedEntry | None:
        """GET /v3/scm/csr/{id}, or None when there surely is no such entry (400 SCM.0707, 404 with an SCM code).

        Raises: RetryLater; AccountObstacle with account_reason AccessDenied when showing isn't permitted.
        """

    async def delete(self, scm_id: str) -> None:
        """DELETE /v3/scm/csr/{id}; safe to repeat, and an entry that is gone already is no error.

        Raises: RetryLater, AccountObstacle, NeedsChange.
        """

    async def aclose(self) -> None:
        """Close the connections."""


class CsrStoreFactory(Protocol):
    """Makes the CsrStore of an account."""

    def __call__(self, account: Account, *, credential: bytes) -> CsrStore:
        """Make it without any I/O.

        ``credential`` is the value that the account's secretRef names. Raises: AccountFault.
        """


class StatusWriter(Protocol):
    """Writes the status subresource, with uid and resourceVersion as preconditions."""

    async def write_upload(self, upload: Upload, status: Status) -> Upload:
        """Replace the status and return the resource as it is then. Raises: ApiServerError (Conflict, Gone)."""

    async def write_finalizers(self, upload: Upload, finalizers: tuple[str, ...]) -> Upload:
        """Replace metadata.finalizers, return the resource as it is then. Raises: ApiServerError (Conflict, Gone)."""

    async def write_account(self, account: Account, status: AccountStatus) -> Account:
        """Replace the status and return the account as it is then. Raises: ApiServerError (Conflict, Gone)."""


class UploadReader(Protocol):
    """CertificateRequestUploads, read past the watch."""

    async def read_upload(self, key: UploadKey) -> Upload | None:
        """Read one live, or None if there is none. Raises: ApiServerError, InvalidResource."""


class EventSink(Protocol):
    """Kubernetes Events, written behind: never waited for, lost rather than late."""

    def publish(self, about: Upload | Account, *, reason: str, message: str, warning: bool) -> None:
        """Queue an Event about a resource."""

    def publish_orphan(self, key: UploadKey, *, uid: str, message: str) -> None:
        """Queue a Warning about a resource that is gone or going, in the operator's own namespace.

        A namespace that is being deleted refuses new Events.
        """


class Journal(Protocol):
    """The POSTs that may have been made, in the Lease that makes this process the leader."""

    @property
    def term(self) -> int:
        """Return the term of this leader; every term before it is lower."""

    @property
    def lost(self) -> JournalLost | None:
        """Say whether the journal of earlier terms is lost."""

    @property
    def since(self) -> float:
        """Return when (monotonic clock) this process took the Lease."""

    def holds(self) -> bool:
        """Say whether this process is the leader, by its own clock."""

    def attempts(self) -> Collection[Attempt]:
        """Return the attempts that aren't concluded."""

    def of(self, uid: str) -> tuple[Attempt, ...]:
        """Return a resource's attempts that aren't concluded, oldest first."""

    def added_at(self, attempt: Attempt) -> float:
        """Return from when (monotonic clock) its times count: its addition, or `since` for one of an earlier term."""

    async def add(self, attempt: Attempt) -> None:
        """Return when the attempt stands in the journal by a write that is known to have succeeded.

        Raises: RetryLater (JournalFull), ApiServerError; then nothing may be sent.
        """

    def conclude(self, attempt: Attempt) -> None:
        """Take the attempt out, by the next write: surely not stored, or its id is in the resource's status."""


NO_ANSWER = UNSENT, LOST = "unsent", "lost"
"""What stands in place of a status code: surely nothing was sent, or what was sent got no answer."""


ScmMeter: TypeAlias = Callable[[AccountKey, str, str, float], None]
"""Counts a request to SCM or IAM: whose, its operation, its status (or one of `NO_ANSWER`), and the seconds it took."""

ApiMeter: TypeAlias = Callable[[str, str, int | None], None]
"""Counts a request to the Kubernetes API: verb and resource as RBAC names them (``patch``, ``scmaccounts/status``), and
its status, None without an answer. Called from any thread."""
