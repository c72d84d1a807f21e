"""The identity service: accounts, tokens, and whom a token speaks for.

Source: Obtaining a User Token Through Password Authentication (POST /v3/auth/tokens). A new token doesn't end the
earlier ones. Errors come in the Keystone form.
"""

import dataclasses
import datetime
import hashlib
import hmac
import math
import secrets
import uuid
from collections.abc import Callable
from typing import Final

from scm_simulator import errors, settings, shapes

STATIC_TOKEN: Final = "static token"  # noqa: S105 - a label in the log, not a token
_WRONG_CREDENTIALS: Final = "The username or password is wrong."


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token speaks for; a token of a whole domain has no project."""

    who: str
    domain: str
    project: str | None


@dataclasses.dataclass(slots=True)
class Account:
    """A user of a domain, with the domain's projects."""

    domain: str
    user: str
    projects: tuple[str, ...]
    password: str | None = dataclasses.field(default=None, repr=False)
    static_token: bytes | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class _Grant:
    caller: Caller
    account: Account
    expires_at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What `Iam.change` is to do; what is None stays as it is."""

    domain: str | None = None
    user: str | None = None
    projects: tuple[str, ...] | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    static_token: str | None = dataclasses.field(default=None, repr=False)
    revoke_tokens: bool = False


class Iam:
    """Accounts and the tokens issued to them. Tokens are kept as digests only."""

    def __init__(self, config: settings.Settings, *, clock: Callable[[], float]) -> None:
        """Start with the one account of the settings; `clock` tells seconds since the epoch."""
        self._config = config
        self._clock = clock
        self._grants: dict[bytes, _Grant] = {}
        self._accounts: dict[tuple[str, str], Account] = {}
        self.change(
            Change(
                domain=config.domain,
                user=config.user,
                projects=config.projects,
                password=config.password,
                static_token=config.static_token,
            )
        )

    def issue(self, document: object, *, catalog: bool = True) -> tuple[str, str, dict[str, object]]:
        """Answer a request for a token with the user's name, the token and the body; `catalog` is a part of the body.

        Raises:
            RefusedError: 400 for a body of another shape, 401 for credentials or a scope that aren't the user's.

        """
        try:
            user, scope = _read(document)
        except shapes.ShapeError as error:
            raise errors.RefusedError(str(error), status=400, form="keystone") from error
        account = self._account(user)
        caller = self._caller(account, scope=scope)
        token = _new_token(self._config.token_length)
        issued_at = self._clock()
        grant = _Grant(caller=caller, account=account, expires_at=issued_at + self._config.token_ttl)
        self._grants[_digest(token)] = grant
        description = _describe(grant, issued_at=issued_at)
        if catalog:
            description["catalog"] = []
        return account.user, token, {"token": description}

    def caller_of(self, token: str | None) -> Caller:
        """Return whom a token speaks for.

        Raises:
            RefusedError: 401, because it is missing, impossible, unknown, revoked or expired.

        """
        if token is None:
            raise _refused_by_gateway("x-auth-token not found")
        if not settings.SHORTEST_TOKEN <= len(token) <= settings.LONGEST_TOKEN:
            raise _refused_by_gateway(f"a token of {len(token)} characters")
        grant = self._grants.get(_digest(token))
        if grant is None or grant.expires_at <= self._clock():
            raise errors.RefusedError("token fails authentication", status=401, code=errors.TOKEN_REFUSED)
        return grant.caller

    def change(self, change: Change) -> tuple[Account, int]:
        """Change an account, or make one for a domain and user not yet known; by default it is that of the settings.

        Returns the account and how many tokens were revoked. A static token is replaced, never revoked.
        """
        key = (change.domain or self._config.domain, change.user or self._config.user)
        if (account := self._accounts.get(key)) is None:
            account = self._accounts[key] = Account(*key, projects=self._config.projects)
        if change.projects is not None:
            account.projects = change.projects
        if change.password is not None:
            account.password = change.password
        if change.static_token is not None:
            self._replace_static_token(account, token=change.static_token)
        return account, self._revoke(account) if change.revoke_tokens else 0

    def _replace_static_token(self, account: Account, *, token: str) -> None:
        if account.static_token is not None:
            self._grants.pop(account.static_token, None)
        account.static_token = _digest(token)
        caller = Caller(STATIC_TOKEN, account.domain, account.projects[0])
        self._grants[account.static_token] = _Grant(caller=caller, account=account, expires_at=math.inf)

    def _revoke(self, account: Account) -> int:
        revoked = [
            digest
            for digest, grant in self._grants.items()
            if grant.account is account and digest != account.static_token
        ]
        for digest in revoked:
            del self._grants[digest]
        return len(revoked)

    def _account(self, user: dict[str, str]) -> Account:
        account = self._accounts.get((user["domain"], user["name"]))
        if account is None or account.password is None:
            raise _unauthorized(_WRONG_CREDENTIALS)
        if not hmac.compare_digest(account.password.encode(), user["password"].encode()):
            raise _unauthorized(_WRONG_CREDENTIALS)
        return account

    def _caller(self, account: Account, *, scope: tuple[str, str, str]) -> Caller:
        kind, by, wanted = scope
        known = account.projects if kind == "project" else (account.domain,)
        for name in known:
            if wanted == (name if by == "name" else _id_of(kind, name=name)):
                return Caller(account.user, account.domain, name if kind == "project" else None)
        raise _unauthorized(f"The {kind} of the scope is not one of the user's.")


def _read(document: object) -> tuple[dict[str, str], tuple[str, str, str]]:
    auth = shapes.mapping(
        shapes.mapping(document, at="the body", required=["auth"])["auth"], at="auth", required=["identity", "scope"]
    )
    identity = shapes.mapping(auth["identity"], at="auth.identity", required=["methods", "password"])
    if identity["methods"] != ["password"]:
        raise shapes.ShapeError('auth.identity.methods must be ["password"]')
    at = "auth.identity.password.user"
    password = shapes.mapping(identity["password"], at="auth.identity.password", required=["user"])
    user = shapes.mapping(password["user"], at=at, required=["name", "password", "domain"])
    domain = shapes.mapping(user["domain"], at=f"{at}.domain", required=["name"])
    named = {key: shapes.text(user[key], at=f"{at}.{key}", least=1) for key in ("name", "password")}
    named["domain"] = shapes.text(domain["name"], at=f"{at}.domain.name", least=1)
    return named, _read_scope(auth["scope"])


def _read_scope(document: object) -> tuple[str, str, str]:
    scope = shapes.mapping(document, at="auth.scope", optional=["project", "domain"])
    kind = shapes.only_key(scope, at="auth.scope", among=["project", "domain"])
    at = f"auth.scope.{kind}"
    target = shapes.mapping(scope[kind], at=at, optional=["name", "id"])
    by = shapes.only_key(target, at=at, among=["name", "id"])
    return kind, by, shapes.text(target[by], at=f"{at}.{by}", least=1)


def _describe(grant: _Grant, *, issued_at: float) -> dict[str, object]:
    caller = grant.caller
    domain = {"id": _id_of("domain", name=caller.domain), "name": caller.domain}
    scope: dict[str, object] = {"domain": domain}
    if caller.project is not None:
        project = {"domain": domain, "id": _id_of("project", name=caller.project), "name": caller.project}
        scope = {"project": project}
    return {
        "expires_at": _timestamp(grant.expires_at),
        "issued_at": _timestamp(issued_at),
        "methods": ["password"],
        "roles": [{"id": "0", "name": "te_admin"}],
        "user": {
            "domain": domain,
            "id": _id_of("user", name=caller.who),
            "name": caller.who,
            "password_expires_at": "",
        },
        **scope,
    }


def _timestamp(seconds: float) -> str:
    """Write a time as IAM does: UTC, six digits of a second, Z."""
    return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _id_of(kind: str, *, name: str) -> str:
    """Return 32 hex digits that stay the same from one start to the next."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"scm-simulator:{kind}:{name}").hex


def _new_token(length: int) -> str:
    """Return a token that begins as the real ones do (base64 of a CMS message)."""
    return ("MII" + secrets.token_urlsafe(length))[:length]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _unauthorized(message: str) -> errors.RefusedError:
    return errors.RefusedError(message, status=401, form="keystone")


def _refused_by_gateway(reason: str) -> errors.RefusedError:
    return errors.RefusedError(
        f"Incorrect IAM authentication information: {reason}",
        status=401,
        code=errors.GATEWAY_AUTHENTICATION,
        form="gateway",
    )
