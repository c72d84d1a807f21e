"""Values of the domain for tests: each builder makes a valid one, and a test names only what it is about."""

import datetime
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from scm_operator.domain import account as accounts
from scm_operator.domain import csr, observation, upload
from scm_operator.domain.conditions import Condition, Verdict, conditions_for
from scm_operator.domain.reasons import Reason

Kind = Literal["EC_P256", "EC_P384", "ED25519", "RSA_2048", "RSA_4096"]
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
Format = Literal["PKCS#8", "PKCS#1", "SEC1"]

NOW = datetime.datetime(2026, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
SCM_ID = "474a519e2c884c34a2d01033a6493b3c"
OTHER_SCM_ID = "00000000000000000000000000000001"
CLUSTER_DEFAULT = accounts.AccountKey(accounts.AccountKind.CLUSTER, "", accounts.DEFAULT_NAME)
UPLOAD_KEY = upload.UploadKey("shop", "shop-tls")
CSR_REF = accounts.SecretKey("shop-tls", "tls.csr")
KEY_REF = accounts.SecretKey("shop-tls", "tls.key")

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


def make_tenant(
    *,
    endpoint: str = "https://scm.cn-north-4.myhuaweicloud.com",
    domain: str | None = "acme",
    scope: str | None = "project=cn-north-4",
    account: str = "ClusterScmAccount/default",
) -> accounts.Tenant:
    """Make the tenant that `make_account` reaches."""
    return accounts.Tenant(endpoint, domain, scope, account)


def make_account(
    *,
    kind: accounts.AccountKind = accounts.AccountKind.CLUSTER,
    namespace: str = "shop",
    name: str = "default",
    endpoint: str = "https://scm.cn-north-4.myhuaweicloud.com",
    token: bool = False,
    ca_bundle: str | None = None,
    generation: int = 1,
    resource_version: str = "1",
    conditions: tuple[Condition, ...] = (),
) -> accounts.Account:
    """Make an account with an IAM user, or with a ready ``token``; ``namespace`` counts for an ScmAccount only."""
    secret = accounts.SecretKey("scm-credential", "token" if token else "password")
    scope = accounts.Scope("project", "cn-north-4")
    iam = "https://iam.cn-north-4.myhuaweicloud.com"
    return accounts.Account(
        key=accounts.AccountKey(kind, namespace if kind is accounts.AccountKind.NAMESPACED else "", name),
        uid=f"uid-of-{name}",
        resource_version=resource_version,
        generation=generation,
        endpoint=endpoint,
        auth=accounts.TokenAuth(secret) if token else accounts.PasswordAuth(iam, "acme", "cert-bot", scope, secret),
        ca_bundle=ca_bundle,
        observed_generation=generation if conditions else -1,
        conditions=conditions,
    )


def make_content(
    *, digest: str = "ab" * 32, key: bool = True, csr_pem: str = "a CSR", private_key_pem: str = "a key"
) -> csr.Content:
    """Make what a POST carries, without any cryptography; ``key`` says whether a private key goes along."""
    hashed = f"sha256:{digest}" + ("+key" if key else "")
    return csr.Content(hashed, csr_pem, private_key_pem if key else None, make_summary())


def make_summary(
    *, common_name: str = "shop.example.com", dns_name_count: int = 1, key_algorithm: str = "EC_P256"
) -> upload.CsrSummary:
    """Make what a status says of a CSR."""
    return upload.CsrSummary(common_name, dns_name_count, key_algorithm)


def make_secret(name: str = "shop-tls", *, uid: str = "", version: str = "1") -> upload.ObservedSecret:
    """Make a Secret as it was seen; another ``version`` of it may hold other bytes."""
    return upload.ObservedSecret(name, uid or f"uid-of-{name}", version)


def make_wanted(
    content: csr.Content | None = None, *, secrets: tuple[upload.ObservedSecret, ...] | None = None
) -> observation.Wanted:
    """Make what the Secrets of `make_upload` hold."""
    return observation.Wanted(content or make_content(), (make_secret(),) if secrets is None else secrets)


def make_attempt(
    *,
    id: str = "5e0f",  # noqa: A002 - the attempt's field has this name
    key: upload.UploadKey = UPLOAD_KEY,
    uid: str = "uid-of-shop-tls",
    scm_name: str = "shop-tls",
    tenant: accounts.Tenant | None = None,
    content_hash: str | None = None,
    at: str = "2026-02-03T04:05:06Z",
) -> observation.Attempt:
    """Make the attempt to send `make_content` for `make_upload`."""
    return observation.Attempt(id, uid, key, scm_name, tenant or make_tenant(), content_hash or make_content().hash, at)


def make_record(
    *,
    scm_id: str = SCM_ID,
    scm_name: str = "shop-tls",
    create_time: str = "2023-05-29T01:56:39.000Z",
    account: accounts.AccountKey = CLUSTER_DEFAULT,
    tenant: accounts.Tenant | None = None,
    content_hash: str | None = None,
    summary: upload.CsrSummary | None = None,
) -> upload.Record:
    """Make the record of the entry that holds `make_content`."""
    return upload.Record(
        scm_id=scm_id,
        scm_name=scm_name,
        create_time=create_time,
        origin="Uploaded",
        account=account,
        tenant=tenant or make_tenant(),
        content_hash=content_hash or make_content().hash,
        csr=summary or make_summary(),
    )


def make_conditions(
    reason: Reason = Reason.UPLOADED, message: str = f"Uploaded to SCM as {SCM_ID}.", *, generation: int = 1
) -> tuple[Condition, ...]:
    """Make the conditions that a status has after a verdict."""
    return conditions_for(Verdict(reason, message), previous=(), generation=generation, now=NOW)


def make_status(
    *,
    record: upload.Record | None = None,
    reason: Reason = Reason.UPLOADED,
    message: str = f"Uploaded to SCM as {SCM_ID}.",
    secrets: tuple[upload.ObservedSecret, ...] | None = None,
    generation: int = 1,
    last_handled_reconcile_at: str | None = None,
) -> upload.Status:
    """Make the status after a verdict, by default that of a finished upload."""
    return upload.Status(
        observed_generation=generation,
        record=make_record() if record is None and reason is Reason.UPLOADED else record,
        observed_secrets=(make_secret(),) if secrets is None else secrets,
        last_handled_reconcile_at=last_handled_reconcile_at,
        conditions=make_conditions(reason, message, generation=generation),
    )


def make_upload(
    *,
    namespace: str = "shop",
    name: str = "shop-tls",
    uid: str = "",
    resource_version: str = "1",
    generation: int = 1,
    deleting: bool = False,
    scm_name: str | None = None,
    csr: accounts.SecretKey = CSR_REF,
    private_key: accounts.SecretKey | None = KEY_REF,
    account: accounts.AccountKey | None = None,
    suspend: bool = False,
    reconcile_requested_at: str | None = None,
    status: upload.Status | None = None,
) -> upload.Upload:
    """Make an upload, by default one that was never looked at.

    CSR and key are in the same Secret (private key None: the CSR goes alone); without ``account`` it goes to the
    default one.
    """
    return upload.Upload(
        key=upload.UploadKey(namespace, name),
        uid=uid or f"uid-of-{name}",
        resource_version=resource_version,
        generation=generation,
        deleting=deleting,
        scm_name=scm_name or name,
        csr=csr,
        private_key=private_key,
        account=account,
        suspend=suspend,
        reconcile_requested_at=reconcile_requested_at,
        status=status or upload.Status(),
    )


def make_view(*, account: accounts.Account | None = None, fault: Verdict | None = None) -> observation.AccountView:
    """Make what an upload sees of its account: usable, or there with a ``fault``."""
    seen = account or make_account()
    return observation.AccountView(seen.key, seen.tenant, fault)


def make_observed(
    wanted: observation.Reading | None = None,
    *,
    of: upload.Upload | None = None,
    memory: observation.Remembered | None = None,
    account: observation.AccountView | None = None,
    seen: tuple[upload.ObservedSecret | None, ...] | None = None,
) -> observation.Observed:
    """Make what the decision table looks at: by default a new upload whose Secrets are there and not read yet.

    ``seen`` is by default version 1 of each Secret that the upload names.
    """
    chosen = of or make_upload()
    return observation.Observed(
        upload=chosen,
        memory=memory,
        account=account or make_view(),
        seen=tuple(make_secret(name) for name in chosen.secret_names) if seen is None else seen,
        wanted=wanted or observation.NotRead(),
    )


def upload_body(
    *, spec: Mapping[str, Any] | None = None, metadata: Mapping[str, Any] | None = None, status: object = None
) -> dict[str, Any]:
    """Make a CertificateRequestUpload as the API server sends it; ``metadata`` is merged into a complete one."""
    body = _body("CertificateRequestUpload", metadata, namespace="shop", name="shop-tls")
    body["spec"] = {"csrSecretRef": {"name": "shop-tls"}} if spec is None else dict(spec)
    return body if status is None else body | {"status": status}


def account_body(
    *, spec: Mapping[str, Any] | None = None, metadata: Mapping[str, Any] | None = None, status: object = None
) -> dict[str, Any]:
    """Make an ScmAccount as the API server sends it, or a ClusterScmAccount if ``metadata`` has namespace None."""
    body = _body("ScmAccount", metadata, namespace="shop", name="default")
    token = {"endpoint": "https://scm.example.com", "auth": {"token": {"secretRef": {"name": "scm-token"}}}}
    body["spec"] = token if spec is None else dict(spec)
    return body if status is None else body | {"status": status}


def _body(kind: str, metadata: Mapping[str, Any] | None, **defaults: str) -> dict[str, Any]:
    complete = {"uid": f"uid-of-{defaults['name']}", "resourceVersion": "1", "generation": 1} | defaults
    merged = {name: value for name, value in (complete | dict(metadata or {})).items() if value is not None}
    return {"apiVersion": "scm.certops.dev/v1alpha1", "kind": kind, "metadata": merged}


def _rsa_key_of(p: int, q: int) -> rsa.RSAPrivateKey:
    e = 65_537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), rsa.RSAPublicNumbers(e, p * q)
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)  # it would take 0.3 s
