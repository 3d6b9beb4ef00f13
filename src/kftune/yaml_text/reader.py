"""Reads YAML that people write, by the core schema of YAML 1.2.

Only ``true`` and ``false`` are booleans, ``1e-4`` is a number, and ``yes``, ``on``, ``12:30`` and ``2024-01-01`` are
text. Duplicate keys are rejected, aliases are copied up to a limit, and the merge key ``<<`` works. Plain objects are
made directly from libyaml's events, because PyYAML's composer recurses in C without a limit: a text of 50 000 brackets
would end the process.
"""

from __future__ import annotations

import math
import os
import re
from collections import ChainMap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

from kftune.errors import YamlError, near_files
from kftune.yaml_text.pairs import events_of
from kftune.yaml_text.problems import InvalidYamlError, not_utf8, reported

# The most values that aliases may add to one document: anchors in a study add dozens, a "billion laughs" 10**9.
_MOST_COPIES = 100_000
_MOST_COPIED = 5_000_000
"""The most characters that aliases may add: a long text may have few aliases, and is written out at each of them."""

# Each level takes one or two frames of Python, which allows 1000.
_MOST_LEVELS = 200

# Python converts few more decimal digits than this, in a time that grows with their square.
_MOST_DIGITS = 4000

_CORE_TAG = "tag:yaml.org,2002:"
_CORE_TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}

