"""Reads the field types of published pydantic models; `crd_schemas.py` and `argo_fields.py` use it."""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import RootModel


def kind_of(annotation: Any, name_of: Callable[[Any], str | None]) -> str:
    """Returns the type of a field in the notation of `kftune.katib.go.types`.

    Args:
        annotation: The field's annotation. Whether it may be None is ignored.
        name_of: Returns the notation of one class; None for a `RootModel` that is written as its content.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType, Annotated):
        return kind_of(arguments[0], name_of)
    if origin is list:
        return "[" + kind_of(arguments[0], name_of)
    if origin is dict:
        return "{" + kind_of(arguments[1], name_of)
    name = name_of(annotation)
    if name is None:
        assert issubclass(annotation, RootModel)  # noqa: S101 - what the caller promises
        return kind_of(annotation.model_fields["root"].annotation, name_of)
    return name
