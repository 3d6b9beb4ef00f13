"""Reads the JSON Schema of a file as sections of keys, in words: what the pages of the reference show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from kftune import yaml_text

_QUANTITY, _DURATION = "quantity", "duration"
_PATTERNS = {
    r"^[A-Za-z_][\w.]*$": "Python module",
    "^/.+": "absolute path",
    "^[0-9.smhd ]+$": _DURATION,
}
_WORDS = {
    ("string", "number", "boolean"): "text, number or boolean",
    ("string", "number", "boolean", "array"): "text, number, boolean or list",
    ("string", "integer", "number", "boolean"): "text, number or boolean",
    ("string", "integer", "object"): "text, number or mapping",
    ("number", _DURATION): _DURATION,
    ("number", _QUANTITY): _QUANTITY,
}


class Key(NamedTuple):
    """One key of a file."""

    path: str
    kind: str
    """Its type in words."""
    default: str
    """``required``, ``optional``, or its default."""
    meaning: str

    def line(self) -> str:
        """Returns the key as an item of a list."""
        return f"- **`{self.path}`** ({self.kind}; {self.default}): {self.meaning}"


class Section(NamedTuple):
    """The keys below one key."""

    path: str
    meaning: str
    keys: list[Key]
    same_as: str = ""
    """The section that describes the same keys."""


def sections(schema: dict[str, Any], first: tuple[str, ...] = (), skip: tuple[str, ...] = ()) -> list[Section]:
    """Returns the sections of a file, the one of its own keys first.

    Args:
        schema: The JSON Schema of the file.
        first: Keys of the file whose sections come before the others.
        skip: Definitions that another page describes.
    """
    described: dict[str, str] = dict.fromkeys(skip, "")
    return [*_section("", schema, schema["$defs"], described, first)]


def _section(
    path: str,
    definition: dict[str, Any],
    definitions: dict[str, Any],
    described: dict[str, str],
    first: tuple[str, ...] = (),
) -> Iterator[Section]:
    required, below = definition.get("required", ()), []
    keys = []
    for name, field in definition["properties"].items():
        full = f"{path}.{name}" if path else name
        keys.append(Key(full, _kind(field), _default(field, name in required), text(field.get("description", ""))))
        below += [(name, place, found) for place, found in _references(full, field) if found in definitions]
    yield Section(path, text(definition.get("description", "")), keys)
    for _, place, found in sorted(below, key=lambda each: first.index(each[0]) if each[0] in first else len(first)):
        if found not in described:
            described[found] = place
            yield from _section(place, definitions[found], definitions, described)
        elif described[found] and described[found] != place:
            meaning = text(definitions[found].get("description", ""))
            yield Section(place, meaning, [], described[found])


def _references(path: str, field: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the sections below a key: path and name of the definition."""
    if "$ref" in field:
        yield path, field["$ref"].rpartition("/")[2]
    for each in field.get("anyOf", ()):
        yield from _references(path, each)
    if isinstance(field.get("items"), dict):
        yield from _references(f"{path}[]", field["items"])
    if isinstance(field.get("additionalProperties"), dict):
        yield from _references(f"{path}.NAME", field["additionalProperties"])


def _kind(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        given = [each for each in field["anyOf"] if each != {"type": "null"}]
        kinds = tuple(_kind(each) for each in given)
        types = tuple(str(each.get("type")) for each in given)
        return _WORDS.get(kinds) or _WORDS.get(types) or _either([part for kind in kinds for part in _parts(kind)])
    if "enum" in field:
        return _either([f"`{value}`" for value in field["enum"]])
    if "const" in field:
        return f"`{field['const']}`"
    if "$ref" in field:
        return "[domain](../guides/domains.md)" if field["$ref"].endswith("/Domain") else "mapping"
    if isinstance(field.get("type"), list):
        return _WORDS[tuple(field["type"])]
    return _plain(field)


def _plain(field: dict[str, Any]) -> str:
    """Returns a type without alternatives."""
    inner = field.get("items") or field.get("additionalProperties")
    match field.get("type"):
        case "array":
            return f"list of {_plural(_kind(inner))}" if isinstance(inner, dict) else "list"
        case "object":
            return f"mapping of names to {_plural(_kind(inner))}" if isinstance(inner, dict) else "mapping"
        case "integer":
            return f"integer{_bounds(field)}"
        case "number":
            return "number" if "exclusiveMinimum" in field else f"number{_bounds(field)}"
        case "boolean":
            return "boolean"
        case "string":
            pattern = field.get("pattern", "")
            return _PATTERNS.get(pattern) or (_QUANTITY if pattern else "text")
    return "any value"


def _bounds(field: dict[str, Any]) -> str:
    least, most = field.get("minimum"), field.get("maximum", field.get("exclusiveMaximum", 0) - 1)
    if least is None:
        return ""
    return f" from {least}" if most < least else f" from {least} to {most}"


def _either(kinds: list[str]) -> str:
    *most, last = dict.fromkeys(kinds)
    return f"{', '.join(most)} or {last}" if most else last


def _parts(kind: str) -> list[str]:
    return re.split(", | or ", kind)


def _plural(kind: str) -> str:
    several = {"any value": "values", **{one: f"{one}s" for one in ("mapping", "text", "number", "boolean", "list")}}
    return _either([several.get(part, part).replace("list of ", "lists of ") for part in _parts(kind)])


def _default(field: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    value = field.get("default")
    if value in (None, "", [], {}) or (isinstance(value, dict) and "$ref" in json.dumps(field)):
        return "optional"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list):
        return f"default `[{', '.join(value)}]`"
    return f"default `{yaml_text.dump([value]).removeprefix('- ').strip()}`"


def text(description: str) -> str:
    """Returns a description in Markdown, on one line."""
    line = " ".join(re.split("\n\n(?:Raises|Source):", description)[0].split()).replace("``", "`")
    return re.sub(r"\bNone\b(?! of)", "`null`", line)
