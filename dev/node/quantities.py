"""Quantities of resources, as containers ask for them: 100m, 1.5, 64Mi, 2e3.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import math
import re
from fractions import Fraction

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_QUANTITY = re.compile(r"([+-]?\d*\.?\d+|[+-]?\d+\.)(?:[eE]([+-]?\d+)|([a-zA-Z]*))")


def parse(text: str) -> Fraction:
    """Return what the quantity says, in cores or bytes.

    Raises:
        ValueError: It is no quantity.

    """
    found = _QUANTITY.fullmatch(text)
    if found is None or (found[3] or "") not in _DECIMAL | _BINARY:
        raise ValueError(f"{text!r} is no quantity: a number and a suffix such as m, k, Mi are wanted")
    number, exponent, suffix = Fraction(found[1]), found[2], found[3] or ""
    if suffix in _BINARY:
        return number * _power(1024, _BINARY[suffix])
    return number * _power(10, int(exponent) if exponent else _DECIMAL[suffix])


def _power(base: int, exponent: int) -> Fraction:
    whole: int = base ** abs(exponent)
    return Fraction(whole) if exponent >= 0 else Fraction(1, whole)


def count(text: str, *, divisor: str) -> int:
    """Return how many divisors the quantity is, rounded up, as the downward API does; a divisor of 0 is 1."""
    return math.ceil(parse(text) / (parse(divisor) or 1))
