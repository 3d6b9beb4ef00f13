"""The entities of a study, such as the circuits of a plant, and how its texts name them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from kftune.errors import suggestion
from kftune.spec.part import PartError

_LONGEST = 200
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
        path: Where it is in its file, in the language of ``--at``; its name if it is of a list.
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
        name = name_of(item, is_named=is_named)
        if name is None:
            raise PartError(
                f"an entity is a name, or a mapping whose key {NAME} or first key names it, but got {item!r}",
                ("items", index),
            )
        found.append(Entity(name, name, item))
    return checked(found, lambda index: ("items", index))


def name_of(item: Any, *, is_named: bool) -> str | None:
    """Returns the name of an item of a list; None if it has none.

    Args:
        item: The item.
        is_named: Whether its key `NAME` is its name, not its first key.
    """
    if isinstance(item, Mapping):
        item = item.get(NAME) if is_named else next(iter(item.values()), None)
    return str(item) if isinstance(item, (str, int)) and not isinstance(item, bool) else None


def checked(found: Sequence[Entity], place: Callable[[int], tuple[str | int, ...]]) -> tuple[Entity, ...]:
    """Returns entities, when their names are checked.

    Args:
        found: The entities.
        place: Returns the keys in the study that lead to the one of that index.

    Raises:
        PartError: A name cannot be one, or two are the same.
    """
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
            raise PartError(f"no two entities have the same name, but {name!r} is there twice", place(index))
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
        PartError: As for `filled`, or the value of a reference is not a text or number.
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
    # Only a path needs the module, which imports PyYAML.
    from kftune.yaml_text.paths import parts_of  # noqa: PLC0415

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
