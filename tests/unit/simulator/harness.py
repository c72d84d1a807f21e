"""What the simulator's tests share: a clock that stands still, CSRs and keys, and a client for one simulator."""

import base64
import contextlib
import dataclasses
import functools
import io
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from scm_simulator import app, settings

START: Final = 1_685_325_399.0
PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of an account that exists in these tests only
STATIC_TOKEN: Final = "static-" + "s" * 60
SETTINGS: Final = settings.Settings(
    domain="acme",
    user="uploader",
    password=PASSWORD,
    projects=("cn-north-4", "ap-southeast-1"),
    token_ttl=3_600,
    static_token=STATIC_TOKEN,
)
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class FakeClock:
    """Tells the time that a test has set."""

    def __init__(self) -> None:
        """Start at a time that the API's documentation uses."""
        self.now = START

    def __call__(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class FakeSleep:
    """Waits for nothing and remembers for how long it should have."""

    def __init__(self) -> None:
        """Start with no waits."""
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Take down a wait."""
        self.waits.append(seconds)


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read in full."""

    status: int
    headers: Mapping[str, str]
    text: str
    json: Any


class Client:
    """Talks to one simulator; calls of the service carry a token unless told otherwise."""

    def __init__(self, session: aiohttp.ClientSession, *, url: str, clock: FakeClock, sleep: FakeSleep) -> None:
        """Use the static token until `log_in`."""
        self.session = session
        self.port = int(url.rpartition(":")[2])
        self.clock = clock
        self.sleep = sleep
        self.token: str = STATIC_TOKEN

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        data: bytes | io.BytesIO | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request with the token and read the answer."""
        chosen = {"X-Auth-Token": self.token} if headers is None else headers
        async with self.session.request(
            method, path, json=json, data=data, headers=chosen, allow_redirects=False
        ) as response:
            text = await response.text()
            parsed = None
            if response.content_type == "application/json":
                with contextlib.suppress(ValueError):
                    parsed = await response.json()
            return Answer(response.status, response.headers, text, parsed)

    async def admin(self, method: str, path: str, *, json: object = None) -> Answer:
        """Send a request to `/_simulator/`."""
        return await self.call(method, f"/_simulator/{path}", json=json, headers={})

    async def authenticate(self, document: object, *, query: str = "") -> Answer:
        """Ask IAM for a token."""
        return await self.call("POST", f"/v3/auth/tokens{query}", json=document, headers={})

    async def log_in(self, document: object = None) -> str:
        """Get a token from IAM and use it from now on."""
        answer = await self.authenticate(credentials() if document is None else document)
        assert answer.status == 201, answer.text
        self.token = answer.headers["X-Subject-Token"]
        return self.token

    async def upload(self, name: str = "shop-tls", **fields: object) -> Answer:
        """Upload a CSR, by default a valid one."""
        return await self.call("POST", "/v3/scm/csr/upload", json={"name": name, "csr": csr_pem(), **fields})

    async def stored(self) -> list[dict[str, Any]]:
        """Return what the simulator holds."""
        entries: list[dict[str, Any]] = (await self.admin("GET", "csrs")).json["csrs"]
        return entries

    async def requests(self, query: str = "") -> list[dict[str, Any]]:
        """Return the log of requests."""
        records: list[dict[str, Any]] = (await self.admin("GET", f"requests{query}")).json["requests"]
        return records

    async def until(self, path: str, found: Callable[[Any], bool]) -> None:
        """Ask the simulator until its answer is as it should be; pytest's timeout ends what never becomes so."""
        while not found((await self.admin("GET", path)).json):
            pass

    async def until_held(self) -> None:
        """Wait until a request is held."""
        await self.until("faults", lambda answer: any(rule["held"] for rule in answer["rules"]))

    async def faults(self, *rules: object, seed: int = 1) -> list[dict[str, Any]]:
        """Put rules in force."""
        answer = await self.admin("PUT", "faults", json={"seed": seed, "rules": list(rules)})
        assert answer.status == 200, answer.text
        in_force: list[dict[str, Any]] = answer.json["rules"]
        return in_force


@contextlib.asynccontextmanager
async def running(config: settings.Settings = SETTINGS) -> AsyncIterator[Client]:
    """Run a simulator in this event loop."""
    clock, sleep = FakeClock(), FakeSleep()
    simulator = app.Simulator(config, clock=clock, sleep=sleep)
    # The longest token fits into an answer's header, which this client would refuse by default.
    limit = settings.LONGEST_TOKEN + 1_024
    async with (
        simulator.serve() as url,
        aiohttp.ClientSession(url, max_field_size=limit, max_line_size=limit) as session,
    ):
        yield Client(session, url=url, clock=clock, sleep=sleep)


def credentials(
    *, password: str = PASSWORD, user: str = "uploader", domain: str = "acme", scope: object = None
) -> dict[str, Any]:
    """Return the body of a request for a token; by default scoped to the first project."""
    named = {"name": user, "password": password, "domain": {"name": domain}}
    return {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": named}},
            "scope": {"project": {"name": "cn-north-4"}} if scope is None else scope,
        }
    }


@functools.cache
def key(kind: str = "EC_P256") -> PrivateKey:
    """Return a private key, the same one for each kind."""
    match kind:
        case "RSA_2048":
            return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        case "EC_P384":
            return ec.generate_private_key(ec.SECP384R1())
        case _:
            return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def csr_pem(kind: str = "EC_P256", *, common_name: str = "shop.example.com", sans: tuple[str, ...] = ()) -> str:
    """Return a CSR as PEM; the same one for the same arguments."""
    return csr_der_to_pem(csr_der(kind, common_name=common_name, sans=sans))


@functools.cache
def sm2_csr_pem() -> str:
    """Return a CSR that claims a key on the SM2 curve, which the library doesn't know."""
    p256, sm2 = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a811ccf5501822d")
    return csr_der_to_pem(csr_der("EC_P256", common_name="sm2.example.com").replace(p256, sm2))


@functools.cache
def key_pem(kind: str = "EC_P256", *, encrypted: bool = False) -> str:
    """Return a private key as PEM (PKCS #8)."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if encrypted:
        encryption = serialization.BestAvailableEncryption(b"secret")
    pem = key(kind).private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return pem.decode()


def csr_der_to_pem(der: bytes) -> str:
    """Wrap a CSR's DER into PEM."""
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"


def csr_der(kind: str = "EC_P256", *, common_name: str, sans: tuple[str, ...] = ()) -> bytes:
    """Make a CSR."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme"),
        ]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if sans:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in sans])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key(kind), hashes.SHA256()).public_bytes(serialization.Encoding.DER)