# Source: YAML 1.2.2, section 10.3.2 "Tag Resolution" (core schema).
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BASED = re.compile(r"0o(?P<octal>[0-7]+)|0x(?P<hexadecimal>[0-9a-fA-F]+)")
_WORDS: dict[str, object] = {
    "": None,
    **dict.fromkeys(("~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + word: math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_TYPED_STARTS = frozenset(["", *"~nNtTfF.+-0123456789"])


def load(text: str, *, file: str = "<text>") -> object:
    """Returns the only document of a text, as dicts, lists, strings, numbers, booleans and None.

    Args:
        text: YAML or JSON.
        file: The name of the text in errors.

    Returns:
        The value; None for a text without a document.

    Raises:
        YamlError: The text is not YAML, or has a second document, a duplicate key, a tag outside of the core schema,
            an alias without an anchor, aliases that expand to more than 100 000 values or 5 million characters, or more
            than 200 levels.
    """
    documents = _documents(text, file)
    first = next(documents, None)
    second = next(documents, None)
    if second is not None:
        raise _at(second[0], "only one document is allowed, and a second one begins here; remove it", file)
    return None if first is None else first[1]


def load_all(text: str, *, file: str = "<text>") -> Iterator[object]:
    """Yields the documents of a text, each read when it is requested.

    Args:
        text: YAML documents, with ``---`` between them.
        file: The name of the text in errors.

    Raises:
        YamlError: As for `load`, when the document is requested.
    """
    for _, value in _documents(text, file):
        yield value


def load_file(path: str | os.PathLike[str]) -> object:
    """Returns the only document of a file, as `load` does.

    Args:
        path: A YAML file in UTF-8.

    Raises:
        YamlError: As for `load`, or the file cannot be read.
    """
    file = os.fspath(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InvalidYamlError(f"the file cannot be read: {error.strerror}{near_files(file)}", file) from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(error, file) from None
    return load(text, file=file)


def _documents(text: str, file: str) -> Iterator[tuple[yaml.Event, object]]:
    """Yields the event that starts each document, with the document's value."""
    text = text.removeprefix("\ufeff")
    with reported(text, file):
        next_event = events_of(text)
        while type(event := next_event()) is not StreamEndEvent:
            if type(event) is DocumentStartEvent:
                yield event, _DocumentReader(next_event, file).node(next_event(), 0)


class _DocumentReader:
    """Builds the value of one document from its events."""

    def __init__(self, next_event: Any, file: str) -> None:
        self._next = next_event
        self._file = file
        self._anchors: dict[str, object] = {}
        self._copies = 0
        self._copied_size = 0

    def node(self, event: Any, level: int) -> object:
        kind = type(event)
        if kind is AliasEvent:
            return self._alias(event, level)
        value: object
        if kind is ScalarEvent:
            is_plain = event.tag is None and event.implicit[0]
            value = self._plain(event) if is_plain else event.value if event.tag is None else self._tagged(event)
        elif level >= _MOST_LEVELS:
            raise self._too_deep(event)
        elif kind is MappingStartEvent:
            value = self._mapping(event, level + 1)
        else:
            value = self._sequence(event, level + 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _mapping(self, start: Any, level: int) -> dict[object, object]:
        self._check_tag(start, "map")
        next_event = self._next
        result: dict[object, object] = {}
        merged: list[dict[object, object]] = []
        places: list[Any] = []
        while type(event := next_event()) is not MappingEndEvent:
            key = self._key(event)
            if key == "<<" and type(event) is ScalarEvent and event.implicit[0]:
                merged += self._merged(next_event(), level)
                continue
            if key in result:
                raise self._duplicate(event, places[list(result).index(key)])
            places.append(event)
            result[key] = self.node(next_event(), level)
        return dict(ChainMap(result, *merged)) if merged else result

    def _sequence(self, start: Any, level: int) -> list[object]:
        self._check_tag(start, "seq")
        result: list[object] = []
        while type(event := self._next()) is not SequenceEndEvent:
            result.append(self.node(event, level))
        return result

    def _plain(self, event: Any) -> object:
        try:
            return plain_value(event.value)
        except ValueError as error:
            raise self._wrong(str(error), event) from None

    def _tagged(self, event: Any) -> object:
        name = event.tag.removeprefix(_CORE_TAG)
        if name in ("!", "str"):
            return event.value
        if name not in _CORE_TYPES:
            raise self._unknown_tag(event)
        value = self._plain(event)
        if name == "float" and type(value) is int:
            return float(value)
        if type(value) is not _CORE_TYPES[name]:
            raise self._wrong(f"!!{name} is wrong before {event.value!r:.40}; remove it, or fix the value", event)
        return value

    def _key(self, event: Any) -> object:
        if type(event) is ScalarEvent or type(event) is AliasEvent:
            key = self.node(event, 0)
            if not isinstance(key, (dict, list)):
                return key
        raise self._wrong("a key must be a single value, not a list or a mapping", event)

    def _merged(self, event: Any, level: int) -> list[dict[object, object]]:
        """Returns the mappings that ``<<:`` merges, in the order of precedence."""
        value = self.node(event, level)
        sources: list[Any] = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise self._wrong("'<<' takes a mapping or a list of mappings; give it one, such as *name", event)
        return sources

    def _alias(self, event: Any, level: int) -> object:
        if event.anchor not in self._anchors:
            name = event.anchor
            raise self._wrong(f"the alias *{name} needs a value &{name} that ends before it; add one", event)
        return self._copied(self._anchors[event.anchor], event, level)

    def _copied(self, value: object, event: Any, level: int) -> object:
        self._copies += 1
        if self._copies > _MOST_COPIES:
            raise self._wrong(f"the aliases expand to more than {_MOST_COPIES:,} values; use fewer", event)
        if isinstance(value, str):
            self._grow(len(value), event)
        if not isinstance(value, (dict, list)):
            return value
        if isinstance(value, dict):
            self._grow(sum(len(key) for key in value if isinstance(key, str)), event)
        if level >= _MOST_LEVELS:
            raise self._too_deep(event)
        if isinstance(value, list):
            return [self._copied(item, event, level + 1) for item in value]
        return {key: self._copied(item, event, level + 1) for key, item in value.items()}

    def _grow(self, size: int, event: Any) -> None:
        self._copied_size += size
        if self._copied_size > _MOST_COPIED:
            raise self._wrong(f"the aliases expand to more than {_MOST_COPIED:,} characters; use fewer", event)

    def _check_tag(self, start: Any, core: str) -> None:
        if start.tag is not None and start.tag not in ("!", _CORE_TAG + core):
            raise self._unknown_tag(start)

    def _wrong(self, message: str, event: Any) -> YamlError:
        return _at(event, message, self._file)

    def _too_deep(self, event: Any) -> YamlError:
        return self._wrong(f"more than {_MOST_LEVELS} levels are nested here; make it flatter", event)

    def _unknown_tag(self, event: Any) -> YamlError:
        name = event.tag.replace(_CORE_TAG, "!!")
        return self._wrong(f"the tag {name} is not supported; remove it, or quote the value", event)

    def _duplicate(self, event: Any, first: Any) -> YamlError:
        name = f"*{event.anchor}" if type(event) is AliasEvent else event.value
        mark = first.start_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}"
        return self._wrong(f"the key {name!r} is already given at {place}; keep one of them", event)


def tagged_value(event: Any) -> object:
    """Returns the value of the event of a scalar.

    Raises:
        YamlError: It has a tag that is not of the core schema, or is a number that Python cannot represent; the error
            has no file.
    """
    reader = _DocumentReader(None, "")
    try:
        if event.tag is not None:
            return reader._tagged(event)
        return reader._plain(event) if event.implicit[0] else event.value
    except YamlError as error:
        raise YamlError(error.message, None, error.line, error.column) from None


def plain_value(text: str) -> object:
    """Returns the value of a plain (not quoted) scalar; ValueError for a number that Python cannot represent."""
    if text[:1] not in _TYPED_STARTS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > _MOST_DIGITS:
            raise ValueError(f"a number of {len(text)} digits cannot be read; quote it if it is text")
        return int(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isinf(value):
            raise ValueError(f"{text:.40} is greater than the largest float; give a smaller number, or .inf")
        return value
    if based := _BASED.fullmatch(text):
        return int(based["octal"], 8) if based["octal"] else int(based["hexadecimal"], 16)
    return text


def _at(event: Any, message: str, file: str) -> YamlError:
    mark = event.start_mark
    return InvalidYamlError(message, file, mark.line + 1, mark.column + 1)
