"""Keys, passwords, tokens and CSRs are in no place that people or other programs read, whatever goes wrong."""

import base64
import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support import pem
from tests.support import simulator as simulators
from tests.support.accounts import account, make_user, put, secret, upload
from tests.support.waiting import until
from tests.support.world import Namespace, Object, World, token_spec

_IAM_TOKEN = "canary-iam-token-91c4-".ljust(64, "i")
_READY_TOKEN = "canary-ready-token-5b0e-".ljust(64, "r")
_DEAD_TOKEN = "canary-dead-token-77aa-".ljust(64, "d")
_SHORT_TOKEN = "canary-short-token-3d"  # noqa: S105 - made to be looked for
_WRONG_PASSWORD = "canary-wrong-password-e8"  # noqa: S105 - made to be looked for
_GARBAGE = "canary+garbage+in+a+key+" * 3
_SHORTEST = 12  # characters of a line of PEM that are worth looking for

_OUTCOMES: Mapping[str, str] = {
    "fine": "Uploaded",
    "fine-token": "Uploaded",
    "mismatch": "KeyMismatch",
    "not-pem": "InvalidPrivateKey",
    "bad-pem": "InvalidPrivateKey",
    "encrypted": "InvalidPrivateKey",
    "swapped": "InvalidCSR",
    "short": "AccountNotReady",
    "dead": "AuthenticationFailed",
    "login": "AuthenticationFailed",
    "rejected": "Rejected",
    "forbidden": "AccessDenied",
    "unknown": "OutcomeUnknown",
    "unusable": "OutcomeUnknown",
    "adopting": "AdoptionUnknown",
    "renamed": "ServerError",
}


@dataclasses.dataclass(frozen=True)
class Aftermath:
    """What can be read after all has been tried: texts by the place where they are, and what must not be in them."""

    places: Mapping[str, str]
    secrets: str
    canaries: Mapping[str, tuple[str, ...]]

    def found_in(self, text: str) -> set[str]:
        """Return the canaries that occur in a text, in one form or another."""
        return {name for name, forms in self.canaries.items() if any(form in text for form in forms)}


