"""Changes an object as the API server does before validation: removes unknown fields and nulls, sets defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kftune.katib.crd.schema import Fields, SchemaNode, fields_of, limits_of, node_of
from kftune.katib.go.types import Path

_UNKNOWN = SchemaNode("?")  # removes all fields


def cleaned(value: Any, node: SchemaNode, path: Path, pruned: list[Path]) -> Any:
    """Returns a copy without unknown fields and nulls, with defaults.

    Args:
        value: The given value.
        node: Its schema.
        path: Its place.
        pruned: The paths of removed fields are appended to it, except those of nulls.
    """
    head = node.kind[0]
    if head in "*o":
        return value
    if isinstance(value, list):
        inside = node.items if head == "[" else _UNKNOWN
        return [cleaned(item, inside, (*path, index), pruned) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if head == "{":
        inside = node.items
        return {key: cleaned(item, inside, (*path, key), pruned) for key, item in value.items() if item is not None}
    return _fields(value, fields_of(node.kind[1:]) if head == "=" else {}, path, pruned)


def _fields(value: Mapping[str, Any], fields: Fields, path: Path, pruned: list[Path]) -> dict[str, Any]:
    is_open = limits_of(fields).get("open", False)
    result: dict[str, Any] = {}
    for key, item in value.items():
        if key not in fields or key == "!":
            if is_open:
                result[key] = item
            else:
                pruned.append((*path, key))
        elif item is not None:
            result[key] = cleaned(item, node_of(fields[key]), (*path, key), pruned)
    for key, kind in fields.items():
        if isinstance(kind, dict) and "default" in kind and key not in result:
            result[key] = kind["default"]
    return result
