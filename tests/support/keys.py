"""Private keys and CSRs for tests, made without waiting."""

import functools
from collections.abc import Iterable, Sequence
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

Kind = Literal["EC_P256", "EC_P384", "ED25519", "RSA_2048", "RSA_4096"]
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
Format = Literal["PKCS#8", "PKCS#1", "SEC1"]

# Two published primes of 2,048 bits: group 14 of RFC 3526 and ffdhe2048 of RFC 7919. A key from them is nobody's
# secret, and it is there at once: looking for primes of its own takes seconds.
_MODP_2048 = int(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd"
    "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f"
    "83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b"
    "e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510"
    "15728e5a8aacaa68ffffffffffffffff",
    16,
)
_FFDHE_2048 = int(
    "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef9"
    "7d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935"
    "984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fb"
    "b96adab760d7f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f61"
    "9172fe9ce98583ff8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa"
    "886b423861285c97ffffffffffffffff",
    16,
)


@functools.cache
def make_key(kind: Kind = "EC_P256", *, number: int = 0) -> Key:
    """Make a private key; the same arguments give the same key, another ``number`` another one (RSA_4096: only one)."""
    match kind:
        case "EC_P256":
            return ec.generate_private_key(ec.SECP256R1())
        case "EC_P384":
            return ec.generate_private_key(ec.SECP384R1())
        case "ED25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "RSA_2048":
            return rsa.generate_private_key(65_537, 2_048)
        case "RSA_4096":
            assert number == 0
            return _rsa_key_of(_MODP_2048, _FFDHE_2048)


def key_pem(key: Key | None = None, *, form: Format = "PKCS#8", passphrase: bytes | None = None) -> bytes:
    """Write a private key (by default the EC_P256 one) in PEM; PKCS#1 is for RSA keys, SEC1 for EC keys."""
    written = serialization.PrivateFormat.PKCS8 if form == "PKCS#8" else serialization.PrivateFormat.TraditionalOpenSSL
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return (key or make_key()).private_bytes(serialization.Encoding.PEM, written, encryption)


def make_csr(
    key: Key | None = None,
    *,
    common_name: str | None = "shop.example.com",
    dns_names: Sequence[str] = (),
    extensions: Iterable[x509.ExtensionType] = (),
) -> bytes:
    """Make a CSR in PEM, signed with ``key`` (by default the EC_P256 one); common name None: the subject is empty.

    Each call signs anew: two CSRs of one key differ, but for Ed25519.
    """
    names = [] if common_name is None else [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]
    builder = x509.CertificateSigningRequestBuilder(x509.Name(names))
    if dns_names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in dns_names]), False)
    for extension in extensions:
        builder = builder.add_extension(extension, False)
    signer = key or make_key()
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, algorithm).public_bytes(serialization.Encoding.PEM)


def _rsa_key_of(p: int, q: int) -> rsa.RSAPrivateKey:
    e = 65_537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), rsa.RSAPublicNumbers(e, p * q)
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)  # it would take 0.3 s
