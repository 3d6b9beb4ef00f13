"""Changes an object as the API server does before validation: removes unknown fields and nulls, sets defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kftune.katib.crd.schema import Fields, Node, fields_of, node_of, whole
from kftune.katib.go.types import Path


def cleaned(value: Any, node: Node | None, path: Path, pruned: list[Path]) -> Any:
    """Returns a copy without unknown fields and nulls, with defaults.

    Args:
        value: The given value.
        node: Its schema; None where there is none.
        path: Its place.
        pruned: The paths of removed fields are appended to it, except those of nulls.
    """
    if node is not None and node.kind in ("*", "o"):
        return value
    if isinstance(value, dict):
        return _map(value, node, path, pruned)
    if isinstance(value, list):
        inside = node.items if node is not None and node.kind[0] == "[" else None
        return [cleaned(item, inside, (*path, index), pruned) for index, item in enumerate(value)]
    return value


def _map(value: Mapping[str, Any], node: Node | None, path: Path, pruned: list[Path]) -> dict[str, Any]:
    if node is not None and node.kind[0] == "{":
        inside = node.items
        return {key: cleaned(item, inside, (*path, key), pruned) for key, item in value.items() if item is not None}
    return cleaned_fields(value, fields_of(node.kind[1:]) if node and node.kind[0] == "=" else {}, path, pruned)


def cleaned_fields(value: Mapping[str, Any], fields: Fields, path: Path, pruned: list[Path]) -> dict[str, Any]:
    """Does the same for an object of a type.

    Args:
        value: The given object.
        fields: Its type.
        path: Its place.
        pruned: The paths of removed fields are appended to it, except those of nulls.
    """
    is_open = whole(fields).get("open", False)
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
