"""An attempt: one POST that may have been made, as the journal keeps it."""

import dataclasses
import datetime

from scm_operator.domain.account import Tenant
from scm_operator.domain.upload import UploadKey

_WITH_KEY = "+key"


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """What a look-up by content can't tell apart: deliberately coarse, the key doesn't count."""

    endpoint: str
    der_digest: str


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """One POST that may have been made.

    ``id`` is random, ``at`` an RFC 3339 time, ``term`` the Lease's term of the leader that journaled it.
    """

    id: str
    uid: str
    key: UploadKey
    scm_name: str
    tenant: Tenant
    content_hash: str
    at: str
    term: int = 0

    @property
    def group(self) -> Group:
        """Return the group in which its entry has to be looked for."""
        return group_of(self.tenant, self.content_hash)

    def rivals(self, other: "Attempt") -> bool:
        """Say whether a look-up could take the other's entry for this one's: same name and CSR, other content."""
        return self.group == other.group and self.scm_name == other.scm_name and self.content_hash != other.content_hash


def group_of(tenant: Tenant, content_hash: str) -> Group:
    """Return the group of a content in a tenant."""
    return Group(tenant.endpoint, content_hash.removesuffix(_WITH_KEY).removeprefix("sha256:"))


@dataclasses.dataclass(frozen=True, slots=True)
class JournalLost:
    """The Lease was missing although resources had been worked on: ``term`` is the one that found it, at ``time``."""

    term: int
    time: datetime.datetime

    @property
    def attempt_id(self) -> str:
        """Return the id of the attempts that stand for what the lost journal may have held."""
        return f"lost-{self.term}"
