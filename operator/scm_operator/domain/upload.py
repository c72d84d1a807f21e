"""What a CertificateRequestUpload asks for, and what its status says of it."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from scm_operator.domain import fields
from scm_operator.domain.account import AccountKey, AccountKind, SecretKey, Tenant, parse_secret_key
from scm_operator.domain.conditions import READY, Condition, find, parse_condition

RECONCILE_REQUESTED_AT = "scm.certops.dev/reconcile-requested-at"


class UploadKey(NamedTuple):
    """Which CertificateRequestUpload."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Return it as messages show it."""
        return f"{self.namespace}/{self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class ObservedSecret:
    """A Secret as it was read: another uid or resourceVersion may hold other bytes."""

    name: str
    uid: str
    resource_version: str


@dataclasses.dataclass(frozen=True, slots=True)
class CsrSummary:
    """What a person wants to see of a CSR; ``dns_name_count`` counts the DNS names of its subjectAltName."""

    common_name: str
    dns_name_count: int
    key_algorithm: str


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """The SCM entry that a resource owns: what the status says of the last success."""

    scm_id: str
    scm_name: str
    create_time: str
    origin: str
    account: AccountKey
    tenant: Tenant
    content_hash: str
    csr: CsrSummary


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """The whole status; the operator is its only writer."""

    observed_generation: int = -1
    record: Record | None = None
    observed_secrets: tuple[ObservedSecret, ...] = ()
    last_handled_reconcile_at: str | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def ready(self) -> Condition | None:
        """Return the Ready condition, or None before the first report."""
        return find(self.conditions, READY)

    def to_json(self) -> dict[str, Any]:
        """Return it as the API server takes it; fields that aren't known are left out."""
        status: dict[str, Any] = {"observedGeneration": self.observed_generation}
        if self.record is not None:
            status |= _record_to_json(self.record)
        if self.observed_secrets:
            status["observedSecrets"] = [
                {"name": secret.name, "uid": secret.uid, "resourceVersion": secret.resource_version}
                for secret in self.observed_secrets
            ]
        if self.last_handled_reconcile_at is not None:
            status["lastHandledReconcileAt"] = self.last_handled_reconcile_at
        status["conditions"] = [condition.to_json() for condition in self.conditions]
        return status


@dataclasses.dataclass(frozen=True, slots=True)
class Upload:
    """A CertificateRequestUpload as the API server has it.

    ``scm_name`` is the name wanted in SCM; ``account`` is the accountRef, or None for the default; a Secret's bytes
    never stand here.
    """

    key: UploadKey
    uid: str
    resource_version: str
    generation: int
    deleting: bool
    scm_name: str
    csr: SecretKey
    private_key: SecretKey | None
    account: AccountKey | None
    suspend: bool
    reconcile_requested_at: str | None
    status: Status

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Return the names of the Secrets that it reads, each once, the CSR's first."""
        names = [self.csr.name] + ([self.private_key.name] if self.private_key else [])
        return tuple(dict.fromkeys(names))

    @property
    def asked(self) -> tuple[object, ...]:
        """Return what others than the operator change about it."""
        return self.uid, self.generation, self.deleting, self.reconcile_requested_at

    @property
    def reconcile_requested(self) -> bool:
        """Say whether a person asked for a fresh look that was not yet reported."""
        return self.reconcile_requested_at not in {None, self.status.last_handled_reconcile_at}


def parse_upload(body: Mapping[str, Any]) -> Upload:
    """Parse a CertificateRequestUpload. Raises: InvalidResource with the field's path."""
    metadata = fields.metadata_of(body)
    spec = fields.Fields(body).child("spec")
    private_key = spec.optional_child("privateKeySecretRef")
    requested = metadata.annotations.get(RECONCILE_REQUESTED_AT)
    return Upload(
        key=UploadKey(metadata.namespace, metadata.name),
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        generation=metadata.generation,
        deleting=metadata.deleting,
        scm_name=spec.text("name", default=metadata.name),
        csr=parse_secret_key(spec.child("csrSecretRef"), default="tls.csr"),
        private_key=parse_secret_key(private_key, default="tls.key") if private_key else None,
        account=_parse_account_ref(spec.optional_child("accountRef"), namespace=metadata.namespace),
        suspend=spec.flag("suspend", default=False),
        reconcile_requested_at=None if requested is None else str(requested),
        status=_parse_status(fields.Fields(body).optional_child("status"), namespace=metadata.namespace),
    )


def _parse_account_ref(reference: fields.Fields | None, *, namespace: str) -> AccountKey | None:
    if reference is None:
        return None
    kind = reference.choice("kind", AccountKind, default=AccountKind.NAMESPACED)
    return AccountKey(kind, namespace if kind is AccountKind.NAMESPACED else "", reference.text("name"))


def _parse_status(status: fields.Fields | None, *, namespace: str) -> Status:
    if status is None:
        return Status()
    return Status(
        observed_generation=status.number("observedGeneration", default=-1),
        record=_parse_record(status, namespace=namespace) if "scmID" in status.values else None,
        observed_secrets=tuple(
            ObservedSecret(item.text("name"), item.text("uid"), item.text("resourceVersion"))
            for item in status.children("observedSecrets")
        ),
        last_handled_reconcile_at=status.optional_text("lastHandledReconcileAt", empty=True),
        conditions=tuple(parse_condition(item) for item in status.children("conditions")),
    )


def _parse_record(status: fields.Fields, *, namespace: str) -> Record:
    reference = _parse_account_ref(status.child("account"), namespace=namespace)
    assert reference is not None  # noqa: S101 - child() has refused an absent account
    tenant = status.child("tenant")
    csr = status.child("csr")
    return Record(
        scm_id=status.text("scmID"),
        scm_name=status.text("scmName"),
        create_time=status.text("createTime"),
        origin=status.text("origin"),
        account=reference,
        tenant=Tenant(
            endpoint=tenant.text("endpoint"),
            domain=tenant.optional_text("domain"),
            scope=tenant.optional_text("scope"),
            account=tenant.text("account"),
        ),
        content_hash=status.text("contentHash"),
        csr=CsrSummary(
            common_name=str(csr.values.get("commonName", "")),
            dns_name_count=csr.number("dnsNameCount", default=0),
            key_algorithm=csr.text("keyAlgorithm"),
        ),
    )


def _record_to_json(record: Record) -> dict[str, Any]:
    tenant = {
        "endpoint": record.tenant.endpoint,
        "domain": record.tenant.domain,
        "scope": record.tenant.scope,
        "account": record.tenant.account,
    }
    return {
        "scmID": record.scm_id,
        "scmName": record.scm_name,
        "createTime": record.create_time,
        "origin": record.origin,
        "account": {"kind": record.account.kind.value, "name": record.account.name},
        "tenant": {name: value for name, value in tenant.items() if value is not None},
        "contentHash": record.content_hash,
        "csr": {
            "commonName": record.csr.common_name,
            "dnsNameCount": record.csr.dns_name_count,
            "keyAlgorithm": record.csr.key_algorithm,
        },
    }
