"""What the reconciler needs of the world, as Protocols; app hands adapters in.

Every method that can fail says so by the error tree of domain.errors.
"""

import dataclasses
import datetime
from collections.abc import Collection, Mapping
from typing import Protocol

from scm_operator.domain.account import Account, SecretName
from scm_operator.domain.conditions import Condition
from scm_operator.domain.csr import Content
from scm_operator.domain.observation import Attempt
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

    async def read(self, name: SecretName, *, keys: Collection[str]) -> Secret | None:
        """Read some keys of a Secret live, or None if there is no such Secret.

        Raises: ApiServerError; RetryLater when the operator isn't permitted to read it.
        """

    def seen(self, name: SecretName) -> ObservedSecret | None:
        """Return the newest version that the watch or a read has shown of a Secret that is named somewhere."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """An SCM entry as an answer tells it: ``create_time`` as RFC 3339."""

    scm_id: str
    create_time: str


class CsrStore(Protocol):
    """SCM for one account: where CSRs are stored."""

    async def upload(self, content: Content, *, name: str) -> Entry:
        """POST /v3/scm/csr/upload, once.

        Raises: OutcomeUnknown when the request may have been stored; any other Obstacle when it surely was not.
        """

    async def rename(self, scm_id: str, *, name: str) -> None:
        """PUT /v3/scm/csr/{id}; safe to repeat.

        Raises: RetryLater, NeedsChange; Blocked with reason EntryMissing when there is no such entry.
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

    async def write_account(
        self, account: Account, *, observed_generation: int, conditions: tuple[Condition, ...]
    ) -> Account:
        """Replace the status and return the account as it is then. Raises: ApiServerError (Conflict, Gone)."""


class UploadReader(Protocol):
    """CertificateRequestUploads, read past the watch."""

    async def read_upload(self, key: UploadKey) -> Upload | None:
        """Read one live, or None if there is none. Raises: ApiServerError, InvalidResource."""


class EventSink(Protocol):
    """Kubernetes Events, written behind: never waited for, lost rather than late."""

    def publish(self, about: Upload | Account, *, reason: str, message: str, warning: bool) -> None:
        """Queue an Event about a resource."""


class Journal(Protocol):
    """The POSTs that may have been made: written before a POST leaves, concluded when its outcome is safe."""

    async def add(self, attempt: Attempt) -> None:
        """Return when the attempt stands in the journal. Raises: ApiServerError; then nothing may be sent."""

    async def conclude(self, attempt: Attempt) -> None:
        """Take the attempt out: surely not stored, or its id is in the resource's status."""
