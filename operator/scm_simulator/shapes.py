"""Strict reading of JSON: every complaint names the field that it is about."""

import json
from collections.abc import Collection
from typing import NoReturn


class ShapeError(ValueError):
    """A document that isn't what it must be; the message names the field."""


def decode(body: bytes) -> object:
    """Read a JSON text (RFC 8259): UTF-8, no key twice, no NaN.

    Raises:
        ShapeError: it is anything else.

    """
    try:
        return json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ShapeError("the body must be UTF-8") from error
    except json.JSONDecodeError as error:
        raise ShapeError(f"the body must be JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise ShapeError("the body is nested too deeply") from error


def mapping(
    value: object, *, at: str, required: Collection[str] = (), optional: Collection[str] = ()
) -> dict[str, object]:
    """Return an object with all the required keys and no others than these and the optional ones.

    Raises:
        ShapeError: it isn't an object, or has other keys.

    """
    if not isinstance(value, dict):
        raise ShapeError(f"{at} must be an object, not {_kind(value)}")
    for key in required:
        if key not in value:
            raise ShapeError(f"{_join(at, key)} is missing")
    for key in value:
        if key not in required and key not in optional:
            allowed = ", ".join([*required, *optional]) or "nothing"
            raise ShapeError(f"{_join(at, key)} is unknown (allowed here: {allowed})")
    return value


def sequence(value: object, *, at: str) -> list[object]:
    """Return a list.

    Raises:
        ShapeError: it is none.

    """
    if not isinstance(value, list):
        raise ShapeError(f"{at} must be a list, not {_kind(value)}")
    return value


def text(value: object, *, at: str, least: int = 0, most: int | None = None) -> str:
    """Return a string of `least` to `most` characters.

    Raises:
        ShapeError: it isn't a string, or its length is out of the range.

    """
    if not isinstance(value, str):
        raise ShapeError(f"{at} must be a string, not {_kind(value)}")
    if not value and least == 1:
        raise ShapeError(f"{at} must not be empty")
    if len(value) < least or (most is not None and len(value) > most):
        wanted = f"at least {least}" if most is None else f"{least} to {most}"
        raise ShapeError(f"{at} must have {wanted} characters, it has {len(value)}")
    return value


def choice(value: object, *, at: str, among: Collection[str]) -> str:
    """Return one of the given words.

    Raises:
        ShapeError: it is none of them.

    """
    if not isinstance(value, str) or value not in among:
        raise ShapeError(f"{at} must be one of {', '.join(among)}")
    return value


def whole(value: object, *, at: str, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`.

    Raises:
        ShapeError: it isn't one, or out of the range.

    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ShapeError(f"{at} must be a whole number from {least} to {most}")
    return value


def number(value: object, *, at: str, least: float, most: float) -> float:
    """Return a number from `least` to `most`.

    Raises:
        ShapeError: it isn't one, or out of the range.

    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise ShapeError(f"{at} must be a number from {least:g} to {most:g}")
    return float(value)


def truth(value: object, *, at: str) -> bool:
    """Return true or false.

    Raises:
        ShapeError: it is neither.

    """
    if not isinstance(value, bool):
        raise ShapeError(f"{at} must be true or false, not {_kind(value)}")
    return value


def only_key(document: dict[str, object], *, at: str, among: Collection[str]) -> str:
    """Return the one key, of those given, that the document has.

    Raises:
        ShapeError: it has none or several of them.

    """
    found = [key for key in among if key in document]
    if len(found) != 1:
        raise ShapeError(f"{at} must have exactly one of {', '.join(among)}")
    return found[0]


def _join(at: str, key: str) -> str:
    return key if at == "the body" else f"{at}.{key}"


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ShapeError("the body has a key twice in one object")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ShapeError(f"the body must be JSON: {name} is none of its values")
