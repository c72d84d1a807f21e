"""Values of the domain for tests: each builder makes a valid one, and a test names only what it is about."""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from scm_operator.domain import account as accounts
from scm_operator.domain import attempt as attempts
from scm_operator.domain import csr, entry, observation, upload
from scm_operator.domain.conditions import Condition, Verdict, conditions_for
from scm_operator.domain.reasons import Reason
from tests.support.keys import Format, Key, Kind, key_pem, make_csr, make_key

__all__ = ["Format", "Key", "Kind", "key_pem", "make_csr", "make_key"]

NOW = datetime.datetime(2026, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
SCM_ID = "474a519e2c884c34a2d01033a6493b3c"
OTHER_SCM_ID = "00000000000000000000000000000001"
CLUSTER_DEFAULT = accounts.AccountKey(accounts.AccountKind.CLUSTER, "", accounts.DEFAULT_NAME)
UPLOAD_KEY = upload.UploadKey("shop", "shop-tls")
CSR_REF = accounts.SecretKey("shop-tls", "tls.csr")
KEY_REF = accounts.SecretKey("shop-tls", "tls.key")
DIGEST, OTHER_DIGEST = "ab" * 32, "cd" * 32


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
    limits: accounts.Limits | None = None,
    reconcile_requested_at: str | None = None,
    last_handled_reconcile_at: str | None = None,
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
        status=accounts.AccountStatus(
            observed_generation=generation if conditions else -1,
            conditions=conditions,
            last_handled_reconcile_at=last_handled_reconcile_at,
        ),
        limits=limits or accounts.Limits(),
        reconcile_requested_at=reconcile_requested_at,
    )


def make_content(
    *, digest: str = DIGEST, key: bool = True, csr_pem: str = "a CSR", private_key_pem: str = "a key"
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
    term: int = 1,
) -> attempts.Attempt:
    """Make the attempt to send `make_content` for `make_upload`; ``term`` 1 is that of `make_observed`."""
    hashed = content_hash or make_content().hash
    return attempts.Attempt(id, uid, key, scm_name, tenant or make_tenant(), hashed, at, term)


def make_entry(
    *,
    scm_id: str = OTHER_SCM_ID,
    scm_name: str = "shop-tls",
    der_digest: str | None = DIGEST,
    created: datetime.datetime | None = NOW,
) -> entry.ListedEntry:
    """Make an entry as a list shows it, by default that of `make_attempt`: made in the very second."""
    return entry.ListedEntry(scm_id, scm_name, der_digest, created)


def make_listing(
    *entries: entry.ListedEntry, complete: bool = True, date: datetime.datetime | None = NOW
) -> entry.Listing:
    """Make a list's answer, by default one that is surely whole, from a service whose clock is right."""
    return entry.Listing(entries, complete, date)


def make_record(
    *,
    scm_id: str = SCM_ID,
    scm_name: str = "shop-tls",
    create_time: str = "2023-05-29T01:56:39.000Z",
    account: accounts.AccountKey = CLUSTER_DEFAULT,
    tenant: accounts.Tenant | None = None,
    content_hash: str | None = None,
    summary: upload.CsrSummary | None = None,
    origin: str = "Uploaded",
    attempt_id: str | None = "4d1e",
) -> upload.Record:
    """Make the record of the entry that holds `make_content`, by another attempt than `make_attempt`."""
    return upload.Record(
        scm_id=scm_id,
        scm_name=scm_name,
        create_time=create_time,
        origin=origin,
        account=account,
        tenant=tenant or make_tenant(),
        content_hash=content_hash or make_content().hash,
        csr=summary or make_summary(),
        attempt_id=attempt_id,
    )


def make_replaced(
    *,
    digest: str = OTHER_DIGEST,
    scm_id: str = OTHER_SCM_ID,
    deleting: bool = False,
    replaced_time: str = "2026-01-01T00:00:00Z",
    **of_record: Any,  # noqa: ANN401 - what make_record takes
) -> upload.Replaced:
    """Make an entry of the history, by default of other content than `make_content`."""
    content_hash = of_record.pop("content_hash", None) or make_content(digest=digest).hash
    record = make_record(scm_id=scm_id, content_hash=content_hash, **of_record)
    return upload.Replaced(dataclasses.replace(record, csr=None), replaced_time, deleting)


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
    history: tuple[upload.Replaced, ...] = (),
    term: int = 0,
    concluded_attempt_id: str | None = None,
) -> upload.Status:
    """Make the status after a verdict, by default that of a finished upload."""
    return upload.Status(
        observed_generation=generation,
        record=make_record() if record is None and reason is Reason.UPLOADED else record,
        history=history,
        observed_secrets=(make_secret(),) if secrets is None else secrets,
        last_handled_reconcile_at=last_handled_reconcile_at,
        conditions=make_conditions(reason, message, generation=generation),
        term=term,
        concluded_attempt_id=concluded_attempt_id,
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
    deletion_policy: upload.DeletionPolicy = upload.DeletionPolicy.RETAIN,
    adoption_policy: upload.AdoptionPolicy = upload.AdoptionPolicy.NEVER,
    confirm_upload: str | None = None,
    created: str = "2026-02-03T04:05:00Z",
    finalizers: tuple[str, ...] | None = None,
) -> upload.Upload:
    """Make an upload, by default one that was never looked at.

    CSR and key are in the same Secret (private key None: the CSR goes alone); without ``account`` it goes to the
    default one; by default the finalizer is there if the policy asks for it.
    """
    fitting = (upload.FINALIZER,) if deletion_policy is upload.DeletionPolicy.DELETE else ()
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
        deletion_policy=deletion_policy,
        adoption_policy=adoption_policy,
        confirm_upload=confirm_upload,
        created=created,
        finalizers=fitting if finalizers is None else finalizers,
    )


def make_view(*, account: accounts.Account | None = None, fault: Verdict | None = None) -> observation.AccountView:
    """Make what an upload sees of its account: usable, or there with a ``fault``."""
    seen = account or make_account()
    return observation.AccountView(seen.key, seen.tenant, fault)


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
