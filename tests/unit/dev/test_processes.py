import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dev import processes

CHECKOUT = Path(__file__).resolve().parents[3]


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    """Both output streams are in the log, whose last lines can be asked for."""
    program = "import sys; print('one'); print('two'); print('three', file=sys.stderr)"
    command = [sys.executable, "-u", "-c", program]
    with processes.start("child", command=command, folder=tmp_path, log=tmp_path / "log") as child:
        assert child.wait(seconds=30) == 0
    assert child.tail(lines=2) == "two\nthree"
    assert not child.running


def test_a_process_that_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    """Stopping takes no longer than the grace."""
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    program = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"open({str(ready)!r}, 'w').close(); signal.pause()"
    )
    child = processes.start("stubborn", command=[sys.executable, "-c", program], folder=tmp_path, log=tmp_path / "log")
    with ready.open() as opened:
        opened.read()
    child.stop(grace=0.1)
    assert child.process.returncode == -signal.SIGKILL
    child.stop()


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """A SIGKILL leaves no process behind: the kernel ends the child with its parent."""
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    child = f"import signal; alive = open({str(alive)!r}, 'w'); alive.write('here'); alive.flush(); signal.pause()"
    program = (
        "import signal, sys; from pathlib import Path; from dev import processes; here = Path(sys.argv[1])\n"
        f"processes.start('child', command=[sys.executable, '-c', {child!r}], folder=here, log=here / 'log')\n"
        "signal.pause()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=CHECKOUT) as parent, alive.open() as reader:
        assert reader.read(4) == "here"
        parent.kill()
        assert reader.read() == ""  # the end of the file comes when the child is gone


def test_children_are_started_in_the_main_thread_only(tmp_path: Path) -> None:
    """In another thread they would end with the thread, so that is refused."""
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(processes.start, "child", command=["true"], folder=tmp_path, log=tmp_path / "log")
        with pytest.raises(RuntimeError, match="main thread"):
            started.result()
