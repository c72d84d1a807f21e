import os
import pathlib
import select
from collections.abc import Iterator

import pytest

from dev.node.launch import Node
from tests.support import installation, pods
from tests.support.installation import Stage
from tests.support.pods import Pods
from tests.support.waiting import until

TOKENS = """
import json, os, time
path = json.load(open(os.environ['KUBECONFIG']))['users'][0]['user']['tokenFile']
seen = set()
while len(seen) < 3:
    with open(path) as file:
        seen.add(file.read())
    time.sleep(0.05)
print('three tokens, each whole:', {token.count('.') for token in seen})
time.sleep(600)
"""


@pytest.fixture
def another(stage: Stage, tmp_path: pathlib.Path) -> Iterator[Node]:
    """A second node, which replaces tokens after seconds and may be stopped."""
    name = f"node-{tmp_path.name.replace('_', '-')[:40].strip('-')}"
    with Node.start(
        stage.plane, images=installation.IMAGES, folder=tmp_path / "node", name=name, renewal=0.0005, stop_grace=2.0
    ) as node:
        yield node
    stage.plane.kubectl("delete", "node", name)


@pytest.fixture
def run(stage: Stage, another: Node, request: pytest.FixtureRequest) -> Pods:
    """Pods on the second node, in a namespace of the test's own."""
    return Pods(stage.namespace_for(request.node.name), another)


def ready(run: Pods) -> str:
    """Return the status of the node's condition Ready."""
    path = "{.status.conditions[?(@.type=='Ready')].status}"
    return run.namespace.plane.kubectl("get", "node", run.node.settings.name, "-o", f"jsonpath={path}").stdout


def test_a_token_is_replaced_before_it_expires(run: Pods) -> None:
    """The file gets a new token again and again, and whoever reads it never gets half of one."""
    run.run("reader", pods.container(TOKENS))
    assert run.said("reader", "three tokens") == "three tokens, each whole: {2}\n"


def test_a_node_that_is_stopped_ends_what_it_runs(run: Pods) -> None:
    """Processes get SIGTERM, then SIGKILL; the Pods stay in the API, on a node that isn't ready."""
    program = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up')\nwhile True: signal.pause()"
    run.run("stubborn", pods.container(program))
    run.run("polite", pods.container(pods.SLEEP))
    alive = []
    for name in ("stubborn", "polite"):
        run.said(name, "up")
        alive.append(pathlib.Path(f"/proc/{run.node.pid(run.namespace.name, name)}"))
    assert ready(run) == "True"
    run.node.stop()
    assert run.node.child.process.returncode == 0
    assert not any(path.exists() for path in alive)
    assert ready(run) == "False"
    assert run.get("polite")["metadata"]["name"] == "polite"


def test_a_node_that_is_killed_leaves_no_process(run: Pods) -> None:
    """The kernel ends them with it."""
    run.run("orphan", pods.container(pods.SLEEP))
    run.said("orphan", "up")
    end = os.pidfd_open(run.node.pid(run.namespace.name, "orphan"))
    run.node.child.process.kill()
    assert select.select([end], [], [], 10) == ([end], [], [])  # a pidfd can be read when its process has ended
    os.close(end)


def test_pods_run_again_on_a_node_that_is_started_again(run: Pods, stage: Stage) -> None:
    """Each counts as restarted, has an address of the new node, and its former log is kept."""
    run.run("again", pods.container(pods.SLEEP))
    run.wait("again")
    run.node.stop()
    settings = run.node.settings
    with Node.start(stage.plane, images=settings.images, folder=settings.folder, name=settings.name) as node:
        again = Pods(run.namespace, node)
        until(lambda: again.restarts("again") == 1, what="a restart")
        again.said("again", "up\nup\n")
        again.wait("again")
        assert len(again.get("again")["status"]["podIPs"]) == 1
        run.namespace.kubectl("delete", "pod", "again", "--timeout=20s")
