"""What an answer, or none, means for the caller: each function turns it into one error of domain.errors.

Every error is built here and raised by the caller outside of any ``except``, so that no exception of a library, which
may hold a request with its token, hangs on it. Messages stay the same from try to try: they go into conditions.
"""

from scm_operator.domain import errors, reasons
from scm_operator.scm import transport, wire

_NO_PERMISSION = frozenset({"SCM.4002", "SCM.1004", "SCM.1009", "SCM.1010"})  # answered with 401
_NOT_BY_PERMISSION = {  # what a permission doesn't help against, though the answer is the same
    "SCM.0002": "See first whether the token is for the project of SCM's region. ",
    "SCM.1009": "See first whether the cloud account is restricted. ",
    "SCM.1010": "See first whether the cloud account is frozen. ",
}
_NO_PRIVILEGE = "SCM.0003"  # answered with 400
_NO_ENTRY = "SCM.0707"  # answered with 400
_UNCLEAR = frozenset({408, 409})  # 4xx that don't say that nothing was stored


def is_token_refused(refusal: wire.Refusal) -> bool:
    """Say whether another token may help: not every 401 of SCM is about the token."""
    return refusal.status == 401 and refusal.code not in _NO_PERMISSION


def speaks_for_token(refusal: wire.Refusal) -> bool:
    """Say whether SCM itself answered, and so had taken the token."""
    return not is_token_refused(refusal) and _is_scm_code(refusal.code)


def is_gone(refusal: wire.Refusal) -> bool:
    """Say whether SCM itself answered that there is no such entry."""
    if refusal.status == 400:
        return refusal.code == _NO_ENTRY
    return refusal.status == 404 and _is_scm_code(refusal.code)


def upload_refused(refusal: wire.Refusal, *, service: str) -> errors.Obstacle:
    """Return what a refused POST means: surely not stored, or OutcomeUnknown (exactly-once: answers to a POST)."""
    return _surely_refused(refusal, service=service, action="scm::uploadCsr") or errors.OutcomeUnknown(
        f"SCM at {service} answered {refusal}.", retry_after=refusal.retry_after
    )


def upload_unusable(answer: transport.Answer, *, service: str) -> errors.Obstacle:
    """Return what a success without a usable id means."""
    return errors.OutcomeUnknown(_unusable(answer, service=service, lacks="valid id"))


def upload_unanswered(outcome: transport.NoAnswer, *, service: str) -> errors.Obstacle:
    """Return what it means that a POST got no answer."""
    if outcome.written:
        return errors.OutcomeUnknown(f"it was sent to SCM at {service}, but {outcome.what}.")
    return _unreachable(outcome, service=f"SCM at {service}")


def rename_refused(refusal: wire.Refusal, *, service: str, scm_id: str) -> errors.Obstacle:
    """Return what a refused PUT means; it is safe to repeat, so nothing is unknown about it."""
    if is_gone(refusal):
        return errors.Blocked(
            reasons.Reason.ENTRY_MISSING, f"SCM at {service} has no entry {scm_id} any more: it answered {refusal}."
        )
    return _surely_refused(refusal, service=service, action="scm::updateCsr") or _unclear(refusal, service=service)


def look_up_refused(refusal: wire.Refusal, *, service: str, action: str) -> errors.RetryLater:
    """Return what a refused list or show means: it is asked again, slowly if SCM objects to the question itself."""
    objection = _is_client_error(refusal) and refusal.status not in _UNCLEAR
    return _turned_away(refusal, service=service, action=action) or _unclear(refusal, service=service, slow=objection)


def delete_refused(refusal: wire.Refusal, *, service: str, scm_id: str) -> errors.Obstacle:
    """Return what a refused DELETE means, of an entry that may still be there; it is safe to repeat."""
    if obstacle := _turned_away(refusal, service=service, action="scm::deleteCsr"):
        return obstacle
    if not _is_client_error(refusal) or refusal.status == 408:
        return _unclear(refusal, service=service)
    return errors.NeedsChange(
        reasons.Reason.REJECTED,
        f"SCM at {service} answered {refusal}, and keeps entry {scm_id}. End what uses it in SCM, or delete it there; "
        "or set deletionPolicy to Retain, to leave it.",
    )


