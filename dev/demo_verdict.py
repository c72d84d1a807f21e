"""Whether the demo's uploads ended as they should."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

UPLOADED = "Uploaded"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the uploads, against what was expected of them."""

    summary: str
    wrong: tuple[str, ...]
    """A sentence on each upload that is not as it should be."""

    @property
    def exit_code(self) -> int:
        """0 if all is as it should be, else 1."""
        return 1 if self.wrong else 0

    @classmethod
    def on(cls, uploads: Iterable[Mapping[str, Any]], *, expected: Mapping[str, str]) -> Self:
        """Compare uploads, as kubectl gives them in JSON, with the reason that is expected of each name."""
        found = {upload["metadata"]["name"]: upload.get("status", {}) for upload in uploads}
        said = (_wrong(name, reason=reason, status=found.get(name)) for name, reason in expected.items())
        wrong = tuple(sentence for sentence in said if sentence)
        return cls(summary=_summary(expected, wrong=len(wrong)), wrong=wrong)


def _wrong(name: str, *, reason: str, status: Mapping[str, Any] | None) -> str:
    if status is None:
        return f"{name} is not there."
    conditions = status.get("conditions", ())
    ready = next((each for each in conditions if each["type"] == "Ready"), {"status": "no condition", "reason": "yet"})
    wanted, got = ("True" if reason == UPLOADED else "False", reason), (ready["status"], ready["reason"])
    if got != wanted:
        said = f": {ready['message']}" if ready.get("message") else "."
        return f"{name} should be {' '.join(wanted)}, but is {' '.join(got)}{said}"
    if reason == UPLOADED and not (status.get("scmID") and status.get("createTime")):
        return f"{name} is Ready, but without its id and create time in SCM."
    return ""


def _summary(expected: Mapping[str, str], *, wrong: int) -> str:
    uploads = _count(len(expected), "upload")
    if wrong:
        return f"{uploads}: {wrong} not as it should be"
    refused = [reason for reason in expected.values() if reason != UPLOADED]
    parts = [f"{len(expected) - len(refused)} Ready as they should"]
    if refused:
        parts.append(f"{len(refused)} refused as it should ({', '.join(refused)})")
    return f"{uploads}: {', '.join(parts)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
