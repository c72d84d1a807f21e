"""What an upload wants, read from its Secrets: each once, only the keys that are named."""

import pytest

from scm_operator.domain import account, errors, observation, upload
from scm_operator.reconcile import reading
from tests.support import fake_cluster, fakes, pem

KEY = pem.ec_key()
CSR, PRIVATE_KEY = pem.csr(KEY), pem.private_key(KEY)


@pytest.fixture
def secrets() -> fakes.FakeSecrets:
    """Return Secrets ``web-csr`` with a CSR and its key, and ``web-key`` with the key."""
    made = fakes.FakeSecrets()
    made.put("web-csr", {"tls.csr": CSR, "tls.key": PRIVATE_KEY, "other": b"not asked for"})
    made.put("web-key", {"tls.key": PRIVATE_KEY})
    return made


def _upload(**spec: object) -> upload.Upload:
    return upload.parse_upload(fake_cluster.as_stored(fake_cluster.upload_body(spec=spec)))


async def test_csr_alone(secrets: fakes.FakeSecrets) -> None:
    """Without privateKeySecretRef no key goes along, even where one stands next to the CSR."""
    read = await reading.read(_upload(), secrets=secrets)
    assert isinstance(read, observation.Wanted)
    assert (read.content.csr_pem, read.content.private_key_pem) == (CSR.decode(), None)
    assert read.secrets == (secrets.seen(account.SecretName("shop", "web-csr")),)


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("web-csr", [("web-csr", ["tls.csr", "tls.key"])]),
        ("web-key", [("web-csr", ["tls.csr"]), ("web-key", ["tls.key"])]),
    ],
    ids=["same Secret", "own Secret"],
)
async def test_each_secret_is_read_once_for_the_named_keys_alone(
    secrets: fakes.FakeSecrets, name: str, reads: list[tuple[str, list[str]]]
) -> None:
    """A Secret is read once however many of its keys are named, and no key that isn't."""
    read = await reading.read(_upload(privateKeySecretRef={"name": name}), secrets=secrets)
    assert isinstance(read, observation.Wanted)
    assert read.content.private_key_pem == PRIVATE_KEY.decode()
    assert [(secret.name, keys) for secret, keys in secrets.reads] == reads
    assert {secret.namespace for secret, _ in secrets.reads} == {"shop"}
    assert [version.name for version in read.secrets] == [secret for secret, _ in reads]


@pytest.mark.parametrize(
    ("spec", "reason", "message", "gone"),
    [
        ({"csrSecretRef": {"name": "absent"}}, "WaitingForSecret", "'absent', which spec.csrSecretRef names", True),
        ({"privateKeySecretRef": {"name": "absent"}}, "WaitingForSecret", "'absent', which spec.privateKeySec", True),
        ({"csrSecretRef": {"name": "web-csr", "key": "no"}}, "SecretKeyMissing", "'web-csr' has no key 'no'", False),
        ({"csrSecretRef": {"name": "web-csr", "key": "other"}}, "InvalidCSR", "Secret 'web-csr', key 'other'", False),
        ({"privateKeySecretRef": {"name": "web-csr", "key": "other"}}, "InvalidPrivateKey", "key 'other'", False),
    ],
    ids=["CSR's Secret absent", "key's Secret absent", "no such key", "no CSR", "no private key"],
)
async def test_what_can_not_be_known_is_said(
    secrets: fakes.FakeSecrets,
    spec: dict[str, object],
    reason: str,
    message: str,
    *,
    gone: bool,
) -> None:
    """Each fault of a Secret has its reason and a message that names Secret, key and field."""
    read = await reading.read(_upload(**spec), secrets=secrets)
    assert isinstance(read, observation.Unreadable)
    assert (read.verdict.reason, read.secret_gone) == (reason, gone)
    assert message in read.verdict.message
    assert len(read.secrets) == (1 if len(secrets.reads) == 1 and not gone else len(secrets.reads) - gone)


async def test_foreign_key_is_a_mismatch(secrets: fakes.FakeSecrets) -> None:
    """A private key of another CSR is found before anything is sent."""
    secrets.put("web-key", {"tls.key": pem.private_key(pem.ec_key())})
    read = await reading.read(_upload(privateKeySecretRef={"name": "web-key"}), secrets=secrets)
    assert isinstance(read, observation.Unreadable)
    assert read.verdict.reason == "KeyMismatch"


async def test_no_value_of_a_secret_shows_in_what_is_read(secrets: fakes.FakeSecrets) -> None:
    """The repr of what was read holds no line of the CSR or the key."""
    read = await reading.read(_upload(privateKeySecretRef={"name": "web-key"}), secrets=secrets)
    for line in [*CSR.decode().splitlines()[1:-1], *PRIVATE_KEY.decode().splitlines()[1:-1]]:
        assert line not in repr(read)


async def test_secret_that_may_not_be_read_is_retried_slowly(secrets: fakes.FakeSecrets) -> None:
    """A Secret that the operator isn't permitted to read is a slow retry."""
    secrets.forbidden.add(account.SecretName("shop", "web-csr"))
    with pytest.raises(errors.RetryLater) as caught:
        await reading.read(_upload(), secrets=secrets)
    assert caught.value.slow
