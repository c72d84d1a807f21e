"""See an upload become Ready: a real API server, the SCM simulator, and the operator installed with Helm.

``python -m dev.demo`` shows it and stops everything; with ``--keep`` all stays up until Ctrl-C. The exit code is 0 if
every upload ended as it should, 1 if not, 130 after Ctrl-C.
"""

import argparse
import contextlib
import io
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from dev import control_plane, demo_cluster, demo_screen, demo_story, golang, toolchain
from dev.node import launch

_PAGE = "/_simulator/"


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the demo; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="stay up at the end, until Ctrl-C")
    keep = parser.parse_args(arguments).keep
    for each in demo_cluster.ENDINGS:
        signal.signal(each, _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an arrow that the terminal's encoding lacks is no reason to fail
    try:
        return _show(demo_screen.Screen(sys.stdout), keep=keep)
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print("\ninterrupted; all that was started is stopped", flush=True)
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; without this, Python would complain again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (control_plane.ControlPlaneError, launch.NodeError, golang.NoGoError, golang.BuildError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End as Ctrl-C does, and let nothing disturb the stopping."""
    for each in demo_cluster.ENDINGS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _show(screen: demo_screen.Screen, *, keep: bool) -> int:
    screen.step("A cluster without containers: a real control plane, and a node whose Pods are processes")
    toolchain.obtain()
    began = time.monotonic()
    with demo_cluster.start() as cluster:
        version = toolchain.Pins.read().version("kube-apiserver")
        screen.say(f"kube-apiserver {version} at {cluster.plane.server}, ready in {time.monotonic() - began:.1f} s")
        try:
            code = _tell(demo_story.Story(cluster, screen), cluster=cluster, screen=screen, keep=keep)
        except (demo_cluster.DemoError, control_plane.ControlPlaneError, launch.NodeError) as error:
            code = 1
            screen.strong(f"\nFailed: {error}")
            _say_log(cluster, screen=screen)
    screen.say("Stopped: nothing is left running.")
    return code


def _tell(
    story: demo_story.Story,
    *,
    cluster: demo_cluster.Cluster,
    screen: demo_screen.Screen,
    keep: bool,
) -> int:
    failed = ""
    try:
        story.play()
    except demo_story.StepError as error:
        failed = str(error)
    verdict = story.end()
    wrong = [*([failed] if failed else []), *verdict.wrong]
    screen.say()
    screen.strong(verdict.summary)
    for sentence in wrong:
        screen.explain(sentence, indent="  ")
    if wrong:
        _say_log(cluster, screen=screen)
    if story.url:
        screen.say(f"What the simulator got, as a page: {story.url}{_PAGE}")
    if keep:
        _say_how_to_play(cluster, screen=screen)
        story.stay()
    else:
        screen.say("It is stopped now; `make demo KEEP=1` keeps everything up until Ctrl-C, to be played with.")
    return 1 if wrong else 0


def _say_log(cluster: demo_cluster.Cluster, *, screen: demo_screen.Screen) -> None:
    for name, last in cluster.last_words().items():
        screen.strong(f"\nThe last log lines of the {name}")
        screen.say(last)
    screen.say()


def _say_how_to_play(cluster: demo_cluster.Cluster, *, screen: demo_screen.Screen) -> None:
    for log in cluster.operator_logs():
        screen.say(f"A log of the operator: {log}")
    screen.say("To play with it, in another terminal:\n")
    screen.say(f"  export KUBECONFIG={cluster.plane.kubeconfig}")
    for tool, program in toolchain.obtain(["kubectl", "helm"]).items():
        screen.say(f"  alias {tool}={program}")
    screen.say()
    screen.say("What changes is shown here. Ctrl-C stops it all.\n")


if __name__ == "__main__":
    sys.exit(main())
