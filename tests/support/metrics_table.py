"""The table of docs/metrics.md: what a cluster test holds against a real operator, and what alerts may ask for."""

import dataclasses
import pathlib
import re

_DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
_ROW = re.compile(r"^\| `(?P<name>scm_operator_\w+)` \| (?P<kind>\w+) \|(?P<labels>[^|]*)\|", re.MULTILINE)


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """A row."""

    name: str
    kind: str
    labels: frozenset[str]

    @property
    def counted(self) -> str:
        """Return the name of its samples, or of one of them that has no label of its own."""
        return self.name + ("_count" if self.kind == "histogram" else "")

    @property
    def series(self) -> dict[str, frozenset[str]]:
        """Return the names of its samples, with their labels."""
        if self.kind != "histogram":
            return {self.name: self.labels}
        parts = {"_bucket": self.labels | {"le"}, "_count": self.labels, "_sum": self.labels}
        return {self.name + part: labels for part, labels in parts.items()}


def documented() -> dict[str, Metric]:
    """Return the metrics by name."""
    rows = _ROW.finditer(_DOCS.read_text())
    found = [Metric(row["name"], row["kind"], frozenset(re.findall(r"`(\w+)`", row["labels"]))) for row in rows]
    return {metric.name: metric for metric in found}


def series() -> dict[str, frozenset[str]]:
    """Return all series that there are, with their labels."""
    return {name: labels for metric in documented().values() for name, labels in metric.series.items()}
