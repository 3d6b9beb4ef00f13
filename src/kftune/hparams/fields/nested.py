"""Values at paths of nested dicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def put(data: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Sets a value in nested dicts.

    Args:
        data: The dicts, which it changes.
        path: The keys that lead to the value; missing dicts are added.
        value: The value.
    """
    for part in path[:-1]:
        inner = data.get(part)
        if not isinstance(inner, dict):
            inner = data[part] = {}
        data = inner
    data[path[-1]] = value


def remove(data: dict[str, Any], path: Sequence[str]) -> None:
    """Removes a value from nested dicts, and the dicts that this leaves empty.

    Args:
        data: The dicts, which it changes.
        path: The keys that lead to the value.
    """
    inner = data.get(path[0])
    if len(path) > 1 and isinstance(inner, dict):
        remove(inner, path[1:])
    if len(path) == 1 or inner == {}:
        data.pop(path[0], None)


def get(data: Any, path: Sequence[str]) -> tuple[bool, Any]:
    """Returns whether nested dicts have a path, and the value there.

    Args:
        data: The dicts.
        path: The keys that lead to the value.
    """
    for part in path:
        if not isinstance(data, dict) or part not in data:
            return False, None
        data = data[part]
    return True, data
