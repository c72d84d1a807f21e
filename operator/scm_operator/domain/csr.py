"""CSRs and private keys: parse, normalise, match, hash. The one room for ``cryptography``.

PEM is RFC 7468, a CSR is PKCS#10 (RFC 2986). What is wrong is found here, before anything is sent. Algorithms that
the library can't read (SM2) pass unverified: SCM knows them, and is the judge of them.
"""

import base64
import binascii
import dataclasses
import hashlib
import itertools
import re
import warnings
from collections.abc import Callable

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, types

from scm_operator.domain import errors, reasons, upload

MAX_CSR_LENGTH = 2555
"""Characters of a normalised PEM, its final newline included (API page "Upload CSR", parameter csr)."""

_CSR_LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
_SM2_KEY_LABEL = "SM2 PRIVATE KEY"  # what OpenSSL calls one in SEC1 form; the library doesn't know it
_KEY_LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", _SM2_KEY_LABEL)
# The library calls every signature over these wrong, for they are broken; whether SCM takes them is SCM's to say.
_NOT_VERIFIED = (hashes.SHA1, hashes.MD5)
_PARAMETER_LABELS = ("EC PARAMETERS", "SM2 PARAMETERS")  # openssl writes them in front of an EC key
_BOUNDARY = re.compile(r"-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----")
_LINE = 64  # characters of base64 a line, RFC 7468 section 2
_SM2_WITH_SM3 = "1.2.156.10197.1.501"  # GM/T 0006
# Loading a DSA or DH key computes its public key by an exponentiation as long as its owner likes: minutes, for all.
_COSTLY_KEYS = tuple(bytes.fromhex(oid) for oid in ("2a8648ce380401", "2a8648ce3e0201", "2a864886f70d010301"))
_HEADER = 64  # bytes of a PKCS#8 key in which its algorithm stands
_LONGEST_KEY = 16 * 1024  # bytes of DER; an RSA key of 16,384 bits has 9,300
_CURVES = {"secp256r1": "EC_P256", "secp384r1": "EC_P384", "secp521r1": "EC_P521"}  # SCM's names of NIST's curves
_COMMON_NAME_LENGTH = 64  # ub-common-name, RFC 5280 appendix A.1; longer ones are cut in what is shown


@dataclasses.dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A CSR that may be sent: ``pem`` normalised, ``public_key`` (SPKI, DER) None if the library can't read it."""

    pem: str = dataclasses.field(repr=False)
    der_digest: str
    public_key: bytes | None = dataclasses.field(repr=False)
    summary: upload.CsrSummary


@dataclasses.dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key that may be sent; its repr shows nothing of it."""

    pem: str = dataclasses.field(repr=False)
    public_key: bytes | None = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What one POST carries, and its hash: over the CSR's DER and whether a key goes along, never over the key."""

    hash: str
    csr_pem: str = dataclasses.field(repr=False)
    private_key_pem: str | None = dataclasses.field(repr=False)
    summary: upload.CsrSummary


def content_of(request: CertificateRequest, key: PrivateKey | None) -> Content:
    """Join a CSR and its key. Raises: NeedsChange (KeyMismatch) if the key is another CSR's."""
    if key and None not in {key.public_key, request.public_key} and key.public_key != request.public_key:
        raise errors.NeedsChange(
            reasons.Reason.KEY_MISMATCH,
            "the private key does not belong to the CSR: their public keys differ. Put the key that the CSR was made "
            "with into privateKeySecretRef, or a CSR made with this key into csrSecretRef.",
        )
    digest = f"sha256:{request.der_digest}" + ("+key" if key else "")
    return Content(digest, request.pem, key.pem if key else None, request.summary)


def parse_request(data: bytes, *, source: str) -> CertificateRequest:
    """Parse a Secret's value as one CSR in PEM; ``source`` names the value in messages.

    Text around the block is dropped; Windows line ends and ``NEW CERTIFICATE REQUEST`` are normalised.
    Raises: NeedsChange (InvalidCSR, CSRTooLarge).
    """
    reason = reasons.Reason.INVALID_CSR
    label, der = _only_block(data, labels=_CSR_LABELS, source=source, reason=reason)
    pem = _to_pem("CERTIFICATE REQUEST", der)
    if len(pem) > MAX_CSR_LENGTH:  # before anything costly is done with it
        raise errors.NeedsChange(
            reasons.Reason.CSR_TOO_LARGE,
            f"{source}: the CSR has {len(pem)} characters, SCM takes at most {MAX_CSR_LENGTH}. "
            "Use fewer DNS names or a smaller key (an EC key's CSR is far shorter).",
        )
    try:
        request = x509.load_der_x509_csr(der)
        _verify_signature(request, source=source)
        public_key = _public_bytes(request.public_key)
        summary = _summary_of(request)
    except (ValueError, x509.InvalidVersion, exceptions.InternalError):
        raise errors.NeedsChange(
            reason, f"{source}: the {label} block is not a valid PKCS#10 request (truncated or damaged)."
        ) from None
    return CertificateRequest(pem, hashlib.sha256(der).hexdigest(), public_key, summary)


def digest_of_pem(text: str) -> str | None:
    """Return the hash (hex) of the DER of a CSR that a service shows, as `Content.hash` has it; None if unreadable.

    A block that is no CSR is unreadable too: it may be the right one, cut off or damaged.
    """
    bodies = [body for label, body in _blocks_of(text) if label in _CSR_LABELS]
    if len(bodies) != 1:
        return None
    try:
        der = base64.b64decode("".join(bodies[0].split()), validate=True)
        x509.load_der_x509_csr(der)
    except (ValueError, x509.InvalidVersion, exceptions.InternalError):
        return None
    return hashlib.sha256(der).hexdigest()


