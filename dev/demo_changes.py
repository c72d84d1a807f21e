"""The uploads' Ready conditions as they change: lines of ``kubectl get --watch`` in, lines for a person out."""

import datetime
import textwrap
from dataclasses import dataclass
from typing import Self

_FIELDS = (
    "{.type}",
    "{.object.metadata.namespace}/{.object.metadata.name}",
    '{.object.status.conditions[?(@.type=="Ready")].status}',
    '{.object.status.conditions[?(@.type=="Ready")].reason}',
    "{.object.status.scmID}",
    "{.object.status.createTime}",
    '{.object.status.conditions[?(@.type=="Ready")].message}',
)

_SEPARATOR = "|"  # a watching kubectl lines tabs up as columns; of the fields, only the last may hold one of these

WATCH = (
    "get", "cru", "--all-namespaces", "--watch", "--output-watch-events",
    "-o", "jsonpath=" + _SEPARATOR.join(_FIELDS) + r'{"\n"}',
)  # fmt: skip
"""The arguments of the kubectl that writes the lines to read."""

_NAME = 24
_INDENT = " " * 16
_LINE = 110


@dataclass(frozen=True, slots=True)
class State:
    """What is to be seen of an upload at one moment; texts are empty where there is nothing yet."""

    event: str
    """ADDED, MODIFIED or DELETED."""
    upload: str
    """Its namespace and name, with a slash between."""
    status: str
    reason: str
    scm_id: str
    created: str
    """When SCM made the entry, by its own clock."""
    message: str

    @classmethod
    def read(cls, line: str) -> Self | None:
        """Read a line of the watch; return None for one that is something else, such as a warning of kubectl's."""
        fields = line.split(_SEPARATOR, len(_FIELDS) - 1)
        return cls(*fields) if len(fields) == len(_FIELDS) else None

    @property
    def ready(self) -> str:
        """The Ready condition in two words."""
        if self.event == "DELETED":
            return "deleted"
        return f"{self.status} {self.reason}" if self.status else "new"

    @property
    def detail(self) -> str:
        """What the condition's reason leaves open: where the CSR is in SCM, or the message."""
        if self.event == "DELETED":
            return ""
        if self.status == "True" and self.scm_id:
            return f"scmID={self.scm_id}  createTime={self.created}"
        return self.message


class Changes:
    """Remembers each upload's last state, and tells what is new."""

    def __init__(self) -> None:
        self._seen: dict[str, State] = {}

    def reason(self, upload: str) -> str:
        """Return the reason of the upload's Ready condition when it was last seen."""
        seen = self._seen.get(upload)
        return seen.reason if seen else ""

    def take(self, line: str, *, now: datetime.datetime) -> list[str]:
        """Take a line of the watch, and return the lines that say what changed: none if Ready is what it was."""
        state = State.read(line)
        if state is None:
            return []
        before, self._seen[state.upload] = self._seen.get(state.upload), state
        was = before.ready if before else "new"
        if was == state.ready:
            return []
        if state.event == "DELETED":
            del self._seen[state.upload]
        time = now.strftime("%H:%M:%S.%f")[:-3]
        news = [f"  {time}  {state.upload:<{_NAME}} {was} → {state.ready}"]
        return [*news, *textwrap.wrap(state.detail, _LINE, initial_indent=_INDENT, subsequent_indent=_INDENT)]
