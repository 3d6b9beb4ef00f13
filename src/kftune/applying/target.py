"""`Target`: the mapping in a YAML file that has the present values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kftune.errors import UsageError, YamlError, near_files
from kftune.yaml_text.paths import Found, is_alias, keys_like, mapping_at, parts_of, value_of
from kftune.yaml_text.problems import not_utf8
from kftune.yaml_text.tree import Node, documents_of

_BOM = "\ufeff"


class Spot(NamedTuple):
    """Where the value of a hyperparameter is, or belongs.

    Attributes:
        name: The hyperparameter.
        keys: The keys that are there, as the file writes them.
        nodes: Their values.
        missing: The keys that are not there.
        inherited: The value that the merge key `<<` brings; None if it brings none.
    """

    name: str
    keys: tuple[str, ...]
    nodes: tuple[Node, ...]
    missing: tuple[str, ...]
    inherited: Node | None

    @property
    def node(self) -> Node | None:
        """The value in its own place; None if a key is missing."""
        return None if self.missing else self.nodes[-1]

    @property
    def source(self) -> Node | None:
        """The value that counts, also one that is merged; None if there is none."""
        return self.node or self.inherited


class _Step(NamedTuple):
    """A key on the way to a value; it may hold several parts of a name, with dots."""

    parts: int
    key: str
    node: Node


class Target:
    """The mapping in a YAML file that has the present values.

    Args:
        path: The file.
        at: The path of the mapping in it; empty for the whole document.
        names: Hyperparameter -> path of its value in the mapping, where the names differ.

    Attributes:
        path: The file.
        at: The path of the mapping.
        names: Hyperparameter -> path of its value, where the names differ.
        content: The bytes of the file.
        text: Its text, without a byte order mark.
        documents: Its documents.
        found: The mapping and those around it.

    Raises:
        YamlError: The file is not YAML, or has no such mapping.
        UsageError: It cannot be read.
    """

    def __init__(self, path: Path, at: str, names: Mapping[str, str] | None = None) -> None:
        self.path, self.at = path, at
        self.names = names or {}
        try:
            self.content = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: the file cannot be read: {error.strerror}{near_files(str(path))}") from error
        try:
            text = self.content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(error, str(path)) from None
        self._mark = _BOM if text.startswith(_BOM) else ""
        self.text = text.removeprefix(_BOM)
        self.documents = documents_of(self.text, str(path))
        self.found: Found = mapping_at(self.documents, at, str(path))

    @property
    def mapping(self) -> Node:
        """The mapping; an empty value where the file has only its key."""
        return self.found.node

    @property
    def label(self) -> str:
        """The place, for messages."""
        return f"{self.path}, {self.at}" if self.at else str(self.path)

    def bytes_of(self, text: str) -> bytes:
        """Returns a changed text as the file has it.

        Args:
            text: The text.
        """
        return (self._mark + text).encode("utf-8")

    def spot(self, name: str) -> Spot:
        """Returns where the value of a hyperparameter is.

        Args:
            name: Its dotted name.

        Raises:
            YamlError: A key is there twice, or several keys could be meant.
        """
        mapped = self.mapped(name)
        parts = tuple(name.split(".")) if mapped is None else mapped
        steps = self._search(self.mapping, parts, loosely=False)
        if _covered(steps) < len(parts) and mapped is None:
            loose = self._search(self.mapping, parts, loosely=True)
            steps = loose if _covered(loose) > _covered(steps) else steps
        missing = parts[_covered(steps) :]
        nodes = tuple(step.node for step in steps)
        owner = nodes[-1] if nodes else self.mapping
        inherited = _merged(owner, missing, str(self.path)) if missing else None
        return Spot(name, tuple(step.key for step in steps), nodes, missing, inherited)

    def mapped(self, name: str) -> tuple[str, ...] | None:
        """Returns the path that `names` gives a hyperparameter, or the group or mapping that it is in; None if none.

        Args:
            name: Its dotted name.
        """
        whole = name
        while whole not in self.names:
            whole, dot, _ = whole.rpartition(".")
            if not dot:
                return None
        rest = name[len(whole) + 1 :]
        return (*parts_of(self.names[whole]), *(rest.split(".") if rest else ()))

    def value(self, spot: Spot) -> Any:
        """Returns the present value at a spot; None if it has none.

        Raises:
            YamlError: It has a tag that kftune does not know.
        """
        try:
            return None if spot.source is None else spot.source.plain()
        except YamlError as error:
            raise YamlError(error.message, str(self.path), error.line, error.column) from None

    def shared_by(self, spot: Spot) -> YamlError | None:
        """Returns why a change at a spot would change other values too; None if it would not.

        Args:
            spot: The spot.
        """
        for node in (*self.found.nodes, *spot.nodes):
            if node.uses:
                lines = ", ".join(str(use.place[0]) for use in node.uses[:6])
                what = (
                    f"{spot.name} is &{node.event.anchor}"
                    if node is spot.node
                    else f"{spot.name} is part of &{node.event.anchor}"
                )
                return YamlError(
                    f"{what}, which line {lines} uses too, so it would change there as well; give --shared if "
                    f"that is wanted, or give --at where it is used, with --add",
                    str(self.path),
                    *node.place,
                )
        return None

    def _search(self, mapping: Node, parts: Sequence[str], *, loosely: bool) -> tuple[_Step, ...]:
        """Returns the steps to a name, up to the first one that is missing."""
        for count in range(len(parts), 0, -1) if mapping.is_mapping else ():
            key = self._key(mapping, ".".join(parts[:count]), loosely=loosely)
            inner = None if key is None else value_of(mapping, key, str(self.path))
            if key is None or inner is None:
                continue
            step = _Step(count, key, inner)
            if count == len(parts):
                return (step,)
            if inner.target is not None:
                raise is_alias(inner, key, str(self.path))
            if inner.is_mapping or inner.is_empty:
                return (step, *self._search(inner, parts[count:], loosely=loosely))
        return ()

    def _key(self, mapping: Node, key: str, *, loosely: bool) -> str | None:
        if value_of(mapping, key, str(self.path)) is not None:
            return key
        near = keys_like(mapping, key) if loosely else []
        if len(near) > 1:
            raise YamlError(
                f"{key} could be {' or '.join(map(repr, near))}; say which with --map {key}={near[0]}",
                str(self.path),
                *mapping.place,
            )
        return near[0] if near else None


def _covered(steps: Sequence[_Step]) -> int:
    """Returns how many parts of a name the steps have."""
    return sum(step.parts for step in steps)


def _merged(mapping: Node, missing: Sequence[str], file: str) -> Node | None:
    """Returns the value that `<<` brings for the missing keys."""
    for key, value in mapping.pairs if mapping.is_mapping else ():
        if not key.is_merge:
            continue
        for source in value.children if value.is_list else [value]:
            node: Node | None = source.target or source
            for part in missing:
                node = _own_or_merged(node, part, file) if node is not None else None
            if node is not None:
                return node
    return None


def _own_or_merged(node: Node, key: str, file: str) -> Node | None:
    node = node.target or node
    if not node.is_mapping:
        return None
    own = value_of(node, key, file)
    return own if own is not None else _merged(node, (key,), file)
