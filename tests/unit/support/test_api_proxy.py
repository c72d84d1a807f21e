import json
import pathlib
from collections.abc import Iterator
from concurrent import futures

import httpx
import pytest

from tests.support import api_proxy
from tests.support.api_proxy import ApiProxy
from tests.support.api_proxy_rules import CloseAtOnce, Delay, Hold, Lose, Refuse, Reset, Stall, StreamError
from tests.support.waiting import until
from tests.unit.support import target as targets
from tests.unit.support.target import Target

WATCH = {"watch": "true"}


@pytest.fixture
def target() -> Iterator[Target]:
    """Return a server to forward to."""
    with targets.running() as running:
        yield running


@pytest.fixture
def proxy(target: Target, tmp_path: pathlib.Path) -> Iterator[ApiProxy]:
    """Return a proxy before it."""
    with api_proxy.running(target.kubeconfig(tmp_path / "source")) as running:
        yield running


@pytest.fixture
def client(proxy: ApiProxy) -> Iterator[httpx.Client]:
    """Return a client of the proxy."""
    with httpx.Client(base_url=proxy.url, timeout=10, headers={"Authorization": "Bearer canary"}) as client:
        yield client


@pytest.fixture
def aside() -> Iterator[futures.ThreadPoolExecutor]:
    """Return a thread for requests that don't end by themselves."""
    with futures.ThreadPoolExecutor(2) as executor:
        yield executor


def test_a_request_goes_through_as_it_is(client: httpx.Client, target: Target) -> None:
    """Method, path, query, body and token arrive, and the answer comes back with its status and headers."""
    answer = client.post("/api/v1/a%2Fb?x=1&y=%20", content=b"hello")

    assert (answer.status_code, answer.headers["X-Kept"]) == (201, "yes")
    assert answer.json() == {"path": "/api/v1/a%2Fb?x=1&y=%20", "body": "hello"}
    assert target.tokens == ["Bearer canary"]


def test_its_kubeconfig_points_at_it(proxy: ApiProxy, tmp_path: pathlib.Path) -> None:
    """The kubeconfig for the client has the proxy's address and the same user."""
    document = json.loads(proxy.kubeconfig(tmp_path / "kubeconfig").read_text())

    assert document["clusters"][0]["cluster"] == {"server": proxy.url}
    assert document["users"][0]["user"] == {"token": "canary"}


@pytest.mark.parametrize("status", [401, 403, 409, 410, 429, 500])
def test_it_answers_in_the_api_servers_place(
    proxy: ApiProxy, client: httpx.Client, target: Target, status: int
) -> None:
    """A refusal is a metav1.Status, may say Retry-After, and nothing is forwarded."""
    proxy.rule(Refuse(status, reason="Because", retry_after=3), times=1)

    answer = client.get("/api")

    assert answer.status_code == answer.json()["code"] == status
    assert (answer.json()["kind"], answer.json()["reason"]) == ("Status", "Because")
    assert answer.headers["Retry-After"] == "3"
    assert target.seen == []
    assert client.get("/api").status_code == 201


def test_a_rule_is_for_what_matches_it(proxy: ApiProxy, client: httpx.Client) -> None:
    """Method, path, query and a condition of the test's own are asked; what is skipped and beyond the times is not."""
    proxy.rule(Refuse(410), method="GET", path="/apis/*/things", query={"continue": "*", "watch": None})
    proxy.rule(Refuse(409), when=lambda asked: asked.body == b"this")
    proxy.rule(Refuse(500), path="/counted", skip=2, times=2)

    assert client.get("/apis/g/v1/things?continue=abc").status_code == 410
    assert client.get("/apis/g/v1/things").status_code == 201
    assert client.put("/apis/g/v1/things?continue=abc").status_code == 201
    assert client.get("/apis/g/v1/things/one?continue=abc").status_code == 201
    assert client.put("/any", content=b"this").status_code == 409
    assert client.put("/any", content=b"that").status_code == 201
    assert [client.get("/counted").status_code for _ in range(5)] == [201, 201, 500, 500, 201]


def test_a_watch_is_passed_on_event_by_event(client: httpx.Client, target: Target) -> None:
    """Each event arrives when it is sent, while the watch stays open."""
    with client.stream("GET", "/things", params=WATCH) as watch:
        lines = watch.iter_lines()
        for event in ("one", "two"):
            target.send(event)
            assert next(lines) == event


def test_an_open_watch_can_go_silent(proxy: ApiProxy, client: httpx.Client, target: Target) -> None:
    """Silenced, its connection stays and nothing more comes."""
    with client.stream("GET", "/things", params=WATCH, timeout=0.3) as watch:
        lines = watch.iter_lines()
        target.send("one")
        assert next(lines) == "one"
        proxy.silence("/things")
        target.send("two")
        assert proxy.watches("/things") == 1
        with pytest.raises(httpx.ReadTimeout):
            next(lines)


def test_an_open_watch_can_be_cut(proxy: ApiProxy, client: httpx.Client) -> None:
    """Cut, its client sees the connection break."""
    with client.stream("GET", "/things", params=WATCH) as watch:
        proxy.cut("/things")
        with pytest.raises(httpx.TransportError):
            next(watch.iter_lines())
    until(lambda: proxy.watches() == 0, what="the watch to be forgotten")


def test_a_watch_is_forgotten_when_its_client_goes(proxy: ApiProxy, client: httpx.Client) -> None:
    """The watch at the API server ends with the client's."""
    with client.stream("GET", "/things", params=WATCH):
        assert proxy.watches() == 1

    until(lambda: proxy.watches() == 0, what="the watch to be forgotten")


