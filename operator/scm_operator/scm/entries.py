"""SCM entries in its answers, and how the list is asked for them. Pure: bytes and values, no I/O.

API pages: "Upload CSR" (POST /v3/scm/csr/upload), "Querying the CSR List" (GET /v3/scm/csr), "Querying CSR Details"
(GET /v3/scm/csr/{id}). The list's name filter finds substrings and takes 32 characters, its offset is broken: the first
page is all there is, and a `Listing` says whether that was surely everything.
"""

import datetime
import re
import unicodedata
import urllib.parse

from scm_operator.domain import csr
from scm_operator.domain.entry import Entry, ListedEntry, Listing, rfc3339
from scm_operator.scm import transport, wire

PAGE_SIZE = 50
"""The largest page that SCM gives."""

_FILTER_LENGTH = 32  # in UTF-16, as a server in Java may count: never more than 32 characters
_NOT_LITERAL = re.compile(r"[\\%]")  # a database may take these as an escape and a wildcard
_SCM_ID = re.compile(r"[0-9A-Za-z_-]{16,64}")
_EARLIEST_MS, _LATEST_MS = 10**12, 253_402_300_799_999  # 2001 (less is not milliseconds) to the end of 9999


def read_entry(answer: transport.Answer, *, now: datetime.datetime) -> Entry | None:
    """Read what an upload made, or None without a usable id.

    ``create_time`` (epoch milliseconds) becomes RFC 3339; if it is missing or unusable, the answer's Date stands in for
    it, or else ``now``: it must not turn a stored CSR into an unknown one.
    """
    body = wire.read_object(answer)
    scm_id = _read_id(body.get("id"))
    created = _read_time(body.get("create_time")) or wire.read_date(answer) or now
    return Entry(scm_id, rfc3339(created)) if scm_id else None


def list_path(name: str) -> str:
    """Return path and query of the first page of entries that may have a name."""
    query = {"limit": str(PAGE_SIZE), "offset": "0"}
    if fragment := _filter_for(name):
        query["name"] = fragment
    return "/v3/scm/csr?" + urllib.parse.urlencode(query, safe="", quote_via=urllib.parse.quote)


def read_listing(answer: transport.Answer) -> Listing | None:
    """Read a page of the list, or None if it is no list.

    An item without usable id and name may be any entry, so a list that has one isn't complete.
    """
    body = wire.read_object(answer)
    items = body.get("csr_list")
    if not isinstance(items, list):
        return None
    entries = tuple(entry for item in items if (entry := _read_item(item)))
    total = body.get("total")
    counted = type(total) is int and 0 <= total <= len({entry.scm_id for entry in entries})  # a bool is no number
    complete = counted and len(entries) == len(items) < PAGE_SIZE
    return Listing(entries, complete=complete, date=wire.read_date(answer))


def read_shown(answer: transport.Answer, *, scm_id: str) -> ListedEntry | None:
    """Read the entry that was asked for, or None if the answer shows none, or another."""
    entry = _read_item(wire.read_object(answer))
    return entry if entry and entry.scm_id == scm_id else None


def _filter_for(name: str) -> str:
    """Return a beginning of the name that the filter finds however the service reads it; maybe nothing.

    Too short a filter shows more entries; one that is trimmed, composed or unescaped on the way may hide the right one.
    """
    fragment = _NOT_LITERAL.split(name, maxsplit=1)[0]
    while len(fragment.encode("utf-16-le")) > _FILTER_LENGTH * 2:
        fragment = fragment[:-1]
    composed = unicodedata.normalize("NFC", name)
    while not composed.startswith(unicodedata.normalize("NFC", fragment)):  # cut within a letter and its accents
        fragment = fragment[:-1]
    return fragment.rstrip()


def _read_item(item: object) -> ListedEntry | None:
    if not isinstance(item, dict):
        return None
    scm_id, name, pem = _read_id(item.get("id")), item.get("name"), item.get("csr")
    if not scm_id or not isinstance(name, str):
        return None
    digest = csr.digest_of_pem(pem) if isinstance(pem, str) else None
    return ListedEntry(scm_id, name, digest, _read_time(item.get("create_time")))


def _read_id(value: object) -> str | None:
    return value if isinstance(value, str) and _SCM_ID.fullmatch(value) else None


def _read_time(value: object) -> datetime.datetime | None:
    if isinstance(value, str) and value.isdecimal() and len(value) <= len(str(_LATEST_MS)):
        value = int(value)
    if not isinstance(value, int) or not _EARLIEST_MS <= value <= _LATEST_MS:
        return None
    seconds, milliseconds = divmod(value, 1000)
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(microsecond=milliseconds * 1000)
