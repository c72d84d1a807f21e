"""The cache: newest wins, a deletion counts for its uid, and who names a Secret is always known."""

import dataclasses
from collections.abc import Callable

import hypothesis
from hypothesis import strategies

from scm_operator.domain import account
from scm_operator.reconcile import cache

A, B = account.SecretName("shop", "a"), account.SecretName("shop", "b")


@dataclasses.dataclass(frozen=True)
class FakeResource:
    """A resource of one key that names Secrets."""

    resource_version: str
    uid: str = "uid-1"
    secrets: tuple[account.SecretName, ...] = (A,)
    key: str = "web"


_Cache = cache.Cache[str, FakeResource]


def _cache() -> _Cache:
    return cache.Cache(key=lambda known: known.key, secrets=lambda known: known.secrets)


def test_newest_wins() -> None:
    """An older version, or the same one again, is no news; versions are compared as numbers."""
    known = _cache()
    assert known.put(FakeResource("9"))
    assert not known.put(FakeResource("9"))
    assert not known.put(FakeResource("8"))
    assert known.put(FakeResource("10"))
    assert known.get("web") == FakeResource("10")
    assert (len(known), list(known)) == (1, [FakeResource("10")])


def test_late_deletion_of_an_old_uid_is_no_news() -> None:
    """The deletion of a resource that was re-created meanwhile leaves its namesake alone."""
    known = _cache()
    known.put(FakeResource("1"))
    known.put(FakeResource("3", uid="uid-2"))
    assert not known.remove("web", uid="uid-1")
    assert known.get("web") == FakeResource("3", uid="uid-2")
    assert known.remove("web", uid="uid-2")
    assert not known.remove("web", uid="uid-2")
    assert known.get("web") is None


def test_own_answers_are_taken_over_only_by_the_resource_that_is_there() -> None:
    """An answer to a write or read is taken if it is newer and of the same uid; it never brings anything back."""
    known = _cache()
    known.refresh(FakeResource("1"))
    assert known.get("web") is None
    known.put(FakeResource("5", uid="uid-2"))
    known.refresh(FakeResource("9", uid="uid-1"))
    known.refresh(FakeResource("4", uid="uid-2"))
    assert known.get("web") == FakeResource("5", uid="uid-2")
    known.refresh(FakeResource("6", uid="uid-2"))
    assert known.get("web") == FakeResource("6", uid="uid-2")
    known.remove("web", uid="uid-2")
    known.refresh(FakeResource("7", uid="uid-2"))
    assert known.get("web") is None


def test_naming_follows_changes() -> None:
    """A Secret's keys are those of the resources that name it now."""
    known = _cache()
    known.put(FakeResource("1"))
    known.put(FakeResource("2", key="api", secrets=(A, B)))
    assert (sorted(known.naming(A)), known.naming(B)) == (["api", "web"], ("api",))
    known.put(FakeResource("3", secrets=(B,)))
    assert (known.naming(A), sorted(known.naming(B))) == (("api",), ["api", "web"])
    known.remove("api", uid="uid-1")
    known.remove("web", uid="uid-1")
    assert (known.naming(A), known.naming(B)) == ((), ())


def test_asking_for_a_secret_that_nobody_names_leaves_no_trace() -> None:
    """Unrelated Secrets may be asked for by the thousand: nothing is kept of them, nor of one that is named no more."""
    known = _cache()
    known.put(FakeResource("1"))
    known.remove("web", uid="uid-1")
    before = _size(known)
    for number in range(100):
        known.naming(account.SecretName("shop", str(number)))
    assert _size(known) == before == _size(_cache())


def _size(known: _Cache) -> list[int]:
    return [len(value) for value in vars(known).values() if isinstance(value, dict)]


def test_list_misses_only_what_it_would_have_to_hold() -> None:
    """What is newer than a list can't be expected in it; versions are compared as numbers."""
    known = _cache()
    for key, version in (("web", "9"), ("api", "10"), ("pay", "11")):
        known.put(FakeResource(version, key=key))
    missing = known.missing_from({"web"}, resource_version="10")
    assert [resource.key for resource in missing] == ["api"]
    assert [resource.key for resource in known.missing_from(set(), resource_version="9")] == ["web"]


_Event = Callable[[_Cache], object]


def _life(uid: str, versions: list[int], *, deleted: bool) -> list[_Event]:
    def put(version: int) -> _Event:
        return lambda known: known.put(FakeResource(str(version), uid=uid, secrets=(A if version % 2 else B,)))

    events = [put(version) for version in versions]
    return [*events, lambda known: known.remove("web", uid=uid)] if deleted else events


@hypothesis.given(data=strategies.data(), alive=strategies.booleans())
@hypothesis.settings(max_examples=25, deadline=None, database=None)
def test_any_order_of_the_events_ends_in_the_same_state(data: strategies.DataObject, *, alive: bool) -> None:
    """However the events of namesakes mix, and whatever own answers come late in between, the end is the same."""
    lives = [_life(f"uid-{n}", [10 * n + i for i in range(3)], deleted=n < 3 or not alive) for n in range(1, 4)]
    known = _cache()
    while any(lives):
        life = data.draw(strategies.sampled_from([life for life in lives if life]))
        event = life.pop(0)
        event(known)
        if data.draw(strategies.booleans()):
            uid = data.draw(strategies.integers(min_value=1, max_value=3))
            known.refresh(FakeResource(str(10 * uid), uid=f"uid-{uid}"))
        current = known.get("web")
        for secret in (A, B):
            assert known.naming(secret) == (("web",) if current and secret in current.secrets else ())
    expected = FakeResource("32", uid="uid-3", secrets=(B,)) if alive else None
    assert known.get("web") == expected
