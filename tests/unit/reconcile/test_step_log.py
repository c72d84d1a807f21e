"""What the log shows at level debug: which steps are taken, and why."""

import logging

import pytest

from tests.unit.reconcile import world as worlds

World = worlds.World


def _steps(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]


@pytest.fixture(autouse=True)
def _debugging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="scm_operator")


async def test_each_step_is_a_line(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Each step of a visit is logged by name, a report with its reason."""
    await world.reconcile()
    assert _steps(caplog) == [
        "shop/web: ReadSecrets",
        "shop/web: Journal",
        "shop/web: Post",
        "shop/web: WriteRecord",
        "shop/web: Conclude",
        "shop/web: Nothing",
    ]


async def test_what_a_look_up_came_to_is_a_line(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A lost answer shows as a wait with its reason, then as what was found in SCM."""
    world.scm.lose_answer()
    await world.reconcile()
    world.clock.advance(worlds.CALL + worlds.SETTLE)
    await world.reconcile()
    steps = _steps(caplog)
    assert any(step.startswith("shop/web: Wait ") and step.endswith("(ServerError)") for step in steps)
    assert f"shop/web: looked for CSR 'web': found as {world.scm_id()}" in steps
