"""A value of another system's file with its place: typed access to its keys, and the keys that were not read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kftune.errors import ForeignFileError, YamlError, near_names, suggestion
from kftune.importers.python_text import Call, Code, Lined

Path = tuple[str | int, ...]


class Source:
    """A file, or a part of it, that holds one document.

    Args:
        file: The file, for messages.
        text: The YAML or JSON text in which places are looked up; empty if the document is not YAML.
        offset: How many lines of the file come before the text.
    """

    def __init__(self, file: str, text: str = "", offset: int = 0) -> None:
        self.file = file
        self._text = text
        self._offset = offset

    def line(self, path: Path) -> int | None:
        """Returns the line of a key, or that of the nearest key above it."""
        if not self._text:
            return None
        from kftune import yaml_text  # noqa: PLC0415 - Python text needs no YAML

        try:
            return (
                yaml_text.locate(self._text, path, key=isinstance(path[-1], str) if path else False)[0] + self._offset
            )
        except YamlError:
            return None


class Node:
    """A value with the keys that lead to it.

    Args:
        source: Where it is.
        value: The value.
        path: The keys that lead to it.
        line: Its line; None to look it up.
    """

    def __init__(self, source: Source, value: Any, path: Path = (), line: int | None = None) -> None:
        self.source = source
        self.value = value
        self.path = path
        self._line = line
        self._read: dict[str, Node] = {}
        self._added: dict[str, Node] = {}

    @property
    def where(self) -> str:
        """The keys, as messages show them: ``parameters.lr`` or ``ranges[0].Name``."""
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
        return text or "the file"

    @property
    def known_line(self) -> int | None:
        """The line that was given; None if it is looked up."""
        return self._line

    @property
    def line(self) -> int | None:
        """The line of its key."""
        return self._line if self._line is not None else self.source.line(self.path)

    def fail(self, message: str) -> ForeignFileError:
        """Returns an error at this place."""
        return ForeignFileError(f"{self.where}: {message}", self.source.file, self.line)

    # -- its keys ------------------------------------------------------------------------------------------------------

    def mapping(self) -> Mapping[str, Any]:
        """Returns the value, which must be a mapping."""
        if not isinstance(self.value, Mapping):
            raise self.fail(f"must be a mapping, but is {_shown(self.value)}")
        return self.value

    def add(self, other: Node) -> None:
        """Adds the keys of another mapping that this one does not have.

        Args:
            other: A mapping in another part of the file.
        """
        new = [key for key in other.mapping() if key not in self.mapping()]
        self._added |= {key: Node(other.source, other.value[key], (key,)) for key in new}
        self.value = {**self.value, **{key: other.value[key] for key in new}}

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, Mapping) and self.mapping().get(key) is not None

    def get(self, key: str) -> Node | None:
        """Returns the value of a key; None if it is missing or null."""
        if key not in self.mapping():
            return None
        if key not in self._read:
            value = self.value[key]
            line = self.value.lines.get(key) if isinstance(self.value, Lined) else None
            self._read[key] = self._added.get(key) or Node(self.source, value, (*self.path, key), line)
        found = self._read[key]
        return None if found.value is None else found

    def need(self, key: str, what: str = "") -> Node:
        """Returns the value of a key that must be there.

        Args:
            key: The key.
            what: What has such keys, for the message.
        """
        found = self.get(key)
        if found is None:
            given = [str(each) for each in self.mapping()]
            near = near_names(key, [each for each in given if each not in self._read])
            hint = near or f"it has: {', '.join(given[:12]) or 'nothing'}"
            raise self.fail(f"{what or 'this'} needs the key {key!r}; {hint}")
        return found

    def first(self, *keys: str) -> Node | None:
        """Returns the value of the first of several keys that is there."""
        return next((found for key in keys if (found := self.get(key)) is not None), None)

    def items(self) -> Iterator[tuple[str, Node]]:
        """Yields keys and values."""
        for key in self.mapping():
            found = self.get(key)
            yield str(key), found if found is not None else self._read[key]

    def each(self) -> Iterator[Node]:
        """Yields the items of a list."""
        if not isinstance(self.value, list | tuple):
            raise self.fail(f"must be a list, but is {_shown(self.value)}")
        for index, value in enumerate(self.value):
            line = value.line if isinstance(value, Call | Code) else None
            yield Node(self.source, value, (*self.path, index), line or self._line)

    def ignore(self, keys: Iterable[str]) -> None:
        """Marks keys as read that say nothing about the search."""
        for key in keys:
            self.get(key)

    def unread(self) -> list[Node]:
        """Returns the values of the keys that were not read."""
        if not isinstance(self.value, Mapping):
            return []
        seen = {*self._read}
        return [self.get(key) or self._read[key] for key in self.value if key not in seen]

    # -- its type ------------------------------------------------------------------------------------------------------

    def number(self) -> float:
        """Returns the value, which must be a finite number or the text of one."""
        value = number_of(self.value)
        if value is None or not math.isfinite(value):
            raise self.fail(f"must be a number, but is {_shown(self.value)}")
        return value

    def integer(self) -> int:
        """Returns the value, which must be a whole number or the text of one."""
        value = self.number()
        if value != int(value):
            raise self.fail(f"must be an integer, but is {_shown(self.value)}")
        return int(value)

    def text(self) -> str:
        """Returns the value, which must be a text."""
        if not isinstance(self.value, str):
            raise self.fail(f"must be a text, but is {_shown(self.value)}")
        return self.value

    def one_of(self, known: Iterable[str]) -> str:
        """Returns the value in the spelling of `known`, in which it must be; case does not count."""
        given = self.text()
        names = list(known)
        found = next((name for name in names if name.casefold() == given.casefold()), None)
        if found is None:
            raise self.fail(f"unknown {given!r}; {suggestion(given, names)}")
        return found

    def values(self) -> list[Any]:
        """Returns the items of a list, which must be plain and at least one."""
        items = [*self.each()]
        for item in items:
            if isinstance(item.value, Call | Code):
                raise item.fail(f"{item.value!r} is code, and the file is not run; write the value")
        if not items:
            raise self.fail("must have at least one value, but is empty")
        return [item.value for item in items]


def number_of(value: Any) -> int | float | None:
    """Returns a number, or the number that a text has; None for other values."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and "_" not in value:
        for kind in (int, float):
            try:
                return kind(value)
            except ValueError:
                continue
    return None


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
