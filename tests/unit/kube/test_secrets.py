"""Secrets: read live for the named keys alone, and of their versions the newest is known."""

import base64

import pytest

from scm_operator.domain import account, errors, upload
from scm_operator.kube import client, secrets
from tests.unit.kube import server

NAME = account.SecretName("shop", "tls")


def _secret(version: int = 5, **data: bytes) -> server.Body:
    encoded = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in data.items()}
    return {"metadata": {"uid": "uid-1", "resourceVersion": str(version)}, "data": encoded}


def _version(version: int, *, uid: str = "uid-1", name: str = "tls") -> upload.ObservedSecret:
    return upload.ObservedSecret(name, uid, str(version))


def _versions(*, named: bool = True) -> secrets.Versions:
    return secrets.Versions(is_named=lambda _: named)


def _reader(kubernetes: client.Kubernetes) -> secrets.SecretReader:
    return secrets.SecretReader(kubernetes, versions=_versions(), watched=True)


async def test_only_the_keys_that_were_asked_for_are_kept(
    api: server.FakeApiServer, kubernetes: client.Kubernetes
) -> None:
    """Of a Secret the keys that were asked for and exist are decoded, and no other."""
    api.script.append(server.Reply(200, _secret(tls_csr=b"a CSR", canary=b"canary")))
    read = await _reader(kubernetes).read(NAME, keys=("tls.csr", "absent"))
    assert read is not None
    assert dict(read.data) == {"tls.csr": b"a CSR"}
    assert read.observed == _version(5)
    assert (api.seen[0].method, api.seen[0].path) == ("GET", "/api/v1/namespaces/shop/secrets/tls")
    assert "a CSR" not in repr(read)


@pytest.mark.parametrize(
    ("data", "expected"),
    [(None, {}), ({"tls.csr": "no base64!"}, {"tls.csr": b""}), ({"tls.csr": ""}, {"tls.csr": b""})],
    ids=["no data", "no base64", "empty"],
)
async def test_odd_data_is_read_as_empty(
    api: server.FakeApiServer,
    kubernetes: client.Kubernetes,
    data: dict[str, str] | None,
    expected: dict[str, bytes],
) -> None:
    """A Secret without data has no keys; a value that can't be decoded is empty."""
    api.script.append(server.Reply(200, _secret() | {"data": data}))
    read = await _reader(kubernetes).read(NAME, keys=("tls.csr",))
    assert read is not None
    assert dict(read.data) == expected


async def test_absent_secret_is_none(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """A Secret that doesn't exist is no error."""
    api.script.append(server.refusal(404))
    assert await _reader(kubernetes).read(NAME, keys=("tls.csr",)) is None


async def test_lacking_permission_is_a_slow_retry_that_names_the_secret(
    api: server.FakeApiServer, kubernetes: client.Kubernetes
) -> None:
    """A 403 is for a person to mend: reported, and tried again slowly."""
    api.script.append(server.refusal(403))
    with pytest.raises(errors.RetryLater, match="not permitted to get Secret shop/tls") as caught:
        await _reader(kubernetes).read(NAME, keys=("tls.csr",))
    assert (caught.value.slow, caught.value.reason) == (True, "WaitingForSecret")


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_other_refusals_are_the_api_servers(
    api: server.FakeApiServer, kubernetes: client.Kubernetes, status: int
) -> None:
    """Any other refusal says nothing of the Secret."""
    api.script.append(server.refusal(status))
    with pytest.raises(client.Refused):
        await _reader(kubernetes).read(NAME, keys=("tls.csr",))


async def test_read_is_known_before_its_event(api: server.FakeApiServer, kubernetes: client.Kubernetes) -> None:
    """The version that a read has shown is seen at once, unless the watch has shown a newer one."""
    versions = _versions()
    reader = secrets.SecretReader(kubernetes, versions=versions, watched=True)
    api.script.extend([server.Reply(200, _secret(5)), server.Reply(200, _secret(4))])
    assert reader.seen(NAME) is None
    for _ in range(2):
        await reader.read(NAME, keys=())
        assert reader.seen(NAME) == _version(5)


def test_what_a_read_has_found_is_news_when_the_watch_shows_it() -> None:
    """One upload's read must not keep the others who name the Secret from being told; they are told once."""
    versions = _versions()
    versions.found(NAME, _version(5))
    assert not versions.put(NAME, _version(4))
    assert [versions.put(NAME, _version(5)) for _ in range(2)] == [True, False]


def test_what_a_read_has_not_found_is_news_when_the_watch_shows_its_deletion() -> None:
    """A Secret that a read has missed is told as deleted once."""
    versions = _versions()
    assert versions.put(NAME, _version(5))
    versions.found(NAME, None)
    assert versions.get(NAME) is None
    assert [versions.remove(NAME, uid="uid-1") for _ in range(2)] == [True, False]


def test_newest_version_wins() -> None:
    """Versions are compared as numbers; an older one, or the same again, is no news."""
    versions = _versions()
    assert versions.put(NAME, _version(9))
    assert not versions.put(NAME, _version(9))
    assert not versions.put(NAME, _version(8))
    assert versions.put(NAME, _version(10))
    assert versions.get(NAME) == _version(10)


def test_nothing_is_kept_of_a_secret_that_nobody_names() -> None:
    """What nobody names is no news, and forgotten when it changes."""
    named = {NAME}
    versions = secrets.Versions(is_named=named.__contains__)
    other = account.SecretName("shop", "other")
    assert not versions.put(other, _version(1, name="other"))
    assert versions.get(other) is None
    assert versions.put(NAME, _version(1))
    named.clear()
    assert not versions.put(NAME, _version(2))
    assert versions.get(NAME) is None


def test_deletion_counts_for_its_uid() -> None:
    """The late deletion of an old uid leaves the namesake alone."""
    versions = _versions()
    assert not versions.remove(NAME, uid="uid-1")
    versions.put(NAME, _version(5, uid="uid-2"))
    assert not versions.remove(NAME, uid="uid-1")
    assert versions.get(NAME) == _version(5, uid="uid-2")
    assert versions.remove(NAME, uid="uid-2")
    assert versions.get(NAME) is None


def test_list_shows_what_is_gone() -> None:
    """Known Secrets that a list doesn't hold are told with their uid."""
    versions = _versions()
    other = account.SecretName("shop", "other")
    versions.put(NAME, _version(1))
    versions.put(other, _version(2, uid="uid-2", name="other"))
    assert versions.missing_from([NAME]) == [(other, "uid-2")]
    assert versions.missing_from([NAME, other]) == []
