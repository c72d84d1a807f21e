import random

from tests.support import crash_plan, crash_workload
from tests.support.crash_workload import Apply, Content, DeleteNamespace, Recreate, Resource

PLANS = [crash_plan.make(seed) for seed in range(1, 1_001)]


def test_a_seed_gives_one_run() -> None:
    """The same number gives the same run, another number another."""
    assert crash_plan.make(17) == crash_plan.make(17)
    assert crash_plan.make(17) != crash_plan.make(18)


def test_a_thousand_seeds_reach_everything() -> None:
    """Every step with every fault, each way to end, one replica and two are among a thousand seeds."""
    steps = {step.name for step in crash_plan.STEPS}

    assert {(plan.step.name, plan.fault) for plan in PLANS} >= {
        (step, fault) for step in steps - {"looking up"} for fault in crash_plan.FAULTS
    }
    assert {(plan.how, plan.replicas) for plan in PLANS} == {
        ("kill", 1),
        ("kill", 2),
        ("stop", 1),
        ("stop", 2),
        ("freeze", 2),
    }


def test_a_step_has_what_it_needs() -> None:
    """Looking up needs lost answers and nobody who adopts; adopting needs somebody who does."""
    for plan in PLANS:
        adopts = any(resource.adopts for resource in plan.resources)
        if plan.step.name == "looking up":
            assert (plan.fault, adopts) == ("reset after store", False)
        if plan.step.name == "adopting":
            assert adopts


def test_every_run_has_every_trouble() -> None:
    """Twins, A to B to A, a key added, a rename, somebody else's entry, re-creation, a namespace that goes."""
    for plan in PLANS[:100]:
        twins = [(each.scm_name, each.content) for each in plan.resources if each.name.startswith("twin")]
        assert len(twins) == 2
        assert len(set(twins)) == 1
        assert any(resource.foreign and not resource.adopts for resource in plan.resources)
        assert [each.content.csr for each in _applied(plan, "swing")] == ["swing-1", "swing-2", "swing-1"]
        assert [each.content.key for each in _applied(plan, "keyed")] == [False, True]
        assert len({each.scm_name for each in _applied(plan, "renamed")}) == 2
        assert sum(isinstance(change, Recreate) for change in plan.changes) == 1
        assert sum(isinstance(change, DeleteNamespace) for change in plan.changes) == 1


def _applied(plan: crash_plan.Plan, name: str) -> list[Resource]:
    changed = [change.resource for change in plan.changes if isinstance(change, Apply)]
    return [resource for resource in (*plan.resources, *changed) if resource.name == name]


def test_contents_are_nobody_elses_but_the_twins() -> None:
    """No two resources of a run want the same content, but for the twins: an entry tells whose it is."""
    work = crash_workload.make(random.Random(1), adopts=True)  # noqa: S311 - dice of a test
    contents: dict[Content, set[str]] = {}
    for resource in work.resources:
        contents.setdefault(resource.content, set()).add(resource.name)

    assert [names for names in contents.values() if len(names) > 1] == [{"twin-a", "twin-b"}]
