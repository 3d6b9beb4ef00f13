"""Groups: fields that are hyperparameter classes, and the defaults that the enclosing class has for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import BaseModel, RootModel
from pydantic_core import PydanticUndefined

from kftune.errors import HparamsError, KftuneError
from kftune.hparams.fields.form import parts_of


class FieldGroup(NamedTuple):
    """A field that is a hyperparameter class.

    Attributes:
        model: The group's class.
        default: The enclosing class's default for it: an instance, None, or ``{}`` (the defaults of its fields).
        is_mutable: Whether the default contains a mutable value.
        inner: The groups in it, with the defaults from this default.
    """

    model: type[BaseModel]
    default: Any
    is_mutable: bool
    inner: Mapping[str, FieldGroup]
    chosen: frozenset[str] | None = None
    """The fields that a partly given group takes from the default; None for all. The class computes the others."""


def groups_of(model: type[BaseModel], defaults: object = None) -> dict[str, FieldGroup]:
    """Returns the nested groups of a class, by field; one without a default is made from the defaults of its fields.

    Args:
        model: The class.
        defaults: An instance of it with the defaults; None for those of the class.
    """
    groups: dict[str, FieldGroup] = {}
    values = defaults_of(model, defaults)
    for name, field in model.model_fields.items():
        group = group_of(field.annotation)
        if group is not None:
            default = values.get(name, {})
            inner = groups_of(group, default) if isinstance(default, BaseModel) else {}
            groups[name] = FieldGroup(group, default, _is_mutable(default), inner, _chosen(group, default))
    return groups


def _chosen(group: type[BaseModel], default: object) -> frozenset[str] | None:
    """Returns the fewest fields from whose values a class that computes fields makes the default."""
    if not isinstance(default, BaseModel) or not _computes(group):
        return None
    values = {name: getattr(default, name) for name in type(default).model_fields}
    extra = default.model_extra or {}
    for name in reversed(list(values)):  # computed fields come after those they are computed from
        fewer = {key: value for key, value in values.items() if key != name}
        try:
            is_enough = type(default).model_validate({**fewer, **extra}) == default
        except (KftuneError, ValueError):  # pydantic's ValidationError is a ValueError
            continue
        if is_enough:
            values = fewer
    return frozenset(values)


def _computes(group: type[BaseModel]) -> bool:
    """Returns whether a class may compute a field from others."""
    takes_data = any(field.default_factory_takes_validated_data for field in group.model_fields.values())
    own = group.__pydantic_decorators__.model_validators.keys() - {"_complete_groups"}  # Hparams has that one
    return takes_data or bool(own) or has_field_validators(group)


@lru_cache(maxsize=256)
def has_field_validators(model: type[BaseModel], above: tuple[type[BaseModel], ...] = ()) -> bool:
    """Returns whether a class, or a group in it, has field validators.

    Args:
        model: The class.
        above: The classes that it is a group of; these are not visited again.
    """
    if model.__pydantic_decorators__.field_validators:
        return True
    above = (*above, model)
    groups = (group_of(field.annotation) for field in model.model_fields.values())
    return any(has_field_validators(group, above) for group in groups if group is not None and group not in above)


def completed(groups: Mapping[str, FieldGroup], data: dict[str, Any]) -> dict[str, Any]:
    """Returns nested values with partly given groups completed from their defaults.

    Args:
        groups: The groups of the class, by field.
        data: The values.
    """
    filled = dict(data)
    for name, group in groups.items():
        given = data.get(name)
        if isinstance(group.default, BaseModel) and isinstance(given, Mapping) and not isinstance(given, BaseModel):
            filled[name] = _merged(group, given)
        elif name not in data and group.is_mutable:
            filled[name] = deepcopy(group.default)  # pydantic would share it: a frozen class can be hashed
    return filled


def _merged(group: FieldGroup, given: Mapping[str, Any]) -> dict[str, Any]:
    if group.model.model_fields.keys() <= given.keys():
        merged = dict(given)
    else:
        default = deepcopy(group.default)
        names = group.model.model_fields if group.chosen is None else group.chosen
        own = {name: getattr(default, name) for name in names}
        merged = {**own, **(default.model_extra or {}), **given}
    return completed(group.inner, merged) if group.inner else merged


def _is_mutable(value: object) -> bool:
    inner = vars(value).values() if isinstance(value, BaseModel) else ()
    return isinstance(value, (list, dict, set)) or any(map(_is_mutable, inner))


def extras_of(values: BaseModel) -> Iterator[tuple[str, ...]]:
    """Yields the paths of the extra values of an instance and its groups."""
    yield from ((name,) for name in values.model_extra or {})
    for name, inner in vars(values).items():
        if isinstance(inner, BaseModel):
            yield from ((name, *path) for path in extras_of(inner))


def group_of(annotation: object) -> type[BaseModel] | None:
    """Returns the class of a nested group that `annotation` declares, optional or not; None if it declares none."""
    candidates = [part for part in parts_of(annotation) if part is not type(None)]
    if len(candidates) != 1 or not isinstance(candidates[0], type) or not issubclass(candidates[0], BaseModel):
        return None
    return None if issubclass(candidates[0], RootModel) else candidates[0]  # that one is a value, not fields


def defaults_of(model: type[BaseModel], defaults: object) -> dict[str, Any]:
    """Returns the default of each field that has one.

    Args:
        model: The class.
        defaults: The enclosing group's default instance, which overrides the fields' own defaults; None without one.

    Raises:
        HparamsError: A default factory fails.
    """
    if isinstance(defaults, BaseModel):
        return {name: getattr(defaults, name) for name in model.model_fields}
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        try:
            value = field.get_default(call_default_factory=True, validated_data=found)
        except KeyError as error:
            if error.args[0] in model.model_fields and error.args[0] not in found:
                continue  # it depends on a field without a default
            raise HparamsError(f"field {name}: its default_factory found no {error}") from error
        except Exception as error:  # a user's function may raise anything
            problem = f"{type(error).__name__}: {error}"
            raise HparamsError(
                f"field {name}: its default_factory must return a value, but raised {problem}"
            ) from error
        if value is not PydanticUndefined:
            found[name] = value
    return found
