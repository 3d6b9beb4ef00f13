"""Renders the items of a loop as texts, and the tags that refer to them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from kftune.pipeline import ItemReference, Loop, Node
from kftune.pipeline.ports import text_of
from kftune.render.argo.text import carried, path_of, tag

KEY = "ITEM-KEY"
"""The input of `Body-x` that identifies an item."""

_ITEM = "ITEM"
# Further keys of an item; names of fields hold no "-".
_WHOLE, _NUMBER = "whole-item", "item-number"


def item_input(field: str | None) -> str:
    """Returns the input of `Body-x` for a field of the item; None means the whole item."""
    return _ITEM if field is None else f"{_ITEM}_{field}"


def item_fields(members: Iterable[Node]) -> list[str | None]:
    """Returns the fields of an item that the steps of a loop use; None means the whole item."""
    found: dict[str | None, None] = {}
    for node in members:
        sources = [argument.source for argument in node.arguments.values()]
        for source in (*sources, *(node.condition.references if node.condition else ())):
            if isinstance(source, ItemReference):
                found[source.field] = None
    return sorted(found, key=lambda field: field or "")


def _has_mappings(loop: Loop) -> bool:
    return loop.entries is not None and isinstance(loop.entries[0], Mapping)


def item_tag(loop: Loop, field: str | None) -> str:
    """Returns the tag of a field of the item.

    Args:
        loop: The loop.
        field: The field; None means the whole item.
    """
    if field is not None:
        return tag(f"item.{field}")
    return tag(f"item.{_WHOLE}") if _has_mappings(loop) else tag("item")


def item_value(loop: Loop, field: str | None) -> str:
    """Returns the tag or expression of a field of the item, where the loop's steps are.

    Argo hands over a text in a mapping as it stands in JSON, without its quotes: with backslashes before quotes.

    Args:
        loop: The loop.
        field: The field; None means the whole item.
    """
    handed = tag(f"inputs.parameters.{item_input(field)}")
    written = _has_mappings(loop) or (field is not None and loop.type_of(field) == "str")
    return f"{{{{=jsonpath('[\"' + {path_of(handed)} + '\"]', '$[0]')}}}}" if written else handed


def key_tag(loop: Loop) -> str:
    """Returns the tag that identifies an item within its loop."""
    return tag(f"item.{_NUMBER}") if _has_mappings(loop) else tag("item")


def items_text(name: str, entries: Iterable[Any], fields: list[str | None]) -> str:
    """Returns the items as JSON: texts, because Argo reformats numbers; of mappings, only the fields in use.

    Args:
        name: The loop's name.
        entries: Its items.
        fields: The fields in use; None means the whole item.

    Raises:
        RenderError: Argo or the kubelet would change a text.
    """
    items: list[Any] = []
    for index, entry in enumerate(entries):
        what = f"item {index} of loop {name!r}"
        if not isinstance(entry, Mapping):
            items.append(carried(text_of(entry), what))
            continue
        item = {field: carried(text_of(entry[field]), f"{field} of {what}") for field in fields if field is not None}
        if None in fields:
            item[_WHOLE] = carried(text_of(entry), what)
        items.append({_NUMBER: str(index), **item})
    return json.dumps(items, ensure_ascii=False, separators=(",", ":"))
