"""What a PromQL expression asks for, as far as a test has to know: its series, and the labels that it names."""

import dataclasses
import re
from collections.abc import Iterator

TARGET = frozenset({"namespace", "job", "pod", "instance"})
"""Labels that Prometheus adds to what it scrapes."""

_SERIES = re.compile(r"\b(?P<name>(?:scm_operator|process)_\w+)(?:\{(?P<matchers>[^}]*)\})?")
_MATCHER = re.compile(r"(?P<label>\w+)\s*(?:=~|!~|!=|=)\s*\"(?P<value>[^\"]*)\"")
_GROUPING = re.compile(r"\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)")


@dataclasses.dataclass(frozen=True, slots=True)
class Selector:
    """One selector: a series' name, and what its labels are compared to."""

    name: str
    matchers: tuple[tuple[str, str], ...]


def selectors(expression: str) -> Iterator[Selector]:
    """Return the selectors of an expression."""
    for found in _SERIES.finditer(expression):
        matchers = _MATCHER.finditer(found["matchers"] or "")
        yield Selector(found["name"], tuple((match["label"], match["value"]) for match in matchers))


def grouped_by(expression: str) -> set[str]:
    """Return the labels that an expression sums or joins by."""
    return {label.strip() for labels in _GROUPING.findall(expression) for label in labels.split(",") if label.strip()}


def alternatives(value: str) -> list[str]:
    """Return what a matcher's value stands for, where it is a list of plain alternatives."""
    return value.split("|")
