"""Every reason that a Ready condition can have: one enum for uploads, one for accounts.

Reasons are API: users filter, alert and script on them. CONTRIBUTING says what a new one needs.
"""

import enum


class Reason(enum.StrEnum):
    """Why a CertificateRequestUpload is, or isn't, Ready."""

    UPLOADED = "Uploaded"
    SUSPENDED = "Suspended"
    # Found here, before anything is sent:
    WAITING_FOR_SECRET = "WaitingForSecret"
    SECRET_KEY_MISSING = "SecretKeyMissing"
    INVALID_CSR = "InvalidCSR"
    CSR_TOO_LARGE = "CSRTooLarge"
    INVALID_PRIVATE_KEY = "InvalidPrivateKey"
    KEY_MISMATCH = "KeyMismatch"
    ACCOUNT_NOT_FOUND = "AccountNotFound"
    ACCOUNT_NOT_READY = "AccountNotReady"
    # Answers of SCM and IAM:
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    ACCESS_DENIED = "AccessDenied"
    REJECTED = "Rejected"
    ENDPOINT_NOT_FOUND = "EndpointNotFound"
    ENTRY_MISSING = "EntryMissing"
    THROTTLED = "Throttled"
    UNREACHABLE = "Unreachable"
    SERVER_ERROR = "ServerError"
    # What became of an earlier POST, and what waits for it:
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    RESOLVING_OUTCOME = "ResolvingOutcome"
    JOURNAL_FULL = "JournalFull"
    ADOPTION_UNKNOWN = "AdoptionUnknown"
    # Being deleted, with deletionPolicy Delete:
    DELETING = "Deleting"
    DELETE_BLOCKED = "DeleteBlocked"


class AccountReason(enum.StrEnum):
    """Why an ScmAccount or ClusterScmAccount is, or isn't, Ready."""

    READY = "Ready"
    # Found here:
    ENDPOINT_NOT_ALLOWED = "EndpointNotAllowed"
    INVALID_CA_BUNDLE = "InvalidCABundle"
    CREDENTIAL_NOT_FOUND = "CredentialNotFound"
    CREDENTIAL_INVALID = "CredentialInvalid"
    # Met by a login or a call; cleared by the next one that works:
    LOGIN_FAILED = "LoginFailed"
    ACCESS_DENIED = "AccessDenied"
    # Of the condition Degraded, which leaves Ready alone:
    MANY_ENTRIES_MISSING = "ManyEntriesMissing"
    JOURNAL_FULL = "JournalFull"
    RESYNC_FAILED = "ResyncFailed"
