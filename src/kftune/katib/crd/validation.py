"""Does an object keep its CRD's schema? Asked as the API server asks.

Source: k8s.io/apiextensions-apiserver v0.36, pkg/apiserver/schema (pruning, defaulting, listtype, cel); recorded runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from kftune.katib.crd.rules import RULES, TRANSITIONS
from kftune.katib.crd.schema import Fields, Node, fields_of, node_of, whole
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


class Problem(NamedTuple):
    """One thing that the API server says against an object."""

    path: Path
    kind: str
    """Required, Invalid, TypeInvalid, NotSupported, TooLong, TooMany or Duplicate."""
    detail: str


class _Missing:
    """Stands for the value before, where there was none."""


MISSING = _Missing()


def problems(value: Mapping[str, Any], fields: Fields, path: Path, old: Any = MISSING) -> Iterator[Problem]:
    """What the schema has against an object; rules are asked only of what keeps the rest.

    Args:
        value: The object, cleaned.
        fields: Its type.
        path: Where it stands.
        old: The living object, cleaned, when this is an edit. What an edit leaves as it was is not asked again.
    """
    found = list(_in_fields(value, fields, path, old))
    yield from found or _broken_rules(value, fields, path, old)


# -------------------------------------------------------------------------------------------------------- the schema


def _in_fields(value: Mapping[str, Any], fields: Fields, path: Path, old: Any) -> Iterator[Problem]:
    about = whole(fields)
    for name in about.get("required", ()):
        if name not in value:
            yield Problem((*path, name), "Required", "Required value")
    if len(value) < about.get("minProperties", 0):
        yield Problem(path, "Invalid", f"should have at least {about['minProperties']} properties")
    for name, item in value.items():
        if name in fields:
            yield from _in(item, node_of(fields[name]), (*path, name), _below(old, name))


def _in(value: Any, node: Node, path: Path, old: Any) -> Iterator[Problem]:
    head = node.kind[0]
    if head == "*" or (old is not MISSING and is_same(value, old, node)):
        return
    wanted, types = _TYPES[head]
    if type(value) not in types:
        given = _GIVEN.get(type(value), "null")
        yield Problem(path, "TypeInvalid", f'must be of type {wanted}: "{given}"')
        return
    if head == "=":
        yield from _in_fields(value, fields_of(node.kind[1:]), path, old)
    elif head == "{":
        for key, item in value.items():
            yield from _in(item, node.items, (*path, key), _below(old, key))
    elif head == "[":
        yield from _in_list(value, node, path, old)
    else:
        yield from _in_scalar(value, node, path)


def _in_list(value: list[Any], node: Node, path: Path, old: Any) -> Iterator[Problem]:
    more = node.more
    if len(value) > more.get("maxItems", len(value)):
        yield Problem(path, "TooMany", f"{len(value)}: must have at most {more['maxItems']} items")
    if len(value) < more.get("minItems", 0):
        yield Problem(path, "Invalid", f"should have at least {more['minItems']} items")
    inside = node.items
    for index, item in enumerate(value):
        yield from _in(item, inside, (*path, index), _item_before(item, old, node))
    yield from _duplicates(value, more, path)


def _duplicates(value: list[Any], more: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    keys: Sequence[str] = more.get("keys", ())
    if not keys and not more.get("set"):
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        told = {key: item[key] for key in keys if key in item} if keys and isinstance(item, dict) else item
        text = json.dumps(told, sort_keys=True, ensure_ascii=False)
        if text in seen:
            yield Problem((*path, index), "Duplicate", f"Duplicate value: {text}")
        seen.add(text)


def _in_scalar(value: Any, node: Node, path: Path) -> Iterator[Problem]:
    head, more = node.kind, node.more
    if head in "iI" and not -(2 ** (31 if head == "i" else 63)) <= value < 2 ** (31 if head == "i" else 63):
        yield Problem(path, "Invalid", f"must be of type int{32 if head == 'i' else 64}")
    elif head == "q" and isinstance(value, str) and not _QUANTITY.fullmatch(value):
        yield Problem(path, "Invalid", f"{value!r} is no quantity such as 2, 500m or 4Gi")
    elif head == "t" and not _TIME.fullmatch(value):
        yield Problem(path, "Invalid", "must be of type date-time")
    if not more:
        return
    if "enum" in more and value not in more["enum"]:
        listed = ", ".join(f'"{each}"' for each in more["enum"])
        yield Problem(path, "NotSupported", f'Unsupported value: "{value}": supported values: {listed}')
    if isinstance(value, str):
        yield from _in_text(value, more, path)
    elif "minimum" in more and value < more["minimum"]:
        yield Problem(path, "Invalid", f"{value}: should be greater than or equal to {more['minimum']}")
    elif "maximum" in more and value > more["maximum"]:
        yield Problem(path, "Invalid", f"{value}: should be less than or equal to {more['maximum']}")


def _in_text(value: str, more: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if len(value) > more.get("maxLength", len(value)):
        yield Problem(path, "TooLong", f"may not be more than {more['maxLength']} bytes")
    if len(value) < more.get("minLength", 0):
        yield Problem(path, "Invalid", f"should be at least {more['minLength']} chars long")
    if "pattern" in more and not _pattern(more["pattern"]).search(value):
        yield Problem(path, "Invalid", f"{value[:60]!r} should match '{more['pattern']}'")


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text.replace("$", r"\Z"), re.ASCII)


# --------------------------------------------------------------------------------------------------------- the rules


def _broken_rules(value: Any, fields: Fields, path: Path, old: Any) -> Iterator[Problem]:
    about = whole(fields)
    yield from _broken(about.get("rules", ()), value, path, old, Node("="), fields)
    one = about.get("one", ())
    if one and sum(name in value for name in one) != 1:
        yield Problem(path, "Invalid", f"exactly one of the fields in [{' '.join(one)}] must be set")
    for name, item in value.items():
        if name in fields:
            yield from _broken_below(item, node_of(fields[name]), (*path, name), _below(old, name))


def _broken_below(value: Any, node: Node, path: Path, old: Any) -> Iterator[Problem]:
    head = node.kind[0]
    yield from _broken(node.more.get("rules", ()), value, path, old, node)
    if head == "=":
        yield from _broken_rules(value, fields_of(node.kind[1:]), path, old)
    elif head == "{":
        for key, item in value.items():
            yield from _broken_below(item, node.items, (*path, key), _below(old, key))
    elif head == "[":
        inside = node.items
        for index, item in enumerate(value):
            yield from _broken_below(item, inside, (*path, index), _item_before(item, old, node))


def _broken(
    names: Sequence[str], value: Any, path: Path, old: Any, node: Node, fields: Fields | None = None
) -> Iterator[Problem]:
    for name in names:
        if name in TRANSITIONS:
            same = old is MISSING or (_same_fields(value, old, fields) if fields else is_same(value, old, node))
            if not same:
                yield Problem(path, "Invalid", TRANSITIONS[name])
        else:
            for rule in RULES[name]:
                if not rule.holds(value):
                    yield Problem(path, "Invalid", rule.message)


# ------------------------------------------------------------------------------------------------------ before an edit


def _below(old: Any, name: str) -> Any:
    return old.get(name, MISSING) if isinstance(old, dict) else MISSING


def _item_before(item: Any, old: Any, node: Node) -> Any:
    """The item of the same keys; the server does not follow items of other lists."""
    keys = node.more.get("keys")
    if not keys or not isinstance(old, list) or not isinstance(item, dict):
        return MISSING
    for before in old:
        if isinstance(before, dict) and all(before.get(key) == item.get(key) for key in keys):
            return before
    return MISSING


def is_same(value: Any, old: Any, node: Node) -> bool:
    """`self == oldSelf`: the order does not count in lists with keys and in sets."""
    if type(value) is not type(old):
        return False
    head = node.kind[0]
    if head == "=" and isinstance(value, dict):
        return _same_fields(value, old, fields_of(node.kind[1:]))
    if head == "{" and isinstance(value, dict):
        return value.keys() == old.keys() and all(is_same(value[key], old[key], node.items) for key in value)
    if head == "[" and isinstance(value, list):
        return _same_lists(value, old, node)
    return bool(value == old)


def _same_fields(value: Mapping[str, Any], old: Mapping[str, Any], fields: Fields) -> bool:
    if value.keys() != old.keys():
        return False
    return all(is_same(value[key], old[key], node_of(fields.get(key, "*"))) for key in value)


def _same_lists(value: list[Any], old: list[Any], node: Node) -> bool:
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