@pytest.fixture(scope="module")
def aftermath(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """Success and all kinds of failure, each with secrets of its own, where the services repeat what they were sent."""
    world.operator.check()
    key, other_key = pem.ec_key(), pem.ec_key()
    csr, key_text = pem.csr(key).decode(), pem.private_key(key).decode()
    encrypted = pem.private_key(other_key, passphrase=b"canary-passphrase").decode()
    bad_pem = f"-----BEGIN PRIVATE KEY-----\n{_GARBAGE}\n-----END PRIVATE KEY-----\n"
    with simulators.running(tmp_path_factory.mktemp("leaks")) as simulator:
        namespace = Namespace(world.namespace("leaks").name, world.plane, simulator)
        user = make_user(simulator, "leaks")
        user.change(staticToken=_IAM_TOKEN)
        make_user(simulator, "leaks-token").change(staticToken=_READY_TOKEN)
        echo = f"{_IAM_TOKEN} {key_text.splitlines()[1]} {csr.splitlines()[2]} {key_text} {csr}"

        refusals = (
            _fault("UploadCsr", "rejected", code=400, errorCode="SCM.0005", errorMsg=echo),
            _fault("UploadCsr", "forbidden", code=403, errorCode="SCM.0002", errorMsg=echo),
            _fault("UploadCsr", "unknown", code=500, errorMsg=echo, afterStore=True),
            {"match": {"name": "unusable"}, "do": {"withoutId": True}},
            *(_fault(operation, code=403, errorCode="SCM.0002", errorMsg=echo) for operation in ("ListCsr", "ShowCsr")),
            _fault("UpdateCsr", code=502, errorMsg=echo),
            _fault("DeleteCsr", code=500, errorMsg=echo),
        )
        # A login that gives a known token: IAM's answer is a fault's, and the token a static one.
        simulator.faults(_fault("CreateToken", code=201, headers={"X-Subject-Token": _IAM_TOKEN}), *refusals)
        put(
            namespace,
            secret(
                "named-by-nobody",
                {"token": _IAM_TOKEN, **{f"number-{n}": text for n, text in enumerate(_numbers(key))}},
            ),
            secret("pair", {"tls.csr": csr, "tls.key": key_text}),
            secret("mismatch", {"tls.key": pem.private_key(other_key)}),
            secret("not-pem", {"tls.key": _GARBAGE}),
            secret("bad-pem", {"tls.key": bad_pem}),
            secret("encrypted", {"tls.key": encrypted}),
            secret("iam", {"password": user.password}),
            secret("ready", {"token": _READY_TOKEN}),
            secret("dead", {"token": _DEAD_TOKEN}),
            secret("short", {"token": _SHORT_TOKEN}),
            secret("wrong", {"password": _WRONG_PASSWORD}),
            *(account(name, user.spec()) for name in ("default", "drift")),
            *(account(name, token_spec(simulator.url, secret=name)) for name in ("ready", "dead", "short")),
            account("wrong", user.spec(secret="wrong")),  # noqa: S106 - a Secret's name
            *(_upload(name) for name in ("fine", "rejected", "forbidden", "unknown", "unusable")),
            _upload("renamed", account="drift"),
            _upload("deleted", account="drift", deletionPolicy="Delete"),
            _upload("adopting", adoptionPolicy="IfIdentical"),
            *(_upload(name, key=name) for name in ("mismatch", "not-pem", "bad-pem", "encrypted")),
            upload("swapped", csrSecretRef={"name": "pair", "key": "tls.key"}),
            _upload("fine-token", account="ready"),
            *(_upload(name, account=name) for name in ("dead", "short")),
        )
        namespace.ready("renamed")
        namespace.ready("deleted")
        put(namespace, _upload("renamed", account="drift", name="renamed-after"))
        namespace.look_again("fine")  # an entry that may not be looked at
        namespace.kubectl("wait", "--for=condition=Degraded", "scma/default", "--timeout=20s")
        namespace.kubectl("delete", "cru", "deleted", "--timeout=40s")  # let go at last, and its entry orphaned
        _wait(namespace, without="login")
        said = f"no user with password {_WRONG_PASSWORD}"
        simulator.faults(_fault("CreateToken", code=401, form="keystone", errorMsg=said), *refusals)
        put(namespace, _upload("login", account="wrong"))
        _wait(namespace)
        namespace.reason("wrong", "LoginFailed", kind="scma")
        put(namespace, _upload("last"))
        namespace.events("last", reason="Uploaded")  # Events are written in order

        kinds = "certificaterequestuploads,scmaccounts,clusterscmaccounts"
        places = {
            "log": world.operator.log(),
            "Events": world.plane.kubectl("get", "events", "-A", "-o", "json").stdout,
            "resources": world.plane.kubectl("get", kinds, "-A", "-o", "json").stdout,
            "Leases and ConfigMaps": world.plane.kubectl("get", "leases,configmaps", "-A", "-o", "json").stdout,
            "requests of the simulator": simulator.admin.get("requests").text,
            "metrics and probes": "\n".join(world.operator.get(path)[1] for path in ("/metrics", "/livez", "/readyz")),
        }
        simulator.faults()  # the page shows the rules, with what they make the service repeat
        places["page of the simulator"] = simulator.admin.get("").text
        canaries = {
            "password": user.password,
            "wrong password": _WRONG_PASSWORD,
            "IAM's token": _IAM_TOKEN,
            "ready token": _READY_TOKEN,
            "dead token": _DEAD_TOKEN,
            "short token": _SHORT_TOKEN,
            "garbage": _GARBAGE[:24],
        }
        blocks = {"CSR": csr, "key": key_text, "other key": pem.private_key(other_key).decode(), "encrypted": encrypted}
        yield Aftermath(
            places,
            namespace.kubectl("get", "secrets", "-o", "json"),
            {name: _forms(value) for name, value in canaries.items()}
            | {name: _lines(block) for name, block in blocks.items()}
            | {"key as a number": tuple(form for text in _numbers(key) for form in _forms(text))},
        )
        # Nothing goes on trying, and counting, once the simulator is gone.
        namespace.kubectl("delete", "certificaterequestuploads,scmaccounts", "--all", "--wait=false")


def _fault(operation: str, name: str | None = None, **status: object) -> Object:
    match = {"operation": operation} | ({"name": name} if name else {})
    return {"name": name or operation, "match": match, "do": {"status": status}}


def _upload(name: str, /, *, key: str = "pair", account: str | None = None, **spec: object) -> Object:
    return upload(name, csr="pair", account=account, privateKeySecretRef={"name": key}, **spec)


def _wait(namespace: Namespace, *, without: str | None = None) -> None:
    """Wait until each upload, or each but one, has come to its outcome."""
    wanted = {name: reason for name, reason in _OUTCOMES.items() if name != without}
    path = "{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=='Ready')].reason} {end}"

    def look() -> bool:
        found = namespace.kubectl("get", "cru", "-o", f"jsonpath={path}").split()
        return set(found) == {f"{name}={reason}" for name, reason in wanted.items()}

    until(look, what=f"the outcomes {wanted}")


def _forms(value: str) -> tuple[str, ...]:
    """Return a text as it is, in hexadecimal, and as it looks within base64, wherever it begins there."""
    data = value.encode()
    shifted = (base64.b64encode(b"\0" * shift + data).decode() for shift in range(3))
    return (value, data.hex(), *(text[4 : -4 or None] for text in shifted))


def _lines(block: str) -> tuple[str, ...]:
    """Return the forms of both halves of each base64 line."""
    body = [line for line in block.splitlines() if not line.startswith("-----")]
    halves = itertools.chain.from_iterable((line[:32], line[32:]) for line in body)
    return tuple(form for half in halves if len(half) >= _SHORTEST for form in _forms(half))


def _numbers(key: ec.EllipticCurvePrivateKey) -> tuple[str, ...]:
    value = key.private_numbers().private_value
    return (str(value), f"{value:064x}")


_PLACES = [
    "log",
    "Events",
    "resources",
    "Leases and ConfigMaps",
    "requests of the simulator",
    "page of the simulator",
    "metrics and probes",
]


@pytest.mark.parametrize("place", _PLACES)
def test_nothing_secret_is_shown(aftermath: Aftermath, place: str) -> None:
    """Neither a secret nor a part of it, in clear, in hexadecimal or in base64, is in a place that others read."""
    assert aftermath.found_in(aftermath.places[place]) == set()


@pytest.mark.parametrize("place", _PLACES)
def test_no_pem_is_shown(aftermath: Aftermath, place: str) -> None:
    """No PEM of a key or a CSR is passed on, whosever it is."""
    assert "PRIVATE KEY-----" not in aftermath.places[place]
    assert "REQUEST-----" not in aftermath.places[place]


def test_what_the_services_said_is_shown(aftermath: Aftermath) -> None:
    """The messages that were cleaned are still there, so that the search looked at the right texts."""
    for place in ("log", "Events", "resources"):
        assert "[removed]" in aftermath.places[place]
        assert "SCM.0005" in aftermath.places[place]
    assert "[PEM removed]" in aftermath.places["resources"]
    assert set(_OUTCOMES.values()) <= set(re.findall(r'"reason": "(\w+)"', aftermath.places["Events"]))


def test_metrics_tell_of_the_failures_and_name_no_upload(aftermath: Aftermath) -> None:
    """Metrics have reasons and answers of all that was tried, and no label is the name of an upload or a CSR."""
    shown = aftermath.places["metrics and probes"]
    assert {"Uploaded", "KeyMismatch", "OutcomeUnknown"} <= set(re.findall(r'reason="(\w+)"', shown))
    assert {"200", "400", "403", "500"} <= set(re.findall(r'code="(\w+)"', shown))
    assert set(re.findall(r'"([^"]*)"', shown)).isdisjoint({*_OUTCOMES, "deleted", "last", "renamed-after"})


def test_the_search_finds_what_is_there(aftermath: Aftermath) -> None:
    """In the Secrets, which hold everything, the search finds everything."""
    assert aftermath.found_in(aftermath.secrets) == set(aftermath.canaries)
