"""Checks, when a class is made, that its validators and serializers leave its command line readable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from kftune.errors import HparamsError
from kftune.hparams.fields.groups import group_of
from kftune.hparams.fields.leaf import Leaf
from kftune.hparams.fields.nested import put


def check_reading(model: Any, leaves: Mapping[str, Leaf]) -> None:
    """Checks that an instance of a class with code of its own is read back from its own command line.

    Args:
        model: The class of hyperparameters.
        leaves: Its fields.

    Raises:
        HparamsError: It is not.
    """
    if not _has_own_code(model):
        return
    data: dict[str, Any] = {}
    for leaf in leaves.values():
        if leaf.is_required:
            put(data, leaf.path, leaf.example())
    try:
        made = model.model_validate(data, strict=False)
    except Exception:  # a validator is the user's code, and may refuse these values
        return
    try:
        again = model.from_args(made.to_args())
    except HparamsError as error:
        problem = str(error)
    else:
        if again == made:
            return
        problem = f"it is read as {again!r}"
    raise HparamsError(
        f"an instance must be read back from its own command line, but {made!r} is not: {problem}; a validator must "
        f"leave its own results as they are, and a serializer must write what the field takes"
    )


def _has_own_code(model: type[BaseModel], above: tuple[type[BaseModel], ...] = ()) -> bool:
    """Returns whether a class, or a group in it that is not one of `above`, has validators or serializers."""
    code = model.__pydantic_decorators__
    if code.field_serializers or code.field_validators or code.root_validators:
        return True
    if code.model_validators.keys() - {"_complete_groups"}:  # Hparams has that one
        return True
    above = (*above, model)
    groups = (group_of(field.annotation) for field in model.model_fields.values())
    return any(_has_own_code(group, above) for group in groups if group is not None and group not in above)
