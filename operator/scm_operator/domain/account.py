"""What an ScmAccount or ClusterScmAccount says: where SCM is, and as whom to call it."""

import dataclasses
import enum
import ipaddress
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any, NamedTuple

from scm_operator.domain import errors, fields
from scm_operator.domain.conditions import Condition, parse_condition

DEFAULT_NAME = "default"
RECONCILE_REQUESTED_AT = "scm.certops.dev/reconcile-requested-at"
_REGION_ENDPOINT = "https://scm.{region}.myhuaweicloud.com"
_REGION_IAM_ENDPOINT = "https://iam.{region}.myhuaweicloud.com"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class AccountKind(enum.StrEnum):
    """The two kinds of account."""

    NAMESPACED = "ScmAccount"
    CLUSTER = "ClusterScmAccount"


class AccountKey(NamedTuple):
    """Which account: ``namespace`` is empty for a ClusterScmAccount."""

    kind: AccountKind
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return it as messages show it."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


def account_key_of(text: str) -> AccountKey | None:
    """Return the account that `Tenant.account` names, None if it can't be read."""
    kind, *rest = text.split("/")
    match kind, rest:
        case AccountKind.NAMESPACED, [namespace, name]:
            return AccountKey(AccountKind.NAMESPACED, namespace, name)
        case AccountKind.CLUSTER, [name]:
            return AccountKey(AccountKind.CLUSTER, "", name)
        case _:
            return None


class SecretName(NamedTuple):
    """A Secret in a namespace."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Return it as messages show it."""
        return f"{self.namespace}/{self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class SecretKey:
    """One key of a Secret, which stands in the namespace of the object that names it."""

    name: str
    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class Tenant:
    """Where an entry is: two tenants are the same if endpoint, domain and scope are; or, where one has no domain
    (a ready token names none), if endpoint and account are.
    """

    endpoint: str
    domain: str | None
    scope: str | None
    account: str

    def same_as(self, other: "Tenant") -> bool:
        """Say whether an entry of one is an entry of the other."""
        if self.endpoint != other.endpoint:
            return False
        if self.domain and other.domain:
            return (self.domain, self.scope) == (other.domain, other.scope)
        return self.account == other.account


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """What an IAM token is asked for: ``kind`` is project, projectID, domain or domainID."""

    kind: str
    value: str

    def __str__(self) -> str:
        """Return it as status.tenant.scope shows it."""
        return f"{self.kind}={self.value}"


@dataclasses.dataclass(frozen=True, slots=True)
class TokenAuth:
    """A ready X-Auth-Token in a Secret."""

    secret: SecretKey


@dataclasses.dataclass(frozen=True, slots=True)
class PasswordAuth:
    """An IAM user: POST /v3/auth/tokens gives the token (X-Subject-Token)."""

    iam_endpoint: str
    domain: str
    user: str
    scope: Scope
    secret: SecretKey


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How much of SCM an account may use at a time; ``timeout`` is one deadline in seconds for a whole call."""

    requests_per_second: int = 10
    concurrency: int = 8
    timeout: float = 30.0


@dataclasses.dataclass(frozen=True, slots=True)
class AccountStatus:
    """The whole status; the operator is its only writer."""

    observed_generation: int = -1
    conditions: tuple[Condition, ...] = ()
    last_handled_reconcile_at: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the API server takes it."""
        status: dict[str, Any] = {
            "observedGeneration": self.observed_generation,
            "conditions": [condition.to_json() for condition in self.conditions],
        }
        if self.last_handled_reconcile_at is not None:
            status["lastHandledReconcileAt"] = self.last_handled_reconcile_at
        return status


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """An account as the API server has it."""

    key: AccountKey
    uid: str
    resource_version: str
    generation: int
    endpoint: str
    auth: TokenAuth | PasswordAuth
    ca_bundle: str | None = dataclasses.field(repr=False)
    status: AccountStatus
    limits: Limits = Limits()
    reconcile_requested_at: str | None = None

    @property
    def reconcile_requested(self) -> bool:
        """Say whether a person asked for a fresh look that was not yet reported."""
        return self.reconcile_requested_at not in {None, self.status.last_handled_reconcile_at}

    @property
    def tenant(self) -> Tenant:
        """Return whose entries this account reaches."""
        if isinstance(self.auth, PasswordAuth):
            return Tenant(self.endpoint, self.auth.domain, str(self.auth.scope), str(self.key))
        return Tenant(self.endpoint, None, None, str(self.key))

    def secret_name(self, *, operator_namespace: str) -> SecretName:
        """Return the credential's Secret: of its own namespace, or of the operator's for a cluster account."""
        return SecretName(self.key.namespace or operator_namespace, self.auth.secret.name)

    @property
    def endpoints(self) -> Mapping[str, str]:
        """Return the URLs that are called, by the path of their field."""
        endpoints = {"spec.endpoint": self.endpoint}
        if isinstance(self.auth, PasswordAuth):
            endpoints["spec.auth.password.iamEndpoint"] = self.auth.iam_endpoint
        return endpoints

    @property
    def plain_http_endpoints(self) -> tuple[str, ...]:
        """Return the paths of the endpoint fields that are not https."""
        return tuple(path for path, url in self.endpoints.items() if not url.startswith("https://"))


