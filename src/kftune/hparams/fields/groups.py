"""Groups: fields that are hyperparameter classes themselves, and the defaults that the enclosing class has for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from kftune.hparams.fields.form import parts_of


class Group(NamedTuple):
    """A field that is a hyperparameter class itself.

    Attributes:
        model: The group's class.
        default: What the enclosing class has for it: an instance, None, or ``{}`` (its own fields' defaults).
        is_mutable: Whether the default holds something that code could change.
        inner: The groups within, with the defaults that this default has for them.
    """

    model: type[BaseModel]
    default: Any
    is_mutable: bool
    inner: Mapping[str, Group]


def groups_of(model: type[BaseModel], defaults: object = None) -> dict[str, Group]:
    """The nested groups of a class, by field; one without a default is made from the defaults of its fields."""
    groups: dict[str, Group] = {}
    for name, field in model.model_fields.items():
        group = group_of(field.annotation)
        if group is not None:
            has_default, value = default_of(field, name, defaults)
            default = value if has_default else {}
            inner = groups_of(group, default) if isinstance(default, BaseModel) else {}
            groups[name] = Group(group, default, _is_mutable(default), inner)
    return groups


@lru_cache(maxsize=256)
def has_field_validators(model: type[BaseModel], above: tuple[type[BaseModel], ...] = ()) -> bool:
    """Whether a class, or a group in it, has validators of its own for single fields.

    Args:
        model: The class.
        above: The classes that it is a group of; one that contains itself is looked at once.
    """
    if model.__pydantic_decorators__.field_validators:
        return True
    above = (*above, model)
    groups = (group_of(field.annotation) for field in model.model_fields.values())
    return any(has_field_validators(group, above) for group in groups if group is not None and group not in above)


def completed(groups: Mapping[str, Group], data: dict[str, Any]) -> dict[str, Any]:
    """`data` with every group that it gives in part completed from the default for that group."""
    filled = dict(data)
    for name, group in groups.items():
        given = data.get(name)
        if isinstance(group.default, BaseModel) and isinstance(given, Mapping) and not isinstance(given, BaseModel):
            filled[name] = _merged(group, given)
        elif name not in data and group.is_mutable:
            filled[name] = deepcopy(group.default)  # pydantic would share it: a frozen class can be hashed
    return filled


def _merged(group: Group, given: Mapping[str, Any]) -> dict[str, Any]:
    if group.model.model_fields.keys() <= given.keys():
        merged = dict(given)
    else:
        default = deepcopy(group.default)
        own = {name: getattr(default, name) for name in group.model.model_fields}
        merged = {**own, **(default.model_extra or {}), **given}
    return completed(group.inner, merged) if group.inner else merged


def _is_mutable(value: object) -> bool:
    inner = vars(value).values() if isinstance(value, BaseModel) else ()
    return isinstance(value, (list, dict, set)) or any(map(_is_mutable, inner))


def owner_of(model: type[BaseModel], path: tuple[str, ...]) -> tuple[type[BaseModel], int]:
    """The innermost group that a path leads into, and how many parts of the path lead there."""
    for depth, part in enumerate(path):
        field = model.model_fields.get(part)
        group = group_of(field.annotation) if field else None
        if group is None:
            return model, depth
        model = group
    return model, len(path)


def extras_of(values: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of what an instance and its groups hold beyond their declared fields."""
    for name in values.model_extra or {}:
        yield (*path, name)
    for name, inner in vars(values).items():
        if isinstance(inner, BaseModel):
            yield from extras_of(inner, (*path, name))


def group_of(annotation: object) -> type[BaseModel] | None:
    """The class of a nested group that `annotation` declares, optional or not."""
    candidates = [part for part in parts_of(annotation) if part is not type(None)]
    if len(candidates) == 1 and isinstance(candidates[0], type) and issubclass(candidates[0], BaseModel):
        return candidates[0]
    return None


def default_of(field: FieldInfo, name: str, defaults: object) -> tuple[bool, Any]:
    """Whether a field has a default, and which: the enclosing group's default decides over the field's own."""
    if isinstance(defaults, BaseModel):
        return True, getattr(defaults, name)
    value = field.get_default(call_default_factory=True, validated_data={})
    return value is not PydanticUndefined, value
