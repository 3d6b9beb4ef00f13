"""The entities of a study, such as the circuits of a plant: read from a list or a YAML file, and named in its texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kftune.errors import YamlError, suggestion
from kftune.spec.part import PartError
from kftune.yaml_text.paths import names_in, parts_of, path_of, value_of
from kftune.yaml_text.problems import not_utf8
from kftune.yaml_text.tree import Node, documents_of

_BOM = "\ufeff"
_LONGEST = 200
_EVERY = "*"
NAME = "name"
"""The key that names an item of a list; without it, its first key does."""

_MARK = r"\$\{entity(?:\.(?P<field>[^{}]+))?\}"
_LITERAL = "$${entity"
_REFERENCE = re.compile(rf"(?<!\$){_MARK}")
_WHOLE = re.compile(_MARK)
_LOOKS_LIKE = re.compile(r"(?<!\$)\$\{\s*entit(?:y|ies)\b")


class Entity(NamedTuple):
    """One of the things that a study is run for.

    Attributes:
        name: Its name, such as ``PLANT001/CIRCUIT01``.
        path: Where it is in its file, in the language of ``--at``; its name if it has no file.
        value: What is known of it: a mapping, or the scalar that a list has.
    """

    name: str
    path: str
    value: Any


# -- where they come from ------------------------------------------------------------------------------------------


def entities_of(items: Sequence[Any]) -> tuple[Entity, ...]:
    """Returns the entities of a list.

    Args:
        items: Scalars, or mappings with a name.

    Raises:
        PartError: An item has no name, or two have the same.
    """
    is_named = all(isinstance(item, Mapping) and NAME in item for item in items)
    found = []
    for index, item in enumerate(items):
        name = _name_of(item, is_named=is_named)
        if name is None:
            raise PartError(
                f"an entity is a name, or a mapping whose key {NAME} or first key names it, but got {item!r}",
                ("items", index),
            )
        found.append(Entity(name, path_of([name]) if name else name, item))
    return _checked(found, lambda index: ("items", index))


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
    return _checked(found, lambda index: ("file",))


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
    """Returns how many keys lead to an entity: to the first mappings with values that are no mappings."""
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
            what = "<<" if key.is_merge else "a key that is no text"
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
            name = _name_of(_plain(item, path), is_named=False) or str(index)
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


def _name_of(item: Any, *, is_named: bool) -> str | None:
    """Returns the name of an item of a list; None if it has none."""
    if isinstance(item, Mapping):
        item = item.get(NAME) if is_named else next(iter(item.values()), None)
    return str(item) if isinstance(item, (str, int)) and not isinstance(item, bool) else None


def _checked(found: Sequence[Entity], place: Callable[[int], tuple[str | int, ...]]) -> tuple[Entity, ...]:
    """Checks the names of entities."""
    seen: dict[str, Entity] = {}
    for index, entity in enumerate(found):
        name = entity.name
        if not name or not name.isprintable() or len(name) > _LONGEST or name != name.strip():
            raise PartError(
                f"an entity has a name of printable characters, at most {_LONGEST}, without blanks at its ends, but "
                f"got {name!r:.220}",
                place(index),
            )
        if name in seen:
            raise PartError(f"each entity has a name of its own, but {name!r} is there twice", place(index))
        seen[name] = entity
    return tuple(found)


# -- how texts name them -------------------------------------------------------------------------------------------


def names_entity(value: Any) -> bool:
    """Returns whether a value, or one in it, has a reference to the entity."""
    if isinstance(value, str):
        return _REFERENCE.search(value) is not None
    if isinstance(value, Mapping):
        return any(names_entity(inner) for inner in value.values())
    return isinstance(value, (list, tuple)) and any(names_entity(inner) for inner in value)


def filled(value: Any, entity: Entity) -> Any:
    """Returns a value with the entity in place of its references. A text that is one reference gets its type.

    Args:
        value: A text, or a list or mapping of values.
        entity: The entity.

    Raises:
        PartError: The entity has no such key, or the text is nearly a reference.
    """
    if isinstance(value, Mapping):
        return {key: filled(inner, entity) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([filled(inner, entity) for inner in value])
    if not isinstance(value, str) or "${" not in value:
        return value
    whole = _WHOLE.fullmatch(value)
    return _value(whole["field"], entity) if whole else filled_text(value, entity)


def filled_text(text: str, entity: Entity) -> str:
    """Returns a text with the entity in place of its references.

    Args:
        text: The text; ``$${entity`` in it stays as ``${entity``.
        entity: The entity.

    Raises:
        PartError: As for `filled`, or the value of a reference is no text or number.
    """
    if "${" not in text:
        return text
    done = _REFERENCE.sub(lambda found: _text(found, entity), text)
    if len(_LOOKS_LIKE.findall(text)) > len(_REFERENCE.findall(text)):
        raise PartError(
            f"a reference to the entity is ${{entity}} or ${{entity.KEY}}, but got {text!r}; write a literal ${{entity "
            f"as {_LITERAL}"
        )
    return done.replace(_LITERAL, _LITERAL[1:])


def _text(found: re.Match[str], entity: Entity) -> str:
    value = _value(found["field"], entity)
    if isinstance(value, (Mapping, list)):
        kind = "a list" if isinstance(value, list) else "a mapping"
        raise PartError(f"{found[0]} must be a text or a number, but is {kind} in {entity.name}; name a key in it")
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def _value(field: str | None, entity: Entity) -> Any:
    if field is None:
        return entity.name if isinstance(entity.value, Mapping) else entity.value
    value = entity.value
    for part in parts_of(field):
        known = list(map(str, value)) if isinstance(value, Mapping) else []
        if not isinstance(value, Mapping) or part not in value:
            hint = suggestion(part, known) if known else "it has no keys"
            raise PartError(
                f"${{entity.{field}}} must be a key of each entity, but {entity.name} has no {part!r}; {hint}"
            )
        value = value[part]
    return value
