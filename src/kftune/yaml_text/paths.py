"""Paths that people write, such as ``PLANT001/CIRCUIT01`` or ``circuits/name=C1``, and where they lead in YAML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from kftune.errors import YamlError, suggestion
from kftune.yaml_text.tree import Node

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SEPARATORS = {sign: re.compile(rf"(?<!\\)(?:\\\\)*\{sign}") for sign in "/."}


def parts_of(path: str) -> list[str]:
    r"""Returns the keys of a path.

    With a ``/`` in it, ``/`` separates the keys, otherwise ``.`` does. A backslash before a sign makes it part
    of a key.

    Args:
        path: Such as ``PLANT001/CIRCUIT01``, ``training.optimizer`` or ``models/v1\/small``.
    """
    path = path.removeprefix("/")
    sign = "/" if _SEPARATORS["/"].search(path) else "."
    parts, begin = [], 0
    for found in _SEPARATORS[sign].finditer(path):
        parts.append(path[begin : found.end() - 1])
        begin = found.end()
    parts.append(path[begin:])
    return [_ESCAPED.sub(r"\1", part) for part in parts if part]


def path_of(keys: Sequence[str]) -> str:
    """Returns the path that `parts_of` splits into some keys; none of them may be empty.

    Args:
        keys: Such as ``["PLANT001", "CIRCUIT01"]``.
    """
    signs = re.compile(r"[\\/.]" if len(keys) == 1 else r"[\\/]")
    return "/".join(signs.sub(r"\\\g<0>", key) for key in keys)


class Found(NamedTuple):
    """Where a path leads.

    Attributes:
        nodes: The values on the path, the document's first.
        keys: The keys as the text writes them.
        missing: The keys that are not there, after those.
    """

    nodes: tuple[Node, ...]
    keys: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @property
    def node(self) -> Node:
        """The value, or the last one that is there."""
        return self.nodes[-1]


def follow(root: Node, parts: Sequence[str], file: str) -> Found:
    """Returns where the keys of a path lead in a document.

    Args:
        root: The document's value.
        parts: Keys of mappings; indices of lists, or ``key=value`` for the item that has it.
        file: The name of the text in errors.

    Raises:
        YamlError: A key is there twice, or an alias stands where the path goes on.
    """
    nodes: list[Node] = [root]
    keys: list[str] = []
    for index, part in enumerate(parts):
        node = nodes[-1]
        if node.target is not None:
            raise is_alias(node, ".".join(keys), file)
        inner = _step(node, part, file)
        if inner is None:
            return Found(tuple(nodes), tuple(keys), tuple(parts[index:]))
        nodes.append(inner)
        keys.append(part)
    return Found(tuple(nodes), tuple(keys))


def is_alias(node: Node, name: str, file: str) -> YamlError:
    """Returns the error for an alias where a mapping of its own is needed.

    Args:
        node: The alias.
        name: What it is the value of.
        file: The name of the text.
    """
    anchor, line = node.event.anchor, node.target.place[0] if node.target else 0
    return YamlError(
        f"{name} is *{anchor}, the mapping of line {line}, so a change concerns both; change that one, or write the "
        f"keys out here",
        file,
        *node.place,
    )


def _step(node: Node, part: str, file: str) -> Node | None:
    if node.is_list:
        return _item(node, part)
    return value_of(node, part, file) if node.is_mapping else None


def _item(node: Node, part: str) -> Node | None:
    if part.isascii() and part.isdigit():
        return node.children[int(part)] if int(part) < len(node.children) else None
    name, equals, text = part.partition("=")
    if not equals:
        return None
    return next(
        (
            item
            for item in node.children
            if item.is_mapping and any(key.text == name and value.text == text for key, value in item.pairs)
        ),
        None,
    )


def value_of(mapping: Node, key: str, file: str) -> Node | None:
    """Returns the value of a key; None if the mapping itself does not have it.

    Args:
        mapping: The mapping.
        key: The text of the key.
        file: The name of the text in errors.

    Raises:
        YamlError: The key is there twice.
    """
    found = [pair for pair in mapping.pairs if pair[0].text == key]
    if len(found) > 1:
        (first, _), (second, _), *_ = found
        place = f"line {first.place[0]}, column {first.place[1]}"
        raise YamlError(f"the key {key!r} is already given at {place}; keep one of them", file, *second.place)
    return found[0][1] if found else None


def keys_like(mapping: Node, key: str) -> list[str]:
    """Returns the keys that differ from one only in case, dashes and underscores.

    Args:
        mapping: The mapping.
        key: The text of the key.
    """
    wanted = _canonical(key)
    return [text for each, _ in mapping.pairs if (text := each.text) is not None and _canonical(text) == wanted]


def _canonical(key: str) -> str:
    return key.casefold().replace("-", "").replace("_", "")


def names_in(node: Node) -> list[str]:
    """Returns what a path may go on with after a value: the keys of a mapping, how to name the items of a list."""
    if node.is_mapping:
        return [text for key, _ in node.pairs if (text := key.text) is not None and not key.is_merge]
    if not node.is_list:
        return []
    named = [
        f"{key.text}={value.text}"
        for item in node.children
        if item.is_mapping
        for key, value in item.pairs[:1]
        if key.text is not None and value.text is not None
    ]
    return named if len(named) == len(node.children) else [*map(str, range(len(node.children)))]


def mapping_at(documents: Sequence[Node], path: str, file: str) -> Found:
    """Returns the mapping to which a path leads, in the one document that has it.

    Args:
        documents: The documents of the text.
        path: The path; empty for the whole document.
        file: The name of the text in errors.

    Raises:
        YamlError: It leads nowhere, to no mapping, or to one in several documents.
    """
    parts = parts_of(path)
    if not documents:
        raise YamlError("the file is empty; write the keys that lead to the values first", file, 1, 1)
    found = [follow(document, parts, file) for document in documents]
    whole = [each for each in found if not each.missing]
    if not whole:
        raise _nowhere(max(found, key=lambda each: len(each.keys)), path, file)
    if len(whole) > 1:
        places = " and ".join(f"line {each.node.place[0]}" for each in whole)
        raise YamlError(
            f"{path or 'the path'} is in {len(whole)} documents of the file ({places}); keep one of them, or give a "
            f"path that only one has",
            file,
            *whole[1].node.place,
        )
    node = whole[0].node
    if node.target is not None:
        raise is_alias(node, path, file)
    if not node.is_mapping and not node.is_empty:
        what = "a list" if node.is_list else f"{node.text!r:.40}"
        known = names_in(node)
        near = f"; go on with one of its items: {', '.join(known[:6])}" if known else ""
        raise YamlError(f"{path or 'the document'} must be a mapping of values, but is {what}{near}", file, *node.place)
    return whole[0]


def _nowhere(found: Found, path: str, file: str) -> YamlError:
    owner = "/".join(found.keys) or "the file"
    node, part = found.node, found.missing[0]
    merged = node.is_mapping and any(key.is_merge for key, _ in node.pairs)
    hint = suggestion(part, names_in(node)) if names_in(node) else "it is no mapping and no list"
    also = "; what << merges is not changed here: give the path of the mapping that has it" if merged else ""
    return YamlError(f"--at {path}: {owner} has no {part!r}; {hint}{also}", file, *node.place)
