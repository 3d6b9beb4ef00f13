"""Small changes to YAML text; all other bytes stay as they are.

Each function takes a text with one document and the path of a value in it. It returns the changed text, or None if the
value cannot be changed there: it comes from an alias or a merge key, or no change of how it is written is safe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from yaml.events import MappingEndEvent, MappingStartEvent, ScalarEvent

from kftune.yaml_text.places import Path, TextNode, find

_Tree = Mapping[str, "_Tree | str"]

_BLOCK_HEADER = re.compile(r"([|>])([1-9]?)[+-]?([1-9]?)")
# In another notation, such as 0x10 or 1_000, the text may be meant, or the number.
_QUOTABLE = re.compile(r"[A-Za-z]+|[-+]?(?:0|[1-9][0-9]*)?(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")
_ESCAPE = re.compile(r"\\.|[^\\]", re.DOTALL)


def quoted(text: str, path: Path) -> str | None:
    """Puts a plain scalar, a word or a decimal number, in double quotes.

    Args:
        text: The document.
        path: Keys and indices that lead to the scalar.
    """
    node = _found(text, path)
    span = _plain_span(text, node and node.event)
    if span is None or not _QUOTABLE.fullmatch(text[slice(*span)]):
        return None
    return f'{text[: span[0]]}"{text[slice(*span)]}"{text[span[1] :]}'


def unquoted(text: str, path: Path) -> str | None:
    """Removes the quotes of a scalar.

    Args:
        text: The document.
        path: Keys and indices that lead to the scalar.
    """
    node = _found(text, path)
    span = _quoted_span(text, node and node.event)
    if node is None or span is None or text[span[0] + 1 : span[1] - 1] != node.event.value:
        return None
    return text[: span[0]] + str(node.event.value) + text[span[1] :]


def replaced(text: str, path: Path, value: str) -> str | None:
    """Replaces a scalar on one line and keeps its quotes.

    Args:
        text: The document.
        path: Keys and indices that lead to the scalar.
        value: The new text of the scalar.
    """
    node = _found(text, path)
    return None if node is None else _with_scalar(text, node.event, value)


def renamed(text: str, path: Path, name: str) -> str | None:
    """Renames the last key of the path.

    Args:
        text: The document.
        path: Keys and indices that lead to the key.
        name: The new name.
    """
    node = _found(text, path)
    return None if node is None else _with_scalar(text, node.key, name)


def inserted(text: str, path: Path, tree: _Tree) -> str | None:
    """Adds keys at the beginning of a mapping.

    Args:
        text: The document.
        path: Keys and indices that lead to the mapping.
        tree: Key -> YAML of a scalar, or the keys below it.
    """
    node = _found(text, path)
    if node is None or type(node.event) is not MappingStartEvent:
        return None
    if node.event.flow_style:
        return _inserted_in_flow(text, node, tree)
    return _inserted_in_block(text, node, tree)


def without_last_newline(text: str, path: Path) -> str | None:
    """Removes the line breaks at the end of a scalar.

    Args:
        text: The document.
        path: Keys and indices that lead to the scalar.
    """
    node = _found(text, path)
    event: Any = node and node.event
    if not isinstance(event, ScalarEvent) or not event.value.endswith("\n"):
        return None
    if event.style in ("|", ">"):
        return _with_stripping_header(text, event)
    span = _quoted_span(text, event) if event.style == '"' else None
    if span is None:
        return None
    pieces = _ESCAPE.findall(text[span[0] + 1 : span[1] - 1])
    while pieces and pieces[-1] == "\\n":
        pieces.pop()
    return text[: span[0] + 1] + "".join(pieces) + text[span[1] - 1 :]


def _with_stripping_header(text: str, event: Any) -> str | None:
    # The event may start at an anchor, which contains no '|' or '>' after a blank.
    line_end = text.find("\n", event.start_mark.index)
    head = text[event.start_mark.index : line_end]
    found = next(
        (match for match in _BLOCK_HEADER.finditer(head) if head[: match.start()].strip()[:1] in ("", "&")), None
    )
    if found is None:
        return None
    start = event.start_mark.index + found.start()
    header = f"{found[1]}{found[2] or found[3]}-"
    return text[:start] + header + text[event.start_mark.index + found.end() :]


def _inserted_in_flow(text: str, node: TextNode, tree: _Tree) -> str | None:
    if type(node.first) is MappingEndEvent:
        at = node.event.end_mark.index
        return f"{text[:at]}{_flow(tree, '')}{text[at:]}"
    at = node.first.start_mark.index
    quote = '"' if text[at] == '"' else ""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    gap = " " if line.strip() else _line_break(text, at) + line
    return f"{text[:at]}{_flow(tree, quote)},{gap}{text[at:]}"


def _flow(tree: _Tree, quote: str) -> str:
    """Returns keys and values to put between braces; as JSON if the other keys are in quotes."""
    return ", ".join(
        f"{quote}{key}{quote}: " + (f"{{{_flow(value, quote)}}}" if isinstance(value, Mapping) else _json(value, quote))
        for key, value in tree.items()
    )


def _json(value: str, quote: str) -> str:
    return value if not quote or not value[0].isalpha() else f"{quote}{value}{quote}"


def _inserted_in_block(text: str, node: TextNode, tree: _Tree) -> str | None:
    """Adds lines after the mapping's key, before the comments of its first key."""
    at = node.first.start_mark.index
    start = text.rfind("\n", 0, at) + 1
    indent = text[start:at]
    if indent.strip(" "):
        return None
    while start and text[(before := text.rfind("\n", 0, start - 1) + 1) : start].lstrip()[:1] in ("", "#"):
        start = before
    lines = "".join(line + _line_break(text, at) for line in _block(tree, indent))
    return text[:start] + lines + text[start:]


