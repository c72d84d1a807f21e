"""What a fault does to a request: answer in the handler's place, or spoil the handler's answer.

An action is either before-store (the service never sees the request) or after-store (the request is handled in full,
an upload is stored, and only then the answer goes wrong).
"""

import dataclasses
import json
import math
from collections.abc import Mapping

from aiohttp import web

from scm_simulator import errors


class AbortConnectionError(Exception):
    """The connection is to be reset, without an answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """Goes wrong in no way; the base of those that do."""

    @property
    def after_store(self) -> bool:
        """Whether the request is handled first."""
        return False

    @property
    def answers(self) -> bool:
        """Whether it decides on the answer; at most one such action does for one request."""
        return True

    def answer(self, request_id: str) -> web.Response:
        """Return the answer that stands in the place of the handler's (before-store)."""
        raise NotImplementedError

    def spoil(self, response: web.Response, *, request_id: str) -> web.Response:
        """Return what becomes of the handler's answer (after-store)."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, slots=True)
class Nothing(Action):
    """For a rule that only holds."""

    @property
    def answers(self) -> bool:
        """It leaves the answer alone."""
        return False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Nothing):
    """Waits, then all goes on. The request is handled even if its sender has hung up meanwhile."""

    seconds: float
    late: bool

    @property
    def after_store(self) -> bool:
        """Whether it waits after handling."""
        return self.late


@dataclasses.dataclass(frozen=True, slots=True)
class StaleList(Nothing):
    """Lists as the service was some seconds ago: what was created since isn't there yet. Other calls know it."""

    seconds: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Status(Action):
    """Answers with an error in one of its forms."""

    code: int
    form: errors.ErrorForm
    error_code: str
    message: str
    headers: Mapping[str, str]
    late: bool

    @property
    def after_store(self) -> bool:
        """Whether the request is handled before its success is hidden."""
        return self.late

    def answer(self, request_id: str) -> web.Response:
        """Return the error."""
        response = errors.render(
            self.form, status=self.code, code=self.error_code, message=self.message, request_id=request_id
        )
        for name, value in self.headers.items():
            response.headers[name] = value
        return response

    def spoil(self, response: web.Response, *, request_id: str) -> web.Response:  # noqa: ARG002 - nothing of the handler's answer is left
        """Return the error."""
        return self.answer(request_id)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reset(Action):
    """Resets the TCP connection."""

    late: bool

    @property
    def after_store(self) -> bool:
        """Whether the request is handled before the connection breaks."""
        return self.late

    def answer(self, request_id: str) -> web.Response:
        """Give none."""
        raise AbortConnectionError(request_id)

    def spoil(self, response: web.Response, *, request_id: str) -> web.Response:  # noqa: ARG002 - nothing of the handler's answer is left
        """Give none."""
        raise AbortConnectionError(request_id)


@dataclasses.dataclass(frozen=True, slots=True)
class Redirect(Action):
    """Sends the client elsewhere (302)."""

    location: str

    def answer(self, request_id: str) -> web.Response:  # noqa: ARG002 - the header is set for every answer alike
        """Return the redirection."""
        return web.Response(status=302, headers={"Location": self.location})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Throttle(Action):
    """Refuses what is more than so many requests in a window, with the gateway's text."""

    requests: int
    window_seconds: float
    retry_after: bool

    def answer(self, request_id: str) -> web.Response:
        """Return the refusal; `Retry-After` is the whole window, for when it began is the gateway's secret."""
        message = (
            "The throttling threshold has been reached: policy user over ratelimit,"
            f"limit:{self.requests},time:{_window(self.window_seconds)}"
        )
        response = errors.render(
            "gateway", status=429, code=errors.GATEWAY_THROTTLED, message=message, request_id=request_id
        )
        if self.retry_after:
            response.headers["Retry-After"] = str(math.ceil(self.window_seconds))
        return response


@dataclasses.dataclass(frozen=True, slots=True)
class _Spoiled(Action):
    """Changes the text of an answer; what isn't JSON stays as it is."""

    @property
    def after_store(self) -> bool:
        """There is nothing to spoil before."""
        return True

    def spoil(self, response: web.Response, *, request_id: str) -> web.Response:  # noqa: ARG002 - the text alone changes
        """Return the same answer with another text."""
        if response.content_type == "application/json" and response.text:
            response.text = self._rewrite(response.text)
        return response

    def _rewrite(self, text: str) -> str:
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, slots=True)
class MalformedJson(_Spoiled):
    """Cuts the JSON in half."""

    def _rewrite(self, text: str) -> str:
        return text[: len(text) // 2]


@dataclasses.dataclass(frozen=True, slots=True)
class WithoutId(_Spoiled):
    """Leaves the id out."""

    def _rewrite(self, text: str) -> str:
        document = json.loads(text)
        document.pop("id", None)
        return json.dumps(document)


@dataclasses.dataclass(frozen=True, slots=True)
class HugeAnswer(_Spoiled):
    """Pads the JSON, which stays valid, to at least so many bytes."""

    size: int

    def _rewrite(self, text: str) -> str:
        return json.dumps(json.loads(text) | {"padding": "x" * self.size})


def _window(seconds: float) -> str:
    return "1 minute" if seconds == 60 else f"{seconds:g} second"
