"""The rules of faults: read strictly from JSON, matched against requests."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, cast

from scm_simulator import errors, fault_actions, shapes

Hold = Literal["before-store", "after-store"]

_STAGES: Final = ("before-store", "after-store")
_LONGEST_SECONDS: Final = 86_400.0
_MOST_CALLS: Final = 1_000_000_000
_MOST_BYTES: Final = 100_000_000
_ACTIONS: Final = (
    *("status", "delay", "reset", "malformedJson", "withoutId", "hugeAnswer", "redirect", "throttle", "staleList"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a rule sees of a request; `name` is the CSR name in its body."""

    method: str
    path: str
    operation: str | None
    name: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a rule is for, and at which of them it fires; what is None is not asked."""

    method: str | None
    path: str | None
    operation: str | None
    name: str | None
    calls: frozenset[int] | None
    probability: float | None
    times: int | None

    def covers(self, call: Call) -> bool:
        """Tell whether a request is one that the rule counts."""
        return (
            self.method in (None, call.method)
            and self.operation in (None, call.operation)
            and self.name in (None, call.name)
            and (self.path is None or _glob(self.path).fullmatch(call.path) is not None)
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; `document` is the JSON that it was read from, with the name that it got."""

    name: str
    match: Match
    action: fault_actions.Action
    hold: Hold | None
    document: Mapping[str, object]


def parse(document: object) -> tuple[int, tuple[Rule, ...]]:
    """Read the body of `PUT faults`: the seed and the rules.

    Raises:
        ShapeError: a field is unknown, missing or out of range; the message names it.

    """
    body = shapes.mapping(document, at="the body", required=["rules"], optional=["seed"])
    seed = shapes.whole(body.get("seed", 0), at="seed", least=0, most=2**63)
    items = shapes.sequence(body["rules"], at="rules")
    rules = tuple(_rule(item, at=f"rules[{index}]", number=index + 1) for index, item in enumerate(items))
    names = [rule.name for rule in rules]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise shapes.ShapeError(f"rules[{index}].name must be unique, {name} is there already")
    return seed, rules


def _rule(document: object, *, at: str, number: int) -> Rule:
    fields = shapes.mapping(document, at=at, optional=["name", "match", "do", "hold"])
    if "do" not in fields and "hold" not in fields:
        raise shapes.ShapeError(f"{at} must have do or hold")
    name = shapes.text(fields.get("name", f"rule-{number}"), at=f"{at}.name", least=1, most=100)
    return Rule(
        name=name,
        match=_match(fields.get("match", {}), at=f"{at}.match"),
        action=_action(fields["do"], at=f"{at}.do") if "do" in fields else fault_actions.Nothing(),
        hold=_hold(fields["hold"], at=f"{at}.hold") if "hold" in fields else None,
        document={"name": name, **fields},
    )


def _match(document: object, *, at: str) -> Match:
    optional = ["method", "path", "operation", "name", "calls", "probability", "times"]
    fields = shapes.mapping(document, at=at, optional=optional)
    if "calls" in fields and "probability" in fields:
        raise shapes.ShapeError(f"{at} must not have both calls and probability")
    words = {
        key: shapes.text(fields[key], at=f"{at}.{key}", least=1) if key in fields else None
        for key in ("method", "path", "operation", "name")
    }
    return Match(
        method=words["method"],
        path=words["path"],
        operation=words["operation"],
        name=words["name"],
        calls=_calls(fields["calls"], at=f"{at}.calls") if "calls" in fields else None,
        probability=shapes.number(fields["probability"], at=f"{at}.probability", least=0, most=1)
        if "probability" in fields
        else None,
        times=shapes.whole(fields["times"], at=f"{at}.times", least=1, most=_MOST_CALLS) if "times" in fields else None,
    )


def _calls(document: object, *, at: str) -> frozenset[int]:
    items = shapes.sequence(document, at=at)
    return frozenset(
        shapes.whole(item, at=f"{at}[{index}]", least=1, most=_MOST_CALLS) for index, item in enumerate(items)
    )


def _hold(document: object, *, at: str) -> Hold | None:
    """Read a hold; true means before-store."""
    if isinstance(document, bool):
        return "before-store" if document else None
    return cast("Hold", shapes.choice(document, at=at, among=_STAGES))


def _action(document: object, *, at: str) -> fault_actions.Action:
    fields = shapes.mapping(document, at=at, optional=_ACTIONS)
    kind = shapes.only_key(fields, at=at, among=_ACTIONS)
    return _READERS[kind](fields[kind], f"{at}.{kind}")


