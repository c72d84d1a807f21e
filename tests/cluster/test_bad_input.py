"""What a Secret may hold: each mistake gets its reason and nothing is sent; what is right in another form passes."""

import base64
import collections
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.support import pem, sm2
from tests.support.waiting import until
from tests.support.world import GROUP_VERSION, REQUESTED_AT, Namespace, Object, World

_TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL  # PKCS#1 for RSA, SEC1 for EC
_STALLED = {"Ready": "False", "Stalled": "True"}
_RECONCILING = {"Ready": "False", "Reconciling": "True"}
_PATH_OF_READY = ".status.conditions[?(@.type=='Ready')]"

_KEY = pem.ec_key()
_CSR = pem.csr(_KEY)
_KEY_PEM = pem.private_key(_KEY)
_CHANGE_ME = b"put-the-csr-of-the-shop-here-before-friday"
_EC_PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUcertificate\n-----END CERTIFICATE-----\n"


@dataclasses.dataclass(frozen=True, slots=True)
class _Bad:
    """A Secret that must not be uploaded, and what the resource must say; a key is asked for if there is one."""

    data: Mapping[str, bytes]
    reason: str
    says: tuple[str, ...]
    key: bool = False
    conditions: Mapping[str, str] = dataclasses.field(default_factory=lambda: _STALLED)


@dataclasses.dataclass(frozen=True, slots=True)
class _Good:
    """A Secret that must be uploaded, and what SCM must get; by default the values just as they are."""

    csr: bytes
    algorithm: str
    key: bytes | None = None
    sent_csr: bytes | None = None
    sent_key: bytes | None = None


def _der(text: bytes) -> bytes:
    return base64.b64decode(b"".join(text.splitlines()[1:-1]))


def _written(label: str, der: bytes) -> bytes:
    """Write DER in PEM, whatever it is."""
    lines = re.findall(".{1,64}", base64.b64encode(der).decode())
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def _csr_of(characters: int) -> bytes:
    """Make a CSR of exactly that many characters: a signature with Ed25519 has always the same length."""
    key = ed25519.Ed25519PrivateKey.generate()
    names = tuple(f"{number:051}.example.com" for number in range(24))
    found = (pem.csr(key, dns_names=(*names, "a" * length + ".example.com")) for length in range(40, 63))
    return next(csr for csr in found if len(csr) == characters)


# Base64 grows by four characters at a time: 2,553 and 2,557 are the lengths of a PEM next to the limit of 2,555.
_LONGEST, _TOO_LONG = _csr_of(2553), _csr_of(2557)


def _bad_csr(value: bytes, *says: str, reason: str = "InvalidCSR") -> _Bad:
    return _Bad({"tls.csr": value}, reason, ("'tls.csr'", *says))


def _bad_key(value: bytes, *says: str, reason: str = "InvalidPrivateKey") -> _Bad:
    return _Bad({"tls.csr": _CSR, "tls.key": value}, reason, says, key=True)


_PEM_CSR, _PEM_KEY = "expected one PEM block BEGIN CERTIFICATE REQUEST", "expected one PEM block BEGIN PRIVATE KEY"
_ENCRYPTED = ("'tls.key'", "is encrypted", "openssl pkey removes a passphrase")

