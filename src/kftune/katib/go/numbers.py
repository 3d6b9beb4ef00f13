"""Numbers as the engines read them: Python's `int` and `float`, Go's `strconv`."""

from __future__ import annotations

import math
import re

_GO_INT = re.compile(r"[-+]?[0-9]+")
_GO_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9]+(?:_[0-9]+)*)?\.?(?:[0-9]+(?:_[0-9]+)*)?(?:[eE][-+]?[0-9]+)?"
    r"|0[xX](?P<hex>_?[0-9a-fA-F_]*\.?[0-9a-fA-F_]*)[pP][-+]?[0-9]+)"
)
_GO_WORDS = frozenset(("inf", "infinity", "nan"))
_MOST_DIGITS = 4000


def python_int(text: str) -> int | None:
    """`int(text)`, or None where Python refuses."""
    if len(text) > _MOST_DIGITS:
        return None
    try:
        return int(text)
    except ValueError:
        return None


def python_float(text: str) -> float | None:
    """`float(text)`, or None where Python refuses."""
    try:
        return float(text)
    except ValueError:
        return None


def go_int(text: str) -> int | None:
    """`strconv.Atoi`, or None where Go refuses."""
    if not _GO_INT.fullmatch(text) or len(text) > _MOST_DIGITS:
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None


def go_float(text: str) -> float | None:
    """`strconv.ParseFloat`, or None where Go refuses."""
    if text.lstrip("+-").lower() in _GO_WORDS and not text.startswith(("+-", "-+", "++", "--")):
        return None if text[0] in "+-" and text[1:].lower() == "nan" else float(text)
    found = _GO_FLOAT.fullmatch(text)
    if found is None or not any(character.isdigit() for character in text):
        return None
    try:
        value = float.fromhex(text.replace("_", "")) if found["hex"] is not None else float(text.replace("_", ""))
    except (ValueError, OverflowError):
        return None
    return None if math.isinf(value) else value
