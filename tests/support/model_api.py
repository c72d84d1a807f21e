"""The API server in the model: uploads, their Secrets, accounts, and what each process has yet to hear of them."""

import dataclasses
import itertools
from collections.abc import Callable, Collection

from scm_operator.domain import account, conditions, errors, ports, upload
from scm_operator.domain.account import SecretKey
from tests.support import builders, model_ops, model_scm
from tests.support.model_loop import Clock

NAMESPACE = "shop"
CREDENTIAL = account.SecretName("scm-system", "cred")
ACCOUNTS = {"one": "acme", "two": "umbrella", "alias": "acme"}
_ENDPOINT = "https://scm.example.com"


def account_key(name: str) -> account.AccountKey:
    """Return the key of a ClusterScmAccount."""
    return account.AccountKey(account.AccountKind.CLUSTER, "", name)


def make_account(name: str) -> account.Account:
    """Make an account; "one" and "alias" have the same tenant."""
    scope = account.Scope("project", "cn-north-4")
    auth = account.PasswordAuth(_ENDPOINT, ACCOUNTS[name], "bot", scope, account.SecretKey("cred", "password"))
    limits = account.Limits(requests_per_second=1_000, concurrency=8, timeout=model_scm.DEADLINE)
    key, status = account_key(name), account.AccountStatus()
    return account.Account(key, f"uid-of-{name}", "1", 1, _ENDPOINT, auth, None, status, limits)


def upload_key(name: str) -> upload.UploadKey:
    """Return the key of an upload."""
    return upload.UploadKey(NAMESPACE, name)


def secret_name(name: str) -> account.SecretName:
    """Return the Secret of an upload."""
    return account.SecretName(NAMESPACE, f"{name}-csr")


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """The watch shows a resource."""

    resource: upload.Upload


@dataclasses.dataclass(frozen=True, slots=True)
class GoneEvent:
    """The watch shows a deletion."""

    key: upload.UploadKey
    uid: str


@dataclasses.dataclass(frozen=True, slots=True)
class SecretSeen:
    """The watch shows a Secret."""

    name: account.SecretName
    version: upload.ObservedSecret


Event = Seen | GoneEvent | SecretSeen


class FakeApi:
    """The store. ``told`` is called with each change and the name of the upload.

    ``checks`` are the preconditions of a write that count, "uid" and "version": to leave one out takes a rule away.
    """

    def __init__(self, wire: model_ops.Wire, clock: Clock, *, checks: Collection[str]) -> None:
        self.wire = wire
        self.clock = clock
        self.uploads: dict[upload.UploadKey, upload.Upload] = {}
        self.secrets: dict[account.SecretName, tuple[upload.ObservedSecret, str]] = {}
        self.accounts = {account_key(name): make_account(name) for name in ACCOUNTS}
        self.told: Callable[[str, Event], None] = lambda _name, _event: None
        self._checks = checks
        self._versions = itertools.count(100)
        self._uids = itertools.count(1)

    def put_secret(self, name: str, content: str) -> None:
        """Write the Secret of an upload."""
        full, version = secret_name(name), next(self._versions)
        self.secrets[full] = upload.ObservedSecret(full.name, f"uid-of-{full.name}", str(version)), content
        self.told(name, SecretSeen(full, self.secrets[full][0]))

    def create(
        self,
        name: str,
        *,
        scm_name: str,
        with_key: bool,
        account: str,
        deletion_policy: upload.DeletionPolicy,
        adoption_policy: upload.AdoptionPolicy,
    ) -> upload.Upload:
        """Create an upload."""
        key, reference = upload_key(name), secret_name(name).name
        made = upload.Upload(
            key=key,
            uid=f"{name}#{next(self._uids)}",
            resource_version="0",
            generation=1,
            deleting=False,
            scm_name=scm_name,
            csr=SecretKey(reference, "tls.csr"),
            private_key=SecretKey(reference, "tls.key") if with_key else None,
            account=account_key(account),
            suspend=False,
            reconcile_requested_at=None,
            status=upload.Status(),
            deletion_policy=deletion_policy,
            adoption_policy=adoption_policy,
            created=conditions.timestamp(self.clock.now()),
        )
        return self._store(made)

    def edit(self, before: upload.Upload) -> upload.Upload:
        """Store a changed spec."""
        return self._store(dataclasses.replace(before, generation=before.generation + 1))

    def annotate(self, before: upload.Upload) -> upload.Upload:
        """Store changed metadata."""
        return self._store(before)

    def delete(self, key: upload.UploadKey) -> None:
        """Delete an upload, or begin to."""
        found = self.uploads[key]
        if found.finalizers:
            self.edit(dataclasses.replace(found, deleting=True))
        else:
            self._remove(found)

    def write(self, about: upload.Upload, change: Callable[[upload.Upload], upload.Upload]) -> upload.Upload:
        """Change an upload under the preconditions of ``about``. Raises: Gone, Conflict."""
        found = self.uploads.get(about.key)
        if found is None or ("uid" in self._checks and found.uid != about.uid):
            raise errors.Gone(f"write {about.key}: not found")
        same = found.uid == about.uid  # that of another is the affair of the other precondition
        if "version" in self._checks and same and found.resource_version != about.resource_version:
            raise errors.Conflict(f"write {about.key}: 409")
        changed = change(found)
        if changed.deleting and not changed.finalizers:
            self._remove(found)
            return dataclasses.replace(changed, resource_version=str(next(self._versions)))
        return found if changed == found else self._store(changed)

    def _store(self, resource: upload.Upload) -> upload.Upload:
        stored = dataclasses.replace(resource, resource_version=str(next(self._versions)))
        self.uploads[stored.key] = stored
        self.told(stored.key.name, Seen(stored))
        return stored

    def _remove(self, found: upload.Upload) -> None:
        del self.uploads[found.key]
        self.told(found.key.name, GoneEvent(found.key, found.uid))


