"""Reads the entities of a YAML file, such as the circuits of a plant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune.errors import YamlError, suggestion
from kftune.spec.part import PartError
from kftune.study.entities import Entity, checked, name_of
from kftune.yaml_text.paths import names_in, parts_of, path_of, value_of
from kftune.yaml_text.problems import not_utf8
from kftune.yaml_text.tree import Node, documents_of

_BOM = "\ufeff"
_EVERY = "*"


def read_entities(path: Path, at: str | None) -> tuple[Entity, ...]:
    """Returns the entities of a YAML file.

    Args:
        path: The file.
        at: Where in it they are, with ``*`` for every key; None for the first level at which mappings have values.

    Raises:
        PartError: It has none there, or two with the same name.
        YamlError: It is not YAML.
    """
    root = _root(path)
    parts = [_EVERY] * (1 if root.is_list else _levels(root, path)) if at is None else parts_of(at)
    if _EVERY not in parts:
        raise PartError(f"at has a * for each key of the entities, such as PLANT001/*, but got {at!r}", ("at",))
    found = [Entity("/".join(names), path_of(keys), value) for keys, names, value in _below(root, parts, path)]
    if not found:
        raise PartError(
            f"a study for each entity needs at least one, but {path} has none at {'/'.join(parts)}", ("at",)
        )
    return checked(found, lambda index: ("file",))


def _root(path: Path) -> Node:
    try:
        text = path.read_bytes().decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        raise not_utf8(error, str(path)) from None
    documents = documents_of(text, str(path))
    if len(documents) != 1 or not (documents[0].is_mapping or documents[0].is_list):
        what = "a scalar" if len(documents) == 1 else f"{len(documents)} documents"
        raise PartError(f"a file of entities holds one mapping or list, but {path} holds {what}", ("file",))
    return documents[0]


def _levels(root: Node, path: Path) -> int:
    """Returns how many keys lead to an entity: to the first mappings with values that are not mappings."""
    level, nodes = 1, [root]
    while True:
        entries = [_resolved(value) for node in nodes for _, value in _pairs(node, path)]
        inner = [[_resolved(value).is_mapping for _, value in each.pairs] for each in entries if each.is_mapping]
        is_deeper = [bool(each) and all(each) for each in inner]
        if not all(entry.is_mapping or entry.is_empty for entry in entries) or (any(is_deeper) and not all(is_deeper)):
            raise PartError(
                f"{path} has no level of keys at which all entities are; say with at where they are, with * for every "
                f"key, such as at: '*/*' or at: PLANT001/*",
                ("at",),
            )
        if not any(is_deeper):
            return level
        level, nodes = level + 1, [entry for entry in entries if entry.is_mapping]


def _resolved(node: Node) -> Node:
    return node.target or node


def _pairs(node: Node, path: Path) -> list[tuple[str, Node]]:
    """Returns the keys of a level above entities, with their values."""
    found = []
    for key, value in node.pairs:
        if key.is_merge or key.text is None:
            what = "<<" if key.is_merge else "a key that is not a text"
            raise YamlError(f"entities stand here with their names, but this is {what}", str(path), *key.place)
        found.append((key.text, value))
    return found


def _below(
    node: Node,
    parts: Sequence[str],
    path: Path,
    keys: tuple[str, ...] = (),
    names: tuple[str, ...] = (),
    *,
    of_list: bool = False,
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Any]]:
    """Yields the keys that lead to each entity below a value, its name in parts, and what is known of it."""
    node = _resolved(node)
    if not parts:
        yield keys, names, _known(node, "/".join(names), path, of_list=of_list)
        return
    part, rest = parts[0], parts[1:]
    where = path_of(keys) if keys else "the file"
    if node.is_list and part == _EVERY:
        for index, (key, item) in enumerate(zip(names_in(node), node.children, strict=True)):
            name = name_of(_plain(item, path), is_named=False) or str(index)
            yield from _below(item, rest, path, (*keys, key), (*names, name), of_list=True)
    elif node.is_mapping and part == _EVERY:
        for name, value in _pairs(node, path):
            yield from _below(value, rest, path, (*keys, name), (*names, name))
    elif node.is_mapping:
        found = value_of(node, part, str(path))
        if found is None:
            raise PartError(f"{path}: {where} has no key {part!r}; {suggestion(part, names_in(node))}", ("at",))
        yield from _below(found, rest, path, (*keys, part), (*names, part))
    elif not node.is_empty:
        what = "a list" if node.is_list else repr(node.text)
        raise PartError(f"{path}: {where} must be a mapping of entities, but is {what}", ("at",))


def _known(node: Node, name: str, path: Path, *, of_list: bool) -> Any:
    value = _plain(node, path)
    if isinstance(value, Mapping) or (of_list and isinstance(value, (str, int))):
        return value
    if value is not None:
        what = f"{name}: an entity is a mapping, or one name of a list, but this is {value!r:.60}"
        raise YamlError(what, str(path), *node.place)
    return {}


def _plain(node: Node, path: Path) -> Any:
    try:
        return node.plain()
    except YamlError as error:
        raise YamlError(error.message, str(path), error.line, error.column) from None
