"""SCM for one account, behind the port CsrStore."""

import asyncio
import dataclasses
import functools
import logging
import urllib.parse
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from scm_operator.domain import account as accounts
from scm_operator.domain import csr, entry, errors, ports, reasons
from scm_operator.scm import auth, entries, transport, wire
from scm_operator.scm import errors as answers
from scm_operator.scm.auth import password, token

DEFAULT_TIMEOUT = 30.0
_PATH = "/v3/scm/csr"
_log = logging.getLogger(__name__)
_Outcome = transport.Answer | wire.Refusal | transport.NoAnswer
_Secrets = Callable[[], Iterable[str]]
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, slots=True)
class _Request:
    """What is sent, under the name that SCM's API reference gives it."""

    operation: str
    method: str
    path: str
    body: bytes = dataclasses.field(default=b"", repr=False)


class ScmClient:
    """Keeps CSRs of one account.

    A whole call has one deadline: the token, connecting, and the one repeat after a 401. **An upload in flight must not
    be cancelled**: CancelledError carries no outcome, and a cancelled POST may have been stored. Wait for it; the
    deadline ends it.
    """

    def __init__(
        self, link: transport.Link, *, tokens: auth.TokenSource, clock: ports.Clock, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        """Take a link to SCM and where its tokens come from; ``timeout`` in seconds is for a whole call."""
        self._link = link
        self._tokens = tokens
        self._clock = clock
        self._timeout = timeout

    @property
    def token_life(self) -> ports.TokenLife | None:
        """Return how old the token in hand is; None without one, and for one that no login gave."""
        return self._tokens.life

    async def prepare(self) -> None:
        """Have a token in hand, so that the next call needs no login. Raises: RetryLater, AccountObstacle."""
        await _in_time(self._tokens.prepare(), transport.Deadline.after(self._timeout))

    async def upload(self, content: csr.Content, *, name: str, timeout: float) -> entry.Entry:  # noqa: ASYNC109 - of the call
        """POST /v3/scm/csr/upload, once (and once more after a 401, which stores nothing).

        ``timeout`` in seconds takes the place of the client's own.
        Raises: OutcomeUnknown when the request may have been stored; any other Obstacle when it surely was not.
        """
        body = wire.upload_body(content, name=name)
        secrets = functools.partial(wire.secrets_of, content)
        request = _Request("UploadCsr", "POST", _PATH + "/upload", body)
        outcome = await self._call(request, seconds=timeout, secrets=secrets)
        match outcome:
            case transport.NoAnswer():
                raise answers.upload_unanswered(outcome, service=self._link.name)
            case wire.Refusal():
                raise answers.upload_refused(outcome, service=self._link.name)
        made = entries.read_entry(outcome, now=self._clock.now()) if outcome.status in {200, 201} else None
        if made is None:
            raise answers.upload_unusable(outcome, service=self._link.name)
        return made

    async def rename(self, scm_id: str, *, name: str) -> None:
        """PUT /v3/scm/csr/{id}; safe to repeat.

        Raises: RetryLater, NeedsChange; Blocked (EntryMissing) when there is no such entry.
        """
        outcome = await self._ask(_Request("UpdateCsr", "PUT", _path_of(scm_id), wire.rename_body(name=name)))
        if isinstance(outcome, wire.Refusal):
            raise answers.rename_refused(outcome, service=self._link.name, scm_id=scm_id)

    async def list_named(self, name: str) -> entry.Listing:
        """GET /v3/scm/csr: the first page of entries whose names hold the beginning of this one.

        Raises: RetryLater; AccountObstacle (AccessDenied) when listing isn't permitted.
        """
        outcome = await self._ask(_Request("ListCsr", "GET", entries.list_path(name)))
        if isinstance(outcome, wire.Refusal):
            raise answers.look_up_refused(outcome, service=self._link.name, action="scm::listCsr")
        listing = entries.read_listing(outcome) if outcome.status == 200 else None
        if listing is None:
            raise answers.unusable(outcome, service=self._link.name, lacks="list of CSRs")
        return listing

    async def show(self, scm_id: str) -> entry.ListedEntry | None:
        """GET /v3/scm/csr/{id}, or None when SCM says that there is no such entry.

        Raises: RetryLater; AccountObstacle (AccessDenied) when showing isn't permitted.
        """
        outcome = await self._ask(_Request("ShowCsr", "GET", _path_of(scm_id)))
        if isinstance(outcome, wire.Refusal):
            if answers.is_gone(outcome):
                return None
            raise answers.look_up_refused(outcome, service=self._link.name, action="scm::getCsr")
        shown = entries.read_shown(outcome, scm_id=scm_id) if outcome.status == 200 else None
        if shown is None:
            raise answers.unusable(outcome, service=self._link.name, lacks=f"entry of id {scm_id}")
        return shown

    async def delete(self, scm_id: str) -> None:
        """DELETE /v3/scm/csr/{id}; safe to repeat: an entry that is gone already is no error.

        Raises: RetryLater, AccountObstacle, NeedsChange.
        """
        outcome = await self._ask(_Request("DeleteCsr", "DELETE", _path_of(scm_id)))
        if isinstance(outcome, wire.Refusal):
            if not answers.is_gone(outcome):
                raise answers.delete_refused(outcome, service=self._link.name, scm_id=scm_id)
        elif outcome.status not in {200, 204}:
            raise answers.unusable(outcome, service=self._link.name, lacks=f"word that entry {scm_id} is deleted")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._tokens.aclose()
        await self._link.aclose()

    async def _ask(self, request: "_Request") -> transport.Answer | wire.Refusal:
        """Make a call that is safe to repeat, within the client's own timeout. Raises: RetryLater without an answer."""
        outcome = await self._call(request, seconds=self._timeout)
        if isinstance(outcome, transport.NoAnswer):
            raise answers.unanswered(outcome, service=self._link.name)
        return outcome

    async def _call(self, request: "_Request", *, seconds: float, secrets: _Secrets = tuple) -> _Outcome:
        """Send a request, and once more with a fresh token if SCM refuses the first one."""
        deadline = transport.Deadline.after(seconds)
        outcome = await self._attempt(request, secrets=secrets, deadline=deadline)
        if isinstance(outcome, wire.Refusal) and answers.is_token_refused(outcome):
            outcome = await self._attempt(request, secrets=secrets, deadline=deadline)
        return outcome

    async def _attempt(self, request: "_Request", *, secrets: _Secrets, deadline: transport.Deadline) -> _Outcome:
        """Send a request once, and tell the token's source what SCM thinks of the token."""
        value = await _in_time(self._tokens.token(), deadline)
        answer = await self._link.send(
            request.method,
            self._link.url(request.path),
            content=request.body,
            deadline=deadline,
            token=value,
            operation=request.operation,
        )
        if isinstance(answer, transport.NoAnswer):
            return answer
        if 200 <= answer.status < 300:
            await self._tokens.accept(value)
            return answer
        refusal = wire.read_refusal(answer, now=self._clock.now(), secrets=[value, *secrets()])
        _log.info("SCM answered %s", refusal, extra=refusal.log_fields(service=self._link.name))
        if answers.is_token_refused(refusal):
            await self._tokens.reject(value)
        elif answers.speaks_for_token(refusal):
            await self._tokens.accept(value)
        return refusal


async def _in_time(token: Coroutine[Any, Any, _T], deadline: transport.Deadline) -> _T:
    """Wait for a token. Raises: RetryLater at the deadline."""
    try:
        async with asyncio.timeout_at(deadline.at):
            return await token
    except TimeoutError:
        pass
    raise answers.no_token_in_time()


def _path_of(scm_id: str) -> str:
    return f"{_PATH}/{urllib.parse.quote(scm_id, safe='')}"


def factory(
    *, timeout: float, allow_insecure_loopback: bool, clock: ports.Clock, meter: ports.ScmMeter = lambda *_: None
) -> ports.CsrStoreFactory:
    """Return what makes the client of an account; ``timeout`` in seconds is the most that a whole call may take.

    An account's own limit counts if it is lower; an upload brings its own.
    After a change of the account or its credential the caller makes a new client and closes the old one.
    """

    def make(account: accounts.Account, *, credential: bytes) -> ScmClient:
        _check_endpoints(account, allow_insecure_loopback=allow_insecure_loopback)
        text = _decode(account, credential)
        tls = transport.tls_context(account.ca_bundle)
        limit = min(account.limits.timeout, timeout)
        # Less than the deadline, so that a host which swallows packets is Unreachable and not an unknown outcome.
        connect_timeout = min(10.0, limit / 2)

        def link_to(endpoint: str, *, long_headers: bool = False) -> transport.Link:
            opened = transport.open_transport(endpoint, tls=tls, long_headers=long_headers)
            count = functools.partial(meter, account.key)
            return transport.Link(endpoint, transport=opened, connect_timeout=connect_timeout, on_end=count)

        tokens: auth.TokenSource
        if isinstance(account.auth, accounts.PasswordAuth):
            iam = link_to(account.auth.iam_endpoint, long_headers=True)
            tokens = password.PasswordTokens(account.auth, password=text, link=iam, clock=clock, timeout=limit)
        else:
            tokens = token.ReadyToken(text, clock=clock)
        return ScmClient(link_to(account.endpoint), tokens=tokens, clock=clock, timeout=limit)

    return make


def _check_endpoints(account: accounts.Account, *, allow_insecure_loopback: bool) -> None:
    """Refuse to send a credential over plain http, or to an address that makes no sense. Raises: AccountFault."""
    for field, endpoint in account.endpoints.items():
        if not transport.is_endpoint(endpoint):
            raise errors.AccountFault(
                reasons.AccountReason.ENDPOINT_NOT_ALLOWED,
                f"{field} is not an address of the form https://host or https://host:port.",
            )
        plain = field in account.plain_http_endpoints
        if plain and not (allow_insecure_loopback and accounts.is_loopback(endpoint)):
            raise errors.AccountFault(
                reasons.AccountReason.ENDPOINT_NOT_ALLOWED,
                f"{field} is not https. Plain http is allowed only to this machine (loopback), and only if the "
                "operator's setting SCM_OPERATOR_ALLOW_INSECURE_LOOPBACK is true.",
            )


def _decode(account: accounts.Account, credential: bytes) -> str:
    """Return a Secret's value as text without a final newline. Raises: AccountFault (CredentialInvalid)."""
    fault = "is empty"
    try:
        if text := credential.decode().removesuffix("\n").removesuffix("\r"):
            return text
    except UnicodeDecodeError:
        fault = "is not text (UTF-8)"
    raise errors.AccountFault(
        reasons.AccountReason.CREDENTIAL_INVALID,
        f"the value of key {account.auth.secret.key} in Secret {account.auth.secret.name} {fault}.",
    )
