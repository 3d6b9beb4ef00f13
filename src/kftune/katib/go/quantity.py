"""Kubernetes quantities such as `500m`, `2Gi` and `1e3`.

Source: k8s.io/apimachinery pkg/api/resource (quantity.go, suffix.go).
"""

from __future__ import annotations

import re
from decimal import Decimal

REGEX_MESSAGE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
"""Kubernetes' message for text that is not a quantity."""

_TEXT = re.compile(r"([-+]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([a-zA-Z]*|[eE][-+]?[0-9]+)")
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_NAMES = {power: suffix for suffix, power in _DECIMAL.items()}
_EXPONENT = re.compile(r"[eE][-+]?[0-9]{1,4}")
_LONGEST = 400


def parse(text: str) -> Decimal | None:
    """Returns the amount, or None when Kubernetes rejects the text."""
    found = _TEXT.fullmatch(text)
    if found is None or len(text) > _LONGEST:
        return None
    sign, digits, suffix = found.groups()
    number = Decimal(digits if digits[0] != "." else "0" + digits)
    if suffix in _BINARY:
        number *= 2 ** _BINARY[suffix]
    elif suffix in _DECIMAL:
        number = number.scaleb(_DECIMAL[suffix])
    elif _EXPONENT.fullmatch(suffix):
        number = number.scaleb(max(-500, min(500, int(suffix[1:]))))
    else:
        return None
    return -number if sign == "-" else number


def canonical(text: str) -> str | None:
    """Returns the text as Kubernetes writes the quantity back, or None when Kubernetes rejects it.

    Kubernetes writes `1024Mi` as `1Gi`, `1000m` as `1`, `0.5` as `500m`, and `1.5Gi` as `1536Mi`.
    """
    amount = parse(text)
    if amount is None:
        return None
    found = _TEXT.fullmatch(text)
    suffix = found[3] if found else ""
    if suffix in _BINARY and (abs(amount) >= 1024 or amount == 0) and amount == amount.to_integral_value():
        return _binary_text(int(amount))
    if len(suffix) > 1 and suffix[0] in "eE":
        return _scaled_text(amount, "e")
    return _scaled_text(amount, "")


def _binary_text(amount: int) -> str:
    for suffix, power in reversed(_BINARY.items()):
        if amount and amount % 2**power == 0:
            return f"{amount >> power}{suffix}"
    return str(amount)


def _scaled_text(amount: Decimal, style: str) -> str:
    """Uses the largest power of a thousand that keeps the digits whole; amounts below `n` are rounded up."""
    nano = amount.scaleb(9).to_integral_value(rounding="ROUND_UP")
    if nano == 0:
        return "0"
    digits, power = int(nano), -9
    while digits % 1000 == 0 and power < 18:
        digits, power = digits // 1000, power + 3
    if style and power != 0:
        return f"{digits}e{power}"
    return f"{digits}{_DECIMAL_NAMES[power]}"
