"""``when``: one comparison of two values. It is parsed here and never evaluated as code."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from kftune.pipeline.ports import SCALAR_TYPES, type_of
from kftune.pipeline.references import Reference, parse
from kftune.spec.part import PartError

Operator = Literal["==", "!=", "<", "<=", ">", ">="]

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPERATOR = re.compile("==|!=|<=|>=|<|>")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WHOLE = re.compile(r"[-+]?[0-9]+")
_QUOTED = re.compile(r"'([A-Za-z0-9 ._/:+-]*)'|\"([A-Za-z0-9 ._/:+-]*)\"")


@dataclass(frozen=True)
class Condition:
    """A step runs only when this holds.

    Attributes:
        left: A reference, or a constant.
        operator: How they are compared.
        right: A reference, or a constant.
    """

    left: Any
    operator: Operator
    right: Any

    @property
    def references(self) -> tuple[Reference, ...]:
        """The references that must have a value before it can be evaluated."""
        return tuple(side for side in (self.left, self.right) if isinstance(side, Reference))

    def __str__(self) -> str:
        return f"{_written(self.left)} {self.operator} {_written(self.right)}"

    def check(self, left: str, right: str) -> None:
        """Checks that values of two types can be compared.

        Args:
            left: The type of the left side.
            right: The type of the right side.

        Raises:
            PartError: They cannot.
        """
        for side, given in ((self.left, left), (self.right, right)):
            if given not in SCALAR_TYPES:
                raise PartError(f"when compares numbers, texts and booleans, but {_written(side)} is of type {given}")
        numbers = {left, right} <= {"int", "float"}
        if not numbers and left != right:
            raise PartError(f"when compares values of one type, but got {left} and {right} in {str(self)!r}")
        if not numbers and self.operator not in ("==", "!="):
            raise PartError(
                f"{self.operator} compares numbers, but got two of type {left} in {str(self)!r}; use == or !="
            )

    def holds(self, left: Any, right: Any) -> bool:
        """Returns whether it holds.

        Args:
            left: The value of the left side.
            right: The value of the right side.
        """
        return bool(_COMPARE[self.operator](left, right))


def read_condition(value: object) -> Condition:
    """Returns the condition that a text describes.

    Raises:
        PartError: The text is invalid.
    """
    if isinstance(value, Condition):
        return _checked(value)
    text = value.strip() if isinstance(value, str) else ""
    found = _OPERATOR.search(text, 1)
    left, right = (text[: found.start()].rstrip(), text[found.end() :].lstrip()) if found else ("", "")
    # =< and <> are read as < with something left over.
    if found is None or not right or left.endswith(("=", "!")) or right.startswith(("=", ">", "<")):
        raise PartError(
            f"when is one comparison with ==, !=, <, <=, > or >=, for example "
            f"${{steps.evaluate.outputs.val_loss}} < 0.5, but got {value!r}"
        )
    return _checked(Condition(_side(left), found[0], _side(right)))  # type: ignore[arg-type]


def _checked(condition: Condition) -> Condition:
    if not condition.references:
        raise PartError(f"when needs a reference to a value of the run, but {str(condition)!r} has none")
    return condition


def _side(text: str) -> Any:
    if text.startswith("${"):
        return parse(text)
    if text in ("true", "false"):
        return text == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        raise PartError(
            f"a side of when is a reference, a number, true, false or a text in quotes (letters, digits, blanks and "
            f"._/:+-), but got {text}"
        )
    return quoted[1] if quoted[1] is not None else quoted[2]


def _written(side: Any) -> str:
    if isinstance(side, Reference):
        return str(side)
    if isinstance(side, str):
        return f"'{side}'"
    return str(side).lower() if type_of(side) == "bool" else repr(side)


ConditionField = Annotated[
    Condition,
    BeforeValidator(read_condition),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "description": "One comparison: ${steps.evaluate.outputs.val_loss} < 0.5"}),
]