def test_a_watch_may_get_an_error_event(proxy: ApiProxy, client: httpx.Client) -> None:
    """An ERROR event with a metav1.Status comes in a stream that began well, and then the end."""
    proxy.rule(StreamError(410), query=WATCH)

    answer = client.get("/things", params=WATCH)

    assert answer.status_code == 200
    assert (answer.json()["type"], answer.json()["object"]["code"]) == ("ERROR", 410)


def test_a_watch_may_end_at_once(proxy: ApiProxy, client: httpx.Client, target: Target) -> None:
    """A watch that is closed at once is a success without an event."""
    proxy.rule(CloseAtOnce(), query=WATCH)

    assert [client.get("/things", params=WATCH).content for _ in range(3)] == [b""] * 3
    assert target.seen == []


def test_a_watch_may_stall_from_the_start(proxy: ApiProxy, client: httpx.Client) -> None:
    """A stalled watch begins and then says nothing."""
    proxy.rule(Stall(), query=WATCH)

    with (
        client.stream("GET", "/things", params=WATCH, timeout=0.3) as watch,
        pytest.raises(httpx.ReadTimeout),
    ):
        next(watch.iter_lines())


def test_a_request_is_held_before_it_is_forwarded(
    proxy: ApiProxy, client: httpx.Client, target: Target, aside: futures.Executor
) -> None:
    """Held, it has not arrived at the API server; released, it does, and is answered."""
    rule = proxy.rule(Hold(), method="PATCH", times=1)
    answer = aside.submit(client.patch, "/status")

    assert rule.wait_held().path == "/status"
    assert target.seen == []
    rule.release()

    assert answer.result().status_code == 201
    assert rule.held == []


def test_an_answer_is_held_before_it_is_passed_on(
    proxy: ApiProxy, client: httpx.Client, target: Target, aside: futures.Executor
) -> None:
    """Held with the answer, it is done at the API server; dropped, its sender never knows."""
    rule = proxy.rule(Hold(answered=True), method="PATCH")
    answer = aside.submit(client.patch, "/status")

    rule.wait_held()
    assert target.seen == ["PATCH /status"]
    rule.drop()

    with pytest.raises(httpx.TransportError):
        answer.result()


def test_what_is_held_and_dropped_never_arrives(
    proxy: ApiProxy, client: httpx.Client, target: Target, aside: futures.Executor
) -> None:
    """A request dropped before it was forwarded leaves no trace; so does clearing the rules."""
    rules = [proxy.rule(Hold(), path=path) for path in ("/one", "/two")]
    answers = [aside.submit(client.put, path) for path in ("/one", "/two")]
    for rule in rules:
        rule.wait_held()

    rules[0].drop()
    proxy.clear()

    for answer in answers:
        with pytest.raises(httpx.TransportError):
            answer.result()
    assert target.seen == []


def test_a_held_request_outlives_its_sender(
    proxy: ApiProxy, client: httpx.Client, target: Target, aside: futures.Executor
) -> None:
    """A request whose sender has gone meanwhile arrives when it is released, as one that was late on the wire."""
    rule = proxy.rule(Hold())
    answer = aside.submit(client.put, "/late", timeout=0.2)
    rule.wait_held()
    with pytest.raises(httpx.ReadTimeout):
        answer.result()

    rule.release()

    until(lambda: target.seen == ["PUT /late"], what="the late request")


def test_an_answer_can_be_lost(proxy: ApiProxy, client: httpx.Client, target: Target) -> None:
    """What was asked is done, and the connection breaks instead of an answer."""
    proxy.rule(Lose(), method="PUT")

    with pytest.raises(httpx.TransportError):
        client.put("/lease")

    assert target.seen == ["PUT /lease"]


def test_a_connection_can_be_reset(proxy: ApiProxy, client: httpx.Client, target: Target) -> None:
    """A reset request is not forwarded."""
    proxy.rule(Reset(), times=1)

    with pytest.raises(httpx.TransportError):
        client.put("/lease")

    assert target.seen == []


def test_a_request_can_be_late(proxy: ApiProxy, client: httpx.Client, target: Target) -> None:
    """A delayed request arrives after its sender has given up."""
    proxy.rule(Delay(0.3))

    with pytest.raises(httpx.ReadTimeout):
        client.put("/lease", timeout=0.1)

    until(lambda: target.seen == ["PUT /lease"], what="the late request")


def test_it_can_refuse_connections_for_a_while(proxy: ApiProxy, client: httpx.Client) -> None:
    """Refusing breaks what is open and accepts nothing; afterwards the same address works again."""
    with client.stream("GET", "/things", params=WATCH) as watch:
        with proxy.refusing():
            with pytest.raises(httpx.TransportError):
                next(watch.iter_lines())
            with pytest.raises(httpx.ConnectError):
                httpx.get(proxy.url)
        assert client.get("/api").status_code == 201


def test_an_api_server_that_is_away_looks_so(tmp_path: pathlib.Path) -> None:
    """Where the API server can't be reached, the client's connection breaks."""
    with targets.running() as target:
        source = target.kubeconfig(tmp_path / "source")
    with api_proxy.running(source) as proxy:
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{proxy.url}/api")

        assert [asked.status for asked in proxy.asked()] == [0]


def test_it_counts_what_is_asked(proxy: ApiProxy, client: httpx.Client) -> None:
    """Requests are counted by method, path and query, and the most within a second can be asked for."""
    for _ in range(3):
        client.get("/things", params={"limit": "5"})
    client.put("/lease")

    assert len(proxy.asked(method="GET", path="/th*")) == 3
    assert len(proxy.asked(query={"limit": None})) == 1
    assert [asked.status for asked in proxy.asked(method="PUT")] == [201]
    assert proxy.busiest(seconds=60) == 4
    assert proxy.busiest(seconds=60, path="/lease") == 1
    proxy.forget()
    assert proxy.asked() == []
    assert proxy.busiest() == 0
