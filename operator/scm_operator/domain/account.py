"""What an ScmAccount or ClusterScmAccount says: where SCM is, and as whom to call it."""

import dataclasses
import enum
import ipaddress
import urllib.parse
from collections.abc import Mapping
from typing import Any, NamedTuple

from scm_operator.domain import fields
from scm_operator.domain.conditions import Condition, parse_condition

DEFAULT_NAME = "default"
_REGION_ENDPOINT = "https://scm.{region}.myhuaweicloud.com"
_REGION_IAM_ENDPOINT = "https://iam.{region}.myhuaweicloud.com"


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
class Account:
    """An account as the API server has it."""

    key: AccountKey
    uid: str
    resource_version: str
    generation: int
    endpoint: str
    auth: TokenAuth | PasswordAuth
    ca_bundle: str | None = dataclasses.field(repr=False)
    observed_generation: int
    conditions: tuple[Condition, ...]

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
    return Account(
        key=AccountKey(kind, metadata.namespace, metadata.name),
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        generation=metadata.generation,
        endpoint=_REGION_ENDPOINT.format(region=region) if region else spec.text("endpoint"),
        auth=_parse_auth(spec.child("auth"), region=region),
        ca_bundle=spec.optional_text("caBundle"),
        observed_generation=status.number("observedGeneration", default=-1),
        conditions=tuple(parse_condition(item) for item in status.children("conditions")),
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


def parse_secret_key(reference: fields.Fields, *, default: str) -> SecretKey:
    """Parse a reference to one key of a Secret. Raises: InvalidResource with the field's path."""
    return SecretKey(reference.text("name"), reference.text("key", default=default))
