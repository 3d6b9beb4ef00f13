"""Keys inside a field that holds a mapping: a study searches one of them, and the argument is the whole mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from kftune.errors import HparamsError
from kftune.hparams.fields.form import parts_of, to_json
from kftune.hparams.fields.leaf import Leaf
from kftune.hparams.fields.nested import get


def holder_of(leaves: Mapping[str, Leaf], name: str) -> Leaf | None:
    """Returns the field that holds a key; None if no field does.

    Args:
        leaves: The fields of the class by dotted name.
        name: The dotted name of the key.
    """
    parts = name.split(".")
    names = (".".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1))
    holder = next((leaves[each] for each in names if each in leaves), None)
    return None if holder is None or holder.is_group else holder


def entry_of(holder: Leaf, name: str) -> Leaf:
    """Returns a key of a mapping as a field: its type is that of the mapping's values.

    Args:
        holder: The field that holds the mapping.
        name: The dotted name of the key.

    Raises:
        HparamsError: The field holds no mapping, or none with this key.
    """
    path = tuple(name.split("."))
    annotation = holder.annotation
    for depth in range(len(holder.path), len(path)):
        annotation = _type_of(annotation, path[depth])
        if annotation is None:
            owner = holder.declaration if depth == len(holder.path) else f"{'.'.join(path[:depth])} of {holder.name}"
            raise HparamsError(f"only a mapping has keys to search, but {owner} has no key {path[depth]!r}")
    has_default, default = get(holder.default, path[len(holder.path) :])
    return replace(
        holder,
        name=name,
        path=path,
        annotation=annotation,
        form="json",
        constraints=(),
        domain=None,
        has_default=has_default,
        default=default,
        is_required=False,
        is_entry=True,
    )


def _type_of(annotation: Any, key: str) -> Any:
    """Returns the type of the values under a key; None if values of the type have no such key."""
    for part in parts_of(annotation):
        if part is Any or part is dict:
            return Any
        if hasattr(part, "__required_keys__"):  # a TypedDict
            return get_type_hints(part).get(key)
        if isinstance(part, type) and issubclass(part, BaseModel):
            field = part.model_fields.get(key)
            return field and (Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)
        origin = get_origin(part)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return get_args(part)[1]
    return None


def pieces(holder: Leaf, base: Mapping[str, Any], replaced: Mapping[tuple[str, ...], Any]) -> Iterator[Any]:
    """Yields the JSON text of a mapping in pieces, with something else in place of the values of some keys.

    Args:
        holder: The field that holds the mapping.
        base: Its value.
        replaced: What is yielded instead, by path in the mapping; the keys may be new ones.

    Raises:
        HparamsError: A path leads through a value that is no mapping.
    """
    if () in replaced:
        yield replaced[()]
        return
    if not isinstance(base, Mapping):
        raise HparamsError(f"{holder.name} holds {base!r}, which has no keys to search")
    firsts = {path[0] for path in replaced}
    sign = "{"
    for key in dict.fromkeys((*base, *(path[0] for path in replaced))):
        yield f"{sign}{to_json(holder.name, key)}: "
        sign = ", "
        if key in firsts:
            inner = {path[1:]: value for path, value in replaced.items() if path[0] == key}
            yield from pieces(holder, base.get(key, {}), inner)
        else:
            yield holder.encode(base[key])
    yield "}"
