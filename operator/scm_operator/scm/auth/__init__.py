"""Where an account's X-Auth-Token comes from: one TokenSource for each way to authenticate.

Belongs here: obtaining and renewing tokens, and not asking for them too often. Forbidden here: what SCM's answers
mean for an upload (`scm.errors`), and knowing which call a token is for.
"""

from typing import Protocol

from scm_operator.domain import ports

SHORTEST, LONGEST = 32, 2_097_152
"""Characters of an X-Auth-Token (API page "Upload CSR", request headers)."""


class TokenSource(Protocol):
    """The tokens of one account, for many calls at once."""

    @property
    def life(self) -> ports.TokenLife | None:
        """Return how old the token in hand is; None without one, and for one that no login gave."""

    async def token(self) -> str:
        """Return a token that is believed to be valid. Raises: RetryLater, AccountObstacle; nothing was sent to SCM."""

    async def prepare(self) -> None:
        """Return when `token` will most likely answer at once. Raises: what it would raise now."""

    async def reject(self, token: str) -> None:
        """Note that SCM answered 401 to this token."""

    async def accept(self, token: str) -> None:
        """Note that SCM has taken this token."""

    async def aclose(self) -> None:
        """End what is under way and close the connections."""


def fault_in(token: str) -> str | None:
    """Say what makes a text no token, by its length and never by its value; None if nothing does."""
    if not SHORTEST <= len(token) <= LONGEST:
        return f"has {len(token)} characters; a token has {SHORTEST} to {LONGEST}"
    if not (token.isascii() and token.isprintable()) or " " in token:
        return f"has {len(token)} characters, and some are not printable ASCII, or spaces"
    return None
