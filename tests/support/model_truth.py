"""What must hold, whatever has happened: after each step, and at rest."""

import collections
from collections.abc import Iterator

from scm_operator.domain import upload
from scm_operator.domain.status import Origin
from tests.support import model_api, model_scm
from tests.support.model_world import World

_SAYS_SO = {"OutcomeUnknown", "AdoptionUnknown"}


def wrong(world: World) -> str | None:
    """Return what is wrong right now, or None."""
    return next(_wrong(world), None)


def wrong_at_rest(world: World) -> str | None:
    """Return what is wrong when nothing is under way any more, or None."""
    return next(_wrong(world), None) or next(_wrong_at_rest(world), None)


def _wrong(world: World) -> Iterator[str]:
    yield from world.attention.bugs
    yield from _too_many(world)
    yield from _records(world)
    for scm_id in world.attention.kept - set(world.scm.entries):
        yield f"{scm_id} was to be retained, and is gone"
    for uid, posts in world.attention.posts_that_count().items():
        if posts > 1:
            yield f"{posts} POSTs of {uid} under way"


def _too_many(world: World) -> Iterator[str]:
    own = collections.Counter(one.content for one in world.scm.entries.values() if one.maker is not None)
    for content, number in own.items():
        wanting = world.attention.ever_wanted(content)
        if number > len(wanting) and not _is_mixed_up(world, content):
            yield f"{number} entries of {_told(content)}, which {len(wanting)} resources wanted: {wanting}"


def _records(world: World) -> Iterator[str]:
    holders: dict[str, str] = {}
    for about in world.api.uploads.values():
        for record in about.status.records:
            if record.scm_id in holders:
                yield f"{record.scm_id} is recorded for {holders[record.scm_id]} and for {about.uid}"
            holders[record.scm_id] = about.uid
            yield from _record(world, about, record)


def _record(world: World, about: upload.Upload, record: upload.Record) -> Iterator[str]:
    entry = world.scm.ever.get(record.scm_id)
    adopted = record.origin == Origin.ADOPTED
    if entry is None:
        yield f"{about.uid} has {record.scm_id}, which never was"
        return
    if entry.maker is None and not adopted:
        yield f"{about.uid} has the foreign entry {record.scm_id}"
    if adopted and about.uid not in world.attention.adopts:
        yield f"{about.uid} has adopted {record.scm_id} without being asked"
    if record.origin == Origin.UPLOADED and entry.maker != about.uid:
        yield f"{about.uid} has {record.scm_id}, which {entry.maker} made"
    hashed = f"sha256:{entry.digest}" + ("+key" if entry.with_key else "")
    if _is_mixed_up(world, entry.content):
        pass
    elif record.content_hash != hashed and not (
        adopted and record.content_hash.startswith(hashed.removesuffix("+key"))
    ):
        yield f"{about.uid} has {record.scm_id} with the wrong content"
    if model_scm.place_of(record.tenant) != entry.place:
        yield f"{about.uid} has {record.scm_id} in the wrong place"


def _wrong_at_rest(world: World) -> Iterator[str]:
    for name in ("a", "b", "c"):
        about = world.name_of(name)
        if about and about.deleting:
            yield f"{about.uid} is still being deleted: {_ready(about)}"
        elif about and not about.suspend and about.status.ready and about.status.ready.reason not in _SAYS_SO:
            yield from _living(world, about)
        elif about and about.confirm_upload and _ready(about) in _SAYS_SO and _asks_for(about, about.confirm_upload):
            yield f"{about.uid} asks for what was confirmed"
        elif about and about.status.ready is None:
            yield f"{about.uid} says nothing"
    yield from _lost(world)
    if world.lease.journal and not any(_ready(one) in _SAYS_SO for one in world.api.uploads.values()):
        yield f"the journal is not empty: {world.lease.journal}"


def _living(world: World, about: upload.Upload) -> Iterator[str]:
    record, secret = about.status.record, world.api.secrets[model_api.secret_name(about.key.name)]
    assert about.account
    wanted = f"sha256:{model_scm.digest(secret[1])}" + ("+key" if about.private_key else "")
    place = model_scm.place_of(world.api.accounts[about.account].tenant)
    entry = world.scm.entries.get(record.scm_id) if record else None
    if _ready(about) == "ResolvingOutcome" and any(_ready(one) in _SAYS_SO for one in world.api.uploads.values()):
        return
    if record is None or _ready(about) != "Uploaded":
        yield f"{about.uid} has {'a' if record else 'no'} record, and says {_ready(about)}: {about.status.ready}"
    elif entry is None:
        yield f"{about.uid} has {record.scm_id}, which is gone"
    elif (record.content_hash, entry.place) != (wanted, place):
        yield f"{about.uid} has {record.scm_id}, which is not what it wants"
    elif not entry.name == record.scm_name == about.scm_name and about.uid not in world.attention.renamed_back:
        yield f"{about.uid} has {record.scm_id} under the name {entry.name}"
    if about.generation == 1 and record and record.origin == Origin.UPLOADED and entry:
        recorded = {one.scm_id for other in world.api.uploads.values() for one in other.status.records}
        foreign = world.scm.entries.get(world.attention.adoptable.get(about.uid, ""))
        alone = foreign and list(world.attention.adoptable.values()).count(foreign.scm_id) == 1  # none else claimed it
        if foreign and alone and foreign.scm_id not in recorded and foreign.digest == entry.digest:
            yield f"{about.uid} was to adopt {foreign.scm_id}"
    if about.deletes_entries and any(one.record.origin != Origin.ADOPTED for one in about.status.history):
        yield f"{about.uid} keeps replaced entries"


def _lost(world: World) -> Iterator[str]:
    """Entries that nobody has are those of resources that are gone and keep them, or of which it was said.

    Which of two resources with the same name and content made one makes no difference to anybody.
    """
    uploads = world.api.uploads.values()
    recorded = {record.scm_id for one in uploads for record in one.status.records}
    left = collections.Counter(
        one.content for one in world.scm.entries.values() if one.maker is not None and one.scm_id not in recorded
    )
    have_theirs = {one.uid for one in uploads if _ready(one) not in _SAYS_SO} - world.attention.confirmed
    have_none = world.attention.deletes - {one.uid for one in uploads} - set(world.attention.orphans)
    for content, number in left.items():
        may = [uid for uid in world.attention.ever_wanted(content) if uid not in have_theirs | have_none]
        if number > len(may) and not _is_mixed_up(world, content):
            yield f"{number} entries of {_told(content)} that nobody has, and only {may} may have left one"


def _is_mixed_up(world: World, content: tuple[str, str, bool]) -> bool:
    """Say whether it is left open that entries of this CSR are taken for each other."""
    return content[1] in world.attention.mixed_up


def _asks_for(about: upload.Upload, attempt: str) -> bool:
    return about.status.ready is not None and about.status.ready.message.endswith(f"confirm-upload={attempt}")


def _ready(about: upload.Upload) -> str:
    return about.status.ready.reason if about.status.ready else ""


def _told(content: tuple[str, str, bool]) -> str:
    place, digest, with_key = content
    letter = next((one for one in model_scm.CONTENTS if model_scm.digest(one) == digest), "?")
    return f"{letter}{' with a key' if with_key else ''} in {place}"
