import dataclasses
from typing import Any

import pytest

from tests.support import crash_verdict
from tests.support.crash_verdict import Incarnation, Seen
from tests.support.crash_workload import Content, Resource

SHOP = Resource(name="shop", scm_name="shop", content=Content("csr-1"), secret="shop")  # noqa: S106 - a Secret's name
CREATED = 1_685_325_399_000
TIME = "2023-05-29T01:56:39.000Z"


def _entry(scm_id: str, *, name: str = "shop", csr: str = "digest-1", key: bool = False) -> dict[str, Any]:
    return {"id": scm_id, "name": name, "csrSha256": csr, "hasPrivateKey": key, "createTime": CREATED}


def _record(scm_id: str, *, name: str = "shop", content: str = "h1", **more: object) -> dict[str, Any]:
    return {"scmID": scm_id, "scmName": name, "createTime": TIME, "contentHash": content, "origin": "Uploaded", **more}


def _upload(uid: str, scm_id: str, *, ready: str = "True", **more: object) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready, "reason": "Uploaded", "observedGeneration": 1}]
    status = _record(scm_id, observedGeneration=1, conditions=conditions) | more
    return {"metadata": {"uid": uid, "generation": 1}, "status": status}


def _life(uid: str = "u1", *, deleted: bool = False, known: tuple[str, ...] = (), **fields: object) -> Incarnation:
    resource = dataclasses.replace(SHOP, **fields)  # type: ignore[arg-type]
    return Incarnation(uid, resource, CREATED, {resource.content}, deleted=deleted, known=set(known))


def _post(*, operation: str = "UploadCsr", status: object = 200, path: str = "/v3/scm/csr/upload") -> dict[str, Any]:
    return {"operation": operation, "status": status, "path": path, "method": "POST"}


def _seen(**changes: object) -> Seen:
    fine: dict[str, Any] = {
        "uploads": [_upload("u1", "e1")],
        "entries": [_entry("e1")],
        "requests": [_post()],
        "foreign": [],
        "incarnations": [_life()],
        "digests": {"csr-1": "digest-1", "csr-2": "digest-2"},
    }
    return dataclasses.replace(Seen(**fine), **changes)  # type: ignore[arg-type]


