"""Every external setting: read once from SCM_OPERATOR_* variables and flags of the same name, frozen, validated.

A flag wins over its variable. What belongs to one account (endpoint, credential) is not a setting but a resource.
"""

import pathlib
import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import pydantic
import pydantic_settings

_NAMESPACE_FILE = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

Seconds = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1123, as the API server has it for namespaces


def _namespaces(value: object) -> object:
    """Split a comma-separated text; each name once."""
    if not isinstance(value, str):
        return value
    names = tuple(dict.fromkeys(filter(None, (part.strip() for part in value.split(",")))))
    if wrong := [name for name in names if not _LABEL.fullmatch(name)]:
        raise ValueError(f"no name of a namespace: {wrong[0]!r} (patterns are not understood)")
    return names


Namespaces = Annotated[tuple[str, ...], pydantic_settings.NoDecode, pydantic.BeforeValidator(_namespaces)]


def _address(value: str) -> str:
    host, separator, port = value.rpartition(":")
    plain = ":" not in host or (host.startswith("[") and host.endswith("]"))
    if not (separator and plain and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError("expected host:port or :port, with a port of 0 to 65535 and an IPv6 address in brackets")
    return value


def _own_namespace() -> str:
    try:
        return _NAMESPACE_FILE.read_text().strip()
    except OSError:
        return "scm-csr-operator"


class Settings(pydantic_settings.BaseSettings):
    """Uploads the CSRs that CertificateRequestUpload resources name to the SSL Certificate Manager (SCM).

    Each flag can be given as an environment variable: --log-level is SCM_OPERATOR_LOG_LEVEL. The cluster is the one
    of $KUBECONFIG, or the Pod's own. SCM and IAM are reached through HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY,
    and their certificates checked against SSL_CERT_FILE and SSL_CERT_DIR, where these are set.
    """

    model_config = pydantic_settings.SettingsConfigDict(
        env_prefix="SCM_OPERATOR_",
        frozen=True,
        cli_prog_name="scm-operator",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
    )

    namespace: str = pydantic.Field(
        default_factory=_own_namespace,
        description="Namespace of the operator; a ClusterScmAccount's Secret is read there. "
        "Default: the Pod's own, else scm-csr-operator.",
    )
    watch_namespaces: Namespaces = pydantic.Field(
        (), description="Namespaces whose resources are worked on, comma-separated; none: all namespaces."
    )
    cluster_accounts: bool = pydantic.Field(
        default=True, description="Serve ClusterScmAccounts; without, they need not be readable."
    )
    secrets_watch: bool = pydantic.Field(
        default=True,
        description="Watch Secrets (metadata only). Without, only get on Secrets is needed, and their changes are "
        "found on retry and resync.",
    )
    lease_name: str = pydantic.Field(
        "scm-csr-operator", description="Name of the Lease; replicas of one installation share it, and no others."
    )
    workers: int = pydantic.Field(32, ge=1, le=256, description="Uploads that are worked on at the same time.")
    call_timeout: Annotated[float, pydantic.Field(gt=0, le=30)] = pydantic.Field(
        30.0, description="Deadline in seconds of a whole call to SCM, token and connecting included; at most 30."
    )
    retry_first: Seconds = pydantic.Field(1.0, description="First backoff in seconds, full jitter; doubles each time.")
    retry_slow: Seconds = pydantic.Field(
        30.0, description="First backoff in seconds where only a person can help (credential, permission, endpoint)."
    )
    retry_longest: Seconds = pydantic.Field(300.0, description="Longest backoff in seconds.")
    lease_duration: Seconds = pydantic.Field(
        15.0, description="Seconds after which another replica takes over from a leader that says nothing."
    )
    renew_deadline: Seconds = pydantic.Field(
        10.0, description="Seconds after its last renewal in which a leader still begins something."
    )
    retry_period: Seconds = pydantic.Field(
        2.0, description="Seconds between two renewals of the leader; those that wait look twice as often."
    )
    settle_time: Seconds = pydantic.Field(
        30.0, description="Seconds after a call's deadline in which SCM may still store what was sent."
    )
    resync_interval: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)] = pydantic.Field(
        36_000.0, description="Seconds in which each uploaded entry is looked at in SCM once; 0 turns it off."
    )
    deletion_deadline: Seconds = pydantic.Field(
        600.0, description="Seconds after which a resource is let go whose entries can't be deleted."
    )
    shutdown_timeout: Seconds = pydantic.Field(
        45.0, description="Seconds that a stop may take to end calls in flight and write their outcome."
    )
    listen: Annotated[str, pydantic.AfterValidator(_address)] = pydantic.Field(
        ":8080",
        description="Address for /livez, /readyz and /metrics as host:port; no host: all interfaces, port 0: a free "
        "one, which the log names.",
    )
    stall_timeout: Seconds = pydantic.Field(
        300.0,
        description="Seconds without any movement of a watch or a worker after which /livez fails; bookmarks come "
        "every 60 s, and one call may take 30 s, so less than 180 ends processes that are well.",
    )
    allow_insecure_loopback: bool = pydantic.Field(
        default=False, description="Allow accounts whose endpoint is plain http on loopback (a simulator)."
    )
    log_level: Literal["debug", "info", "warning", "error"] = pydantic.Field(
        "info", description="Least severity that is logged; debug shows each step of each upload, and why."
    )
    log_format: Literal["json", "text"] = pydantic.Field(
        "json", description="json: one object a line; text: for a terminal."
    )

    @property
    def listen_on(self) -> tuple[str | None, int]:
        """Return host (None for all interfaces) and port of `listen`."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]") or None, int(port)

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.shutdown_timeout <= self.call_timeout:
            raise ValueError(
                f"{_flag('shutdown_timeout')} must be longer than {_flag('call_timeout')}: "
                "a call in flight is not cut off"
            )
        if not self.lease_duration > self.renew_deadline > self.retry_period:
            raise ValueError(
                f"{_flag('lease_duration')} must be longer than {_flag('renew_deadline')}, and that longer than "
                f"{_flag('retry_period')}"
            )
        if self.settle_time <= self.lease_duration - self.renew_deadline:
            raise ValueError(
                f"{_flag('settle_time')} must be longer than {_flag('lease_duration')} less {_flag('renew_deadline')}: "
                "what a leader sends with its last breath must not come after it"
            )
        for first in ("retry_first", "retry_slow"):
            if self.retry_longest < getattr(self, first):
                raise ValueError(f"{_flag('retry_longest')} must not be shorter than {_flag(first)}")
        return self


def load(arguments: list[str]) -> Settings:
    """Read the settings; a mistake ends the process with exit code 2 and says which setting it is."""
    try:
        return Settings(_cli_parse_args=arguments)
    except pydantic.ValidationError as error:
        for problem in error.errors(include_url=False, include_context=False):
            sys.stderr.write(f"scm-operator: {_complaint(problem)}\n")
        sys.exit(2)


def _complaint(problem: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if not name:
        return str(problem["msg"]).removeprefix("Value error, ")
    return f"{_flag(name)}: {str(problem['msg']).removeprefix('Value error, ')}, found {problem['input']!r}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')} (SCM_OPERATOR_{name.upper()})"
