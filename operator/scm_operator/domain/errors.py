"""What stopped an upload, as one tree named by what the caller does about it.

::

    Obstacle                  has a reason (status.conditions) and a message for a person
    ├── RetryLater            may pass by itself: back off, and try again
    │   └── AccountObstacle   the account, not this upload: login refused, no permission
    ├── NeedsChange           stays until a person changes the Secret or the spec: no retry by itself
    ├── Blocked               another object is missing: its event is the retry
    └── OutcomeUnknown        a POST may or may not have been stored: never send a second one blindly

    AccountFault              an account's spec or credential can't be used (found here, not by a call)

    ApiServerError            the Kubernetes API did not do what was asked: try again
    ├── Conflict              the resource changed meanwhile: read again, plan again
    └── Gone                  this resource (its uid) no longer exists

    InvalidResource           a resource that its CRD's schema should have refused

A message never holds a key, a token, a password or a CSR; text of a remote service goes through `foreign_text`.
"""

import re

from scm_operator.domain import reasons

_PEM_BLOCK = re.compile(r"-----BEGIN [^-]*-----.*?(?:-----END [^-]*-----|\Z)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_FOREIGN_TEXT_LENGTH = 256


class Obstacle(Exception):
    """Something stands between a resource and Ready; subclasses say what to do about it."""

    def __init__(self, reason: reasons.Reason, message: str) -> None:
        """Say why (one of the enum) and what a person can do (one or two sentences)."""
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class RetryLater(Obstacle):
    """May pass by itself.

    ``retry_after`` is the least delay in seconds that the service asked for, or None; ``slow`` asks for the slow
    backoff: nothing but a person is likely to end it, yet it must clear by itself when they have.
    """

    def __init__(
        self, reason: reasons.Reason, message: str, *, retry_after: float | None = None, slow: bool = False
    ) -> None:
        """Take the reason and message of an Obstacle, and when to come back."""
        super().__init__(reason, message)
        self.retry_after = retry_after
        self.slow = slow


class AccountObstacle(RetryLater):
    """The account is refused, whatever is uploaded: reported on the account too, under ``account_reason``."""

    def __init__(
        self,
        reason: reasons.Reason,
        message: str,
        *,
        account_reason: reasons.AccountReason,
        retry_after: float | None = None,
    ) -> None:
        """Take the upload's reason and the account's; always retried slowly."""
        super().__init__(reason, message, retry_after=retry_after, slow=True)
        self.account_reason = account_reason


class NeedsChange(Obstacle):
    """Only a change of the Secret or the spec can help (kstatus: Stalled)."""


class Blocked(Obstacle):
    """Another object is absent or not ready; its event wakes the upload."""


class OutcomeUnknown(Obstacle):
    """A POST was written to the wire and its outcome can't be known from the answer.

    ``retry_after`` is the least delay in seconds that the service asked for before the next call, or None.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Say what happened to the POST (reset, deadline, status code …)."""
        super().__init__(reasons.Reason.OUTCOME_UNKNOWN, message)
        self.retry_after = retry_after


class AccountFault(Exception):
    """An account can't be used: its spec or its credential, found here, before any call."""

    def __init__(self, reason: reasons.AccountReason, message: str) -> None:
        """Say why (one of the enum) and what a person can do."""
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class ApiServerError(Exception):
    """The Kubernetes API did not do what was asked: try again, not before ``retry_after`` seconds."""

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        """Say which request failed and how, without any body."""
        super().__init__(message)
        self.retry_after = retry_after


class Conflict(ApiServerError):
    """The resourceVersion written against is not the newest: read again, plan again."""


class Gone(ApiServerError):
    """The resource was deleted, or re-created under the same name with another uid."""


class InvalidResource(Exception):
    """A resource from the API server that its CRD's schema should have refused: which field, what was found."""

    def __init__(self, field: str, found: object, expected: str) -> None:
        """Name the field by its path; ``found`` is shown by its type, never by its value."""
        super().__init__(f"{field}: expected {expected}, found {type(found).__name__}")
        self.field = field


def foreign_text(text: str) -> str:
    """Make text of a remote service fit to be shown: no PEM block, no control character, at most 256 characters."""
    without_pem = _PEM_BLOCK.sub("[PEM removed]", text)
    shown = _CONTROL.sub(" ", without_pem).strip()
    return shown if len(shown) <= _FOREIGN_TEXT_LENGTH else shown[: _FOREIGN_TEXT_LENGTH - 1] + "…"