def is_loopback(url: str) -> bool:
    """Say whether the URL's host is this machine: ``localhost`` or a loopback address."""
    try:
        host = urllib.parse.urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_account(body: Mapping[str, Any]) -> Account:
    """Parse an account of either kind. Raises: InvalidResource with the field's path."""
    metadata = fields.metadata_of(body)
    spec = fields.Fields(body).child("spec")
    status = fields.Fields(body).optional_child("status") or fields.Fields({}, "status")
    kind = AccountKind.NAMESPACED if metadata.namespace else AccountKind.CLUSTER
    region = spec.optional_text("region")
    requested = metadata.annotations.get(RECONCILE_REQUESTED_AT)
    return Account(
        key=AccountKey(kind, metadata.namespace, metadata.name),
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        generation=metadata.generation,
        endpoint=_REGION_ENDPOINT.format(region=region) if region else spec.text("endpoint"),
        auth=_parse_auth(spec.child("auth"), region=region),
        ca_bundle=spec.optional_text("caBundle"),
        status=AccountStatus(
            observed_generation=status.number("observedGeneration", default=-1),
            conditions=tuple(parse_condition(item) for item in status.children("conditions")),
            last_handled_reconcile_at=status.optional_text("lastHandledReconcileAt", empty=True),
        ),
        limits=_parse_limits(spec.optional_child("limits")),
        reconcile_requested_at=None if requested is None else str(requested),
    )


def _parse_auth(auth: fields.Fields, *, region: str | None) -> TokenAuth | PasswordAuth:
    if token := auth.optional_child("token"):
        return TokenAuth(parse_secret_key(token.child("secretRef"), default="token"))
    password = auth.child("password")
    default_iam = _REGION_IAM_ENDPOINT.format(region=region) if region else None
    return PasswordAuth(
        iam_endpoint=password.text("iamEndpoint", default=default_iam),
        domain=password.text("domain"),
        user=password.text("user"),
        scope=_parse_scope(password.child("scope")),
        secret=parse_secret_key(password.child("secretRef"), default="password"),
    )


def _parse_scope(scope: fields.Fields) -> Scope:
    kind = next((kind for kind in ("project", "projectID", "domain", "domainID") if kind in scope.values), "project")
    return Scope(kind, scope.text(kind))


def _parse_limits(limits: fields.Fields | None) -> Limits:
    if limits is None:
        return Limits()
    usual = Limits()
    return Limits(
        requests_per_second=limits.number("requestsPerSecond", default=usual.requests_per_second),
        concurrency=limits.number("concurrency", default=usual.concurrency),
        timeout=_parse_duration(limits, "timeout", default=usual.timeout),
    )


def _parse_duration(limits: fields.Fields, name: str, *, default: float) -> float:
    """Read seconds from a duration as Kubernetes writes it ("30s", "2500ms"). Raises: InvalidResource."""
    text = limits.optional_text(name)
    if text is None:
        return default
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        raise errors.InvalidResource(limits.at(name), text, "a duration such as 30s")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def parse_account_ref(reference: fields.Fields, *, namespace: str) -> AccountKey:
    """Parse a reference to an account from a namespace. Raises: InvalidResource with the field's path."""
    kind = reference.choice("kind", AccountKind, default=AccountKind.NAMESPACED)
    return AccountKey(kind, namespace if kind is AccountKind.NAMESPACED else "", reference.text("name"))


def parse_secret_key(reference: fields.Fields, *, default: str) -> SecretKey:
    """Parse a reference to one key of a Secret. Raises: InvalidResource with the field's path."""
    return SecretKey(reference.text("name"), reference.text("key", default=default))