class FakeSecrets:
    """Secrets as one process reads them, at once, and as its watch has shown them; implements SecretReader."""

    def __init__(self, api: FakeApi) -> None:
        self.watched = True
        self._api = api
        self._shown = {name: version for name, (version, _) in api.secrets.items()}
        self._credential = upload.ObservedSecret(CREDENTIAL.name, "uid-of-cred", "1")

    def seen(self, name: account.SecretName) -> upload.ObservedSecret | None:
        """Return the newest version that was shown or read."""
        return self._credential if name == CREDENTIAL else self._shown.get(name)

    def show(self, version: upload.ObservedSecret, *, name: account.SecretName) -> bool:
        """Take in a version, if it is news."""
        known = self._shown.get(name)
        if known and int(known.resource_version) >= int(version.resource_version):
            return False
        self._shown[name] = version
        return True

    async def read(self, name: account.SecretName, *, keys: Collection[str]) -> ports.Secret | None:
        """Read some keys."""
        if name == CREDENTIAL:
            return ports.Secret(self._credential, dict.fromkeys(keys, b"secret"))
        if name not in self._api.secrets:
            return None
        version, content = self._api.secrets[name]
        self.show(version, name=name)
        data = {"tls.csr": model_scm.csr_pem(content), "tls.key": builders.key_pem()}
        return ports.Secret(version, {key: data[key] for key in keys})


class FakeWriter:
    """The API server as one process calls it; implements StatusWriter and UploadReader."""

    def __init__(self, api: FakeApi, caller: model_ops.Caller) -> None:
        self._api = api
        self._caller = caller

    async def write_upload(self, upload: upload.Upload, status: upload.Status) -> upload.Upload:
        """Replace the status."""
        return await self._call(
            "status",
            upload.key,
            lambda: self._api.write(upload, lambda found: dataclasses.replace(found, status=status)),
        )

    async def write_finalizers(self, upload: upload.Upload, finalizers: tuple[str, ...]) -> upload.Upload:
        """Replace the finalizers."""
        return await self._call(
            "finalizers",
            upload.key,
            lambda: self._api.write(upload, lambda found: dataclasses.replace(found, finalizers=finalizers)),
        )

    async def write_account(self, account: account.Account, status: account.AccountStatus) -> account.Account:
        """Replace the status of an account, at once."""
        version = str(int(account.resource_version) + 1)
        written = dataclasses.replace(account, status=status, resource_version=version)
        if self._caller.alive:
            self._api.accounts[account.key] = written
        return written

    async def read_upload(self, key: upload.UploadKey) -> upload.Upload | None:
        """Read one live."""
        op = self._op("read", key, lambda: self._api.uploads.get(key))
        op.late = op.survives = False
        found = await self._api.wire.call(op)
        assert found is None or isinstance(found, upload.Upload)
        return found

    async def _call(self, kind: str, key: upload.UploadKey, apply: Callable[[], upload.Upload]) -> upload.Upload:
        written = await self._api.wire.call(self._op(kind, key, apply))
        assert isinstance(written, upload.Upload)
        return written

    def _op(self, kind: str, key: upload.UploadKey, apply: Callable[[], upload.Upload | None]) -> model_ops.Op:
        return model_ops.Op(
            kind,
            key.name,
            self._caller,
            apply,
            lambda: errors.ApiServerError(f"{kind} {key}: no answer"),
            lambda: errors.ApiServerError(f"{kind} {key}: 503"),
        )
