"""An IAM user's tokens: POST /v3/auth/tokens with a password gives X-Subject-Token.

Source: IAM API page "Obtaining a User Token Through Password Authentication".
"""

import asyncio
import dataclasses
import logging

from scm_operator.domain import account, errors, ports, reasons
from scm_operator.scm import auth, transport, wire
from scm_operator.scm import errors as answers
from scm_operator.scm.auth import cooldown

_log = logging.getLogger(__name__)
_PATH = "/v3/auth/tokens?nocatalog=1"  # the catalogue would make the body tens of kilobytes
_RENEW_AFTER = 0.75  # of a token's life
_YOUNG = 60.0  # seconds: SCM refusing a token of this age points at the account, not at the token
_YOUNG_REFUSALS = 2


@dataclasses.dataclass(frozen=True, slots=True)
class _Held:
    """A token, and when (monotonic clock) it was asked for, should be renewed, and ends."""

    value: str = dataclasses.field(repr=False)
    since: float
    renew_at: float
    ends_at: float


class PasswordTokens:
    """Tokens by password, one login at a time for all callers.

    A token is renewed when three quarters of its life have passed, on use and without anybody waiting for it. A login
    that fails is not repeated before a cool-down: a wrong password and ten thousand uploads must not lock the user.
    """

    def __init__(
        self, spec: account.PasswordAuth, *, password: str, link: transport.Link, clock: ports.Clock, timeout: float
    ) -> None:
        """Take the account's ``spec.auth.password`` and a link to its IAM; ``timeout`` (seconds) is for one login."""
        self._password = password
        self._body = wire.login_body(spec, password=password)
        self._link = link
        self._url = link.url(_PATH)
        self._clock = clock
        self._timeout = timeout
        self._held: _Held | None = None
        self._login: asyncio.Task[_Held | errors.RetryLater] | None = None
        self._obstacle: errors.RetryLater | None = None
        self._young_refusals = 0
        self._cooldown = cooldown.Cooldown(clock)

    @property
    def life(self) -> ports.TokenLife | None:
        """Return how old the held token is, None if none is held or it has ended."""
        now = self._clock.monotonic()
        if self._held is None or now >= self._held.ends_at:
            return None
        return ports.TokenLife(now - self._held.since, self._held.ends_at - now)

    async def token(self) -> str:
        """Return the held token, or log in. Raises: RetryLater, AccountObstacle."""
        now = self._clock.monotonic()
        wait = self._cooldown.remaining()
        if self._held and now < self._held.ends_at:
            if now >= self._held.renew_at and not wait:
                self._log_in_once()
            return self._held.value
        if self._obstacle and wait:
            raise answers.again(self._obstacle, retry_after=wait)
        return await self._new_token()

    async def prepare(self) -> None:
        """Log in if there is no token. Raises: RetryLater, AccountObstacle."""
        await self.token()

    async def reject(self, token: str) -> None:
        """Drop the token if it is the present one; a second young one in a row begins a cool-down."""
        if not self._held or self._held.value != token:
            return
        young = self._clock.monotonic() - self._held.since < _YOUNG
        self._held = None
        self._young_refusals = self._young_refusals + 1 if young else 0
        if self._young_refusals >= _YOUNG_REFUSALS:
            self._obstacle = answers.fresh_tokens_refused(service=self._link.name)
            self._cooldown.start(cooldown.REFUSED)

    async def accept(self, token: str) -> None:
        """Forget refusals of young tokens."""
        if self._young_refusals and self._held and self._held.value == token:
            self._young_refusals = 0
            self._cooldown.reset()

    async def aclose(self) -> None:
        """End a login that is under way and close the connections."""
        if self._login and not self._login.done():
            self._login.cancel()
            await asyncio.wait([self._login])
        await self._link.aclose()

    async def _new_token(self) -> str:
        login = self._log_in_once()
        await asyncio.wait([login])  # not awaited itself: a caller that gives up must not end it for the others
        if login.cancelled():
            raise errors.RetryLater(reasons.Reason.UNREACHABLE, "the account changed while logging in to IAM.")
        outcome = login.result()
        if isinstance(outcome, _Held):
            return outcome.value
        raise answers.again(outcome, retry_after=self._cooldown.remaining())

    def _log_in_once(self) -> asyncio.Task[_Held | errors.RetryLater]:
        if self._login is None or self._login.done():
            self._login = asyncio.create_task(self._log_in())
        return self._login

    async def _log_in(self) -> _Held | errors.RetryLater:
        outcome = await self._ask()
        if isinstance(outcome, _Held):
            self._held, self._obstacle = outcome, None
            if not self._young_refusals:
                self._cooldown.reset()
            return outcome
        bounds = cooldown.REFUSED if isinstance(outcome, errors.AccountObstacle) else cooldown.FAILED
        self._obstacle = outcome
        self._cooldown.start(bounds, at_least=outcome.retry_after or 0.0)
        return outcome

    async def _ask(self) -> _Held | errors.RetryLater:
        """Log in once; what goes wrong is a value, so that each caller can raise its own."""
        since = self._clock.monotonic()
        deadline = transport.Deadline.after(self._timeout)
        answer = await self._link.send(
            "POST", self._url, content=self._body, deadline=deadline, operation="CreateToken"
        )
        if isinstance(answer, transport.NoAnswer):
            return answers.login_unanswered(answer, service=self._link.name)
        if answer.status != 201:
            refusal = wire.read_refusal(answer, now=self._clock.now(), secrets=[self._password])
            _log.info("IAM answered a login with %s", refusal, extra=refusal.log_fields(service=self._link.name))
            return answers.login_refused(refusal, service=self._link.name)
        token = answer.headers.get("x-subject-token", "")
        if fault := auth.fault_in(token):
            return answers.login_unusable(fault, service=self._link.name)
        lifetime = wire.read_lifetime(answer)
        return _Held(token, since, since + lifetime * _RENEW_AFTER, since + lifetime)
