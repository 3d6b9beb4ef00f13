"""Resolves plain YAML scalars as kubectl's Go reader does, which differs from YAML 1.2 and from PyYAML.

`y`, `on` and `NO` are booleans, `010` is 8, `0o17`, `1_000` and `1e3` are numbers; `12:30:45` and
`2024-01-01` are text.

Source: sigs.k8s.io/yaml (goyaml.v2, resolve.go), and Go's strconv.
"""

from __future__ import annotations

import math
import re

MOST_INT = 2**63 - 1
LEAST_INT = -(2**63)

_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{sign + word: math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_TYPED_STARTS = frozenset("yYnNtTfFoO~+-0123456789.")
_NUMBER_STARTS = frozenset("+-0123456789")

_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"([-+]?)0(?:[xX]([0-9a-fA-F]+)|[oO]?([0-7]+)|[bB]([01]+))")
_STYLED_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DOTTED_FLOAT = re.compile(r"\.[0-9](?:_?[0-9])*(?:[eE][-+]?[0-9](?:_?[0-9])*)?")

# Python refuses to read much longer integers; Go reads such digits as a float.
_MOST_DIGITS = 40


def resolve(text: str) -> object:
    """Returns the JSON value of a plain scalar: None, a bool, a number, or the text itself.

    An integer of 64 bits is an int, a larger one a float. Infinities and NaN are floats, which JSON cannot hold.

    Args:
        text: The scalar without quotes and tag.
    """
    if text and text[0] not in _TYPED_STARTS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMBER_STARTS:
        return _number(text)
    if text[0] == "." and _DOTTED_FLOAT.fullmatch(text):
        return _as_json(float(text.replace("_", "")), text)
    return text


def _number(text: str) -> object:
    plain = text.replace("_", "") if "_" in text else text
    if len(plain) <= _MOST_DIGITS:
        value = _integer(plain)
        if value is not None:
            return value
    if _STYLED_FLOAT.fullmatch(plain):
        return _as_json(float(plain), text)
    return text


def _integer(plain: str) -> int | float | None:
    if _DECIMAL.fullmatch(plain):
        value = int(plain)
    elif found := _BASED.fullmatch(plain):
        sign, hexadecimal, octal, binary = found.groups()
        value = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(binary, 2)
        value = -value if sign == "-" else value
    else:
        return None
    if LEAST_INT <= value <= MOST_INT:
        return value
    # Beyond int64 Go reads an unsigned integer, which JSON passes on as a float.
    return float(value) if 0 <= value < 2**64 and plain[0] != "+" else None


def _as_json(value: float, text: str) -> object:
    """Returns a float as it comes back from JSON, where `12.0` is `12`; a number beyond float64 stays text."""
    if math.isinf(value):
        return text
    return from_float(value)


def from_float(value: float) -> int | float:
    """Returns a finite float after a round trip through JSON text: whole numbers of 64 bits become integers."""
    if value == int(value) and abs(value) < 1e21:
        whole = int(float(f"{value:.17g}"))
        if LEAST_INT <= whole <= MOST_INT:
            return whole
    return value
