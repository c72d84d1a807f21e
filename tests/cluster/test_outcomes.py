"""A POST whose answer leaves open whether the CSR was stored: it is looked for, and never sent twice blindly."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.support import pem
from tests.support import simulator as simulators
from tests.support.accounts import account, put, upload
from tests.support.waiting import until
from tests.support.world import REQUESTED_AT, Namespace, World, condition, token_spec

Fault = dict[str, Any]  # what the simulator does in place of its answer, or with it

CONFIRM = "scm.certops.dev/confirm-upload"


class Doubt(NamedTuple):
    """What the simulator does with the first POST, what the message says of it, and whether it was stored."""

    do: Fault
    says: str
    stored: bool


def _status(code: int, **fields: object) -> Fault:
    return {"status": {"code": code, **fields}}


def _late(code: int, **fields: object) -> Fault:
    return _status(code, afterStore=True, **fields)


_NO_ID, _TOO_LONG = "answered 200 with no valid id", "answered 200 with a body that is compressed or too long"
_UPLOADS = "/v3/scm/csr/upload"  # who followed a redirection would end there
DOUBTS = {
    "reset-before": Doubt({"reset": "before-store"}, "it was sent to SCM", stored=False),
    "reset-after": Doubt({"reset": "after-store"}, "it was sent to SCM", stored=True),
    "no-answer-in-time": Doubt({"delay": {"seconds": 8, "afterStore": True}}, "but the deadline of", stored=True),
    "error-500": Doubt(_status(500, errorCode="SCM.4001"), "answered 500 SCM.4001", stored=False),
    "error-500-stored": Doubt(_late(500), "answered 500 SCM.0007", stored=True),
    "error-502": Doubt(_late(502, form="html"), "answered 502", stored=True),
    "error-503": Doubt(_status(503, form="empty", headers={"Retry-After": "1"}), "answered 503", stored=False),
    "error-504": Doubt(_late(504, form="gateway", errorCode="APIGW.0201"), "answered 504 APIGW.0201", stored=True),
    "error-408": Doubt(_status(408, errorCode="SCM.0005"), "answered 408 SCM.0005", stored=False),
    "error-409": Doubt(_late(409, errorCode="SCM.0005"), "answered 409 SCM.0005", stored=True),
    "error-400-page": Doubt(_status(400, form="html"), "answered 400", stored=False),
    "redirect-302": Doubt({"redirect": _UPLOADS}, "answered 302", stored=False),
    "redirect-307": Doubt(_status(307, form="empty", headers={"Location": _UPLOADS}), "answered 307", stored=False),
    "page-200": Doubt(_status(200, form="html"), _NO_ID, stored=False),
    "empty-200": Doubt(_late(200, form="empty"), _NO_ID, stored=True),
    "empty-204": Doubt(_late(204, form="empty"), "answered 204 with no valid id", stored=True),
    "malformed-json": Doubt({"malformedJson": True}, _NO_ID, stored=True),
    "without-id": Doubt({"withoutId": True}, _NO_ID, stored=True),
    "huge": Doubt({"hugeAnswer": {"bytes": 1 << 20}}, _TOO_LONG, stored=True),
}


@pytest.fixture(autouse=True)
def _no_faults_left(world: World) -> Iterator[None]:
    yield
    world.simulator.faults()


@pytest.fixture(scope="module")
def doubtful(world: World) -> Namespace:
    """A namespace with an upload for each row of DOUBTS, whose first POST alone meets its fault, all of one CSR.

    Each has an account of its own: five failures in a row would make one account pause.
    """
    namespace = world.namespace("doubtful")
    namespace.account()
    namespace.secret("scm-token", {"token": simulators.STATIC_TOKEN.encode()})
    namespace.secret("csr", {"tls.csr": pem.csr(pem.ec_key())})
    world.simulator.faults(
        *({"name": name, "match": {"name": name, "calls": [1]}, "do": doubt.do} for name, doubt in DOUBTS.items())
    )
    put(
        namespace,
        *(account(name, token_spec(world.simulator.url)) for name in DOUBTS),
        *(upload(name, account=name) for name in DOUBTS),
    )
    until(lambda: namespace.count_ready() == len(DOUBTS), what="every upload to be Ready", timeout=60)
    return namespace


@pytest.mark.parametrize("name", DOUBTS)
def test_one_entry_whatever_the_answer(doubtful: Namespace, name: str) -> None:
    """What was stored is found and recorded, what wasn't is sent again: one entry, and the status names it."""
    stored, status = DOUBTS[name].stored, doubtful.status(name)

    (entry,) = doubtful.simulator.entries(name=name)

    assert status["scmID"] == entry["id"]
    assert status["origin"] == ("Recovered" if stored else "Uploaded")
    assert len(doubtful.simulator.requests(name=name)) == (1 if stored else 2)


