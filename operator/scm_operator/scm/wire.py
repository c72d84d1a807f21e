"""What is sent to SCM and IAM, and how their answers read; for SCM's entries see `entries`. Pure: no I/O.

API pages: "Upload CSR" (POST /v3/scm/csr/upload), "Update CSR" (PUT /v3/scm/csr/{id}), IAM "Obtaining a User Token
Through Password Authentication" (POST /v3/auth/tokens). Limits that the pages give for answers are known to be wrong
in places and aren't enforced.
"""

import dataclasses
import datetime
import email.utils
import functools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from scm_operator.domain import account, csr, errors
from scm_operator.scm import transport

_SERVICE_CODE = re.compile(r"[A-Za-z]{2,16}\.(\d{1,8}|[A-Z]{1,8})")  # SCM.0005, APIGW.0301
_THROTTLE_WINDOW = re.compile(r"time:\s*(\d{1,4})\s*(second|minute|hour)")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_LONGEST_WAIT = 3600.0
_SCOPES = {
    "project": ("project", "name"),
    "projectID": ("project", "id"),
    "domain": ("domain", "name"),
    "domainID": ("domain", "id"),
}
_DEFAULT_LIFETIME = 3600.0  # seconds of a token whose body doesn't say; really 24 h
_SHORTEST_SECRET = 6
_MOST_TEXT = 2048  # characters of a message that are looked at; 256 are shown
_PIECE = 16
_RUN = re.compile(rf"[A-Za-z0-9+/=_-]{{{_PIECE},}}")
# Base64 of 64 characters and more, and the lines below it: somebody's CSR or key without its frame. No name is as long.
_BASE64 = re.compile(r"[A-Za-z0-9+/]{64,}(?:\r?\n[A-Za-z0-9+/]+)*={0,2}")
_LAST_WORD = re.compile(r"\S*\Z")
_SHORT = 64 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is not a success: ``code`` only if it is a service code, ``text`` fit to be shown.

    ``request_id`` is what the service's support asks for. It differs from try to try, so it is for logs only.
    """

    status: int
    code: str | None
    text: str
    retry_after: float | None
    request_id: str

    def __str__(self) -> str:
        """Return it as messages show it: ``401 SCM.1000: token fails authentication``."""
        # Messages go on after it, with a full stop of their own.
        parts = (f"{self.status} {self.code or ''}".strip(), self.text.rstrip(". "))
        return ": ".join(part for part in parts if part)

    def log_fields(self, *, service: str) -> Mapping[str, object]:
        """Return the fields of a log record about it."""
        ids = {"status": self.status, "error_code": self.code, "request_id": self.request_id}
        return {"endpoint": service, **ids}


def upload_body(content: csr.Content, *, name: str) -> bytes:
    """Write the body of an upload; PEM goes as it is, its line ends as JSON escapes."""
    body = {"name": name, "csr": content.csr_pem}
    if content.private_key_pem is not None:
        body["private_key"] = content.private_key_pem
    return json.dumps(body).encode()


def rename_body(*, name: str) -> bytes:
    """Write the body of a rename."""
    return json.dumps({"name": name}).encode()


def login_body(auth: account.PasswordAuth, *, password: str) -> bytes:
    """Write the body of an IAM login by password."""
    user = {"name": auth.user, "password": password, "domain": {"name": auth.domain}}
    of, by = _SCOPES[auth.scope.kind]
    identity = {"methods": ["password"], "password": {"user": user}}
    return json.dumps({"auth": {"identity": identity, "scope": {of: {by: auth.scope.value}}}}).encode()


def read_lifetime(answer: transport.Answer) -> float:
    """Read how long a new token is valid in seconds, by IAM's own clock alone."""
    token = read_object(answer).get("token")
    times = token if isinstance(token, dict) else {}
    try:
        expires = datetime.datetime.fromisoformat(times["expires_at"])
        lifetime = (expires - datetime.datetime.fromisoformat(times["issued_at"])).total_seconds()
    except (KeyError, TypeError, ValueError):
        return _DEFAULT_LIFETIME
    return lifetime if lifetime > 0 else _DEFAULT_LIFETIME


