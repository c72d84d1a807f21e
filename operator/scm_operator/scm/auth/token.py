"""A ready token out of a Secret: nothing to renew, so a refused one is not sent again for a while."""

from scm_operator.domain import errors, ports, reasons
from scm_operator.scm import auth
from scm_operator.scm import errors as answers
from scm_operator.scm.auth import cooldown


class ReadyToken:
    """The token of spec.auth.token.

    Once SCM has refused it, callers are refused here; after each cool-down one of them may probe whether it works
    again, so that ten thousand uploads with a dead token make a handful of calls.
    """

    def __init__(self, credential: str, *, clock: ports.Clock) -> None:
        """Take the Secret's value as text. Raises: AccountFault (CredentialInvalid)."""
        self._token = credential
        if fault := auth.fault_in(self._token):
            raise errors.AccountFault(
                reasons.AccountReason.CREDENTIAL_INVALID,
                f"the token that spec.auth.token.secretRef names {fault}. Put the value of X-Subject-Token there.",
            )
        self._refused = self._probing = False
        self._cooldown = cooldown.Cooldown(clock)

    @property
    def life(self) -> None:
        """Nothing is known of when it was made, or for how long."""

    async def token(self) -> str:
        """Return the token. Raises: AccountObstacle while it is known to be refused."""
        await self.prepare()
        if self._refused:
            self._probing = True
            self._cooldown.hold()  # the others wait for the probe; if nothing is heard of it, another may try
        return self._token

    async def prepare(self) -> None:
        """Do nothing, least of all probe: that is for the call. Raises: AccountObstacle while the token is refused."""
        if self._refused and (wait := self._cooldown.remaining()):
            raise answers.again(answers.ready_token_refused(), retry_after=wait)

    async def reject(self, token: str) -> None:
        """Begin a cool-down, or a longer one after a probe; calls that were under way already don't count."""
        if token == self._token and (self._probing or not self._refused):
            self._refused, self._probing = True, False
            self._cooldown.start(cooldown.REFUSED)

    async def accept(self, token: str) -> None:
        """Trust the token again."""
        if self._refused and token == self._token:
            self._refused = self._probing = False
            self._cooldown.reset()

    async def aclose(self) -> None:
        """Do nothing: there is nothing open."""
