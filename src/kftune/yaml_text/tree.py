"""The values of a YAML text as a tree with their places, for changes that depend on what surrounds a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from kftune.errors import YamlError
from kftune.yaml_text.pairs import events_of
from kftune.yaml_text.problems import reported
from kftune.yaml_text.reader import tagged_value

_MOST_LEVELS = 200
_OPENING = (MappingStartEvent, SequenceStartEvent)
_CLOSING = (MappingEndEvent, SequenceEndEvent)


@dataclass(slots=True, eq=False)
class Node:
    """A value in the text.

    Attributes:
        event: The event that it begins with.
        last: The event that it ends with, which is the same for a scalar.
        flow: Whether it is inside brackets.
        children: The items of a list; the keys of a mapping, each followed by its value.
        target: What an alias stands for.
        uses: The aliases that stand for it.
    """

    event: Any
    last: Any
    flow: bool
    children: list[Node] = field(default_factory=list)
    target: Node | None = None
    uses: list[Node] = field(default_factory=list)

    @property
    def start(self) -> int:
        """The index of its first character, of an anchor or a tag before it if there is one."""
        return int(self.event.start_mark.index)

    @property
    def end(self) -> int:
        """The index after its last character."""
        return int(self.last.end_mark.index)

    @property
    def place(self) -> tuple[int, int]:
        """Line and column, from 1."""
        return self.event.start_mark.line + 1, self.event.start_mark.column + 1

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping."""
        return type(self.event) is MappingStartEvent

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return type(self.event) is SequenceStartEvent

    @property
    def is_scalar(self) -> bool:
        """Whether it is one text, number or the like."""
        return type(self.event) is ScalarEvent

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written, as after the colon of ``key:``."""
        return self.is_scalar and not self.event.style and self.event.value == "" and self.start == self.end

    @property
    def quote(self) -> str:
        """The quote around a scalar; empty if there is none."""
        return self.event.style if self.is_scalar and self.event.style in ("'", '"') else ""

    @property
    def is_merge(self) -> bool:
        """Whether it is the key ``<<``, which merges another mapping."""
        return self.is_scalar and self.event.value == "<<" and bool(self.event.implicit[0])

    @property
    def text(self) -> str | None:
        """The text of a scalar, or of what an alias stands for; None for a list or a mapping."""
        node = self.target or self
        return str(node.event.value) if node.is_scalar else None

    @property
    def pairs(self) -> list[tuple[Node, Node]]:
        """The keys of a mapping with their values."""
        return list(zip(self.children[::2], self.children[1::2], strict=True))

    @property
    def head(self) -> tuple[object, ...]:
        """What it is, without its children and its place."""
        event = self.event
        names = ("value", "style", "anchor", "tag", "flow_style", "implicit")
        return (type(event), *(getattr(event, name, None) for name in names))

    def plain(self, level: int = 0) -> Any:
        """Returns the value, as `load` does.

        Args:
            level: How many values it is inside of.

        Raises:
            YamlError: It has a tag that is not of the core schema, or too many levels; the error has no file.
        """
        if level > _MOST_LEVELS:
            raise YamlError(f"more than {_MOST_LEVELS} levels are nested here; make it flatter", None, *self.place)
        if self.target is not None:
            return self.target.plain(level + 1)
        if self.is_list:
            return [child.plain(level + 1) for child in self.children]
        if self.is_mapping:
            return self._mapping(level)
        return tagged_value(self.event)

    def _mapping(self, level: int) -> dict[object, object]:
        own: dict[object, object] = {}
        merged: dict[object, object] = {}
        for key, value in self.pairs:
            if key.is_merge:
                found = value.plain(level + 1)
                for source in found if isinstance(found, list) else [found]:
                    merged = {**source, **merged} if isinstance(source, dict) else merged
            else:
                name = key.plain(level + 1)
                own[name if not isinstance(name, (dict, list)) else str(name)] = value.plain(level + 1)
        return {**merged, **own}


def documents_of(text: str, file: str) -> list[Node]:
    """Returns the value of each document of a text.

    Args:
        text: The YAML text, without a byte order mark.
        file: The name of the text in errors.

    Raises:
        YamlError: The text is not YAML, or an alias has no anchor.
    """
    with reported(text, file):
        return list(_documents(text, file))


def _documents(text: str, file: str) -> Iterator[Node]:
    next_event = events_of(text)
    while type(event := next_event()) is not StreamEndEvent:
        if type(event) is DocumentStartEvent:
            yield _document(next_event, file)


def _document(next_event: Any, file: str) -> Node:
    anchors: dict[str, Node] = {}
    open_nodes: list[Node] = []
    while True:
        event = next_event()
        if isinstance(event, _CLOSING):
            node = open_nodes.pop()
            node.last = event
        else:
            parent = open_nodes[-1] if open_nodes else None
            node = Node(event, event, parent is not None and (parent.flow or bool(parent.event.flow_style)))
            if parent is not None:
                parent.children.append(node)
            if type(event) is AliasEvent:
                _join(node, anchors, file)
            elif event.anchor is not None:
                anchors[event.anchor] = node
            if isinstance(event, _OPENING):
                open_nodes.append(node)
        if not open_nodes:
            return node


def _join(alias: Node, anchors: dict[str, Node], file: str) -> None:
    """Notes what an alias stands for."""
    name = alias.event.anchor
    target = anchors.get(name)
    # A list or mapping that has not ended: its last event is still the first one.
    if target is None or (isinstance(target.event, _OPENING) and target.last is target.event):
        raise YamlError(f"the alias *{name} needs a value &{name} that ends before it; add one", file, *alias.place)
    alias.target = target
    target.uses.append(alias)