def _block(tree: _Tree, indent: str) -> list[str]:
    lines = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{key}:", *_block(value, indent + "  ")]
        else:
            lines.append(f"{indent}{key}: {value}")
    return lines


def _line_break(text: str, at: int) -> str:
    """Returns the line break that the text uses before the place."""
    before = text.rfind("\n", 0, at)
    return "\r\n" if before > 0 and text[before - 1] == "\r" else "\n"


def _with_scalar(text: str, event: Any, value: str) -> str | None:
    if span := _plain_span(text, event):
        return text[: span[0]] + value + text[span[1] :]
    span = _quoted_span(text, event)
    if span is None or "\n" in text[slice(*span)]:
        return None
    quote = text[span[0]]
    escaped = value.replace("'", "''") if quote == "'" else value.replace("\\", "\\\\").replace('"', '\\"')
    return f"{text[: span[0] + 1]}{escaped}{text[span[1] - 1 :]}"


def _plain_span(text: str, event: Any) -> tuple[int, int] | None:
    """Returns start and end of a plain scalar on one line, without its anchor."""
    if not _is_scalar(event, None, "") or not event.value:
        return None
    end = event.end_mark.index
    start = end - len(event.value)
    return (start, end) if text[start:end] == event.value else None


def _quoted_span(text: str, event: Any) -> tuple[int, int] | None:
    """Returns start and end of a quoted scalar, with quotes, without its anchor."""
    if not _is_scalar(event, "'", '"'):
        return None
    end = event.end_mark.index
    start = text.find(event.style, event.start_mark.index)
    before = text[event.start_mark.index : start].strip()
    return (start, end) if before[:1] in ("", "&") and text[end - 1] == event.style else None


def _is_scalar(event: Any, *styles: str | None) -> bool:
    """Returns whether it is a scalar without a tag, in one of the styles."""
    return type(event) is ScalarEvent and event.style in styles and event.tag is None


def _found(text: str, path: Path) -> TextNode | None:
    (node,) = find(text, [path])
    return node if node.depth == len(path) else None
