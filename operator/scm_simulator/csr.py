"""CSRs and keys as the service takes them: PEM in, and what the service derives from it.

Source: Upload CSR, request body parameters; the answer's fields as Show CSR lists them.
"""

import base64
import binascii
import contextlib
import dataclasses
import hashlib
import re
from typing import Final

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

_BLOCK: Final = re.compile(r"\s*-----BEGIN ([A-Z0-9 ]+)-----\r?\n((?:(?!-----).)+)\r?\n-----END \1-----\s*", re.DOTALL)
_CSR_LABEL: Final = "CERTIFICATE REQUEST"
_KEY_LABELS: Final = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "SM2 PRIVATE KEY")
_UNCHECKED: Final = (hashes.SHA1, hashes.MD5)  # the library calls every signature over these wrong
_SM2_CURVE: Final = bytes.fromhex("06082a811ccf5501822d")  # OID 1.2.156.10197.1.301
_CURVES: Final = {"secp256r1": "EC_P256", "secp384r1": "EC_P384", "secp521r1": "EC_P521"}


class CsrError(ValueError):
    """A CSR that the service would not take."""


class KeyNotPemError(ValueError):
    """A private key that is not one PEM block of a private key."""


class KeyUnreadableError(ValueError):
    """A private key that is encrypted or damaged."""


class KeyMismatchError(ValueError):
    """A private key of another CSR."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Csr:
    """A CSR as it was sent, and what its DER says. `sha256` is the digest of the DER, in hex."""

    pem: str
    sha256: str
    common_name: str
    sans: tuple[str, ...]
    algorithm: str
    country: str
    province: str
    city: str
    company: str
    public_key: bytes | None = dataclasses.field(repr=False)


def der_of(pem: str) -> bytes:
    """Return the DER of a text that is one PEM block of a CSR (RFC 7468) and nothing else.

    Raises:
        CsrError: it is something else.

    """
    try:
        label, der = _block(pem)
    except ValueError as error:
        raise CsrError(f"csr must be one PEM block ({error})") from error
    if label != _CSR_LABEL:
        raise CsrError(f"csr must be a PEM block of type {_CSR_LABEL}, not {label}")
    return der


def parse(pem: str) -> Csr:
    """Read a CSR (RFC 2986). Signatures and keys that the library doesn't know, such as SM2, are taken unchecked.

    Raises:
        CsrError: it is not one PEM block, not a CSR, or its signature is wrong.

    """
    der = der_of(pem)
    try:
        request = x509.load_der_x509_csr(der)
        subject = request.subject
    except ValueError as error:
        raise CsrError("csr holds no certificate signing request (DER)") from error
    _check_signature(request)
    return Csr(
        pem=pem,
        sha256=hashlib.sha256(der).hexdigest(),
        common_name=_first(subject, NameOID.COMMON_NAME),
        sans=_sans(request),
        algorithm=_algorithm(request, der=der),
        country=_first(subject, NameOID.COUNTRY_NAME),
        province=_first(subject, NameOID.STATE_OR_PROVINCE_NAME),
        city=_first(subject, NameOID.LOCALITY_NAME),
        company=_first(subject, NameOID.ORGANIZATION_NAME),
        public_key=_public_key(request),
    )


def check_key(pem: str, *, of: Csr) -> None:
    """Refuse what isn't the unencrypted private key of a CSR. Kinds that the library doesn't know are taken unchecked.

    Raises:
        KeyNotPemError: it is not one PEM block of a private key.
        KeyUnreadableError: it is encrypted or damaged.
        KeyMismatchError: it belongs to another public key.

    """
    try:
        label, der = _block(pem)
    except binascii.Error as error:
        raise KeyUnreadableError("private_key can't be decoded; it must be unencrypted") from error
    except ValueError as error:
        raise KeyNotPemError(f"private_key must be one PEM block ({error})") from error
    if label == "ENCRYPTED PRIVATE KEY":
        raise KeyUnreadableError("private_key must not be encrypted")
    if label not in _KEY_LABELS:
        raise KeyNotPemError(f"private_key must be a PEM block of a private key, not {label}")
    public_key = _public_half(der)
    if None not in (public_key, of.public_key) and public_key != of.public_key:
        raise KeyMismatchError("private_key does not match csr")


def _block(pem: str) -> tuple[str, bytes]:
    found = _BLOCK.fullmatch(pem)
    if found is None:
        raise ValueError("from -----BEGIN to -----END, with line breaks, and nothing around it")
    base64_text = re.sub(r"\s", "", found[2])
    return found[1], base64.b64decode(base64_text, validate=True)


def _check_signature(request: x509.CertificateSigningRequest) -> None:
    try:
        if isinstance(request.signature_hash_algorithm, _UNCHECKED):
            return
        valid = request.is_signature_valid
    except (exceptions.UnsupportedAlgorithm, ValueError):
        return
    if not valid:
        raise CsrError("csr is not signed with its own key")


def _first(subject: x509.Name, oid: x509.ObjectIdentifier) -> str:
    values = subject.get_attributes_for_oid(oid)
    return str(values[0].value) if values else ""


def _sans(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    with contextlib.suppress(
        x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError
    ):
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return tuple(str(name.value) for name in names)
    return ()


def _algorithm(request: x509.CertificateSigningRequest, *, der: bytes) -> str:
    try:
        key = request.public_key()
    except (exceptions.UnsupportedAlgorithm, ValueError):
        return "SM2" if _SM2_CURVE in der else "UNKNOWN"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA_{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, key.curve.name)
    return "UNKNOWN"


def _public_key(request: x509.CertificateSigningRequest) -> bytes | None:
    try:
        key = request.public_key()
    except (exceptions.UnsupportedAlgorithm, ValueError):
        return None
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _public_half(der: bytes) -> bytes | None:
    try:
        # Whether an RSA key's numbers are prime is nobody's question here, and costs up to a second to answer.
        key = serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    except exceptions.UnsupportedAlgorithm:
        return None
    except (ValueError, TypeError) as error:
        raise KeyUnreadableError("private_key can't be read; it must be an unencrypted private key") from error
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