def _status(document: object, at: str) -> fault_actions.Action:
    optional = ["errorCode", "errorMsg", "form", "headers", "afterStore"]
    fields = shapes.mapping(document, at=at, required=["code"], optional=optional)
    code = shapes.whole(fields["code"], at=f"{at}.code", least=200, most=599)
    form = cast("errors.ErrorForm", shapes.choice(fields.get("form", "scm"), at=f"{at}.form", among=errors.ERROR_FORMS))
    if "errorCode" in fields and form not in ("scm", "gateway"):
        raise shapes.ShapeError(f"{at}.errorCode has no place in an error of form {form}")
    return fault_actions.Status(
        code=code,
        form=form,
        error_code=shapes.text(fields.get("errorCode", errors.SERVICE_FAILED), at=f"{at}.errorCode"),
        message=shapes.text(fields.get("errorMsg", errors.phrase_of(code)), at=f"{at}.errorMsg"),
        headers=_headers(fields.get("headers", {}), at=f"{at}.headers"),
        late=shapes.truth(fields.get("afterStore", False), at=f"{at}.afterStore"),
    )


def _headers(document: object, *, at: str) -> Mapping[str, str]:
    if not isinstance(document, dict):
        raise shapes.ShapeError(f"{at} must be an object")
    for name, value in document.items():
        if re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) is None:
            raise shapes.ShapeError(f"{at} has a key that is no name of a header")
        if not shapes.text(value, at=f"{at}.{name}").isprintable():
            raise shapes.ShapeError(f"{at}.{name} must be printable")
    return document


def _delay(document: object, at: str) -> fault_actions.Action:
    fields = shapes.mapping(document, at=at, required=["seconds"], optional=["afterStore"])
    return fault_actions.Delay(
        seconds=shapes.number(fields["seconds"], at=f"{at}.seconds", least=0, most=_LONGEST_SECONDS),
        late=shapes.truth(fields.get("afterStore", False), at=f"{at}.afterStore"),
    )


def _reset(document: object, at: str) -> fault_actions.Action:
    return fault_actions.Reset(late=shapes.choice(document, at=at, among=_STAGES) == "after-store")


def _malformed_json(document: object, at: str) -> fault_actions.Action:
    _only_true(document, at=at)
    return fault_actions.MalformedJson()


def _without_id(document: object, at: str) -> fault_actions.Action:
    _only_true(document, at=at)
    return fault_actions.WithoutId()


def _only_true(document: object, *, at: str) -> None:
    if document is not True:
        raise shapes.ShapeError(f"{at} must be true")


def _huge_answer(document: object, at: str) -> fault_actions.Action:
    fields = shapes.mapping(document, at=at, required=["bytes"])
    return fault_actions.HugeAnswer(shapes.whole(fields["bytes"], at=f"{at}.bytes", least=1, most=_MOST_BYTES))


def _redirect(document: object, at: str) -> fault_actions.Action:
    location = shapes.text(document, at=at, least=1)
    if not location.isascii() or not location.isprintable():
        raise shapes.ShapeError(f"{at} must be a URL")
    return fault_actions.Redirect(location)


def _throttle(document: object, at: str) -> fault_actions.Action:
    fields = shapes.mapping(document, at=at, required=["requests", "windowSeconds"], optional=["retryAfter"])
    return fault_actions.Throttle(
        requests=shapes.whole(fields["requests"], at=f"{at}.requests", least=0, most=_MOST_CALLS),
        window_seconds=shapes.number(
            fields["windowSeconds"], at=f"{at}.windowSeconds", least=0.001, most=_LONGEST_SECONDS
        ),
        retry_after=shapes.truth(fields.get("retryAfter", False), at=f"{at}.retryAfter"),
    )


def _stale_list(document: object, at: str) -> fault_actions.Action:
    fields = shapes.mapping(document, at=at, required=["seconds"])
    return fault_actions.StaleList(shapes.number(fields["seconds"], at=f"{at}.seconds", least=0, most=_LONGEST_SECONDS))


def _glob(path: str) -> re.Pattern[str]:
    """Return a pattern in which only * is special: any characters, slashes too."""
    return re.compile(".*".join(re.escape(part) for part in path.split("*")))


_READERS: Final[Mapping[str, Callable[[object, str], fault_actions.Action]]] = {
    "status": _status,
    "delay": _delay,
    "reset": _reset,
    "malformedJson": _malformed_json,
    "withoutId": _without_id,
    "hugeAnswer": _huge_answer,
    "redirect": _redirect,
    "throttle": _throttle,
    "staleList": _stale_list,
}
