"""Reads numbers as the engines do: Python's `int` and `float`, Go's `strconv`."""

from __future__ import annotations

import math
import re
from decimal import Decimal

_GO_INT = re.compile(r"[-+]?[0-9]+")
# Underscores are allowed between two digits and after 0x.
_DIGITS = r"[0-9](?:_?[0-9])*"
_HEX = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_GO_DECIMAL = re.compile(rf"[-+]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?")
_GO_HEX = re.compile(rf"[-+]?0[xX](?:_?{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})[pP][-+]?{_DIGITS}")
_GO_INFINITY = re.compile(r"[-+]?inf(?:inity)?", re.IGNORECASE | re.ASCII)
_MOST_DIGITS = 4000


def python_int(text: str) -> int | None:
    """`int(text)`, or None when Python rejects the text."""
    if len(text) > _MOST_DIGITS:
        return None
    try:
        return int(text)
    except ValueError:
        return None


def python_float(text: str) -> float | None:
    """`float(text)`, or None when Python rejects the text."""
    try:
        return float(text)
    except ValueError:
        return None


def number_or_text(text: str) -> str | int | float:
    """Returns a setting as Python reads it: a whole number, another number, or the text."""
    whole = python_int(text)
    if whole is not None:
        return whole
    number = python_float(text)
    return text if number is None else number


def go_int(text: str) -> int | None:
    """`strconv.Atoi`, or None when Go rejects the text."""
    if not _GO_INT.fullmatch(text) or len(text) > _MOST_DIGITS:
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None


def go_float(text: str) -> float | None:
    """`strconv.ParseFloat`, or None when Go rejects the text, also beyond the largest float64."""
    if _GO_DECIMAL.fullmatch(text):
        value = float(text)
    elif _GO_HEX.fullmatch(text):
        try:
            value = float.fromhex(text.replace("_", ""))
        except OverflowError:
            return None
    elif text.isascii() and (text.lower() == "nan" or _GO_INFINITY.fullmatch(text)):
        return float(text)
    else:
        return None
    return None if math.isinf(value) else value


def positional(value: float) -> str:
    """`strconv.FormatFloat(value, 'f', -1, 64)` of a finite number: the shortest digits, never an exponent."""
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")