def read_refusal(answer: transport.Answer, *, now: datetime.datetime, secrets: Iterable[str]) -> Refusal:
    """Read an error answer in any of the shapes that SCM, its gateway and IAM use; ``secrets`` are taken out of it."""
    body = read_object(answer)
    nested = next((value for value in body.values() if isinstance(value, dict)), {})
    fields = body if _text_in(body, "error_msg", "errorMsg", "message") else {**nested, **body}
    code = _text_in(fields, "error_code", "errorCode", "code")
    text = _without(_beginning(_text_in(fields, "error_msg", "errorMsg", "message")), secrets)
    return Refusal(
        answer.status,
        code if _SERVICE_CODE.fullmatch(code) else None,
        errors.foreign_text(text),
        _read_wait(answer, text, now=now),
        _read_request_id(answer),
    )


def secrets_of(content: csr.Content) -> list[str]:
    """Return what must not come back in a message: the bodies of the PEM blocks, each in one piece."""
    blocks = [content.csr_pem] + ([content.private_key_pem] if content.private_key_pem else [])
    return ["".join(block.splitlines()[1:-1]) for block in blocks]


def _read_request_id(answer: transport.Answer) -> str:
    headers = answer.headers
    return errors.foreign_text(headers.get("x-request-id") or headers.get("x-iam-trace-id") or "")


def read_object(answer: transport.Answer) -> Mapping[str, Any]:
    """Read a body that is a JSON object; any other reads as an empty one."""
    try:
        value = json.loads(answer.body or b"")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text_in(fields: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := fields.get(name), str)), "")


def _beginning(text: str) -> str:
    """Return what is looked at of a message, without the half of a word (or of a key) at the cut."""
    return text if len(text) <= _MOST_TEXT else _LAST_WORD.sub("…", text[:_MOST_TEXT])


def _without(text: str, secrets: Iterable[str]) -> str:
    """Take out what was sent: whole, and every part of 16 characters and more that is quoted in one piece.

    What was stored earlier isn't known here; it is told by its length.
    """
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[removed]")
            text = _RUN.sub(functools.partial(_quoted, secret), text)
    return _BASE64.sub("[removed]", text)


def _quoted(secret: str, run: re.Match[str]) -> str:
    step = 1 if len(secret) < _SHORT else _PIECE  # a token of 2 MiB is not searched for every character of the text
    pieces = (run[0][start : start + _PIECE] for start in range(0, len(run[0]) - _PIECE + 1, step))
    return "[removed]" if any(piece in secret for piece in pieces) else run[0]


def read_date(answer: transport.Answer) -> datetime.datetime | None:
    """Read when the answer was given, by the service's clock (RFC 9110, 6.6.1)."""
    return _parse_date(answer.headers.get("date", ""))


def _parse_date(text: str) -> datetime.datetime | None:
    try:
        date = email.utils.parsedate_to_datetime(text)
        return date.astimezone(datetime.UTC) if date.tzinfo else date.replace(tzinfo=datetime.UTC)
    except (ValueError, OverflowError):
        return None


def _read_wait(answer: transport.Answer, text: str, *, now: datetime.datetime) -> float | None:
    """Return how many seconds the service asks to wait: Retry-After (RFC 9110, 10.2.3), or the gateway's window."""
    header = answer.headers.get("retry-after", "")
    if re.fullmatch(r"\d{1,9}", header):
        return min(float(header), _LONGEST_WAIT)
    if date := _parse_date(header):
        wait = (date - (read_date(answer) or now)).total_seconds()
        return min(max(wait, 0.0), _LONGEST_WAIT)
    if answer.status == 429 and (window := _THROTTLE_WINDOW.search(text)):
        return min(float(window[1]) * _SECONDS[window[2]], _LONGEST_WAIT)
    return None