@pytest.mark.parametrize("name", DOUBTS)
def test_it_says_meanwhile_what_has_happened(doubtful: Namespace, name: str) -> None:
    """There is one Event about what SCM answered, and that the entry is looked for."""
    (event,) = doubtful.events(name, reason="ServerError")

    assert DOUBTS[name].says in event["message"]
    assert "may or may not have been stored" in event["message"]


@pytest.fixture
def unknown(namespace: Namespace) -> Namespace:
    """A namespace in which upload "lost" had no answer to its only POST, by a user who may not list CSRs."""
    rules: tuple[Fault, ...] = (
        {
            "match": {"operation": "UploadCsr", "name": f"{namespace.name}-lost", "calls": [1]},
            "do": {"reset": "after-store"},
        },
        {"match": {"operation": "ListCsr"}, "do": _status(403, errorCode="SCM.0002")},
    )
    namespace.simulator.faults(*rules)
    namespace.secret("csr", {"tls.csr": pem.csr(pem.ec_key())})
    namespace.upload("lost", csr="csr", name=f"{namespace.name}-lost")
    namespace.reason("lost", "OutcomeUnknown")
    return namespace


def test_without_permission_to_look_a_person_is_asked(unknown: Namespace) -> None:
    """The message says what is not permitted, what to look for, and the command to say so, with the attempt's id."""
    ready = condition(unknown.get("lost"), "Ready")

    assert ready["status"] == "Unknown"
    assert condition(unknown.get("lost"), "Stalled")["status"] == "True"
    assert "scm::listCsr" in ready["message"]
    assert f"named '{unknown.name}-lost'" in ready["message"]
    assert f"kubectl annotate --overwrite cru lost -n {unknown.name} {CONFIRM}=" in ready["message"]


@pytest.mark.parametrize("how", ["request", "content", "rename", "suspend"])
def test_nothing_but_a_confirmation_sends_it_again(unknown: Namespace, how: str) -> None:
    """Neither a request nor another CSR, name or suspend is followed by a second POST."""
    if how == "content":
        unknown.secret("csr", {"tls.csr": pem.csr(pem.ec_key())})
    elif how != "request":
        change: Mapping[str, object] = {"name": f"{unknown.name}-other"} if how == "rename" else {"suspend": True}
        unknown.kubectl("patch", "cru", "lost", "--type=merge", "-p", json.dumps({"spec": change}))

    status = unknown.look_again("lost")

    assert condition({"status": status}, "Ready")["reason"] == "OutcomeUnknown"
    sent = [request["body"]["name"] for request in unknown.simulator.requests()]
    assert [name for name in sent if name.startswith(unknown.name)] == [f"{unknown.name}-lost"]


def test_a_confirmation_sends_it_again_once(unknown: Namespace) -> None:
    """With the annotation that the message prints the CSR is sent again, and the status keeps what was confirmed."""
    message = condition(unknown.get("lost"), "Ready")["message"]
    attempt = message.rsplit("=", 1)[1]

    unknown.kubectl("annotate", "--overwrite", "cru", "lost", f"{CONFIRM}={attempt}")

    status = unknown.ready("lost")
    assert status["concludedAttemptID"] == attempt
    assert status["attemptID"] != attempt
    assert len(unknown.simulator.requests(name=f"{unknown.name}-lost")) == 2


def test_a_confirmation_of_something_else_does_nothing(unknown: Namespace) -> None:
    """Another attempt's id in the annotation sends nothing."""
    unknown.kubectl("annotate", "--overwrite", "cru", "lost", f"{CONFIRM}=0123456789abcdef")

    status = unknown.look_again("lost")

    assert condition({"status": status}, "Ready")["reason"] == "OutcomeUnknown"
    assert len(unknown.simulator.requests(name=f"{unknown.name}-lost")) == 1


def test_permission_to_look_resolves_it(unknown: Namespace) -> None:
    """Once CSRs may be listed, the next look finds the entry: nobody has to confirm anything."""
    unknown.simulator.faults()

    unknown.kubectl("annotate", "--overwrite", "cru", "lost", f"{REQUESTED_AT}=now")

    status = unknown.ready("lost")
    (entry,) = unknown.simulator.entries(name=f"{unknown.name}-lost")
    assert (status["scmID"], status["origin"]) == (entry["id"], "Recovered")


def test_a_resource_made_anew_sends_again(namespace: Namespace) -> None:
    """A POST that was lost with its resource doesn't keep a new resource of that name from its own."""
    name = f"{namespace.name}-anew"
    namespace.simulator.faults({"match": {"name": name, "calls": [1]}, "do": {"reset": "before-store"}})
    namespace.secret("csr", {"tls.csr": pem.csr(pem.ec_key())})
    namespace.upload("anew", csr="csr", name=name)
    namespace.reason("anew", "ServerError")
    namespace.kubectl("delete", "cru", "anew")

    namespace.upload("anew", csr="csr", name=name)

    status = namespace.ready("anew")
    (entry,) = namespace.simulator.entries(name=name)
    assert (status["scmID"], len(namespace.simulator.requests(name=name))) == (entry["id"], 2)
