"""The API server's faults on watches, lists and connections: the operator recovers, or ends for its supervisor."""

import contextlib
import signal
from collections.abc import Iterator, Mapping

import pytest

from tests.support import api_proxy
from tests.support import api_proxy_world as worlds
from tests.support.api_proxy_rules import Action, CloseAtOnce, Delay, Refuse, Reset, StreamError
from tests.support.api_proxy_world import LIST, OWN_KINDS, SECRETS, UPLOADS, WATCH, ProxiedWorld
from tests.support.operator import Operator
from tests.support.waiting import until

_LONG = 100.0  # seconds: kopf bears refusals for 54, and silence for 70
_REFUSALS = (Refuse(403), Refuse(429, retry_after=1), Refuse(500))
_ENDS: Mapping[str, tuple[Action, ...]] = {
    "watch-401": (Refuse(401),),
    "watch-refused": _REFUSALS,
    "watch-410": (StreamError(410),),
    "watch-reset": (Reset(),),
}
_HOPELESS: Mapping[str, tuple[Action, str, Mapping[str, str | None], str]] = {
    "watch-403": (Refuse(403), OWN_KINDS, WATCH, "the watches ended (APIForbiddenError)"),
    "watch-404": (Refuse(404), "*", WATCH, "the watches ended (APINotFoundError)"),
    "watch-410": (Refuse(410), "*", WATCH, "the watches ended (APIClientError)"),
    "watch-500": (Refuse(500), "*", WATCH, "the watches ended (APIServerError)"),
    "stream-500": (StreamError(500), "*", WATCH, "the watches ended (WatchingError)"),
    "start-403": (Refuse(403), "*", {}, "can't start: "),
    "start-503": (Refuse(503), "*", {}, "can't start: "),
    "secrets-403": (Refuse(403), SECRETS, WATCH, "Secrets can't be watched: "),
}


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedWorld]:
    """A world whose API server goes wrong."""
    with worlds.running(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture
def faulty(proxied: ProxiedWorld) -> Iterator[ProxiedWorld]:
    """The world, with no fault yet."""
    with proxied.rested():
        yield proxied


@pytest.fixture(scope="module", autouse=True)
def silent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedWorld]:
    """Another world, whose watches say nothing any more from the start: what takes a minute runs beside all else."""
    with worlds.running(tmp_path_factory.mktemp("silent")) as running:
        until(lambda: running.proxy.watches(OWN_KINDS) == 3, what="the watches to be open")
        running.proxy.silence(OWN_KINDS)
        running.upload("silent")
        yield running


@pytest.fixture(scope="module", autouse=True)
def patients(silent: ProxiedWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Operator]]:
    """Standbys there that are refused something for ever, from the start."""
    folder = tmp_path_factory.mktemp("patients")
    with contextlib.ExitStack() as stack:
        operators = {}
        for name, (fault, path, query, _) in _HOPELESS.items():
            proxy = stack.enter_context(api_proxy.running(silent.kubeconfig))
            proxy.rule(fault, path=path, query=query)
            operators[name] = Operator(proxy.kubeconfig(folder / name), log=folder / f"{name}.log")
            operators[name].start(wait=False)
            stack.callback(operators[name].stop)
        yield operators


@pytest.mark.parametrize("name", _ENDS)
def test_a_refused_watch_recovers(faulty: ProxiedWorld, name: str) -> None:
    """All watches are refused, or end at once: what was made meanwhile is uploaded, without a restart."""
    with faulty.recovers():
        rules = [
            faulty.proxy.rule(fault, path=path, query=WATCH, times=times)
            for fault in _ENDS[name]
            for path, times in ((OWN_KINDS, 3), (SECRETS, 1))
        ]
        faulty.proxy.cut()
        faulty.upload(name)
        for rule in rules:
            rule.wait_fired()
        faulty.wait_uploaded_once(name)


def test_a_watch_closed_at_once_is_no_busy_loop(faulty: ProxiedWorld) -> None:
    """Watches that are granted and closed at once, over and over, are opened again with a growing pause."""
    with faulty.recovers():
        rule = faulty.proxy.rule(CloseAtOnce(), query=WATCH)
        faulty.proxy.cut()
        faulty.upload("watch-closed")
        rule.wait_fired(times=16)
        assert faulty.proxy.busiest(query=WATCH) <= 16
        faulty.proxy.clear()
        faulty.wait_uploaded_once("watch-closed")


