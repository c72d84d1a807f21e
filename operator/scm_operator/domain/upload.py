"""What a CertificateRequestUpload asks for."""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, NamedTuple

from scm_operator.domain import fields
from scm_operator.domain.account import (
    RECONCILE_REQUESTED_AT,
    AccountKey,
    SecretKey,
    parse_account_ref,
    parse_secret_key,
)
from scm_operator.domain.status import CsrSummary, ObservedSecret, Origin, Record, Replaced, Status, parse_status

__all__ = ["RECONCILE_REQUESTED_AT", "CsrSummary", "ObservedSecret", "Origin", "Record", "Replaced", "Status"]

CONFIRM_UPLOAD = "scm.certops.dev/confirm-upload"
FINALIZER = "scm.certops.dev/entries"


class DeletionPolicy(enum.StrEnum):
    """What becomes of the SCM entries when the resource is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class AdoptionPolicy(enum.StrEnum):
    """Whether an SCM entry that somebody else made may be taken over."""

    NEVER = "Never"
    IF_IDENTICAL = "IfIdentical"


class UploadKey(NamedTuple):
    """Which CertificateRequestUpload."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Return it as messages show it."""
        return f"{self.namespace}/{self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Upload:
    """A CertificateRequestUpload as the API server has it.

    ``scm_name`` is the name wanted in SCM; ``account`` is the accountRef, or None for the default; ``created`` is
    metadata.creationTimestamp (RFC 3339); ``finalizers`` are all of them; a Secret's bytes never stand here.
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
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    adoption_policy: AdoptionPolicy = AdoptionPolicy.NEVER
    confirm_upload: str | None = None
    created: str = ""
    finalizers: tuple[str, ...] = ()

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Return the names of the Secrets that it reads, each once, the CSR's first."""
        names = [self.csr.name] + ([self.private_key.name] if self.private_key else [])
        return tuple(dict.fromkeys(names))

    @property
    def asked(self) -> tuple[object, ...]:
        """Return what others than the operator change about it."""
        return self.uid, self.generation, self.deleting, self.reconcile_requested_at, self.confirm_upload

    @property
    def reconcile_requested(self) -> bool:
        """Say whether a person asked for a fresh look that was not yet reported."""
        return self.reconcile_requested_at not in {None, self.status.last_handled_reconcile_at}

    @property
    def deletes_entries(self) -> bool:
        """Say whether entries that it doesn't want any more are to be deleted."""
        return self.deletion_policy is DeletionPolicy.DELETE

    @property
    def has_finalizer(self) -> bool:
        """Say whether its deletion waits for the operator."""
        return FINALIZER in self.finalizers


def parse_upload(body: Mapping[str, Any]) -> Upload:
    """Parse a CertificateRequestUpload. Raises: InvalidResource with the field's path."""
    metadata = fields.metadata_of(body)
    spec = fields.Fields(body).child("spec")
    private_key = spec.optional_child("privateKeySecretRef")
    account_ref = spec.optional_child("accountRef")
    requested = metadata.annotations.get(RECONCILE_REQUESTED_AT)
    confirmed = metadata.annotations.get(CONFIRM_UPLOAD)
    return Upload(
        key=UploadKey(metadata.namespace, metadata.name),
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        generation=metadata.generation,
        deleting=metadata.deleting,
        scm_name=spec.text("name", default=metadata.name),
        csr=parse_secret_key(spec.child("csrSecretRef"), default="tls.csr"),
        private_key=parse_secret_key(private_key, default="tls.key") if private_key else None,
        account=parse_account_ref(account_ref, namespace=metadata.namespace) if account_ref else None,
        suspend=spec.flag("suspend", default=False),
        reconcile_requested_at=None if requested is None else str(requested),
        status=parse_status(fields.Fields(body).optional_child("status"), namespace=metadata.namespace),
        deletion_policy=spec.choice("deletionPolicy", DeletionPolicy, default=DeletionPolicy.RETAIN),
        adoption_policy=spec.choice("adoptionPolicy", AdoptionPolicy, default=AdoptionPolicy.NEVER),
        confirm_upload=None if confirmed is None else str(confirmed),
        created=metadata.created,
        finalizers=metadata.finalizers,
    )
