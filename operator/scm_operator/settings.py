"""Every external setting: read once from SCM_OPERATOR_* variables and flags of the same name, frozen, validated.

A flag wins over its variable. What belongs to one account (endpoint, credential) is not a setting but a resource.
"""

import pathlib
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import pydantic
import pydantic_settings

_NAMESPACE_FILE = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

Seconds = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]


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
        2.0, description="Seconds between two renewals of the leader, and two looks of those that wait."
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
    allow_insecure_loopback: bool = pydantic.Field(
        default=False, description="Allow accounts whose endpoint is plain http on loopback (a simulator)."
    )
    log_level: Literal["debug", "info", "warning", "error"] = pydantic.Field(
        "info", description="Least severity that is logged."
    )
    log_format: Literal["json", "text"] = pydantic.Field(
        "json", description="json: one object a line; text: for a terminal."
    )

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
    return f"{_flag(name)}: {problem['msg']}, found {problem['input']!r}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')} (SCM_OPERATOR_{name.upper()})"
