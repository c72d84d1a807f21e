"""SCM entries as the service's answers show them."""

import dataclasses
import datetime


def rfc3339(moment: datetime.datetime) -> str:
    """Write a create time as a record has it: RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """What an upload made: ``create_time`` as RFC 3339."""

    scm_id: str
    create_time: str


@dataclasses.dataclass(frozen=True, slots=True)
class ListedEntry:
    """An entry of a list, or one that was shown.

    ``der_digest`` is the hash (hex) of its CSR's DER, None if the answer carries no readable CSR; ``created`` is None
    without a usable create_time.
    """

    scm_id: str
    scm_name: str
    der_digest: str | None
    created: datetime.datetime | None

    @property
    def create_time(self) -> str:
        """Return when it was made as RFC 3339 with milliseconds, as a record has it."""
        assert self.created is not None  # noqa: S101 - a look-up finds none without
        return rfc3339(self.created)


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """The entries whose name begins as asked for.

    ``complete`` only if surely all were seen: fewer than the page holds, and no more in total than distinct ids seen.
    ``date`` is the service's clock (the answer's Date), None if it doesn't say.
    """

    entries: tuple[ListedEntry, ...]
    complete: bool
    date: datetime.datetime | None
