"""true and false where a number is asked for: pydantic would read them as 1 and 0, and so would YAML's readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from kftune.hparams.fields.form import parts_of

NO_NUMBER = PydanticCustomError("no_number", "must be a number, not true or false")
# Most values are of these types. To look at the type first keeps the check out of the time of `from_args`.
_NEVER_BOOL = frozenset({str, int, float, type(None)})


def refused_bools(fields: Mapping[str, FieldInfo], data: Mapping[str, Any]) -> list[str]:
    """Returns the fields whose values are or hold true or false where only numbers are allowed.

    Args:
        fields: The fields of a class.
        data: Values by name; names that are no fields are ignored.
    """
    return [
        name
        for name, value in data.items()
        if type(value) not in _NEVER_BOOL and name in fields and misreads_bool(fields[name].annotation, value)
    ]


def misreads_bool(annotation: object, value: object) -> bool:
    """Returns whether a type would take true or false, alone or inside a value, for a number.

    Args:
        annotation: The type.
        value: The value.
    """
    if not isinstance(value, bool) and not _inside(value):
        return False
    found = {_misreads(part, value) for part in parts_of(annotation)}
    return True in found and False not in found


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, (list, tuple, set, frozenset)) else ()


def _misreads(part: Any, value: object) -> bool | None:
    """Returns the same for one member of a union; None if it does not take such a value at all."""
    if isinstance(value, bool):
        return _misreads_one(part, value)
    if part in (int, float, str, bool, type(None)):
        return None
    arguments = get_args(part)
    if isinstance(value, dict):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return bool(_refused_in_group(part, value))
        return any(misreads_bool(arguments[1], inner) for inner in value.values()) if len(arguments) == 2 else False
    if get_origin(part) is tuple and Ellipsis not in arguments:
        return any(map(misreads_bool, arguments, _inside(value)))
    return any(misreads_bool(arguments[0], inner) for inner in _inside(value)) if arguments else False


def _misreads_one(part: Any, value: bool) -> bool | None:
    options: list[Any] | None = None
    if get_origin(part) is Literal:
        options = list(get_args(part))
    elif isinstance(part, type) and issubclass(part, Enum):
        options = [member.value for member in part]
    if options is not None:
        equal = [option for option in options if option == value]
        return not any(isinstance(option, bool) for option in equal) if equal else None
    if part in (str, type(None)):
        return None
    return part is not bool and isinstance(part, type) and issubclass(part, (int, float, complex, timedelta))


def _refused_in_group(group: type[BaseModel], value: Mapping[str, Any]) -> list[str]:
    if "_complete_groups" in group.__pydantic_decorators__.model_validators:
        return []  # an Hparams class, which says itself where the value is
    return refused_bools(group.model_fields, value)
