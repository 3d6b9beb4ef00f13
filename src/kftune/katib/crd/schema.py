"""The schemas of the custom objects, as `schemas.json` holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

Fields = Mapping[str, Any]
"""A type: its fields' kinds, and under `!` what belongs to all of it."""

NOTHING: Mapping[str, Any] = {}


class Node(NamedTuple):
    """What the server asks of one place of an object."""

    kind: str
    """As `crd_schemas.py` writes it."""
    more: Mapping[str, Any] = NOTHING
    """Limits, defaults, keys and rules."""

    @property
    def items(self) -> Node:
        """What it asks of the items of a list, or of the values of a map."""
        return node_of(self.more["items"]) if "items" in self.more else node_of(self.kind[1:])


class CustomKind(NamedTuple):
    """One kind of custom objects."""

    type: str
    status: bool
    """Whether status is a resource of its own, and dropped from what is created or edited."""


def node_of(given: object) -> Node:
    """A node from its written form."""
    if isinstance(given, str):
        return Node(given)
    if isinstance(given, dict):
        return Node(given["is"], given)
    raise AssertionError("a kind is text or a map")


def kind_of(version: object, kind: object) -> CustomKind | None:
    """The kind that apiVersion and kind name, or None when nothing is known of it."""
    found = _schemas()["kinds"].get(f"{version} {kind}")
    return CustomKind(found["type"], bool(found.get("status"))) if found is not None else None


def fields_of(name: str) -> Fields:
    """A type by its name."""
    found: Fields = _schemas()["types"][name]
    return found


def whole(fields: Fields) -> Mapping[str, Any]:
    """What is asked of a type as a whole: `required`, `rules`, `one`, `minProperties`, `open`."""
    found: Mapping[str, Any] = fields.get("!", NOTHING)
    return found


@cache
def _schemas() -> dict[str, Any]:
    # Not importlib.resources: it takes longer to import than all of this package.
    text = Path(__file__).with_name("schemas.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
