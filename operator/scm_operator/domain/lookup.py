"""Which of the listed entries an attempt has made, if any: by exact name and content, among those nobody claims.

An upload answers with nothing to tell its entry by but name and CSR, the list's filter is fuzzy and its paging
unreliable; so "absent" is only said of a list that is surely complete, and what can't be told is never guessed.
"""

import dataclasses
import datetime
from collections.abc import Collection, Mapping

from scm_operator.domain.entry import ListedEntry, Listing

SKEW = datetime.timedelta(seconds=5)
"""How much two clocks may differ beyond what an answer's Date shows."""
DOUBTFUL = datetime.timedelta(minutes=10)
"""An entry that is older than its attempt by up to this may be its own, by clocks that are wrong, or another's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """This is the entry."""

    entry: ListedEntry


@dataclasses.dataclass(frozen=True, slots=True)
class Absent:
    """There surely is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class CantTell:
    """It can't be known; ``why`` goes into a message: what stands in the way.

    ``only_age`` says that an entry of that name and content is there, and that only its age is in doubt.
    """

    why: str
    only_age: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ShowFirst:
    """The entry's CSR wasn't in the list: show it, then ask again."""

    scm_id: str


Answer = Found | Absent | CantTell
"""What a look-up comes to."""


def describe(answer: Answer) -> str:
    """Return an answer as a log shows it."""
    match answer:
        case Found(entry):
            return f"found as {entry.scm_id}"
        case CantTell(why):
            return f"can't tell: {why}"
        case _:
            return "absent"


@dataclasses.dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for: the exact name, the CSR's digest (hex), and not older than ``since``, or None for any age."""

    scm_name: str
    der_digest: str
    since: datetime.datetime | None


def search(
    sought: Sought,
    listing: Listing,
    *,
    shown: Mapping[str, ListedEntry | None],
    claimed: Collection[str],
    now: datetime.datetime,
) -> Answer | ShowFirst:
    """Look for an attempt's entry in a list.

    ``shown`` has the entries that were shown one by one, None for those found gone. ``claimed`` are the ids that some
    resource has. ``now`` is this clock at the time of the list, to be compared with the list's own date.
    """
    named = [entry for entry in listing.entries if entry.scm_name == sought.scm_name and entry.scm_id not in claimed]
    unread = [entry for entry in named if entry.der_digest is None]
    for entry in unread:
        if entry.scm_id not in shown:
            return ShowFirst(entry.scm_id)
    read = [entry if entry.der_digest else shown.get(entry.scm_id) for entry in named]
    matching = [entry for entry in read if entry and _fits(sought, entry)]
    earliest = _earliest(sought, listing, now=now)
    candidates = [entry for entry in matching if entry.created and _is_young(entry.created, earliest)]
    if candidates:
        return Found(min(candidates, key=lambda entry: (entry.created, entry.scm_id)))
    opened = [shown[entry.scm_id] for entry in unread]
    return _nothing_found(sought, listing, matching, opened=opened, earliest=earliest)


def _nothing_found(
    sought: Sought,
    listing: Listing,
    matching: list[ListedEntry],
    *,
    opened: list[ListedEntry | None],
    earliest: datetime.datetime | None,
) -> Absent | CantTell:
    for entry in opened:
        if entry and entry.der_digest is None:
            return CantTell(f"entry {entry.scm_id} has that name, and its CSR can't be read")
    for entry in matching:
        if entry.created is None:
            return CantTell(f"entry {entry.scm_id} has that name and CSR, and no usable create time")
        if earliest and entry.created >= earliest - DOUBTFUL:
            why = f"entry {entry.scm_id} has that name and CSR, and is a little older than the POST"
            return CantTell(why, only_age=True)
    if not listing.complete:
        return CantTell(f"SCM has more CSRs whose names resemble {sought.scm_name!r} than one page of its list shows")
    return Absent()


def _fits(sought: Sought, entry: ListedEntry) -> bool:
    return (entry.scm_name, entry.der_digest) == (sought.scm_name, sought.der_digest)


def _earliest(sought: Sought, listing: Listing, *, now: datetime.datetime) -> datetime.datetime | None:
    """Return the oldest create time, by the service's clock, that an entry of the attempt can have."""
    if sought.since is None:
        return None
    ahead = listing.date - now if listing.date else datetime.timedelta()
    return sought.since + ahead - SKEW


def _is_young(created: datetime.datetime, earliest: datetime.datetime | None) -> bool:
    return earliest is None or created >= earliest
