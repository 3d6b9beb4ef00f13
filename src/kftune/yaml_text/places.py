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


def locate_all(text: str, wanted: Sequence[tuple[Sequence[str | int], bool]]) -> list[tuple[int, int]]:
    """The same for many values of the first document, in one pass through the text.

    Args:
        text: The YAML text.
        wanted: Paths, each with whether to give the place of the value's key.

    Returns:
        Line and column of each, from 1.

    Raises:
        YamlError: The text is not YAML.
    """
    root = _Wanted()
    for index, (path, _) in enumerate(wanted):
        node = root
        node.below.append(index)
        for part in path:
            node = node.parts.setdefault(part if isinstance(part, int) else str(part), _Wanted())
            node.below.append(index)
    text = text.removeprefix("\ufeff")
    marks: list[Any] = [None] * len(wanted)
    with reported(text, "<text>"):
        next_event = yaml.CBaseLoader(text).get_event
        event = _document_root(next_event, 0)
        for index in root.below:
            marks[index] = event.start_mark
        _place_below(next_event, event, root, [key for _, key in wanted], marks)
    return [(mark.line + 1, mark.column + 1) for mark in marks]


class _Wanted:
    """What is asked for below one place: by part, and as indices of the paths that go through it."""

    def __init__(self) -> None:
        self.parts: dict[str | int, _Wanted] = {}
        self.below: list[int] = []


def _place_below(next_event: _NextEvent, event: Any, node: _Wanted, keys: Sequence[bool], marks: list[Any]) -> None:
    """Marks what is wanted inside of the value that has begun with the event, and passes over the rest of it."""
    if not node.parts or not isinstance(event, _OPENING):
        _skip(next_event, event)
        return
    parts = dict(node.parts)
    index = 0
    while not isinstance(head := next_event(), _CLOSING):
        value = head
        wanted: _Wanted | None
        if type(event) is SequenceStartEvent:
            wanted = parts.pop(index, None)
            index += 1
        else:
            wanted = parts.pop(head.value, None) if type(head) is ScalarEvent else None
            if type(head) is not ScalarEvent:
                _skip(next_event, head)
            value = next_event()
        if wanted is None:
            _skip(next_event, value)
            continue
        for each in wanted.below:
            marks[each] = (head if keys[each] else value).start_mark
        _place_below(next_event, value, wanted, keys, marks)


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
