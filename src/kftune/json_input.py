"""Reads JSON that others have written: what is nested too deeply is a ValueError, as what is not JSON."""

from __future__ import annotations

import json
import re
from typing import Any

MOST_LEVELS = 200
"""Those who use a value need one or two frames of Python for each level, and Python allows 1000."""


_SURROGATE = r"\\[uU][dD][89a-fA-F]"
_IN_TEXT, _IN_BYTES = re.compile(_SURROGATE), re.compile(_SURROGATE.encode())


def loads(text: str | bytes, **options: Any) -> Any:
    """Returns the value of a JSON text.

    Args:
        text: The text, or its bytes.
        **options: As for `json.loads`.

    Raises:
        ValueError: It is not JSON, or not UTF-8; it has half of a surrogate pair, which is no character, or a number of
            more digits than Python reads; it is nested more than `MOST_LEVELS` deep.
    """
    try:
        value = json.loads(text, **options)
    except RecursionError:
        raise ValueError(f"more than {MOST_LEVELS} levels are nested") from None
    if _IN_TEXT.search(text) if isinstance(text, str) else _IN_BYTES.search(text):
        json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
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
