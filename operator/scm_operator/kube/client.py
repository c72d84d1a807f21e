"""The connection to the API server, and the one way in which a request is made and its answer checked."""

import asyncio
import contextlib
import dataclasses
import json
import os
import ssl
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import kubernetes.aio.client
import kubernetes.aio.config

from scm_operator.domain import errors, ports
from scm_operator.kube import asked

_USER_AGENT = "scm-csr-operator"
_TIMEOUT = 30.0
"""Seconds for one request that isn't a watch."""


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """What another HTTP client needs to talk to the same API server as the same identity."""

    server: str
    ssl_context: ssl.SSLContext = dataclasses.field(repr=False)
    authorization: Callable[[], Awaitable[str | None]] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Kubernetes:
    """An API server, and the client package's connection to it.

    Requests go to paths (https://kubernetes.io/docs/reference/using-api/api-concepts/), not through the package's
    classes for each group: these validate and copy what is sent, and importing them costs 0.4 s and 20 MB.
    """

    endpoint: Endpoint
    api: kubernetes.aio.client.ApiClient
    meter: ports.ApiMeter = dataclasses.field(default=lambda *_: None, repr=False)

    async def request(  # noqa: PLR0913 - what an HTTP request has
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: float = _TIMEOUT,  # noqa: ASYNC109 - aiohttp's own, for the whole exchange
    ) -> aiohttp.ClientResponse:
        """Make a request and return the answer unread; ``timeout`` in seconds, parameters that are None are left out.

        Raises: what aiohttp raises.
        """
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": _USER_AGENT}
        if authorization := await self.endpoint.authorization():
            headers["Authorization"] = authorization
        parameters = {name: value for name, value in (query or {}).items() if value is not None}
        url = f"{self.endpoint.server}{path}" + (f"?{urllib.parse.urlencode(parameters)}" if parameters else "")
        verb, resource = asked.verb_and_resource(method, path, watch="watch" in parameters)
        try:
            answer = await self.api.call_api(method, url, headers, body, _request_timeout=timeout)
        except BaseException:
            self.meter(verb, resource, None)
            raise
        response: aiohttp.ClientResponse = answer.response
        self.meter(verb, resource, response.status)
        return response


class NoCluster(Exception):  # noqa: N818 - reads as what is the matter
    """There is no kubeconfig, and this process doesn't run in a Pod."""


@contextlib.asynccontextmanager
async def connect(*, connections: int, meter: ports.ApiMeter = lambda *_: None) -> AsyncIterator[Kubernetes]:
    """Open a client as $KUBECONFIG says, else as the Pod's ServiceAccount; ``connections`` bounds its pool.

    ``meter`` counts its requests. A Pod's token is read again every minute, a kubeconfig's ``tokenFile`` once.

    Raises: NoCluster.
    """
    configuration = await _configuration()
    configuration.connection_pool_maxsize = connections
    # Without this aiohttp looks for proxies and ~/.netrc anew for each request, which costs more than the request;
    # a proxy to the API server belongs in the kubeconfig (proxy-url).
    configuration.client_session_kwargs = {"trust_env": False}
    async with kubernetes.aio.client.ApiClient(configuration) as api:
        yield Kubernetes(
            endpoint=Endpoint(
                server=configuration.host,
                ssl_context=api.rest_client.ssl_context,
                authorization=lambda: configuration.get_api_key_with_prefix("BearerToken", alias="authorization"),
            ),
            api=api,
            meter=meter,
        )


async def call(
    request: Awaitable[aiohttp.ClientResponse],
    *,
    what: str,
    timeout: float = _TIMEOUT,  # noqa: ASYNC109 - of all of it, the answer's body too
) -> dict[str, Any]:
    """Make a request and return its JSON object; all else as `fetch`."""
    answer = _parse(await fetch(request, what=what, timeout=timeout))
    if not isinstance(answer.get("metadata"), dict):
        raise errors.ApiServerError(f"{what}: no object in the answer")
    return answer


async def fetch(
    request: Awaitable[aiohttp.ClientResponse],
    *,
    what: str,
    timeout: float = _TIMEOUT,  # noqa: ASYNC109 - of all of it, the answer's body too
) -> bytes:
    """Make a request and return the body of its answer; ``what`` names it in messages ("get Secret shop/tls").

    ``timeout`` in seconds is for all of it.

    Raises: ApiServerError, and its kinds Conflict (409) and Gone (404).
    """
    try:
        async with asyncio.timeout(timeout):
            response = await request
            body = await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise errors.ApiServerError(f"{what}: {type(error).__name__}") from None
    if response.status >= 300:
        raise _refusal(response, _parse(body), what=what)
    return body


class Refused(errors.ApiServerError):
    """The API server answered with a status that has no meaning of its own here; ``status`` is it."""

    def __init__(self, message: str, *, status: int, retry_after: float) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status


class TestFailed(errors.Gone):
    """A ``test`` of a JSON patch did not hold (RFC 6902 section 4.6)."""


def _refusal(response: aiohttp.ClientResponse, answer: dict[str, Any], *, what: str) -> errors.ApiServerError:
    message = f"{what}: {response.status} {errors.foreign_text(str(answer.get('message', '')))}"
    if response.status == 404:
        return errors.Gone(message)
    if response.status == 409:
        return errors.Conflict(message)
    # A refused test carries no causes; an object that breaks its schema does.
    if response.status == 422 and not (answer.get("details") or {}).get("causes"):
        return TestFailed(message)
    return Refused(message, status=response.status, retry_after=_retry_after(response))


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """Return the seconds of Retry-After; the API server only ever sends whole seconds."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else 0.0


def _parse(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


async def _configuration() -> kubernetes.aio.client.Configuration:
    configuration = kubernetes.aio.client.Configuration()
    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG"):
            kubernetes.aio.config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            # The package looks at the environment when it is imported; this is what it says now.
            await kubernetes.aio.config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=os.environ.get("KUBECONFIG"), client_configuration=configuration
            )
    except (kubernetes.aio.config.ConfigException, OSError) as error:
        raise NoCluster(
            f"no Kubernetes API server to talk to: {error}. Set KUBECONFIG, or run in a Pod with a ServiceAccount."
        ) from None
    return configuration
