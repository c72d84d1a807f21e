"""What a simulator is started with."""

import dataclasses
from typing import Final, Literal

SHORTEST_TOKEN: Final = 32
LONGEST_TOKEN: Final = 2_097_152
"""Characters of an X-Auth-Token, at least and at most (Upload CSR, request header parameters)."""

_LONGEST_TTL: Final = 10 * 365 * 86_400.0

OffsetCounts = Literal["rows", "pages", "ignored"]


class SettingsError(ValueError):
    """A setting that the simulator can't work with; the message names it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One account, and how its tokens behave.

    `token_ttl` is in seconds, `token_length` in characters. `static_token` is valid for ever; it speaks for the first
    of `projects`. `offset` is what the list's `offset` counts: the real service's parameter is known to be broken, but
    not in which way, so each reading can be simulated.

    Raises:
        SettingsError: a value is out of its range.

    """

    domain: str = "acme"
    user: str = "scm-operator"
    password: str | None = dataclasses.field(default=None, repr=False)
    projects: tuple[str, ...] = ("cn-north-4",)
    token_ttl: float = 86_400.0
    token_length: int = 4_096
    static_token: str | None = dataclasses.field(default=None, repr=False)
    offset: OffsetCounts = "rows"

    def __post_init__(self) -> None:
        """Refuse what no token and no account can be made of."""
        if not self.domain or not self.user or not self.projects or not all(self.projects):
            raise SettingsError("domain, user and project must not be empty")
        if self.password == "":
            raise SettingsError("the password must not be empty")
        if not 0 < self.token_ttl <= _LONGEST_TTL:
            raise SettingsError(
                f"the token's time to live must be more than 0 and at most {_LONGEST_TTL:.0f} seconds,"
                f" not {self.token_ttl:g}"
            )
        if not SHORTEST_TOKEN <= self.token_length <= LONGEST_TOKEN:
            raise SettingsError(
                f"the token length must be {SHORTEST_TOKEN} to {LONGEST_TOKEN} characters, not {self.token_length}"
            )
        if self.static_token is not None:
            check_token(self.static_token)


def check_token(token: str) -> None:
    """Refuse what can't be an X-Auth-Token; the message says why and never shows the token.

    Raises:
        SettingsError: the token is too short, too long, or holds characters that no header carries unharmed.

    """
    if not SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN:
        raise SettingsError(
            f"the static token must have {SHORTEST_TOKEN} to {LONGEST_TOKEN} characters, it has {len(token)}"
        )
    if not all("!" <= character <= "~" for character in token):
        raise SettingsError("the static token must be of visible ASCII characters, without spaces")
