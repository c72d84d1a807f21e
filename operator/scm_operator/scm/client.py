"""SCM for one account, behind the port CsrStore."""

import asyncio
import functools
import logging
import urllib.parse
from collections.abc import Callable, Iterable

import httpx

from scm_operator.domain import account as accounts
from scm_operator.domain import csr, errors, ports, reasons
from scm_operator.scm import auth, transport, wire
from scm_operator.scm import errors as answers
from scm_operator.scm.auth import password, token

DEFAULT_TIMEOUT = 30.0
_log = logging.getLogger(__name__)
_Outcome = transport.Answer | wire.Refusal | transport.NoAnswer
_Secrets = Callable[[], Iterable[str]]


class ScmClient:
    """Uploads and renames CSRs of one account.

    A whole call has one deadline: the token, connecting, and the one repeat after a 401. **A call in flight must not be
    cancelled**: CancelledError carries no outcome, and a cancelled POST may have been stored. Wait for it; the deadline
    ends it.
    """

    def __init__(
        self, link: transport.Link, *, tokens: auth.TokenSource, clock: ports.Clock, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        """Take a link to SCM and where its tokens come from; ``timeout`` in seconds is for a whole call."""
        self._link = link
        self._tokens = tokens
        self._clock = clock
        self._timeout = timeout
        self._upload_url = link.url("/v3/scm/csr/upload")

    async def upload(self, content: csr.Content, *, name: str) -> ports.Entry:
        """POST /v3/scm/csr/upload, once (and once more after a 401, which stores nothing).

        Raises: OutcomeUnknown when the request may have been stored; any other Obstacle when it surely was not.
        """
        body = wire.upload_body(content, name=name)
        outcome = await self._call("POST", self._upload_url, body, secrets=functools.partial(wire.secrets_of, content))
        match outcome:
            case transport.NoAnswer():
                raise answers.upload_unanswered(outcome, service=self._link.name)
            case wire.Refusal():
                raise answers.upload_refused(outcome, service=self._link.name)
        entry = wire.read_entry(outcome, now=self._clock.now()) if outcome.status in {200, 201} else None
        if entry is None:
            raise answers.upload_unusable(outcome, service=self._link.name)
        return entry

    async def rename(self, scm_id: str, *, name: str) -> None:
        """PUT /v3/scm/csr/{id}; safe to repeat.

        Raises: RetryLater, NeedsChange; Blocked (EntryMissing) when there is no such entry.
        """
        url = self._link.url(f"/v3/scm/csr/{urllib.parse.quote(scm_id, safe='')}")
        outcome = await self._call("PUT", url, wire.rename_body(name=name))
        match outcome:
            case transport.NoAnswer():
                raise answers.rename_unanswered(outcome, service=self._link.name)
            case wire.Refusal():
                raise answers.rename_refused(outcome, service=self._link.name, scm_id=scm_id)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._tokens.aclose()
        await self._link.aclose()

    async def _call(self, method: str, url: httpx.URL, body: bytes, *, secrets: _Secrets = tuple) -> _Outcome:
        """Send a request, and once more with a fresh token if SCM refuses the first one."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        outcome = await self._attempt(method, url, body, secrets=secrets, deadline=deadline)
        if isinstance(outcome, wire.Refusal) and answers.is_token_refused(outcome):
            outcome = await self._attempt(method, url, body, secrets=secrets, deadline=deadline)
        return outcome

    async def _attempt(
        self, method: str, url: httpx.URL, body: bytes, *, secrets: _Secrets, deadline: float
    ) -> _Outcome:
        """Send a request once, and tell the token's source what SCM thinks of the token."""
        value = await self._token(deadline)
        answer = await self._link.send(method, url, content=body, deadline=deadline, token=value)
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

    async def _token(self, deadline: float) -> str:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._tokens.token()
        except TimeoutError:
            pass
        raise answers.no_token_in_time()


def factory(*, timeout: float, allow_insecure_loopback: bool, clock: ports.Clock) -> ports.CsrStoreFactory:
    """Return what makes the client of an account; ``timeout`` in seconds is for a whole call.

    After a change of the account or its credential the caller makes a new client and closes the old one.
    """

    def make(account: accounts.Account, *, credential: bytes) -> ScmClient:
        _check_endpoints(account, allow_insecure_loopback=allow_insecure_loopback)
        text = _decode(account, credential)
        tls = transport.tls_context(account.ca_bundle)
        # Less than the deadline, so that a host which swallows packets is Unreachable and not an unknown outcome.
        connect_timeout = min(10.0, timeout / 2)

        def link_to(endpoint: str, *, long_headers: bool = False) -> transport.Link:
            opened = transport.open_transport(endpoint, tls=tls, long_headers=long_headers)
            return transport.Link(endpoint, transport=opened, connect_timeout=connect_timeout)

        tokens: auth.TokenSource
        if isinstance(account.auth, accounts.PasswordAuth):
            iam = link_to(account.auth.iam_endpoint, long_headers=True)
            tokens = password.PasswordTokens(account.auth, password=text, link=iam, clock=clock, timeout=timeout)
        else:
            tokens = token.ReadyToken(text, clock=clock)
        return ScmClient(link_to(account.endpoint), tokens=tokens, clock=clock, timeout=timeout)

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
