"""Conditions on trials, in the language of a study's constraints."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from kftune.errors import ExpressionError, UnknownNameError, UsageError
from kftune.results.records import Meta
from kftune.results.selection import names_of
from kftune.study.expression import Expression, NoValueError

# A column such as val-loss is written val_loss, because - is minus.
_NO_NAME = re.compile(r"[^\w.]")


def condition(text: str, meta: Meta) -> Callable[[Mapping[str, Any]], bool]:
    """Returns whether values fulfil a condition, in the language of a study's constraints.

    Args:
        text: The condition, such as ``val_loss < 0.1 and optimizer == "adam"``. One without a value, because a value is
            missing or it divides by zero, does not hold.
        meta: The study, for its names.

    Raises:
        UsageError: It is no condition.
        UnknownNameError: It has an unknown name.
    """
    try:
        expression = Expression(text)
    except ExpressionError as error:
        raise UsageError(f"--where: {str(error).replace('a constraint', 'a condition')}") from error
    known = names_of(meta)
    aliases = {_NO_NAME.sub("_", name): name for name in known}
    for name in expression.names:
        if name not in aliases:
            raise UnknownNameError("column", name, known)

    def holds(values: Mapping[str, Any]) -> bool:
        try:
            found = expression.value({name: values.get(aliases[name]) for name in expression.names})
        except NoValueError:
            return False
        except TypeError as error:
            raise UsageError(f"--where: {text!r} compares values of different types: {error}") from error
        if found is not None and not isinstance(found, bool):
            raise UsageError(
                f"--where: a condition is true or false, but {text!r} is {found!r}; compare it with a value"
            )
        return found is True

    return holds
