"""The journal as text: attempts ⇄ the annotation ``scm.certops.dev/journal`` of the Lease.

Compact JSON, ``{"v":1,"tenants":[…],"attempts":[…]}``; an attempt is ``[id, uid, namespace, name, SCM name or null if
it is the same, tenant's number, content hash, at, term]``. Ids that are hexadecimal or a UUID and hashes are written in
base64url behind one letter, times as seconds; what doesn't have such a form stands as it is behind ``=``.
"""

import base64
import binascii
import datetime
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from scm_operator.domain import account, attempt, conditions, upload

_VERSION = 1
_ZONE = "%Y-%m-%dT%H:%M:%SZ"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_HASH = re.compile(r"sha256:([0-9a-f]{64})(\+key)?")
_WIDEST_NUMBER = 4  # digits of a tenant's number, for `size`: more attempts than that have no room
EMPTY_SIZE = len('{"v":1,"tenants":[],"attempts":[]}')


class Unreadable(Exception):  # noqa: N818 - reads as what is the matter
    """What an annotation of the Lease says isn't understood: nothing may be sent before a person has looked at it."""


def encode(attempts: Iterable[attempt.Attempt]) -> str:
    """Write attempts as the annotation has them."""
    tenants: dict[account.Tenant, int] = {}
    items = [_item(each, tenants.setdefault(each.tenant, len(tenants))) for each in attempts]
    return _dump({"v": _VERSION, "tenants": [_tenant_item(each) for each in tenants], "attempts": items})


def decode(text: str) -> tuple[attempt.Attempt, ...]:
    """Read them back. Raises: Unreadable."""
    journal = _parse(text)
    if journal.get("v") != _VERSION:
        raise Unreadable(
            f"the journal is of version {journal.get('v')!r}, this program reads {_VERSION}: run a newer one"
        )
    try:
        tenants = [_tenant(*item) for item in journal["tenants"]]
        return tuple(_attempt(tenants, *item) for item in journal["attempts"])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise Unreadable(f"the journal is damaged ({type(error).__name__})") from None


def size(each: attempt.Attempt) -> int:
    """Return how many bytes an attempt takes at most, without its tenant."""
    return len(_dump(_item(each, 10 ** (_WIDEST_NUMBER - 1))).encode()) + 1


def tenant_size(tenant: account.Tenant) -> int:
    """Return how many bytes a tenant takes, once for all its attempts."""
    return len(_dump(_tenant_item(tenant)).encode()) + 1


def encode_lost(term: int, time: datetime.datetime) -> str:
    """Write the mark of a lost journal."""
    return _dump({"term": term, "time": conditions.timestamp(time)})


def decode_lost(text: str) -> attempt.JournalLost:
    """Read it back. Raises: Unreadable."""
    mark = _parse(text)
    try:
        term, time = mark["term"], datetime.datetime.fromisoformat(mark["time"])
    except (KeyError, TypeError, ValueError):
        raise Unreadable("the mark of a lost journal is damaged") from None
    if type(term) is not int or time.tzinfo is None:
        raise Unreadable("the mark of a lost journal is damaged")
    return attempt.JournalLost(term, time)


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _parse(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("it is no JSON") from None
    if not isinstance(value, dict):
        raise Unreadable("it is no JSON object")
    return value


def _item(each: attempt.Attempt, tenant: int) -> list[object]:
    return [
        _short_id(each.id),
        _short_id(each.uid),
        each.key.namespace,
        each.key.name,
        None if each.scm_name == each.key.name else each.scm_name,
        tenant,
        _short_hash(each.content_hash),
        _short_time(each.at),
        each.term,
    ]


def _attempt(  # noqa: PLR0913, PLR0917 - the items of one
    tenants: list[account.Tenant],
    id_: str,
    uid: str,
    namespace: str,
    name: str,
    scm_name: str | None,
    tenant: int,
    content_hash: str,
    at: str | int,
    term: int,
) -> attempt.Attempt:
    if type(tenant) is not int or type(term) is not int or tenant < 0:
        raise TypeError
    return attempt.Attempt(
        id=_long_id(_text(id_)),
        uid=_long_id(_text(uid)),
        key=upload.UploadKey(_text(namespace), _text(name)),
        scm_name=_text(name if scm_name is None else scm_name),
        tenant=tenants[tenant],
        content_hash=_long_hash(_text(content_hash)),
        at=_long_time(at),
        term=term,
    )


def _tenant_item(tenant: account.Tenant) -> list[str | None]:
    return [tenant.endpoint, tenant.domain, tenant.scope, tenant.account]


def _tenant(endpoint: str, domain: str | None, scope: str | None, of: str) -> account.Tenant:
    optional = [None if text is None else _text(text) for text in (domain, scope)]
    return account.Tenant(_text(endpoint), optional[0], optional[1], _text(of))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _short_id(text: str) -> str:
    if _UUID.fullmatch(text):
        return "u" + _short_hex(text.replace("-", ""))
    return "x" + _short_hex(text) if _HEX.fullmatch(text) else "=" + text


def _long_id(text: str) -> str:
    form, rest = text[:1], text[1:]
    if form == "=":
        return rest
    digits = _long_hex(rest)
    if form == "x":
        return digits
    if form != "u" or len(digits) != 32:
        raise ValueError
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _short_hash(text: str) -> str:
    found = _HASH.fullmatch(text)
    if not found:
        return "=" + text
    return ("k" if found[2] else "s") + _short_hex(found[1])


def _long_hash(text: str) -> str:
    form, rest = text[:1], text[1:]
    if form == "=":
        return rest
    if form not in {"s", "k"} or len(digest := _long_hex(rest)) != 64:
        raise ValueError
    return f"sha256:{digest}" + ("+key" if form == "k" else "")


def _short_time(text: str) -> str | int:
    """Return seconds since 1970 if nothing is lost by it."""
    try:
        seconds = int(datetime.datetime.strptime(text, _ZONE).replace(tzinfo=datetime.UTC).timestamp())
    except ValueError:
        return text
    return seconds if _long_time(seconds) == text else text


def _long_time(value: str | int) -> str:
    if type(value) is not int:
        return _text(value)
    return (datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=value)).strftime(_ZONE)


def _short_hex(digits: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(digits)).decode().rstrip("=")


def _long_hex(text: str) -> str:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError from None
    return raw.hex()
