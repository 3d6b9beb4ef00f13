"""Reads JSON as Go's encoding/json reads it into values of any type.

Source: Go, encoding/json (decode.go, scanner.go); sigs.k8s.io/json for whole numbers.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from kftune.katib.go.scalars import LEAST_INT, MOST_INT

# An integer of 64 bits has at most this many characters.
_MOST_DIGITS = 20
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAY_MAKE_SURROGATES = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_BLANKS = " \t\r\n"


def json_kind(value: object) -> str:
    """Returns encoding/json's name for the kind of a value."""
    if isinstance(value, bool):
        return "bool"
    names: dict[type, str] = {str: "string", dict: "object", list: "array", int: "number", float: "number"}
    return names.get(type(value), "null")


def not_an_object(value: object) -> str:
    """Returns Go's message for a value that is not a JSON object."""
    return f"json: cannot unmarshal {json_kind(value)} into Go value of type map[string]interface {{}}"


def with_sorted_keys(value: Any) -> Any:
    """Returns a JSON value with the keys of all its objects in order."""
    if isinstance(value, dict):
        return {key: with_sorted_keys(value[key]) for key in sorted(value)}
    return [with_sorted_keys(inner) for inner in value] if isinstance(value, list) else value


def loads(text: str) -> Any:
    """`json.Unmarshal` into a value of any type: every number is a float64.

    Args:
        text: The text; bytes that are not UTF-8 may be surrogates, which become U+FFFD in strings.

    Raises:
        ValueError: Go rejects the text.
    """
    return _decoded(_FLOATS, text, whole=True)


def first_value(text: str) -> Any:
    """Returns the first value of a stream as the API machinery decodes it; integers of 64 bits stay integers.

    Raises:
        ValueError: Go rejects the first value; it does not read what follows it.
    """
    return _decoded(_WHOLE, text, whole=False)


def _decoded(decoder: json.JSONDecoder, text: str, *, whole: bool) -> Any:
    begin = len(text) - len(text.lstrip(_BLANKS))
    try:
        value, end = decoder.raw_decode(text, begin)
    except json.JSONDecodeError as error:
        # Python 3.13 stops at the trailing comma; Go and older Pythons stop at the character after it.
        is_comma = error.msg.startswith("Illegal trailing comma")
        raise ValueError(_complaint(text, error.pos + is_comma)) from None
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    rest = text[end:].lstrip(_BLANKS)
    if whole and rest:
        raise ValueError(f"invalid character {_shown(rest[0])} after top-level value")
    return _without_surrogates(value) if _MAY_MAKE_SURROGATES.search(text) else value


def _complaint(text: str, place: int) -> str:
    rest = text[place:].lstrip(_BLANKS)
    return f"invalid character {_shown(rest[0])}" if rest else "unexpected end of JSON input"


def _shown(character: str) -> str:
    if character == "'":
        return r"'\''"
    return "'" + (character if character.isprintable() else character.encode("unicode_escape").decode()) + "'"


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"json: cannot unmarshal number {digits} into Go value of type float64")
    return value


def _integer(digits: str) -> int | float:
    if len(digits) <= _MOST_DIGITS and LEAST_INT <= (value := int(digits)) <= MOST_INT:
        return value
    return _float(digits)


def _no_constant(name: str) -> object:
    raise ValueError(f"invalid character {name.lstrip('-')[0]!r} looking for beginning of value")


_FLOATS = json.JSONDecoder(parse_int=_float, parse_float=_float, parse_constant=_no_constant)
_WHOLE = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_no_constant)
