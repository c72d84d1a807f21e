"""What the API proxy does to requests: which requests a rule is for, and what then happens to them."""

import asyncio
import dataclasses
import fnmatch
from collections.abc import Callable, Mapping

from tests.support.waiting import TIMEOUT, until


@dataclasses.dataclass(slots=True, kw_only=True)
class Asked:
    """One request that arrived: ``at`` in seconds of the monotonic clock, ``status`` None while it is under way.

    A status of 0 says that the proxy itself reset the connection, or could not reach the API server.
    """

    at: float
    method: str
    path: str
    query: Mapping[str, str]
    body: bytes = dataclasses.field(repr=False)
    status: int | None = None

    @property
    def watch(self) -> bool:
        """Whether it asks for a stream of events."""
        return self.query.get("watch") in {"true", "1"}


@dataclasses.dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an error as the API server writes it (metav1.Status); nothing is forwarded."""

    status: int
    reason: str = ""
    message: str = "refused by the proxy"
    retry_after: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class StreamError:
    """Answer a watch with 200, an ERROR event with that code, and the end."""

    code: int = 410
    message: str = "too old resource version"


@dataclasses.dataclass(frozen=True, slots=True)
class CloseAtOnce:
    """Answer a watch with 200 and the end, without an event."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stall:
    """Answer a watch with 200, and then send nothing, though the connection stays."""


@dataclasses.dataclass(frozen=True, slots=True)
class Delay:
    """Forward after so many seconds, even if the sender has gone meanwhile."""

    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Hold:
    """Keep the request, or with ``answered`` the API server's answer to it, until it is released or dropped."""

    answered: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Lose:
    """Forward, let the API server do it, and reset the connection instead of passing its answer on."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reset:
    """Reset the connection; nothing is forwarded."""


Action = Refuse | StreamError | CloseAtOnce | Stall | Delay | Hold | Lose | Reset


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a rule is for.

    ``path`` and the values of ``query`` may have ``*`` in them, which stands for slashes too; a query value of None
    says that the parameter must not be there. ``when`` is asked last, in the proxy's thread.
    """

    method: str | None = None
    path: str = "*"
    query: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    when: Callable[[Asked], bool] | None = None

    def covers(self, asked: Asked) -> bool:
        """Tell whether a request is meant."""
        return (
            self.method in {None, asked.method}
            and fnmatch.fnmatchcase(asked.path, self.path)
            and all(_fits(asked.query.get(name), wanted) for name, wanted in self.query.items())
            and (self.when is None or self.when(asked))
        )


class Rule:
    """A rule in force, what it has counted, and the requests that it holds.

    It fires at the requests that match, after the first ``skip``, and at most ``times`` times.
    """

    def __init__(
        self,
        action: Action,
        match: Match,
        *,
        skip: int,
        times: int | None,
        in_loop: Callable[[Callable[[], None]], None],
    ) -> None:
        self.action = action
        self.match = match
        self.fired = 0
        self._skip = skip
        self._times = times
        self._in_loop = in_loop
        self._held: list[tuple[Asked, asyncio.Future[bool]]] = []

    @property
    def held(self) -> list[Asked]:
        """The requests that it holds now."""
        return [asked for asked, end in list(self._held) if not end.done()]

    def wait_held(self, *, timeout: float = TIMEOUT) -> Asked:
        """Return a held request, as soon as there is one; seconds."""
        return until(lambda: self.held, what=f"a request held by {self.match}", timeout=timeout)[0]

    def wait_fired(self, *, times: int = 1, timeout: float = TIMEOUT) -> None:
        """Return once it has fired so many times; seconds."""
        until(lambda: self.fired >= times, what=f"{self.action} to happen {times} times", timeout=timeout)

    def release(self) -> None:
        """Let what is held go on, even where its sender has gone: what was on the wire arrives late."""
        self._in_loop(lambda: self.end(go_on=True))

    def drop(self) -> None:
        """Reset the connections of what is held; a request held before it was forwarded never arrives."""
        self._in_loop(lambda: self.end(go_on=False))

    def fires(self, asked: Asked) -> bool:
        """Count a request that it covers and tell whether it fires; in the proxy's thread."""
        if (self._times is not None and self.fired >= self._times) or not self.match.covers(asked):
            return False
        if self._skip > 0:
            self._skip -= 1
            return False
        self.fired += 1
        return True

    async def hold(self, asked: Asked) -> bool:
        """Wait for the release and tell whether the request goes on; in the proxy's thread."""
        end: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        held = (asked, end)
        self._held.append(held)
        try:
            return await end
        finally:
            self._held.remove(held)

    def end(self, *, go_on: bool) -> None:
        """Decide on what is held; in the proxy's thread."""
        for _, end in self._held:
            if not end.done():
                end.set_result(go_on)


def _fits(value: str | None, wanted: str | None) -> bool:
    if value is None or wanted is None:
        return value is wanted
    return fnmatch.fnmatchcase(value, wanted)
