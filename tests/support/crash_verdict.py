"""Whether a crash run ended well: what must hold at rest between the resources and SCM's entries. Pure."""

import collections
import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.support.crash_workload import Content, Resource
from tests.support.world import Object, condition

Key = tuple[str, bool]
"""The digest of an entry's CSR, and whether the entry has a key."""


@dataclasses.dataclass(slots=True)
class Incarnation:
    """One life of a resource: from its creation to its deletion it has one uid."""

    uid: str
    resource: Resource
    created: int
    """When it was made, in milliseconds since the epoch."""
    wanted: set[Content]
    deleted: bool = False
    known: set[str] = dataclasses.field(default_factory=set)
    """The ids that its status had when it was deleted."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is there at one moment; entries, requests and uploads as the simulator and the API server show them."""

    uploads: Sequence[Object]
    entries: Sequence[Mapping[str, Any]]
    requests: Sequence[Mapping[str, Any]]
    foreign: Sequence[Mapping[str, Any]]
    """The entries that others made, as they were made."""
    incarnations: Sequence[Incarnation]
    digests: Mapping[str, str]
    """The digest of each CSR of the run."""
    warnings: str = ""
    """What the operator has logged as a warning."""

    def key_of(self, content: Content) -> Key:
        """Return what an entry of a content looks like."""
        return self.digests[content.csr], content.key

    @property
    def by_id(self) -> dict[str, Mapping[str, Any]]:
        """The entries by their ids."""
        return {entry["id"]: entry for entry in self.entries}

    @property
    def by_uid(self) -> dict[str, Object]:
        """The uploads by their uids."""
        return {upload["metadata"]["uid"]: upload for upload in self.uploads}

    @property
    def foreign_ids(self) -> set[str]:
        """The ids of what others made."""
        return {entry["id"] for entry in self.foreign}


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, in sentences, and what was counted."""

    problems: tuple[str, ...]
    duplicates: int
    losses: int
    extra: int
    """POSTs beyond one for each entry that was ever stored."""
    left: int
    """Entries that were left behind by a deletion that could not reach SCM, and were reported."""


def restless(seen: Seen) -> list[str]:
    """Return what is still to happen; empty at rest."""
    waiting = [f"{request['operation']} is under way" for request in seen.requests if request["status"] is None]
    by_uid, by_id = seen.by_uid, seen.by_id
    for life in seen.incarnations:
        upload = by_uid.get(life.uid)
        if life.deleted:
            waiting += [f"{life.resource.name} is not gone yet"] if upload else []
        elif upload is None:
            waiting.append(f"{life.resource.name} is not there")
        else:
            waiting += [f"{life.resource.name}: {what}" for what in _unfinished(life, upload, by_id, seen)]
    return waiting


def _unfinished(life: Incarnation, upload: Object, by_id: Mapping[str, Mapping[str, Any]], seen: Seen) -> Iterator[str]:
    status, ready = upload.get("status", {}), condition(upload, "Ready")
    if ready.get("status") != "True":
        yield f"Ready is {ready.get('status')}, {ready.get('reason')}: {ready.get('message')}"
        return
    if not status.get("observedGeneration") == ready.get("observedGeneration") == upload["metadata"]["generation"]:
        yield "its generation is not observed"
    entry = by_id.get(status.get("scmID", ""))
    if entry is None:
        yield f"its entry {status.get('scmID')} is not in SCM"
        return
    digest, key = seen.key_of(life.resource.content)
    adopted = status.get("origin") == "Adopted"
    if entry["csrSha256"] != digest or (entry["hasPrivateKey"] != key and not adopted):
        yield "its entry is not of the content that it wants"
    if entry["name"] != life.resource.scm_name:
        yield f"its entry is called {entry['name']}, not {life.resource.scm_name}"
    if life.resource.deletion == "Delete" and _own_history(status):
        yield "old entries are still in its history"


def judge(seen: Seen) -> Verdict:
    """Say what is wrong at rest."""
    records = [
        (life, record)
        for life in seen.incarnations
        if (upload := seen.by_uid.get(life.uid)) is not None
        for record in records_of(upload.get("status", {}))
    ]
    lost = [*_lost(seen, records)]
    duplicates, left, wrong = _stray(seen, recorded={record["scmID"] for _, record in records})
    problems = [
        *restless(seen),
        *lost,
        *wrong,
        *_shared(records),
        *_mismatched(seen, records),
        *_foreign_touched(seen, records),
        *_calls_amiss(seen),
    ]
    posts = sum(request["operation"] == "UploadCsr" for request in seen.requests)
    removed = {r["path"] for r in seen.requests if r["operation"] == "DeleteCsr" and _may_have_worked(r)}
    stored = len([entry for entry in seen.entries if entry["id"] not in seen.foreign_ids]) + len(removed)
    return Verdict(tuple(problems), duplicates, len(lost), max(posts - stored, 0), left)


def records_of(status: Object) -> list[Object]:
    """Return what a status says of entries: the current one and those of its history."""
    current = [status] if status.get("scmID") else []
    return [*current, *status.get("history", [])]


def _own_history(status: Object) -> list[Object]:
    return [record for record in status.get("history", []) if record.get("origin") != "Adopted"]


def _lost(seen: Seen, records: Iterable[tuple[Incarnation, Object]]) -> Iterator[str]:
    """Name what a status promises, or promised until a Retain resource was deleted, and SCM doesn't have."""
    by_id = seen.by_id
    for life, record in records:
        if record["scmID"] not in by_id:
            yield f"LOST: {life.resource.name} records {record['scmID']}, which is not in SCM"
    for life in seen.incarnations:
        if life.deleted and life.resource.deletion == "Retain":
            for scm_id in sorted(life.known - set(by_id)):
                yield f"LOST: {life.resource.name} was deleted with Retain, and its entry {scm_id} is gone"


