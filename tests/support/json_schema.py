"""A JSON Schema validator for the keywords that kftune's schemas use. It rejects all others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value),
}
_ANNOTATIONS = {"title", "description", "default", "$schema", "$defs", "search", "properties", "patternProperties"}
# Keyword -> whether it holds; each keyword applies only to values of one type.
_RULES: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "type": ("any", lambda value, name: any(_TYPES[one](value) for one in ([name] if isinstance(name, str) else name))),
    "const": ("any", lambda value, wanted: value == wanted),
    "enum": ("any", lambda value, options: value in options),
    "minimum": ("number", lambda value, bound: value >= bound),
    "maximum": ("number", lambda value, bound: value <= bound),
    "exclusiveMinimum": ("number", lambda value, bound: value > bound),
    "exclusiveMaximum": ("number", lambda value, bound: value < bound),
    "minLength": ("string", lambda value, bound: len(value) >= bound),
    "maxLength": ("string", lambda value, bound: len(value) <= bound),
    "pattern": ("string", lambda value, pattern: re.search(pattern, value) is not None),
    "minItems": ("array", lambda value, bound: len(value) >= bound),
    "maxItems": ("array", lambda value, bound: len(value) <= bound),
    "minProperties": ("object", lambda value, bound: len(value) >= bound),
    "required": ("object", lambda value, names: set(names) <= set(value)),
}


def problems(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, at: str = "$") -> Iterator[str]:
    """Returns the violations of `schema` in `value`."""
    assert "properties" not in schema or "additionalProperties" in schema, f"{at}: {schema} is open"
    for keyword, rule in schema.items():
        if keyword in _INNER:
            yield from _INNER[keyword](value, schema, root or schema, at)
        elif keyword not in _ANNOTATIONS:
            kind, holds = _RULES[keyword]
            if (kind == "any" or _TYPES[kind](value)) and not holds(value, rule):
                yield f"{at}: {keyword} {rule} does not hold"


def _reference(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    yield from problems(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)


def _any_of(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    if all(any(problems(value, arm, root, at)) for arm in schema["anyOf"]):
        yield f"{at}: fits no alternative"


def _one_of(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    fitting = sum(not any(problems(value, arm, root, at)) for arm in schema["oneOf"])
    if fitting != 1:
        yield f"{at}: fits {fitting} alternatives"


def _items(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from problems(item, schema["items"], root, f"{at}[{index}]")


def _properties(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    known, further = schema.get("properties", {}), schema["additionalProperties"]
    patterns = schema.get("patternProperties", {})
    for name, inner in value.items() if isinstance(value, dict) else ():
        if name in known:
            yield from problems(inner, known[name], root, f"{at}.{name}")
        elif any(re.search(pattern, name) for pattern in patterns):
            for pattern in (pattern for pattern in patterns if re.search(pattern, name)):
                yield from problems(inner, patterns[pattern], root, f"{at}.{name}")
        elif further is False:
            yield f"{at}.{name}: not a property"
        elif further is not True:
            yield from problems(inner, further, root, f"{at}.{name}")


# `properties` is read together with `additionalProperties`, which must also be given.
_INNER = {
    "$ref": _reference,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "items": _items,
    "additionalProperties": _properties,
}
