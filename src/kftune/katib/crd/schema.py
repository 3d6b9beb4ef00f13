"""The schemas of custom objects, from `schemas.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

Fields = Mapping[str, Any]
"""A type: the kinds of its fields, and under `!` what applies to the whole type."""

_NOTHING: Mapping[str, Any] = {}


class SchemaNode(NamedTuple):
    """The schema of one value."""

    kind: str
    """In the notation of `tools/crd_schemas.py`."""
    more: Mapping[str, Any] = _NOTHING
    """Limits, default, list keys and rules."""

    @property
    def items(self) -> SchemaNode:
        """The schema of a list's items or a map's values."""
        return node_of(self.more["items"]) if "items" in self.more else node_of(self.kind[1:])


class CustomKind(NamedTuple):
    """One kind of custom object."""

    type: str
    status: bool
    """Whether status is a subresource, so that it is dropped from created and edited objects."""


def node_of(given: str | Mapping[str, Any]) -> SchemaNode:
    """Returns a node from its written form."""
    return SchemaNode(given) if isinstance(given, str) else SchemaNode(given["is"], given)


def kind_of(version: object, kind: object) -> CustomKind | None:
    """Returns the kind of an object, or None when there is no schema for it.

    Args:
        version: The object's apiVersion.
        kind: The object's kind.
    """
    found = _schemas()["kinds"].get(f"{version} {kind}")
    return CustomKind(found["type"], bool(found.get("status"))) if found is not None else None


def fields_of(name: str) -> Fields:
    """Returns a type by its name."""
    found: Fields = _schemas()["types"][name]
    return found


def limits_of(fields: Fields) -> Mapping[str, Any]:
    """Returns what applies to a whole type: `required`, `rules`, `one`, `minProperties`, `open`."""
    found: Mapping[str, Any] = fields.get("!", _NOTHING)
    return found


@cache
def _schemas() -> dict[str, Any]:
    # Not importlib.resources: it takes longer to import than all of this package.
    text = Path(__file__).with_name("schemas.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
