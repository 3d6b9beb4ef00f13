"""Whether a class has code of its own that may refuse values of the right types."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

# Keys of pydantic's core schemas that hold no validation.
_OTHER_KEYS = frozenset({"metadata", "serialization"})
# The validator that every class of hyperparameters inherits.
_INHERITED = "_complete_groups"


@lru_cache(maxsize=256)
def may_refuse(model: type[BaseModel]) -> bool:
    """Returns whether a class has validators, in whatever form, or rules for what lies between two values.

    A validator may be a decorated method, a function in an annotation, `model_post_init`, or part of the type of a
    field; pydantic's own checks of types and bounds do not count.
    """
    return any(
        "multiple_of" in part
        or "pattern" in part
        or part.get("post_init") is not None
        or (str(part.get("type", "")).startswith("function-") and _is_own(part.get("function")))
        for part in _parts(model.__pydantic_core_schema__)
    )


@lru_cache(maxsize=256)
def checks_combinations(model: type[BaseModel]) -> bool:
    """Returns whether a class, or a group in it, has code that sees several fields at once."""
    for part in _parts(model.__pydantic_core_schema__):
        if part.get("type") == "model" and part.get("post_init") is not None:
            return True
        inner: type[BaseModel] | None = part.get("cls") if part.get("type") == "model" else None
        if inner is not None and inner.__pydantic_decorators__.model_validators.keys() - {_INHERITED}:
            return True
    return False


def _parts(schema: object) -> Iterator[dict[str, Any]]:
    """Yields the mappings in a core schema."""
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left += [inner for key, inner in part.items() if key not in _OTHER_KEYS]
        elif isinstance(part, (list, tuple)):
            left += part


def _is_own(function: Any) -> bool:
    called = function.get("function") if isinstance(function, dict) else function
    module = str(getattr(called, "__module__", "") or "")
    return getattr(called, "__name__", "") != _INHERITED and not module.startswith("pydantic")