def unusable(answer: transport.Answer, *, service: str, lacks: str) -> errors.RetryLater:
    """Return what a success without what was asked for means, for a call that is safe to repeat."""
    return errors.RetryLater(reasons.Reason.SERVER_ERROR, _unusable(answer, service=service, lacks=lacks))


def unanswered(outcome: transport.NoAnswer, *, service: str) -> errors.RetryLater:
    """Return what it means that a call that is safe to repeat got no answer."""
    return _unanswered(outcome, service=f"SCM at {service}")


def login_refused(refusal: wire.Refusal, *, service: str) -> errors.RetryLater:
    """Return what a refused IAM login means; nothing was sent to SCM."""
    said = f"the IAM login at {service} was answered with {refusal}"
    match refusal.status:
        case 401:
            return errors.AccountObstacle(
                reasons.Reason.AUTHENTICATION_FAILED,
                f"{said}. Check domain, user and scope in spec.auth.password, and the password in its Secret.",
                account_reason=reasons.AccountReason.LOGIN_FAILED,
                retry_after=refusal.retry_after,
            )
        case 403:
            return errors.AccountObstacle(
                reasons.Reason.ACCESS_DENIED,
                f"{said}. Allow the user of spec.auth.password to log in by API, and into this scope.",
                account_reason=reasons.AccountReason.ACCESS_DENIED,
                retry_after=refusal.retry_after,
            )
        case 404:
            return errors.RetryLater(
                reasons.Reason.ENDPOINT_NOT_FOUND,
                f"{said}. Check spec.auth.password.iamEndpoint: IAM doesn't seem to be there.",
                slow=True,
            )
        case 429:
            return errors.RetryLater(
                reasons.Reason.THROTTLED, f"{said}. It is tried again later.", retry_after=refusal.retry_after
            )
        case _:
            return errors.RetryLater(
                reasons.Reason.SERVER_ERROR,
                f"{said}. It is tried again; nothing was sent to SCM.",
                retry_after=refusal.retry_after,
            )


def login_unusable(fault: str, *, service: str) -> errors.RetryLater:
    """Return what a successful login without a usable token means; ``fault`` says what is wrong with the token."""
    return errors.RetryLater(
        reasons.Reason.SERVER_ERROR,
        f"the IAM login at {service} succeeded, but X-Subject-Token {fault}. Check spec.auth.password.iamEndpoint.",
    )


def login_unanswered(outcome: transport.NoAnswer, *, service: str) -> errors.RetryLater:
    """Return what it means that a login got no answer; nothing was sent to SCM."""
    return _unanswered(outcome, service=f"IAM at {service}, for a login,")


def no_token_in_time() -> errors.RetryLater:
    """Return what it means that the deadline passed while waiting for a token."""
    return errors.RetryLater(
        reasons.Reason.UNREACHABLE, "no token came before the deadline of the call; nothing was sent to SCM."
    )


def fresh_tokens_refused(*, service: str) -> errors.AccountObstacle:
    """Return what it means that SCM refuses token after token that IAM has just given."""
    return errors.AccountObstacle(
        reasons.Reason.AUTHENTICATION_FAILED,
        f"SCM refuses the tokens that IAM at {service} has just given. Check that iamEndpoint and scope in "
        "spec.auth.password belong to spec.endpoint.",
        account_reason=reasons.AccountReason.LOGIN_FAILED,
    )


def ready_token_refused() -> errors.AccountObstacle:
    """Return what it means that SCM has refused a token that can't be renewed here."""
    return errors.AccountObstacle(
        reasons.Reason.AUTHENTICATION_FAILED,
        "SCM refuses the token of spec.auth.token: it has expired, or is another region's. Put a new one into its "
        "Secret.",
        account_reason=reasons.AccountReason.LOGIN_FAILED,
    )


