"""Values on one line, as YAML that every reader reads in the same way."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from kftune import yaml_text

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf", "infinity"))


def flow(value: Any) -> str:
    """Returns a value on one line, as YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{bare_or_quoted(str(key))}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, str):
        return bare_or_quoted(value)
    return yaml_text.dump(value).strip()


def bare_or_quoted(text: str) -> str:
    """Returns a text bare if every reader of YAML reads it as that text, otherwise in double quotes."""
    return text if _BARE.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text)
