"""What a CertificateRequestUpload's status says: the SCM entries that it has, and how it stands."""

import dataclasses
import enum
from typing import Any

from scm_operator.domain import fields
from scm_operator.domain.account import AccountKey, Tenant, parse_account_ref
from scm_operator.domain.conditions import READY, Condition, find, parse_condition

HISTORY_LENGTH = 10
"""Entries that newer content replaced and that a status keeps; those still to be deleted are never dropped."""


class Origin(enum.StrEnum):
    """How a resource came by its entry."""

    UPLOADED = "Uploaded"
    RECOVERED = "Recovered"
    ADOPTED = "Adopted"


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
    """An SCM entry that a resource owns.

    ``attempt_id`` is the journal's id of the POST that made it; an adopted one has none. ``csr`` is known of the
    current entry only.
    """

    scm_id: str
    scm_name: str
    create_time: str
    origin: str
    account: AccountKey
    tenant: Tenant
    content_hash: str
    csr: CsrSummary | None = None
    attempt_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Replaced:
    """An entry of the history: newer content took its place; ``deleting`` says that its DELETE was begun."""

    record: Record
    replaced_time: str
    deleting: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """The whole status; the operator is its only writer.

    ``term`` is the Lease's term of the leader that wrote it; ``concluded_attempt_id`` the attempt whose end is known
    by nothing else: a person confirmed it, or its entry was looked for after the journal was lost.
    """

    observed_generation: int = -1
    record: Record | None = None
    history: tuple[Replaced, ...] = ()
    observed_secrets: tuple[ObservedSecret, ...] = ()
    last_handled_reconcile_at: str | None = None
    conditions: tuple[Condition, ...] = ()
    term: int = 0
    concluded_attempt_id: str | None = None

    @property
    def ready(self) -> Condition | None:
        """Return the Ready condition, or None before the first report."""
        return find(self.conditions, READY)

    @property
    def records(self) -> tuple[Record, ...]:
        """Return all entries, the current one first."""
        current = (self.record,) if self.record else ()
        return current + tuple(replaced.record for replaced in self.history)

    @property
    def concluded_attempts(self) -> frozenset[str]:
        """Return the ids of the attempts whose end is written here."""
        ids = {record.attempt_id for record in self.records} | {self.concluded_attempt_id}
        return frozenset(found for found in ids if found is not None)

    def to_json(self) -> dict[str, Any]:
        """Return it as the API server takes it; fields that aren't known are left out."""
        status: dict[str, Any] = {"observedGeneration": self.observed_generation}
        if self.record is not None:
            status |= _record_to_json(self.record)
        if self.history:
            status["history"] = [_replaced_to_json(replaced) for replaced in self.history]
        if self.observed_secrets:
            status["observedSecrets"] = [
                {"name": secret.name, "uid": secret.uid, "resourceVersion": secret.resource_version}
                for secret in self.observed_secrets
            ]
        if self.last_handled_reconcile_at is not None:
            status["lastHandledReconcileAt"] = self.last_handled_reconcile_at
        if self.term:
            status["term"] = self.term
        if self.concluded_attempt_id is not None:
            status["concludedAttemptID"] = self.concluded_attempt_id
        status["conditions"] = [condition.to_json() for condition in self.conditions]
        return status


def parse_status(status: fields.Fields | None, *, namespace: str) -> Status:
    """Parse a status. Raises: InvalidResource with the field's path."""
    if status is None:
        return Status()
    return Status(
        observed_generation=status.number("observedGeneration", default=-1),
        record=_parse_record(status, namespace=namespace) if "scmID" in status.values else None,
        history=tuple(_parse_replaced(item, namespace=namespace) for item in status.children("history")),
        observed_secrets=tuple(
            ObservedSecret(item.text("name"), item.text("uid"), item.text("resourceVersion"))
            for item in status.children("observedSecrets")
        ),
        last_handled_reconcile_at=status.optional_text("lastHandledReconcileAt", empty=True),
        conditions=tuple(parse_condition(item) for item in status.children("conditions")),
        term=status.number("term", default=0),
        concluded_attempt_id=status.optional_text("concludedAttemptID"),
    )


def _parse_replaced(item: fields.Fields, *, namespace: str) -> Replaced:
    return Replaced(
        _parse_record(item, namespace=namespace),
        replaced_time=item.text("replacedTime"),
        deleting=item.flag("deleting", default=False),
    )


def _parse_record(status: fields.Fields, *, namespace: str) -> Record:
    reference = parse_account_ref(status.child("account"), namespace=namespace)
    tenant = status.child("tenant")
    csr = status.optional_child("csr")
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
        )
        if csr
        else None,
        attempt_id=status.optional_text("attemptID"),
    )


def _replaced_to_json(replaced: Replaced) -> dict[str, Any]:
    return {
        **_record_to_json(dataclasses.replace(replaced.record, csr=None)),
        "replacedTime": replaced.replaced_time,
        "deleting": replaced.deleting,
    }


def _record_to_json(record: Record) -> dict[str, Any]:
    tenant = {
        "endpoint": record.tenant.endpoint,
        "domain": record.tenant.domain,
        "scope": record.tenant.scope,
        "account": record.tenant.account,
    }
    known: dict[str, Any] = {
        "scmID": record.scm_id,
        "scmName": record.scm_name,
        "createTime": record.create_time,
        "origin": record.origin,
        "account": {"kind": record.account.kind.value, "name": record.account.name},
        "tenant": {name: value for name, value in tenant.items() if value is not None},
        "contentHash": record.content_hash,
    }
    if record.attempt_id is not None:
        known["attemptID"] = record.attempt_id
    if record.csr is not None:
        known["csr"] = {
            "commonName": record.csr.common_name,
            "dnsNameCount": record.csr.dns_name_count,
            "keyAlgorithm": record.csr.key_algorithm,
        }
    return known
