"""Validates a custom object against its CRD's schema as the API server does.

Source: k8s.io/apiextensions-apiserver v0.36, pkg/apiserver/schema (pruning, defaulting, listtype, cel); recorded runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from kftune.katib.crd.rules import RULES, TRANSITIONS
from kftune.katib.crd.schema import SchemaNode, fields_of, limits_of, node_of
from kftune.katib.go.types import Path

_QUANTITY = re.compile(
    r"(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?"
)
_TIME = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
    r"(?:[Zz]|[-+]\d{2}:\d{2})"
)
_TYPES = {
    "s": ("string", (str,)),
    "t": ("string", (str,)),
    "b": ("boolean", (bool,)),
    "i": ("integer", (int,)),
    "I": ("integer", (int,)),
    "n": ("number", (int, float)),
    "q": ("integer,string", (int, str)),
    "x": ("integer,string", (int, str)),
    "o": ("object", (dict,)),
    "=": ("object", (dict,)),
    "{": ("object", (dict,)),
    "[": ("array", (list,)),
}
_GIVEN = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


Child = tuple[Any, SchemaNode, Path, Any]
"""A value, its schema, its path and the value before the edit."""


class SchemaProblem(NamedTuple):
    """One reason why the API server rejects an object."""

    path: Path
    kind: str
    """Required, Invalid, TypeInvalid, NotSupported, TooLong, TooMany or Duplicate."""
    detail: str


class _Missing:
    """Marks that there is no previous value."""


MISSING = _Missing()


def problems(value: Any, node: SchemaNode, path: Path, old: Any = MISSING) -> list[SchemaProblem]:
    """Returns what is wrong with a value. Rules are checked only when the rest of the schema holds.

    Args:
        value: The value, cleaned.
        node: Its schema.
        path: Its place.
        old: The existing value, cleaned, when this is an edit. Parts that an edit leaves unchanged are not checked.
    """
    return list(_in(value, node, path, old)) or list(_broken(value, node, path, old))


def _children(value: Any, node: SchemaNode, path: Path, old: Any) -> Iterator[Child]:
    """Yields the values directly below a value."""
    head = node.kind[0]
    if head == "=":
        fields = fields_of(node.kind[1:])
        for name, item in value.items():
            if name in fields:
                yield item, node_of(fields[name]), (*path, name), _below(old, name)
    elif head in "{[":
        inside = node.items
        if head == "{":
            for key, item in value.items():
                yield item, inside, (*path, key), _below(old, key)
        else:
            for index, item in enumerate(value):
                yield item, inside, (*path, index), _item_before(item, old, node)


def _in(value: Any, node: SchemaNode, path: Path, old: Any) -> Iterator[SchemaProblem]:
    head = node.kind[0]
    if head == "*" or (old is not MISSING and is_same(value, old, node)):
        return
    wanted, types = _TYPES[head]
    if type(value) not in types:
        given = _GIVEN.get(type(value), "null")
        yield SchemaProblem(path, "TypeInvalid", f'must be of type {wanted}: "{given}"')
        return
    if head == "=":
        yield from _in_type(value, node, path)
    elif head == "[":
        yield from _in_list(value, node.more, path)
    elif head != "{":
        yield from _in_scalar(value, node, path)
    for child in _children(value, node, path, old):
        yield from _in(*child)


def _in_type(value: Mapping[str, Any], node: SchemaNode, path: Path) -> Iterator[SchemaProblem]:
    about = limits_of(fields_of(node.kind[1:]))
    for name in about.get("required", ()):
        if name not in value:
            yield SchemaProblem((*path, name), "Required", "Required value")
    if len(value) < about.get("minProperties", 0):
        yield SchemaProblem(path, "Invalid", f"should have at least {about['minProperties']} properties")


def _in_list(value: list[Any], more: Mapping[str, Any], path: Path) -> Iterator[SchemaProblem]:
    if len(value) > more.get("maxItems", len(value)):
        yield SchemaProblem(path, "TooMany", f"{len(value)}: must have at most {more['maxItems']} items")
    if len(value) < more.get("minItems", 0):
        yield SchemaProblem(path, "Invalid", f"should have at least {more['minItems']} items")
    yield from _duplicates(value, more, path)


def _duplicates(value: list[Any], more: Mapping[str, Any], path: Path) -> Iterator[SchemaProblem]:
    keys: Sequence[str] = more.get("keys", ())
    if not keys and not more.get("set"):
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        compared = {key: item[key] for key in keys if key in item} if keys and isinstance(item, dict) else item
        text = json.dumps(compared, sort_keys=True, ensure_ascii=False)
        if text in seen:
            yield SchemaProblem((*path, index), "Duplicate", f"Duplicate value: {text}")
        seen.add(text)


def _in_scalar(value: Any, node: SchemaNode, path: Path) -> Iterator[SchemaProblem]:
    head, more = node.kind, node.more
    if head in "iI" and not -(2 ** (31 if head == "i" else 63)) <= value < 2 ** (31 if head == "i" else 63):
        yield SchemaProblem(path, "Invalid", f"must be of type int{32 if head == 'i' else 64}")
    elif head == "q" and isinstance(value, str) and not _QUANTITY.fullmatch(value):
        yield SchemaProblem(path, "Invalid", f"{value!r} is not a quantity such as 2, 500m or 4Gi")
    elif head == "t" and not _TIME.fullmatch(value):
        yield SchemaProblem(path, "Invalid", "must be of type date-time")
    if not more:
        return
    if "enum" in more and value not in more["enum"]:
        listed = ", ".join(f'"{each}"' for each in more["enum"])
        yield SchemaProblem(path, "NotSupported", f'Unsupported value: "{value}": supported values: {listed}')
    if isinstance(value, str):
        yield from _in_text(value, more, path)
    elif "minimum" in more and value < more["minimum"]:
        yield SchemaProblem(path, "Invalid", f"{value}: should be greater than or equal to {more['minimum']}")
    elif "maximum" in more and value > more["maximum"]:
        yield SchemaProblem(path, "Invalid", f"{value}: should be less than or equal to {more['maximum']}")


def _in_text(value: str, more: Mapping[str, Any], path: Path) -> Iterator[SchemaProblem]:
    if len(value) > more.get("maxLength", len(value)):
        yield SchemaProblem(path, "TooLong", f"may not be more than {more['maxLength']} bytes")
    if len(value) < more.get("minLength", 0):
        yield SchemaProblem(path, "Invalid", f"should be at least {more['minLength']} chars long")
    if "pattern" in more and not _pattern(more["pattern"]).search(value):
        yield SchemaProblem(path, "Invalid", f"{value[:60]!r} should match '{more['pattern']}'")


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text.replace("$", r"\Z"), re.ASCII)


def _broken(value: Any, node: SchemaNode, path: Path, old: Any) -> Iterator[SchemaProblem]:
    names: tuple[str, ...] = tuple(node.more.get("rules", ()))
    if node.kind[0] == "=":
        about = limits_of(fields_of(node.kind[1:]))
        names += tuple(about.get("rules", ()))
        one = about.get("one", ())
        if one and sum(name in value for name in one) != 1:
            yield SchemaProblem(path, "Invalid", f"exactly one of the fields in [{' '.join(one)}] must be set")
    for name in names:
        if name in TRANSITIONS:
            if old is not MISSING and not is_same(value, old, node):
                yield SchemaProblem(path, "Invalid", TRANSITIONS[name])
        elif not RULES[name].holds(value):
            yield SchemaProblem(path, "Invalid", RULES[name].message)
    for child in _children(value, node, path, old):
        yield from _broken(*child)


def _below(old: Any, name: str) -> Any:
    return old.get(name, MISSING) if isinstance(old, dict) else MISSING


def _item_before(item: Any, old: Any, node: SchemaNode) -> Any:
    """Returns the previous item with the same keys; the server does not match the items of lists without keys."""
    keys = node.more.get("keys")
    if not keys or not isinstance(old, list) or not isinstance(item, dict):
        return MISSING
    found = (each for each in old if isinstance(each, dict) and all(each.get(key) == item.get(key) for key in keys))
    return next(found, MISSING)


def is_same(value: Any, old: Any, node: SchemaNode) -> bool:
    """`self == oldSelf`; the order of sets and of lists with keys does not matter.

    Args:
        value: The value.
        old: The value before the edit.
        node: Their schema.
    """
    if type(value) is not type(old):
        return False
    head = node.kind[0]
    if head in "={" and isinstance(value, dict):
        fields = fields_of(node.kind[1:]) if head == "=" else {}
        return value.keys() == old.keys() and all(
            is_same(value[key], old[key], node_of(fields.get(key, "*")) if head == "=" else node.items) for key in value
        )
    if head == "[" and isinstance(value, list):
        return _same_lists(value, old, node)
    return bool(value == old)


def _same_lists(value: list[Any], old: list[Any], node: SchemaNode) -> bool:
    if len(value) != len(old):
        return False
    inside = node.items
    if node.more.get("set"):
        return sorted(map(json.dumps, value)) == sorted(map(json.dumps, old))
    if "keys" in node.more:
        return all(
            (before := _item_before(item, old, node)) is not MISSING and is_same(item, before, inside) for item in value
        )
    return all(is_same(item, before, inside) for item, before in zip(value, old, strict=True))