def _stray(seen: Seen, *, recorded: set[str]) -> tuple[int, int, list[str]]:
    """Look at the entries that no status records: a deleted resource may have left one of each content it wanted."""
    allowed: collections.Counter[Key] = collections.Counter()
    blocked: collections.Counter[Key] = collections.Counter()
    for life in seen.incarnations:
        if life.deleted:
            counter = allowed if life.resource.deletion == "Retain" else blocked
            counter.update(seen.key_of(content) for content in life.wanted)
    duplicates, left, wrong = 0, 0, []
    for entry in seen.entries:
        key = entry["csrSha256"], entry["hasPrivateKey"]
        if entry["id"] in recorded | seen.foreign_ids:
            continue
        if allowed[key] > 0:
            allowed[key] -= 1
        elif blocked[key] > 0:
            blocked[key] -= 1
            if _reported(entry, seen) and not _reachable(seen, key):
                left += 1
            else:
                wrong.append(f"NOT DELETED: {entry['name']} {entry['id']} is still in SCM")
        else:
            duplicates += 1
            wrong.append(f"DUPLICATE: {entry['name']} {entry['id']} is in SCM and in no status")
    return duplicates, left, wrong


def _reported(entry: Mapping[str, Any], seen: Seen) -> bool:
    """Tell whether the log warns of what was left: by its id, or by its name where the id was never known."""
    return entry["id"] in seen.warnings or f"'{entry['name']}'" in seen.warnings


def _reachable(seen: Seen, key: Key) -> bool:
    """Tell whether a deleted resource's account was there all the time."""
    return any(
        life.resource.room == "a"
        for life in seen.incarnations
        for content in life.wanted
        if seen.key_of(content) == key
    )


def _shared(records: Iterable[tuple[Incarnation, Object]]) -> Iterator[str]:
    """Name the ids that more than one record has, and the contents that one resource records twice."""
    ids: collections.Counter[str] = collections.Counter()
    contents: collections.Counter[tuple[str, str]] = collections.Counter()
    for life, record in records:
        ids[record["scmID"]] += 1
        contents[life.resource.name + life.uid, record.get("contentHash", "")] += 1
    yield from (f"SHARED: {scm_id} is in {count} records" for scm_id, count in ids.items() if count > 1)
    yield from (f"TWICE: {name} records one content twice" for (name, _), count in contents.items() if count > 1)


def _mismatched(seen: Seen, records: Iterable[tuple[Incarnation, Object]]) -> Iterator[str]:
    """Name the records that don't say what the entry is."""
    by_id = seen.by_id
    for life, record in records:
        entry = by_id.get(record["scmID"])
        if entry is None:
            continue
        if record.get("scmName") != entry["name"]:
            yield f"WRONG: {life.resource.name} records the name {record.get('scmName')}, SCM has {entry['name']}"
        if milliseconds(record.get("createTime", "")) != entry["createTime"]:
            yield f"WRONG: {life.resource.name} records another createTime than SCM has"
        keys = {seen.key_of(content) for content in life.wanted}
        if (entry["csrSha256"], entry["hasPrivateKey"]) not in keys and record.get("origin") != "Adopted":
            yield f"WRONG: {life.resource.name} records {entry['id']}, whose content it never wanted"


def _foreign_touched(seen: Seen, records: Sequence[tuple[Incarnation, Object]]) -> Iterator[str]:
    """Name what happened to entries of others, beyond an adoption that was allowed."""
    by_id = seen.by_id
    for before in seen.foreign:
        if by_id.get(before["id"]) != before:
            yield f"TOUCHED: the entry {before['name']} of somebody else is changed or gone"
        for life, record in records:
            if record["scmID"] == before["id"] and not (life.resource.adopts and record.get("origin") == "Adopted"):
                yield f"TAKEN: {life.resource.name} records an entry of somebody else"
    for life in seen.incarnations:
        upload = seen.by_uid.get(life.uid)
        if life.resource.adopts and upload and upload.get("status", {}).get("origin") != "Adopted":
            yield f"NOT ADOPTED: {life.resource.name}"


def _calls_amiss(seen: Seen) -> Iterator[str]:
    """Name the calls that nobody asked for."""
    for request in seen.requests:
        changed = request["path"].rpartition("/")[2]
        if request["operation"] in {"UpdateCsr", "DeleteCsr"} and changed in seen.foreign_ids:
            yield f"WRONG CALL: {request['operation']} of an entry of somebody else"
        if request["operation"] not in _KNOWN:
            yield f"WRONG CALL: {request['method']} {request['path']}"


_KNOWN = frozenset({"UploadCsr", "ListCsr", "ShowCsr", "UpdateCsr", "DeleteCsr", "CreateToken"})


def _may_have_worked(request: Mapping[str, Any]) -> bool:
    return request["status"] in {204, "reset"} or (isinstance(request["status"], int) and request["status"] >= 500)


def milliseconds(moment: str) -> int | None:
    """Read an RFC 3339 time in UTC; None if it is none."""
    try:
        read = datetime.datetime.fromisoformat(moment)
    except ValueError:
        return None
    return round(read.timestamp() * 1000)
