"""Finds values in YAML text: their line and column for error messages, their events for edits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from yaml.events import (
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from kftune.yaml_text.pairs import events_of
from kftune.yaml_text.problems import reported

Path = Sequence[str | int]

_OPENING = (MappingStartEvent, SequenceStartEvent)
_CLOSING = (MappingEndEvent, SequenceEndEvent)

_NextEvent = Callable[[], Any]


class TextNode(NamedTuple):
    """A value in the text.

    Attributes:
        event: The event that it begins with.
        key: The event of its key; None for an item and for the document's value.
        first: The event that the content of a mapping or a list begins with; its end event if it is empty.
        depth: How many keys and list indices lead to it.
    """

    event: Any
    key: Any
    first: Any
    depth: int


class _Wanted:
    """The paths that go through one value: by next part, and as their indices."""

    def __init__(self) -> None:
        self.parts: dict[str, _Wanted] = {}
        self.indices: list[int] = []


def locate(text: str, path: Path, *, key: bool = False) -> tuple[int, int]:
    """Returns where a value of the first document begins, as `locate_all` does.

    Args:
        text: The YAML text, as it was given to `load`.
        path: Keys and list indices (from 0) that lead to the value.
        key: Whether to return the place of the value's key instead.

    Raises:
        YamlError: The text is not YAML.
    """
    return locate_all(text, [(path, key)])[0]


def locate_all(text: str, wanted: Sequence[tuple[Path, bool]]) -> list[tuple[int, int]]:
    """Returns where values of the first document begin, in one pass through the text.

    The place of a value that comes from an alias or a merge key is that of the alias, or of the mapping with the merge
    key.

    Args:
        text: The YAML text.
        wanted: Paths, each with whether to return the place of the value's key.

    Returns:
        Line and column of each, from 1; those of its nearest ancestor, if the text has no such value.

    Raises:
        YamlError: The text is not YAML.
    """
    text = text.removeprefix("\ufeff")
    with reported(text, "<text>"):
        nodes = find(text, [path for path, _ in wanted])
    events = (node.key if key and node.key else node.event for node, (_, key) in zip(nodes, wanted, strict=True))
    return [(event.start_mark.line + 1, event.start_mark.column + 1) for event in events]


def find(text: str, paths: Sequence[Path]) -> list[TextNode]:
    """Returns for each path the last value on it that the first document has; of a key that comes twice, the second.

    Args:
        text: The YAML text.
        paths: Keys and list indices (from 0) that lead to the values.
    """
    root = _Wanted()
    for index, path in enumerate(paths):
        wanted = root
        wanted.indices.append(index)
        for part in path:
            wanted = wanted.parts.setdefault(str(part), _Wanted())
            wanted.indices.append(index)
    next_event = events_of(text)
    while type(event := next_event()) is not StreamEndEvent:
        if type(event) is DocumentStartEvent:
            event = next_event()
            break
    node = TextNode(event, None, None, 0)
    found = [node] * len(paths)
    _find_below(next_event, node, root, found)
    return found


def _find_below(next_event: _NextEvent, node: TextNode, wanted: _Wanted, found: list[TextNode]) -> None:
    """Notes a value just begun, and the wanted ones inside it; reads it to its end."""
    event = node.event
    first = next_event() if isinstance(event, _OPENING) else None
    for each in wanted.indices:
        found[each] = node._replace(first=first)
    head, index = first, 0
    while first is not None and not isinstance(head, _CLOSING):
        if type(event) is SequenceStartEvent:
            inner, key, value = wanted.parts.get(str(index)), None, head
            index += 1
        else:
            inner = wanted.parts.get(head.value) if type(head) is ScalarEvent else None
            _skip(next_event, head)
            key, value = head, next_event()
        if inner is None:
            _skip(next_event, value)
        else:
            _find_below(next_event, TextNode(value, key, None, node.depth + 1), inner, found)
        head = next_event()


def _skip(next_event: _NextEvent, event: Any) -> None:
    """Reads a value that has begun with the event to its end."""
    open_values = 0
    while True:
        if isinstance(event, _OPENING):
            open_values += 1
        elif isinstance(event, _CLOSING):
            open_values -= 1
        if open_values == 0:
            return
        event = next_event()