def test_a_refused_list_recovers(faulty: ProxiedWorld) -> None:
    """The list after an expired watch is refused: what was made meanwhile is uploaded, without a restart."""
    with faulty.recovers():
        rules = [faulty.proxy.rule(fault, method="GET", path=UPLOADS, query=LIST, times=1) for fault in _REFUSALS]
        faulty.proxy.rule(StreamError(410), path=UPLOADS, query=WATCH, times=1)
        faulty.proxy.cut(UPLOADS)
        faulty.upload("list-refused")
        rules[-1].wait_fired()
        faulty.wait_uploaded_once("list-refused")


def test_a_token_refused_for_a_while(faulty: ProxiedWorld) -> None:
    """Every request is refused with 401 for a while, those of the Lease too: the operator tries on."""
    with faulty.recovers():
        rule = faulty.proxy.rule(Refuse(401))
        faulty.proxy.cut()
        faulty.upload("all-401")
        rule.wait_fired(times=12)
        faulty.proxy.clear()
        faulty.wait_uploaded_once("all-401")


def test_a_watch_without_hope_ends_the_process(faulty: ProxiedWorld) -> None:
    """A watch that is refused with 404 ends the process that works; the next one does what was made meanwhile."""
    faulty.proxy.rule(Refuse(404), path=UPLOADS, query=WATCH)
    faulty.proxy.cut(UPLOADS)
    faulty.upload("watch-404")
    faulty.restart()
    faulty.wait_uploaded_once("watch-404")


def test_refused_connections_for_a_while(faulty: ProxiedWorld) -> None:
    """Connections are reset and refused for less than the Lease's deadline: the operator goes on by itself."""
    with faulty.recovers():
        said = len(faulty.operator.events("ApiServerError"))
        with faulty.proxy.refusing():
            faulty.upload("refused-shortly")
            until(lambda: len(faulty.operator.events("ApiServerError")) > said, what="the Lease to be out of reach")
        faulty.wait_uploaded_once("refused-shortly")


def test_refused_connections_for_long(faulty: ProxiedWorld) -> None:
    """Connections are refused past the Lease's deadline: the process ends with 1, and the next one goes on."""
    with faulty.proxy.refusing():
        faulty.upload("refused-long")
        assert faulty.operator.wait() == 1
    faulty.restart()
    faulty.wait_uploaded_once("refused-long")


def test_a_slow_api_server(faulty: ProxiedWorld) -> None:
    """Every request but the Lease's takes a second: uploads take longer, and nothing is sent twice."""
    with faulty.recovers():
        faulty.proxy.rule(Delay(1), when=lambda asked: "/leases/" not in asked.path)
        faulty.proxy.cut()
        faulty.upload("slow")
        faulty.wait_uploaded_once("slow")


def test_a_start_while_the_api_server_is_busy(faulty: ProxiedWorld) -> None:
    """A start that is answered with 429 and 5xx, or not at all, is tried again."""
    faulty.operator.stop()
    for fault in (Refuse(429, retry_after=1), Refuse(503), Reset()):
        faulty.proxy.rule(fault, times=1)
    faulty.upload("busy-start")
    faulty.operator.start()
    faulty.wait_uploaded_once("busy-start")


def test_a_stop_while_the_start_is_tried_again(faulty: ProxiedWorld) -> None:
    """SIGTERM ends a process that waits for the API server, with 0."""
    faulty.operator.stop()
    rule = faulty.proxy.rule(Refuse(503))
    faulty.operator.start(wait=False)
    rule.wait_fired()
    faulty.operator.signal(signal.SIGTERM)
    assert faulty.operator.wait() == 0


def test_an_expired_continue_token(faulty: ProxiedWorld) -> None:
    """A list whose second page has expired is begun again, by kopf and by the operator's own."""
    faulty.crowd(501)
    with faulty.recovers():
        expired = faulty.proxy.rule(Refuse(410), path=UPLOADS, query={"continue": "*"}, times=4)
        faulty.proxy.rule(StreamError(410), path=UPLOADS, query=WATCH, times=1)
        faulty.proxy.cut(UPLOADS)
        faulty.upload("expired")
        expired.wait_fired(times=4)
        faulty.wait_uploaded_once("expired")


@pytest.mark.parametrize("name", _HOPELESS)
def test_what_does_not_pass_ends_the_process(patients: Mapping[str, Operator], name: str) -> None:
    """A watch or a start that is refused for ever ends the process with 1; 5xx, and 403 on a watch, after a minute."""
    until(lambda: not patients[name].running, what="the process to end", timeout=_LONG)
    assert patients[name].wait() == 1
    assert _HOPELESS[name][3] in patients[name].log()


def test_a_silent_watch_is_opened_again(silent: ProxiedWorld) -> None:
    """Watches whose connection stays and says nothing are opened again; what was made meanwhile is uploaded."""
    silent.wait_uploaded_once("silent", timeout=_LONG)
