"""What a plain YAML scalar means to kubectl, whose reader is Go's: not what it means to YAML 1.2 or to PyYAML.

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

# Python reads no longer decimal integers; Go takes such digits for a float.
_MOST_DIGITS = 40


def resolve(text: str) -> object:
    """The value of a plain scalar as it reaches JSON: None, a bool, a number, or the text itself.

    Args:
        text: The scalar, not quoted, without a tag.

    Returns:
        Integers are int when they fit in 64 bits, else float; infinities and NaN are float (JSON refuses them).
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
    # Beyond 64 bits only an unsigned integer is left; JSON hands it on as a float.
    return float(value) if 0 <= value < 2**64 and plain[0] != "+" else None


def _as_json(value: float, text: str) -> object:
    """A float as it comes back from JSON, where `12.0` is written `12`; Go does not read one beyond the largest."""
    if math.isinf(value):
        return text
    return from_float(value)


def from_float(value: float) -> int | float:
    """A finite float after it went through JSON text: whole numbers that fit in 64 bits are integers."""
    if value == int(value) and abs(value) < 1e21:
        whole = int(float(f"{value:.17g}"))
        if LEAST_INT <= whole <= MOST_INT:
            return whole
    return value
