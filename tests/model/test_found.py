"""What the search has found beyond the rules, step by step."""

from collections.abc import Iterator

import pytest

from tests.support import model_explorer
from tests.support.model_world import World


@pytest.fixture
def world() -> Iterator[World]:
    """Provide a world of which nothing has happened yet."""
    made = World()
    yield made
    made.close()


def _play(world: World, steps: str) -> None:
    for step in model_explorer.script(steps):
        assert world.do(*step)
    world.rest()


def test_a_rename_that_is_taken_back_while_it_is_done_is_taken_back_in_scm(world: World) -> None:
    """An entry has in SCM the name that its resource wants, also if that was another for a moment."""
    _play(world, "start; create a A x; drain; rename a y; hear a; op apply rename a; rename a x")
    assert [entry.name for entry in world.scm.entries.values()] == ["x"]


def test_a_rename_back_whose_answer_is_lost_is_tried_again(world: World) -> None:
    """An entry that was given another name is given the wanted one, however often that fails."""
    _play(
        world,
        "start; create a A x; drain; rename a y; hear a; op apply rename a; rename a x; op answer rename a;"
        "op do status a; op do read a; op fail rename a",
    )
    assert [entry.name for entry in world.scm.entries.values()] == ["x"]


def test_an_entry_that_was_never_recorded_is_not_taken_for_that_of_a_namesake(world: World) -> None:
    """Within one process the entry of a resource that is gone is known, whether or not a status had it."""
    _play(
        world,
        "start; create a A x key; hear a; hear a; op do lease; delete a; hear a; op do post a; create a A x; hear a;"
        "op do lease; op fail post a",
    )
    about = world.name_of("a")
    assert about
    assert about.status.record
    assert world.scm.ever[about.status.record.scm_id].maker == about.uid


def test_a_report_whose_answer_was_lost_does_not_overtake_the_next_one(world: World) -> None:
    """What is reported last is what stands there, also if an earlier report comes late."""
    _play(
        world,
        "start; create c B x adopt; hear c; permission off; hear c; op do list c; op do status c; crash; start;"
        "time 61; op do list c 2",
    )
    about = world.name_of("c")
    assert about
    assert about.status.ready
    assert about.status.ready.reason != "ServerError"
