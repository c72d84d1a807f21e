"""Keys and CSRs for tests."""

import functools

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_PKCS8 = serialization.PrivateFormat.PKCS8


def ec_key() -> ec.EllipticCurvePrivateKey:
    """Make an EC P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    """Make an RSA key, once a size: it takes a while."""
    return rsa.generate_private_key(65537, bits)


def csr(key: Key, *, name: str = "shop.example.com", dns_names: tuple[str, ...] = ()) -> bytes:
    """Make a CSR in PEM."""
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
    if dns_names:
        names = x509.SubjectAlternativeName([x509.DNSName(each) for each in dns_names])
        builder = builder.add_extension(names, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)


def private_key(key: Key, *, form: serialization.PrivateFormat = _PKCS8, passphrase: bytes | None = None) -> bytes:
    """Write a private key in PEM."""
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)
