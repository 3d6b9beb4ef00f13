"""How values of a type are written on a command line.

A string is written as it is, any other value as JSON (``true``, ``null``, ``1e-05``, ``[1, 2]``). If a field takes
strings and None, the string ``null`` and strings that begin with a quote are written as JSON too.
"""

from __future__ import annotations

import json
import math
import types
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, PydanticUserError, TypeAdapter

from kftune import json_input
from kftune.errors import HparamsError

Form = Literal["text", "text or null", "scalar", "scalar or null", "json"]

_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def is_optional(annotation: object) -> bool:
    """Returns whether a type includes None."""
    return type(None) in parts_of(annotation)


def parts_of(annotation: object) -> tuple[Any, ...]:
    """Returns the members of a union (or the one type), without Annotated."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return parts_of(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return tuple(part for arm in get_args(annotation) for part in parts_of(arm))
    if origin is Literal and None in get_args(annotation) and len(get_args(annotation)) > 1:
        return (Literal[tuple(arm for arm in get_args(annotation) if arm is not None)], type(None))
    return (annotation,)


def form_of(annotation: object) -> Form:
    """Returns how values of a type are written on a command line."""
    parts = parts_of(annotation)
    optional = type(None) in parts
    forms = {_form_of_part(part) for part in parts if part is not type(None)}
    if len(forms) != 1 or "json" in forms or (forms == {"scalar"} and len(parts) > 1 + optional):
        return "json"
    if forms == {"text"}:
        return "text or null" if optional else "text"
    return "scalar or null" if optional else "scalar"


def _form_of_part(part: Any) -> Form:
    if part is str:
        return "text"
    if part in (int, float, bool):
        return "scalar"
    if get_origin(part) is Literal:
        return "text" if all(type(option) is str for option in get_args(part)) else "json"
    if isinstance(part, type) and issubclass(part, Enum):
        return "text" if all(isinstance(member.value, str) for member in part) else "json"
    return "text" if isinstance(part, type) and _serialises_to_string(part) else "json"


def _serialises_to_string(part: type) -> bool:
    """Returns whether JSON values of a type are always strings (paths, dates, UUIDs)."""
    if part in (list, dict, tuple, set, frozenset, object):
        return False
    try:
        schema = TypeAdapter(part).json_schema(mode="serialization")
    except PydanticUserError:
        return False
    return schema.get("type") == "string"


def takes_text(annotation: object) -> bool:
    """Returns whether some values of a type are written as text."""
    parts = [part for part in parts_of(annotation) if part is not type(None)]
    return len(parts) > 1 and any(_form_of_part(part) == "text" for part in parts)


def to_json(name: str, value: object) -> str:
    """Returns the JSON text of a value.

    Args:
        name: The field, for errors.
        value: A JSON-able value.

    Raises:
        HparamsError: A number is not finite.
    """
    try:
        return _to_json(value)
    except ValueError as error:
        raise HparamsError(f"{name}: numbers must be finite, but got {value!r}") from error


def in_order(dumped: Any, value: object) -> Any:
    """Returns a JSON form with the members of sets in an order that is the same in every process.

    Args:
        dumped: The JSON form of `value`.
        value: The value.
    """
    if isinstance(dumped, dict) and isinstance(value, BaseModel):
        held = {**vars(value), **(value.model_extra or {})}
        return {key: in_order(inner, held.get(key)) if inner else inner for key, inner in dumped.items()}
    if isinstance(dumped, dict) and isinstance(value, dict):
        return {key: in_order(dumped[key], inner) for key, inner in zip(dumped, value.values(), strict=True)}
    if isinstance(dumped, list) and isinstance(value, (set, frozenset)):
        return sorted((in_order(*pair) for pair in zip(dumped, value, strict=True)), key=_rank)
    if isinstance(dumped, list) and isinstance(value, (list, tuple)):
        return [in_order(*pair) for pair in zip(dumped, value, strict=True)]
    return dumped


def _rank(value: object) -> tuple[float, str]:
    """Sorts numbers by size, then other values by their JSON text."""
    return (value if isinstance(value, (int, float)) else math.inf, _to_json(value))


def parse_json(name: str, text: str) -> Any:
    """Returns the value of a JSON text.

    Args:
        name: The field, for errors.
        text: JSON without NaN and Infinity.

    Raises:
        HparamsError: The text is not JSON.
    """
    try:
        return json_input.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise HparamsError(f"{name}: the value must be JSON, for example [1, 2] or null, but got {text!r}") from error


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def parse_loosely(text: str) -> Any:
    """Returns the JSON value of a text, or the text itself: for values without a declared type."""
    try:
        return parse_json("", text)
    except HparamsError:
        return text