BAD = {
    "csr-not-pem": _bad_csr(_CHANGE_ME, "found no PEM block", _PEM_CSR),
    "csr-empty": _bad_csr(b"", "is empty", _PEM_CSR),
    "csr-blank": _bad_csr(b" \n\n", "is empty", _PEM_CSR),
    "csr-der": _bad_csr(_der(_CSR), "is not text", "DER", _PEM_CSR),
    "csr-not-utf-8": _bad_csr("# für den Laden\n".encode("latin-1") + _CSR, "is not text", _PEM_CSR),
    "csr-certificate": _bad_csr(_CERTIFICATE, "found a PEM block CERTIFICATE", _PEM_CSR),
    "csr-private-key": _bad_csr(_KEY_PEM, "found a PEM block PRIVATE KEY", _PEM_CSR),
    "csr-cut-off": _bad_csr(_CSR[: len(_CSR) // 2], "incomplete", "truncated", _PEM_CSR),
    "csr-cut-inside": _bad_csr(_written("CERTIFICATE REQUEST", _der(_CSR)[:-9]), "not a valid PKCS#10", "truncated"),
    "csr-not-base64": _bad_csr(_CSR.replace(b"\nMI", b"\nM!"), "not valid base64"),
    "csr-signature": _bad_csr(
        _written("CERTIFICATE REQUEST", _der(_CSR).replace(b"shop.", b"shap.")),
        "signature does not fit",
        "Make it anew",
    ),
    "csr-twice": _bad_csr(_CSR + pem.csr(pem.ec_key()), "found 2 PEM blocks", _PEM_CSR),
    "csr-and-key": _bad_csr(_CSR + _KEY_PEM, "found 2 PEM blocks", _PEM_CSR),
    "csr-too-large": _bad_csr(_TOO_LONG, "2557", "at most 2555", "Use fewer DNS names", reason="CSRTooLarge"),
    "csr-absent": _Bad(
        {"other": _CSR}, "SecretKeyMissing", ("no key 'tls.csr'", "spec.csrSecretRef"), conditions=_RECONCILING
    ),
    "key-not-pem": _bad_key(_CHANGE_ME, "'tls.key'", "found no PEM block", _PEM_KEY),
    "key-empty": _bad_key(b"", "'tls.key'", "is empty", _PEM_KEY),
    "key-der": _bad_key(_der(_KEY_PEM), "'tls.key'", "is not text", _PEM_KEY),
    "key-not-utf-8": _bad_key(b"\xff\xfe" + _KEY_PEM, "'tls.key'", "is not text", _PEM_KEY),
    "key-public": _bad_key(
        _KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "'tls.key'",
        "found a PEM block PUBLIC KEY",
        _PEM_KEY,
    ),
    "key-cut-off": _bad_key(_KEY_PEM[:90], "'tls.key'", "incomplete", "truncated", _PEM_KEY),
    "key-cut-inside": _bad_key(
        _written("PRIVATE KEY", _der(_KEY_PEM)[:-9]), "'tls.key'", "not a valid private key", "truncated"
    ),
    "key-twice": _bad_key(_KEY_PEM + _KEY_PEM, "'tls.key'", "found 2 PEM blocks", _PEM_KEY),
    "key-encrypted-pkcs8": _bad_key(pem.private_key(_KEY, passphrase=b"secret"), *_ENCRYPTED),
    "key-encrypted-sec1": _bad_key(pem.private_key(_KEY, form=_TRADITIONAL, passphrase=b"secret"), *_ENCRYPTED),
    "key-of-another-csr": _bad_key(
        pem.private_key(pem.ec_key()), "does not belong to the CSR", "privateKeySecretRef", reason="KeyMismatch"
    ),
    "key-of-another-kind": _bad_key(
        pem.private_key(ed25519.Ed25519PrivateKey.generate()), "does not belong to the CSR", reason="KeyMismatch"
    ),
    "key-absent": _Bad(
        {"tls.csr": _CSR},
        "SecretKeyMissing",
        ("no key 'tls.key'", "spec.privateKeySecretRef"),
        key=True,
        conditions=_RECONCILING,
    ),
}


def _in_another_form(csr: bytes, *, sent: bytes = _CSR) -> Callable[[], _Good]:
    return lambda: _Good(csr, "EC_P256", sent_csr=sent)


def _with_key(key: pem.Key, algorithm: str, *, form: serialization.PrivateFormat | None = None) -> _Good:
    written = pem.private_key(key, form=form) if form else pem.private_key(key)
    return _Good(pem.csr(key), algorithm, written)


# Functions, because finding the primes of an RSA key takes a second that nobody should wait for who runs other tests.
GOOD: Mapping[str, Callable[[], _Good]] = {
    "windows": lambda: _Good(_CSR.replace(b"\n", b"\r\n"), "EC_P256", _KEY_PEM.replace(b"\n", b"\r\n"), _CSR, _KEY_PEM),
    "new-header": _in_another_form(_CSR.replace(b"CERTIFICATE", b"NEW CERTIFICATE")),
    "text-around": _in_another_form(b"Certificate Request:\n    Data:\n" + _CSR + "für den Laden\n".encode()),
    "byte-order-mark": _in_another_form(b"\xef\xbb\xbf" + _CSR),
    "no-final-newline": _in_another_form(_CSR.removesuffix(b"\n")),
    "one-line": _in_another_form(
        _CSR.replace(b"\n", b"").replace(b"T-----M", b"T-----\nM").replace(b"-----E", b"\n-----E")
    ),
    "longest": lambda: _Good(_LONGEST, "ED25519"),
    "longest-windows": lambda: _Good(_LONGEST.replace(b"\n", b"\r\n"), "ED25519", sent_csr=_LONGEST),
    "ec-p256-pkcs8": lambda: _with_key(_KEY, "EC_P256"),
    "ec-p384-pkcs8": lambda: _with_key(ec.generate_private_key(ec.SECP384R1()), "EC_P384"),
    "ec-sec1": lambda: _with_key(_KEY, "EC_P256", form=_TRADITIONAL),
    "ec-sec1-parameters": lambda: _Good(
        _CSR,
        "EC_P256",
        _EC_PARAMETERS + pem.private_key(_KEY, form=_TRADITIONAL),
        sent_key=pem.private_key(_KEY, form=_TRADITIONAL),
    ),
    "ed25519": lambda: _with_key(ed25519.Ed25519PrivateKey.generate(), "ED25519"),
    "rsa-2048-pkcs1": lambda: _with_key(pem.rsa_key(2048), "RSA_2048", form=_TRADITIONAL),
    "rsa-4096-pkcs8": lambda: _with_key(pem.rsa_key(4096), "RSA_4096"),  # 3,272 characters; the limit is the CSR's
    "sm2": lambda: _Good(sm2.CSR, "SM2", sm2.KEY),
    "sm2-parameters": lambda: _Good(sm2.CSR, "SM2", sm2.KEY_WITH_PARAMETERS, sent_key=sm2.KEY),
}


@pytest.fixture(scope="module")
def bad(world: World) -> Namespace:
    """A namespace with an upload for each row of BAD, named like it."""
    namespace = world.namespace("bad-input")
    namespace.account()
    _apply(namespace, (item for name, row in BAD.items() for item in _objects(name, row.data, key=row.key)))
    return namespace


@pytest.fixture(scope="module")
def good(world: World) -> tuple[Namespace, Mapping[str, _Good]]:
    """A namespace with an upload for each row of GOOD, named like it, and the rows."""
    namespace = world.namespace("good-input")
    namespace.account()
    rows = {name: make() for name, make in GOOD.items()}
    _apply(
        namespace,
        (item for name, row in rows.items() for item in _objects(name, _data(row), key=row.key is not None)),
    )
    return namespace, rows


@pytest.mark.parametrize("name", BAD)
def test_bad_input_says_what_is_wrong(bad: Namespace, name: str) -> None:
    """A mistake has its reason; the message names Secret and key, what is wrong there, and what to do."""
    row = BAD[name]

    message = _verdict(bad, name, row.reason, row.conditions)

    assert [part for part in row.says if part not in message] == []
    assert row.reason == "KeyMismatch" or f"Secret '{name}'" in message


def test_bad_input_is_never_sent(bad: Namespace) -> None:
    """Looked at again, nothing of a Secret with a mistake goes to SCM, and no Event is told twice."""
    _wait_for_all(bad, f"{_PATH_OF_READY}.status", "False", count=len(BAD))
    bad.kubectl("annotate", "cru", "--all", f"{REQUESTED_AT}=again")
    _wait_for_all(bad, ".status.lastHandledReconcileAt", "again", count=len(BAD))

    assert {request["body"]["name"] for request in bad.simulator.requests()}.isdisjoint(BAD)
    assert _events(bad) == {(name, row.reason, "Warning"): 1 for name, row in BAD.items()}


def test_input_that_is_put_right_is_uploaded(world: World) -> None:
    """Once the Secret holds what it should, an upload goes through by itself, by one POST, whatever was wrong."""
    namespace = world.namespace("mended-input")
    namespace.account()
    rows = {f"mended-{row.reason.lower()}": row for row in BAD.values()}
    _apply(namespace, (item for name, row in rows.items() for item in _objects(name, row.data, key=row.key)))
    _wait_for_all(namespace, f"{_PATH_OF_READY}.status", "False", count=len(rows))
    mended = {"tls.csr": _CSR, "tls.key": _KEY_PEM}

    _apply(namespace, (_secret(name, mended) for name in rows))

    _wait_for_all(namespace, f"{_PATH_OF_READY}.status", "True", count=len(rows))
    sent = collections.Counter(request["body"]["name"] for request in namespace.simulator.requests())
    assert {name: sent[name] for name in rows} == dict.fromkeys(rows, 1)


def test_a_mistake_after_success_loses_nothing(namespace: Namespace) -> None:
    """An uploaded resource whose Secret is spoilt says so and keeps its id; mended, it is Ready with nothing sent."""
    namespace.secret("spoilt", {"tls.csr": _CSR})
    namespace.upload("spoilt")
    before = namespace.ready("spoilt")
    namespace.secret("spoilt", {"tls.csr": _CHANGE_ME})

    _verdict(namespace, "spoilt", "InvalidCSR", _STALLED)

    spoilt = namespace.status("spoilt")
    namespace.secret("spoilt", {"tls.csr": _CSR})
    after = namespace.ready("spoilt")
    record = ("scmID", "scmName", "createTime", "contentHash", "csr", "origin", "account", "tenant")
    assert {field: spoilt[field] for field in record} == {field: before[field] for field in record}
    assert {field: after[field] for field in record} == {field: before[field] for field in record}
    assert len(namespace.simulator.requests(name="spoilt")) == 1


def test_a_mistake_in_the_spec_is_mended_there(namespace: Namespace) -> None:
    """An upload that names the wrong key of its Secret goes through once its spec names the right one."""
    namespace.secret("respelt", {"tls.csr": _CHANGE_ME, "request.pem": _CSR})
    namespace.upload("respelt")
    _verdict(namespace, "respelt", "InvalidCSR", _STALLED)

    namespace.upload("respelt", csrSecretRef={"name": "respelt", "key": "request.pem"})

    assert namespace.ready("respelt")["observedGeneration"] == 2


@pytest.mark.parametrize("name", GOOD)
def test_good_input_is_uploaded_in_its_normal_form(good: tuple[Namespace, Mapping[str, _Good]], name: str) -> None:
    """CSR and key are taken in every form that people have them in, and SCM gets one PEM block of each."""
    namespace, rows = good
    row = rows[name]

    status = namespace.ready(name)

    (entry,) = namespace.simulator.entries(name=name)
    assert entry["csr"].encode() == (row.sent_csr or row.csr)
    assert entry["privateKeySha256"] == _sha256(row.sent_key or row.key)
    assert status["csr"]["keyAlgorithm"] == row.algorithm


def _data(row: _Good) -> Mapping[str, bytes]:
    return {"tls.csr": row.csr} | ({} if row.key is None else {"tls.key": row.key})


def _secret(name: str, data: Mapping[str, bytes]) -> Object:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}


def _objects(name: str, data: Mapping[str, bytes], *, key: bool) -> list[Object]:
    """Return a Secret, and an upload of it under the same name."""
    spec = {"csrSecretRef": {"name": name}} | ({"privateKeySecretRef": {"name": name}} if key else {})
    upload = {"apiVersion": GROUP_VERSION, "kind": "CertificateRequestUpload", "metadata": {"name": name}, "spec": spec}
    return [_secret(name, data), upload]


def _apply(namespace: Namespace, items: Iterable[Object]) -> None:
    """Apply many objects by one kubectl command."""
    placed = [{**item, "metadata": {**item["metadata"], "namespace": namespace.name}} for item in items]
    namespace.plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": placed}))


def _wait_for_all(namespace: Namespace, path: str, value: str, *, count: int) -> None:
    """Wait until all uploads have that value there; kubectl wait would ask for one after the other."""
    command = ("get", "cru", "-o", f"jsonpath={{.items[*]{path}}}")
    until(lambda: namespace.kubectl(*command).split() == [value] * count, what=f"{count} uploads with {path} {value}")


def _verdict(namespace: Namespace, name: str, reason: str, conditions: Mapping[str, str]) -> str:
    """Wait until an upload has that reason; return the message once everything about its conditions is right."""
    path = f"{_PATH_OF_READY}.reason"
    command = ("wait", f"--for=jsonpath={{{path}}}={reason}", f"cru/{name}", "--timeout=20s", "-o", "json")
    found = json.loads(namespace.kubectl(*command))
    generation, status = found["metadata"]["generation"], found["status"]
    assert {each["type"]: each["status"] for each in status["conditions"]} == conditions
    assert {each["reason"] for each in status["conditions"]} == {reason}
    assert {each["observedGeneration"] for each in status["conditions"]} == {status["observedGeneration"], generation}
    message: str = status["conditions"][0]["message"]
    return message


def _events(namespace: Namespace) -> collections.Counter[tuple[str, str, str]]:
    """Return how often which reason and type of Event was told about each upload, once all have been written."""
    namespace.upload("the-last-event", csr="no-such-secret")
    namespace.events("the-last-event", reason="WaitingForSecret")  # they are written one after the other
    told = [
        (event["involvedObject"]["name"], event["reason"], event["type"])
        for event in json.loads(namespace.kubectl("get", "events", "-o", "json"))["items"]
        if event["involvedObject"]["kind"] == "CertificateRequestUpload"
    ]
    namespace.kubectl("delete", "cru", "the-last-event")
    return collections.Counter(each for each in told if each[0] != "the-last-event")


def _sha256(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()