def test_one_entry_that_the_status_describes_is_fine() -> None:
    """A Ready resource with its one entry is at rest, and nothing is wrong."""
    verdict = crash_verdict.judge(_seen())

    assert crash_verdict.restless(_seen()) == []
    assert verdict == crash_verdict.Verdict((), duplicates=0, losses=0, extra=0, left=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"uploads": []}, "not there"),
        ({"uploads": [_upload("u1", "e1", ready="False")]}, "Ready is False"),
        ({"uploads": [_upload("u1", "e1", observedGeneration=0)]}, "generation"),
        ({"entries": []}, "not in SCM"),
        ({"entries": [_entry("e1", csr="digest-2")]}, "content"),
        ({"entries": [_entry("e1", key=True)]}, "content"),
        ({"entries": [_entry("e1", name="shop-2")]}, "called shop-2"),
        ({"incarnations": [_life(deleted=True)]}, "not gone"),
        ({"requests": [_post(status=None)]}, "under way"),
        (
            {
                "uploads": [_upload("u1", "e1", history=[_record("e0", content="h0")])],
                "incarnations": [_life(deletion="Delete")],
            },
            "history",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_at_rest_is_said(changes: dict[str, Any], words: str) -> None:
    """Whatever is still to happen is named."""
    (said,) = crash_verdict.restless(_seen(**changes))

    assert words in said


def test_a_second_entry_is_a_duplicate() -> None:
    """An entry that no status records, and no deleted resource can have left, is a duplicate."""
    verdict = crash_verdict.judge(_seen(entries=[_entry("e1"), _entry("e2")], requests=[_post()] * 2))

    assert (verdict.duplicates, verdict.extra) == (1, 0)
    assert any("DUPLICATE: shop e2" in problem for problem in verdict.problems)


def test_an_entry_of_history_counts() -> None:
    """An entry that the history records is none too many."""
    life = _life()
    life.wanted.add(Content("csr-2"))
    uploads = [_upload("u1", "e1", history=[_record("e0", content="h0")])]

    seen = _seen(uploads=uploads, entries=[_entry("e0", csr="digest-2"), _entry("e1")], incarnations=[life])

    assert crash_verdict.judge(seen).problems == ()


def test_an_entry_that_is_gone_is_lost() -> None:
    """A recorded entry that SCM doesn't have is a loss; so is one that a deleted Retain resource had."""
    assert crash_verdict.judge(_seen(entries=[])).losses == 1
    gone = _life("u0", deleted=True, known=("e0",))
    assert crash_verdict.judge(_seen(incarnations=[_life(), gone])).losses == 1


def test_a_deleted_retain_resource_may_have_left_one_entry() -> None:
    """One entry of each content that it wanted stays, a second is a duplicate."""
    lives = [_life(), _life("u0", deleted=True)]
    entries = [_entry("e0"), _entry("e1"), _entry("e2")]

    assert crash_verdict.judge(_seen(incarnations=lives, entries=entries[:2])).problems == ()
    assert crash_verdict.judge(_seen(incarnations=lives, entries=entries)).duplicates == 1


def test_a_deleted_delete_resource_leaves_nothing_unsaid() -> None:
    """Its entry must be gone, unless its account went with the namespace and a warning names what was left."""
    entries = [_entry("e1"), _entry("e0", name="doomed", csr="digest-2")]
    fields: dict[str, Any] = {"name": "doomed", "content": Content("csr-2"), "deletion": "Delete"}
    reachable = [_life(), _life("u0", deleted=True, **fields)]
    doomed = [_life(), _life("u0", deleted=True, room="b", **fields)]

    assert "NOT DELETED" in crash_verdict.judge(_seen(entries=entries, incarnations=reachable)).problems[0]
    assert "NOT DELETED" in crash_verdict.judge(_seen(entries=entries, incarnations=doomed)).problems[0]
    warned = crash_verdict.judge(_seen(entries=entries, incarnations=doomed, warnings="entry e0 stays in SCM"))
    assert (warned.problems, warned.left) == ((), 1)
    assert crash_verdict.judge(_seen(entries=entries, incarnations=reachable, warnings="e0")).left == 0


def test_an_id_belongs_to_one_record() -> None:
    """Two resources with one id, and one resource with one content twice, are wrong."""
    shared = _seen(uploads=[_upload("u1", "e1"), _upload("u2", "e1")], incarnations=[_life(), _life("u2")])
    twice = _seen(uploads=[_upload("u1", "e1", history=[_record("e2")])], entries=[_entry("e1"), _entry("e2")])

    assert any(problem.startswith("SHARED") for problem in crash_verdict.judge(shared).problems)
    assert any(problem.startswith("TWICE") for problem in crash_verdict.judge(twice).problems)


@pytest.mark.parametrize(
    "changes", [{"scmName": "other"}, {"createTime": "2023-05-29T01:56:39.001Z"}, {"createTime": "yesterday"}], ids=str
)
def test_a_status_must_say_what_the_entry_is(changes: dict[str, Any]) -> None:
    """Another name or create time than SCM's is wrong."""
    verdict = crash_verdict.judge(_seen(uploads=[_upload("u1", "e1", **changes)]))

    assert any(problem.startswith("WRONG") for problem in verdict.problems)


def test_a_content_that_was_never_wanted_is_wrong() -> None:
    """A record of an entry with another CSR or key than the resource ever wanted is wrong."""
    verdict = crash_verdict.judge(_seen(entries=[_entry("e1", key=True)]))

    assert any("never wanted" in problem for problem in verdict.problems)


def test_an_entry_of_somebody_else_is_left_alone() -> None:
    """Untouched it counts for nothing; changed, recorded or called for it is wrong."""
    foreign = _entry("f1")
    fine = _seen(foreign=[foreign], entries=[foreign, _entry("e1")])
    changed = _seen(foreign=[foreign], entries=[foreign | {"updateTime": 1}, _entry("e1")])
    taken = _seen(foreign=[foreign], entries=[foreign], uploads=[_upload("u1", "f1")])
    called = _seen(
        foreign=[foreign],
        entries=[foreign, _entry("e1")],
        requests=[_post(), _post(operation="DeleteCsr", path="/v3/scm/csr/f1", status=403)],
    )

    assert crash_verdict.judge(fine).problems == ()
    assert crash_verdict.judge(changed).problems[0].startswith("TOUCHED")
    assert crash_verdict.judge(taken).problems[0].startswith("TAKEN")
    assert crash_verdict.judge(called).problems[0].startswith("WRONG CALL")


def test_an_adoption_is_not_a_theft() -> None:
    """A resource that adopts records somebody else's entry as Adopted; if it uploads instead, that is said."""
    foreign = _entry("f1")
    adopter = _life(adopts=True)
    adopted = _seen(
        foreign=[foreign], entries=[foreign], uploads=[_upload("u1", "f1", origin="Adopted")], incarnations=[adopter]
    )
    uploaded = _seen(foreign=[foreign], entries=[foreign, _entry("e1")], incarnations=[adopter])

    assert crash_verdict.judge(adopted).problems == ()
    assert crash_verdict.judge(uploaded).problems == ("NOT ADOPTED: shop",)


def test_posts_beyond_the_entries_are_extra() -> None:
    """Each entry that is stored, or was and has been deleted, needed one POST; the others are extra calls."""
    requests = [*[_post()] * 4, _post(operation="DeleteCsr", path="/v3/scm/csr/e0", status=204)]

    assert crash_verdict.judge(_seen(requests=requests)).extra == 2
