"""Finds the line and column of a value in YAML text; only an error that is being reported asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import yaml
from yaml.events import (
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from kftune.yaml_text.problems import reported

_OPENING = (MappingStartEvent, SequenceStartEvent)
_CLOSING = (MappingEndEvent, SequenceEndEvent)

_NextEvent = Callable[[], Any]


def locate(
    text: str, path: Sequence[str | int], *, key: bool = False, document: int = 0, file: str = "<text>"
) -> tuple[int, int]:
    """Where the value at a path begins.

    What an alias or a merge key brings in stands elsewhere in the text: its place is that of the alias, or of
    the mapping that has the merge key.

    Args:
        text: The YAML text, as it was given to `load`.
        path: Keys and list indices (from 0) that lead to the value.
        key: Whether to give the place of the value's key instead.
        document: Which document of the text, from 0.
        file: What error messages call the text.

    Returns:
        Line and column, from 1; those of the nearest ancestor that the text has, when it has no such value.

    Raises:
        YamlError: The text is not YAML before the place.
    """
    with reported(text, file):
        return _located(yaml.CBaseLoader(text).get_event, path, key, document)


def _located(next_event: _NextEvent, path: Sequence[str | int], key: bool, document: int) -> tuple[int, int]:
    event = _document_root(next_event, document)
    mark = event.start_mark
    for part in path:
        found = _child(next_event, event, part)
        if found is None:
            break
        head, event = found
        mark = (head if key else event).start_mark
    return mark.line + 1, mark.column + 1


def _document_root(next_event: _NextEvent, document: int) -> Any:
    """The event of the document's value; the end of the text when there are fewer documents."""
    begun = 0
    while type(event := next_event()) is not StreamEndEvent:
        if type(event) is DocumentStartEvent:
            begun += 1
            if begun > document:
                return next_event()
    return event


def _child(next_event: _NextEvent, event: Any, part: str | int) -> tuple[Any, Any] | None:
    """The key (in a list: the item) and the value that `part` names in the mapping or list just opened."""
    if type(event) is MappingStartEvent:
        while type(head := next_event()) is not MappingEndEvent:
            if type(head) is ScalarEvent and head.value == str(part):
                return head, next_event()
            _skip(next_event, head)
            _skip(next_event, next_event())
    elif type(event) is SequenceStartEvent and isinstance(part, int):
        index = 0
        while type(item := next_event()) is not SequenceEndEvent:
            if index == part:
                return item, item
            _skip(next_event, item)
            index += 1
    return None


def _skip(next_event: _NextEvent, event: Any) -> None:
    """Passes over the rest of the value that has begun with the event."""
    open_values = 0
    while True:
        if isinstance(event, _OPENING):
            open_values += 1
        elif isinstance(event, _CLOSING):
            open_values -= 1
        if open_values == 0:
            return
        event = next_event()