def parse_private_key(data: bytes, *, source: str) -> PrivateKey:
    """Parse a Secret's value as one unencrypted private key in PEM (PKCS#8, PKCS#1 or SEC1).

    Raises: NeedsChange (InvalidPrivateKey).
    """
    reason = reasons.Reason.INVALID_PRIVATE_KEY
    label, der = _only_block(data, labels=_KEY_LABELS, source=source, reason=reason)
    if len(der) > _LONGEST_KEY or any(oid in der[:_HEADER] for oid in _COSTLY_KEYS):
        raise errors.NeedsChange(
            reason, f"{source}: the {label} block is a DSA or DH key, or far too long; SCM takes RSA, EC and SM2 keys."
        )
    pem = _to_pem(label, der)
    if label == _SM2_KEY_LABEL:
        return PrivateKey(pem, None)
    try:
        # Validating an RSA key's primes takes up to 0.3 s; comparing public keys needs none of it.
        key = serialization.load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
        public_key = _public_bytes(key.public_key)
    except exceptions.UnsupportedAlgorithm:
        public_key = None
    except (ValueError, TypeError, exceptions.InternalError):
        raise errors.NeedsChange(
            reason, f"{source}: the {label} block is not a valid private key (truncated or damaged)."
        ) from None
    return PrivateKey(pem, public_key)


def _only_block(data: bytes, *, labels: tuple[str, ...], source: str, reason: reasons.Reason) -> tuple[str, bytes]:
    """Return label and DER of the one PEM block that the value must hold."""
    wanted = f"one PEM block BEGIN {labels[0]}"
    if not data.strip():
        raise errors.NeedsChange(reason, f"{source} is empty; expected {wanted}.")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise errors.NeedsChange(reason, f"{source} is not text (binary data, maybe DER); expected {wanted}.") from None
    blocks = [(label, body) for label, body in _blocks_of(text) if label not in _PARAMETER_LABELS]
    if len(blocks) != 1 or blocks[0][0] not in labels:
        raise errors.NeedsChange(reason, f"{source}: {_what_is_there(text, blocks)}; expected {wanted}.")
    label, body = blocks[0]
    if "ENCRYPTED" in body:
        raise errors.NeedsChange(reason, f"{source}: {_ENCRYPTED}; expected {wanted}.")
    try:
        return label, base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise errors.NeedsChange(reason, f"{source}: the {label} block is not valid base64.") from None


def _blocks_of(text: str) -> list[tuple[str, str]]:
    """Return label and body of each PEM block, in one pass: a value may be a megabyte of opening lines."""
    boundaries = list(_BOUNDARY.finditer(text))
    return [
        (opening.group(2), text[opening.end() : closing.start()])
        for opening, closing in itertools.pairwise(boundaries)
        if opening.groups() == ("BEGIN", closing.group(2)) and closing.group(1) == "END"
    ]


_ENCRYPTED = "the private key is encrypted, and SCM takes only unencrypted keys (openssl pkey removes a passphrase)"


def _what_is_there(text: str, blocks: list[tuple[str, str]]) -> str:
    """Say what a value holds instead of the one block that was expected: by labels, never by content."""
    found = [label for label, _ in blocks]
    if found == ["ENCRYPTED PRIVATE KEY"]:
        return _ENCRYPTED
    if len(found) > 1:
        return f"found {len(found)} PEM blocks ({', '.join(found[:4])})"
    if found:
        return f"found a PEM block {found[0]}"
    if boundary := _BOUNDARY.search(text):
        return f"the {boundary.group(2)} block is incomplete (truncated?)"
    return "found no PEM block"


def _to_pem(label: str, der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = (text[start : start + _LINE] for start in range(0, len(text), _LINE))
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def _verify_signature(request: x509.CertificateSigningRequest, *, source: str) -> None:
    try:
        if isinstance(request.signature_hash_algorithm, _NOT_VERIFIED):
            return
        valid = request.is_signature_valid
    except exceptions.UnsupportedAlgorithm:
        return
    if not valid:
        raise errors.NeedsChange(
            reasons.Reason.INVALID_CSR,
            f"{source}: the CSR's signature does not fit its content; it was changed or damaged. Make it anew.",
        )


def _public_bytes(load: Callable[[], types.PublicKeyTypes]) -> bytes | None:
    try:
        return load().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    except exceptions.UnsupportedAlgorithm:
        return None


def _summary_of(request: x509.CertificateSigningRequest) -> upload.CsrSummary:
    return upload.CsrSummary(_common_name(request), _count_dns_names(request), _key_algorithm(request))


def _common_name(request: x509.CertificateSigningRequest) -> str:
    """Return what can be shown of the name; an odd one is SCM's to judge."""
    try:
        with warnings.catch_warnings(action="ignore"):  # the library warns of unusual lengths
            names = request.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except (ValueError, TypeError):
        names = []
    return errors.foreign_text(str(names[0].value))[:_COMMON_NAME_LENGTH] if names else ""


def _count_dns_names(request: x509.CertificateSigningRequest) -> int:
    try:
        extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return 0
    return len(extension.value.get_values_for_type(x509.DNSName))


def _key_algorithm(request: x509.CertificateSigningRequest) -> str:
    """Name the key as SCM does (RSA_2048, EC_P256, SM2), or by its OID."""
    try:
        key = request.public_key()
    except exceptions.UnsupportedAlgorithm:
        return "SM2" if request.signature_algorithm_oid.dotted_string == _SM2_WITH_SM3 else "unknown"
    return _name_of(key)


def _name_of(key: types.CertificatePublicKeyTypes) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA_{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, f"EC_{key.curve.name}")
    return type(key).__name__.removesuffix("PublicKey").lstrip("_").upper()
