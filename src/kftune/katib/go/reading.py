"""Reads YAML into JSON values as kubectl does.

A text is first cut at lines that begin with `---`, then the first document of each piece is read. A key may occur twice
(the last one wins), aliases share their value, a merge key overwrites earlier keys, and unknown tags make text.

Source: k8s.io/apimachinery util/yaml (YAMLReader), sigs.k8s.io/yaml (goyaml.v2, decode.go).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from kftune.errors import YamlError
from kftune.katib.go.scalars import from_float, resolve
from kftune.yaml_text.pairs import events_of
from kftune.yaml_text.problems import reported

# The most values of one document with its aliases expanded; beyond that Go limits aliases too.
_MOST_COPIES = 400_000
_MOST_COPIED = 5_000_000
"""The most characters that aliases may add: the API server takes no object of this size."""

# libyaml does not know Go's escape \'; each occurrence costs another read of the text.
_MOST_QUOTES = 100
_ESCAPED_SLASH = re.compile(r"(?<!\\)(?:\\\\)*\\/")

# Each level needs one or two Python frames; Go stops at 10 000.
_MOST_LEVELS = 150

_CORE = "tag:yaml.org,2002:"
_SEPARATOR = re.compile(r"^---[^\S\n]*(?:#[^\n]*)?(?:\n|\Z)", re.MULTILINE)


class Piece(NamedTuple):
    """One document of a text, not parsed yet."""

    text: str
    line: int
    """The number of lines before it in the whole text."""


class NotYamlError(YamlError):
    """Text that kubectl cannot convert to JSON; line and column count from the start of the piece."""


def pieces(text: str) -> Iterator[Piece]:
    """Yields the documents of a text, cut as kubectl cuts it, without empty ones.

    Args:
        text: A YAML or JSON text.
    """
    text = text.removeprefix("\ufeff")
    start = 0
    line = 0
    for found in _SEPARATOR.finditer(text):
        if found.start() > start:
            yield Piece(text[start : found.start()], line)
            line += text.count("\n", start, found.end())
            start = found.end()
    if start < len(text):
        yield Piece(text[start:], line)


class Repeated(NamedTuple):
    """A key that its mapping has already; line and column count from the start of the piece."""

    key: str
    line: int
    column: int


def read(text: str, repeated: list[Repeated] | None = None) -> object:
    """Returns the JSON value of a piece: dicts with text keys, lists, text, int (64 bits), float, bool and None.

    The value must not be changed, because aliases share parts of it.

    Args:
        text: One piece of `pieces`.
        repeated: A list that gets the keys that are given twice.

    Raises:
        NotYamlError: The text is not YAML, or its value cannot be written as JSON.
    """
    for _ in range(_MOST_QUOTES):
        try:
            with reported(text, "<text>"):
                return _read(text, repeated)
        except NotYamlError:
            raise
        except YamlError as error:
            place = _offset(text, error)
            if not text.startswith("\\'", place):
                raise NotYamlError(error.message, None, error.line, error.column) from None
            text = text[:place] + text[place + 1 :]
        except RecursionError:
            raise NotYamlError(f"more than {_MOST_LEVELS} nested levels; make it flatter", None, 1, 1) from None
    raise NotYamlError(f"double quotes hold \\' more than {_MOST_QUOTES} times; write '", None, 1, 1)


def _read(text: str, repeated: list[Repeated] | None) -> object:
    # JSON is tried before YAML, and has two escapes that Go's YAML does not: \/ and pairs of surrogates.
    is_json = text.lstrip().startswith("{")
    next_event = events_of(text) if is_json else yaml.CBaseLoader(text).get_event
    slashes = "\\/" in text and not is_json
    while type(event := next_event()) is not StreamEndEvent:
        if type(event) is DocumentStartEvent:
            if slashes:
                next_event = _without_escaped_slash(text, next_event)
            return _Reader(next_event, repeated).node(next_event(), 0)
    return None


def _offset(text: str, error: YamlError) -> int:
    """Returns the index of an error in the text."""
    begin = 0
    for _ in range((error.line or 1) - 1):
        begin = text.find("\n", begin) + 1
    return begin + (error.column or 1) - 1


def _without_escaped_slash(text: str, next_event: Callable[[], Any]) -> Callable[[], Any]:
    """Rejects the escape that libyaml knows and Go does not."""

    def checked() -> Any:
        event = next_event()
        is_quoted = type(event) is ScalarEvent and event.style == '"'
        if is_quoted and _ESCAPED_SLASH.search(text, event.start_mark.index, event.end_mark.index):
            raise _wrong("unknown escape \\/ in double quotes; write / alone", event)
        return event

    return checked


class _Reader:
    """Builds the value of one document from libyaml's events."""

    def __init__(self, next_event: Any, repeated: list[Repeated] | None) -> None:
        self._next = next_event
        self._repeated = repeated
        self._anchors: dict[str, tuple[object, int, int]] = {}
        self._count = 0
        self._size = 0
        self._copied = 0
        self._open: list[str] = []

    def node(self, event: Any, level: int) -> object:
        self._count += 1
        kind = type(event)
        anchor = event.anchor
        value: object
        if kind is ScalarEvent:
            self._size += len(event.value)
            if event.tag is not None:
                value = _tagged(event)
            elif event.implicit[0]:
                value = resolve(event.value)
                if type(value) is float and not math.isfinite(value):
                    raise _wrong(f"JSON has no {event.value}; give a finite number, or put it in quotes", event)
            else:
                value = event.value
            if anchor is not None:
                self._anchors[anchor] = (value, 1, len(event.value))
            return value
        if kind is AliasEvent:
            return self._alias(event)
        if level >= _MOST_LEVELS:
            raise _wrong(f"more than {_MOST_LEVELS} nested levels; make it flatter", event)
        before, size = self._count, self._size
        if anchor is not None:
            self._anchors.pop(anchor, None)
        value = self._mapping(level + 1) if kind is MappingStartEvent else self._sequence(level + 1)
        if anchor is not None:
            self._anchors[anchor] = (value, self._count - before + 1, self._size - size)
        return value

    def _sequence(self, level: int) -> list[object]:
        items: list[object] = []
        next_event = self._next
        while type(event := next_event()) is not SequenceEndEvent:
            items.append(self.node(event, level))
        return items

    def _mapping(self, level: int) -> dict[str, object]:
        result: dict[str, object] = {}
        next_event = self._next
        while type(event := next_event()) is not MappingEndEvent:
            if type(event) is ScalarEvent and event.anchor is None and event.tag is None:
                text = event.value
                self._size += len(text)
                if not event.implicit[0]:
                    key = text
                elif text == "<<":
                    self._merge(next_event(), result, level)
                    continue
                else:
                    key = _KEYS[text] if text in _KEYS else _key_text(resolve(text), event)
                    if len(_KEYS) < _MOST_KEYS:
                        _KEYS[text] = key
            else:
                key = _key_text(self.node(event, level), event)
            if key in result and self._repeated is not None:
                self._repeated.append(Repeated(key, event.start_mark.line + 1, event.start_mark.column + 1))
            result[key] = self.node(next_event(), level)
        return result

    def _merge(self, event: Any, result: dict[str, object], level: int) -> None:
        """A merge key overwrites the keys before it; the keys after it overwrite its own."""
        value = self.node(event, level)
        sources = reversed(value) if isinstance(value, list) else [value]
        for source in sources:
            if not isinstance(source, dict):
                raise _wrong("'<<' takes a mapping or a list of mappings; give it one, such as *name", event)
            result.update(source)

    def _alias(self, event: Any) -> object:
        found = self._anchors.get(event.anchor)
        if found is None:
            name = event.anchor
            raise _wrong(f"the alias *{name} needs a value &{name} that ends before it; add one", event)
        self._count += found[1]
        if self._count > _MOST_COPIES:
            raise _wrong(f"the aliases grow past {_MOST_COPIES:,} values; write fewer", event)
        self._size += found[2]
        self._copied += found[2]
        if self._copied > _MOST_COPIED:
            raise _wrong(f"the aliases grow past {_MOST_COPIED:,} characters; write fewer", event)
        return found[0]


