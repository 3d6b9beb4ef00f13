"""Reads JSON that others have written: what is nested too deeply is a ValueError, as what is not JSON."""

from __future__ import annotations

import json
from typing import Any

MOST_LEVELS = 200
"""Those who use a value need one or two frames of Python for each level, and Python allows 1000."""


def loads(text: str | bytes, **options: Any) -> Any:
    """Returns the value of a JSON text.

    Args:
        text: The text, or its bytes.
        **options: As for `json.loads`.

    Raises:
        ValueError: It is not JSON, is not UTF-8, has a number of more digits than Python reads, or is nested more than
            `MOST_LEVELS` deep.
    """
    try:
        value = json.loads(text, **options)
    except RecursionError:
        raise ValueError(f"more than {MOST_LEVELS} levels are nested") from None
    opening = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if opening > MOST_LEVELS:
        _check_levels(value)
    return value


def _check_levels(value: Any) -> None:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MOST_LEVELS + 1):
        if not level:
            return
        inside = (inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer))
        level = [inner for inner in inside if isinstance(inner, (dict, list))]
    raise ValueError(f"more than {MOST_LEVELS} levels are nested")