def again(obstacle: errors.RetryLater, *, retry_after: float) -> errors.RetryLater:
    """Return a remembered obstacle anew, for another caller, with what is left of the wait in seconds."""
    if isinstance(obstacle, errors.AccountObstacle):
        return errors.AccountObstacle(
            obstacle.reason, obstacle.message, account_reason=obstacle.account_reason, retry_after=retry_after
        )
    return errors.RetryLater(obstacle.reason, obstacle.message, retry_after=retry_after, slow=obstacle.slow)


def _surely_refused(refusal: wire.Refusal, *, service: str, action: str) -> errors.Obstacle | None:
    """Return what an answer means that shows that nothing was done, or None."""
    if obstacle := _turned_away(refusal, service=service, action=action):
        return obstacle
    if _is_client_error(refusal) and refusal.status not in _UNCLEAR:
        return errors.NeedsChange(
            reasons.Reason.REJECTED,
            f"SCM at {service} answered {refusal}. Correct the CSR, its key or the name; it is not sent again until "
            "then, or on request.",
        )
    return None


def _turned_away(refusal: wire.Refusal, *, service: str, action: str) -> errors.RetryLater | None:
    """Return what an answer means that isn't about the request: account, endpoint or throttling; or None."""
    said = f"SCM at {service} answered {refusal}"
    if is_token_refused(refusal):
        return errors.AccountObstacle(
            reasons.Reason.AUTHENTICATION_FAILED,
            f"{said}, to a fresh token too. Check that the credential and its scope belong to spec.endpoint.",
            account_reason=reasons.AccountReason.LOGIN_FAILED,
            retry_after=refusal.retry_after,
        )
    if refusal.status in {401, 403} or (refusal.status, refusal.code) == (400, _NO_PRIVILEGE):
        return errors.AccountObstacle(
            reasons.Reason.ACCESS_DENIED,
            f"{said}. {_NOT_BY_PERMISSION.get(refusal.code or '', '')}Allow the account's user the action {action}.",
            account_reason=reasons.AccountReason.ACCESS_DENIED,
            retry_after=refusal.retry_after,
        )
    if refusal.status == 404 and not _is_scm_code(refusal.code):
        return errors.RetryLater(
            reasons.Reason.ENDPOINT_NOT_FOUND,
            f"{said}. Check the account's endpoint or region: SCM doesn't seem to be there.",
            slow=True,
        )
    if refusal.status == 429:
        return errors.RetryLater(
            reasons.Reason.THROTTLED,
            f"{said}. It is tried again later.",
            retry_after=refusal.retry_after,
        )
    return None


def _is_client_error(refusal: wire.Refusal) -> bool:
    """Say whether a service, and not something on the way, found fault with the request."""
    return 400 <= refusal.status < 500 and refusal.code is not None


def _unclear(refusal: wire.Refusal, *, service: str, slow: bool = False) -> errors.RetryLater:
    return errors.RetryLater(
        reasons.Reason.SERVER_ERROR,
        f"SCM at {service} answered {refusal}.",
        retry_after=refusal.retry_after,
        slow=slow,
    )


def _unusable(answer: transport.Answer, *, service: str, lacks: str) -> str:
    found = "a body that is compressed or too long" if answer.body is None else f"no {lacks}"
    return f"SCM at {service} answered {answer.status} with {found}."


def _unanswered(outcome: transport.NoAnswer, *, service: str) -> errors.RetryLater:
    if outcome.written:
        return errors.RetryLater(reasons.Reason.SERVER_ERROR, f"{service} gave no answer: {outcome.what}.")
    return _unreachable(outcome, service=service)


def _unreachable(outcome: transport.NoAnswer, *, service: str) -> errors.RetryLater:
    return errors.RetryLater(
        reasons.Reason.UNREACHABLE,
        f"{service} can't be reached: {outcome.what}; nothing was sent. Check the address, DNS, network policies, the "
        "proxy and caBundle.",
    )


def _is_scm_code(code: str | None) -> bool:
    return code is not None and code.startswith("SCM.")