# Plain key -> its text in JSON; Experiments repeat the same few hundred keys.
_KEYS: dict[str, str] = {}
_MOST_KEYS = 2000


def _key_text(value: object, event: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.8g}"
    raise _wrong("a key must be text, a number or a boolean; put it in quotes", event)


def _tagged(event: Any) -> object:
    tag = event.tag.removeprefix(_CORE)
    text: str = event.value
    if tag == "binary":
        from base64 import b64decode  # noqa: PLC0415 - Experiments have none

        try:
            return b64decode(text, validate=True).decode("utf-8", "replace")
        except ValueError:
            raise _wrong("!!binary needs base64; fix the value", event) from None
    if tag not in _TAG_TYPES:
        return text
    value = resolve(text)
    if tag == "float" and type(value) is int:
        return from_float(float(value))
    if not isinstance(value, _TAG_TYPES[tag]) or (tag == "int" and isinstance(value, bool)):
        raise _wrong(f"!!{tag} does not fit {text!r:.40}; remove the tag, or fix the value", event)
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(f"JSON has no {text}; give a finite number, or put it in quotes", event)
    return value


_TAG_TYPES: dict[str, type | tuple[type, ...]] = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}


def _wrong(message: str, event: Any) -> NotYamlError:
    mark = event.start_mark
    return NotYamlError(message, None, mark.line + 1, mark.column + 1)
