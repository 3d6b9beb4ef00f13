"""Finds the document to import in a file: YAML, JSON, Python text, or a page with blocks of these."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kftune import yaml_text
from kftune.errors import ForeignFileError, YamlError
from kftune.importers.node import Node, Source
from kftune.importers.python_text import PythonText, read_python

_FENCE = re.compile(r"[ ]{0,3}(```+|~~~+)(.*)")
_LARGEST = 8_000_000

Wanted = Callable[[Mapping[str, Any]], bool]


class Found:
    """What a file holds.

    Attributes:
        node: The document that is wanted; None if there is none.
        python: What the Python text in the file assigns and calls.
        source: The file.
    """

    def __init__(self, source: Source, node: Node | None, python: PythonText) -> None:
        self.source = source
        self.node = node
        self.python = python

    def assigned(self, wanted: Wanted) -> Node | None:
        """Returns the last mapping that the Python text assigns to a name and that is wanted."""
        for name, value in reversed(self.python.values.items()):
            if isinstance(value, Mapping) and wanted(value):
                return Node(self.source, value, (), self.python.lines[name])
        return None


def text_of(path: Path) -> str:
    """Returns the text of a file.

    Raises:
        ForeignFileError: It is not text, or too large.
        OSError: It cannot be read.
    """
    if path.is_dir():
        raise ForeignFileError("this is a folder; give a file", str(path))
    size = path.stat().st_size
    if size > _LARGEST:
        raise ForeignFileError(
            f"the file has {size} bytes; a description of a search has at most {_LARGEST}", str(path)
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ForeignFileError(
            f"the file is not text in UTF-8: {error.reason} at byte {error.start}", str(path)
        ) from error


def find(path: Path, wanted: Wanted, what: str) -> Found:
    """Returns the document to import.

    Python text is read, never run.

    Args:
        path: The file.
        wanted: Whether a mapping is what is looked for.
        what: What is looked for, for the message.

    Raises:
        ForeignFileError: The file has no such document, or is neither YAML, JSON nor Python.
        OSError: It cannot be read.
    """
    text, file = text_of(path), str(path)
    problem = ForeignFileError(f"this is not {what}", file)
    if path.suffix != ".py":
        node = _yaml(text, file, wanted, what)
        if isinstance(node, Node):
            return Found(node.source, node, PythonText())
        problem = node
        if path.suffix == ".json":
            raise problem
        blocks = _blocks(text, file, wanted)
        if blocks is not None:
            return blocks
    try:
        python = read_python(text, file)
    except ForeignFileError as error:
        if path.suffix == ".py":
            raise
        raise problem from error
    if not python.values and not python.calls:
        raise problem
    return Found(Source(file), None, python)


def _yaml(text: str, file: str, wanted: Wanted, what: str) -> Node | ForeignFileError:
    """Returns the document that is wanted, or why there is none."""
    problem = f"this is not {what}"
    try:
        for value in yaml_text.load_all(text, file=file):
            if isinstance(value, Mapping) and wanted(value):
                return Node(Source(file, text), value)
            if isinstance(value, Mapping):
                problem = f"this is not {what}: it has the keys {', '.join(map(str, [*value][:8])) or 'none'}"
    except YamlError as error:
        return ForeignFileError(error.message, file, error.line, error.column)
    return ForeignFileError(problem, file)


def _blocks(text: str, file: str, wanted: Wanted) -> Found | None:
    """Returns what the blocks of a page hold; None if it has no blocks.

    All Python text counts together. Blocks of YAML add the keys that the first wanted one does not have.
    """
    python = PythonText()
    nodes: list[Node] = []
    blocks = _fenced(text)
    for before, inner in blocks:
        try:
            python.add(read_python(inner, file, before, python.values))
            continue
        except ForeignFileError:
            pass
        try:
            value = yaml_text.load(inner, file=file)
        except YamlError:
            continue
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            nodes.append(Node(Source(file, inner, before), value))
    chosen = next((node for node in nodes if wanted(node.value)), None)
    for node in nodes:
        if chosen is not None and node is not chosen:
            chosen.add(node)
    return Found(Source(file), chosen, python) if blocks else None


def _fenced(text: str) -> list[tuple[int, str]]:
    """Returns the blocks of a page, each with the number of lines before it. A fence that none closes is text."""
    lines = text.split("\n")
    fences = [(number, found[1], found[2]) for number, line in enumerate(lines) if (found := _FENCE.match(line))]
    closing: dict[str, list[int]] = {}
    for number, mark, behind in fences:
        if not behind.strip(" "):
            closing.setdefault(mark, []).append(number)
    blocks: list[tuple[int, str]] = []
    end = -1
    for number, mark, _ in fences:
        ends = closing.get(mark, [])
        place = bisect_right(ends, number)
        if number > end and place < len(ends):
            end = ends[place]
            blocks.append((number + 1, "".join(f"{line}\n" for line in lines[number + 1 : end])))
    return blocks
