"""Conditions as kstatus reads them: Ready always; Reconciling and Stalled only while true.

kstatus: https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md. Whoever waits (helm --wait,
Flux) gives up at once on Stalled, so only what a person must change may say so.
"""

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

from scm_operator.domain import fields, reasons

READY, RECONCILING, STALLED, DEGRADED = "Ready", "Reconciling", "Stalled", "Degraded"
TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
# Kubernetes refuses a condition's message beyond 32,768 characters; a terminal wants far less.
_MESSAGE_LENGTH = 1024

_STALLED = frozenset(
    {
        reasons.Reason.INVALID_CSR,
        reasons.Reason.CSR_TOO_LARGE,
        reasons.Reason.INVALID_PRIVATE_KEY,
        reasons.Reason.KEY_MISMATCH,
        reasons.Reason.REJECTED,
        reasons.Reason.OUTCOME_UNKNOWN,
        reasons.Reason.ADOPTION_UNKNOWN,
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One entry of status.conditions (metav1.Condition)."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int
    last_transition_time: str

    def to_json(self) -> dict[str, Any]:
        """Return it as the API server takes it."""
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "observedGeneration": self.observed_generation,
            "lastTransitionTime": self.last_transition_time,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What a reconcile came to: a reason and, for a person, what it means and what to do."""

    reason: reasons.Reason | reasons.AccountReason
    message: str

    @property
    def ready(self) -> str:
        """Return the status of the Ready condition."""
        if self.reason in {reasons.Reason.UPLOADED, reasons.AccountReason.READY}:
            return TRUE
        return UNKNOWN if self.reason is reasons.Reason.OUTCOME_UNKNOWN else FALSE

    @property
    def stalled(self) -> bool:
        """Say whether only a person can help."""
        return self.reason in _STALLED


def parse_condition(item: fields.Fields) -> Condition:
    """Parse an entry of status.conditions. Raises: InvalidResource with the field's path."""
    return Condition(
        type=item.text("type"),
        status=item.text("status"),
        reason=item.text("reason"),
        message=str(item.values.get("message", "")),
        observed_generation=item.number("observedGeneration", default=0),
        last_transition_time=item.text("lastTransitionTime"),
    )


def conditions_for(
    verdict: Verdict,
    *,
    previous: Sequence[Condition],
    generation: int,
    now: datetime.datetime,
    degraded: Verdict | None = None,
) -> tuple[Condition, ...]:
    """Return the whole list of conditions; a status that doesn't change keeps its lastTransitionTime.

    ``degraded`` is what is wrong without making it any less Ready: a condition of its own while it lasts.
    """
    states = [(READY, verdict.ready, verdict)]
    if verdict.ready != TRUE:
        states.append((STALLED if verdict.stalled else RECONCILING, TRUE, verdict))
    if degraded:
        states.append((DEGRADED, TRUE, degraded))
    return tuple(
        Condition(
            type=kind,
            status=status,
            reason=why.reason.value,
            message=_sentence(why.message),
            observed_generation=generation,
            last_transition_time=_transition_time(kind, status, previous, now),
        )
        for kind, status, why in states
    )


def _sentence(message: str) -> str:
    """Begin with a capital, unless with the path of a field, and cut what is too long."""
    if "." not in message.split(" ", 1)[0]:
        message = message[:1].upper() + message[1:]
    return message if len(message) <= _MESSAGE_LENGTH else message[: _MESSAGE_LENGTH - 1] + "…"


def find(conditions: Sequence[Condition], kind: str) -> Condition | None:
    """Return the condition of that type, if there is one."""
    return next((condition for condition in conditions if condition.type == kind), None)


def timestamp(moment: datetime.datetime) -> str:
    """Return a metav1.Time: RFC 3339 in UTC, whole seconds."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime.datetime:
    """Read an RFC 3339 time. Raises: ValueError."""
    return datetime.datetime.fromisoformat(text)


def _transition_time(kind: str, status: str, previous: Sequence[Condition], now: datetime.datetime) -> str:
    before = find(previous, kind)
    return before.last_transition_time if before and before.status == status else timestamp(now)
