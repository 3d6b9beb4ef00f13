"""The language of constraints: comparisons and arithmetic of hyperparameters, read by `ast` and evaluated here.

A value that is missing (null, or of a hyperparameter whose condition does not hold) decides nothing: what is computed
from it is missing too, and so is a comparison with it. ``x == None`` asks for it.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from kftune.errors import ExpressionError

_LONGEST = 1000
_MOST_PARTS = 200
# The bits of the greatest whole number that a power may have.
_MOST_BITS = 4096

_Evaluate = Callable[[Mapping[str, Any]], Any]


class NoValueError(ExpressionError):
    """An expression that has no value: it divides by zero, or a number is too large."""


def _power(base: float, exponent: float) -> Any:
    whole = isinstance(base, int) and isinstance(exponent, int) and exponent >= 0
    if whole and int(base).bit_length() * exponent > _MOST_BITS:
        raise OverflowError("a power is too large")
    value = base**exponent if whole else float(base) ** exponent
    if isinstance(value, complex):
        raise ArithmeticError("a root of a negative number")
    return value


_ARITHMETIC: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_SIGNS: Mapping[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_EQUAL: Mapping[type, Callable[[Any, Any], bool]] = {ast.Eq: operator.eq, ast.NotEq: operator.ne}
ORDER: Mapping[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_IN = (ast.In, ast.NotIn)

_RULE = "a constraint has comparisons, + - * / // % **, and, or, not, in [...], names, numbers and quoted texts"
# What people write in other languages -> what to write here.
_HINTS = {"&&": "and", "||": "or", "=>": ">=", "=<": "<=", "<>": "!=", "≤": "<=", "≥": ">=", "≠": "!=", "·": "*"}
_ONE_EQUAL = re.compile("(?<![<>=!:])=(?!=)")


class Expression:
    """One condition on hyperparameters.

    Args:
        text: The condition, such as ``hidden * layers <= 4096``.

    Attributes:
        names: The names in it, with dots for fields of groups, in the order in which they appear.
        tree: Its parts, all of which belong to the language.

    Raises:
        ExpressionError: The text is not an expression of this language.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = "\n" in text
        tree = self._parsed()
        self._names: dict[str, ast.expr] = {}
        self._evaluate = self._built(tree)
        self.tree = tree
        self.names = tuple(self._names)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Returns whether the condition is not violated.

        Args:
            values: The value of each name; None, or no entry, for one that is missing.

        Raises:
            NoValueError: The expression has no value.
        """
        return self.value(values) is not False

    def value(self, values: Mapping[str, Any]) -> Any:
        """Returns the value of the expression: True or False if it is a condition; None if a value is missing.

        Args:
            values: The value of each name; None, or no entry, for one that is missing.

        Raises:
            NoValueError: The expression has no value.
        """
        try:
            return self._evaluate(values)
        except ZeroDivisionError as error:
            raise NoValueError("it divides by zero") from error
        except ArithmeticError as error:
            raise NoValueError(f"it has no value: {error}") from error

    def unknown(self, name: str, hint: str) -> ExpressionError:
        """Returns the error for a name that is not known.

        Args:
            name: One of `names`.
            hint: What to do.
        """
        return self.error(self._names[name], f"is not a hyperparameter; {hint}")

    # -- reading -----------------------------------------------------------------------------------------------

    def _parsed(self) -> ast.expr:
        text = self.text
        if not text.strip():
            raise ExpressionError("a constraint is a comparison, such as hidden * layers <= 4096, but it is empty")
        if len(text) > _LONGEST:
            raise ExpressionError(f"a constraint has at most {_LONGEST} characters, but got {len(text)}; split it")
        try:
            with warnings.catch_warnings(action="ignore"):  # such as an unusual escape in a text
                # Brackets let an expression have several lines.
                tree = ast.parse(f"({text}\n)" if self._lines else text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise self._unreadable(error) from error
        if sum(1 for _ in ast.walk(tree)) > _MOST_PARTS:
            raise ExpressionError(f"{text!r} has more than {_MOST_PARTS} parts; write several constraints")
        return tree

    def _unreadable(self, error: BaseException) -> ExpressionError:
        text = self.text
        other = next((sign for sign in _HINTS if sign in text), None)
        if other is not None:
            return ExpressionError(f"{text!r} is not a comparison: write {_HINTS[other]} for {other}")
        if _ONE_EQUAL.search(text):
            return ExpressionError(f"{text!r} is not a comparison: write == for =")
        why = f": {error.msg}" if isinstance(error, SyntaxError) else ""
        at = ""
        if isinstance(error, SyntaxError) and error.offset and not self._lines:
            at = f" at character {min(error.offset + len(text) - len(text.lstrip()), len(text))}"
        return ExpressionError(f"{text!r} is not a comparison{at}{why}; {_RULE}")

    def _built(self, node: ast.expr) -> _Evaluate:
        """Returns the function that evaluates a part; None means that a value is missing."""
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = self._named(node)
            return lambda values: values.get(name)
        if isinstance(node, ast.BoolOp):
            parts = [self._built(part) for part in node.values]
            return _any(parts) if isinstance(node.op, ast.Or) else _all(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return _lifted(operator.not_, self._built(node.operand))
        if isinstance(node, ast.UnaryOp) and type(node.op) in _SIGNS:
            return _lifted(_SIGNS[type(node.op)], self._built(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return _lifted(_ARITHMETIC[type(node.op)], self._built(node.left), self._built(node.right))
        if isinstance(node, ast.Compare):
            lefts = [node.left, *node.comparators]
            links = zip(lefts, node.ops, node.comparators, strict=False)
            return _all([self._comparison(*link) for link in links])
        raise self.error(node, f"is not allowed: {_RULE}{_other(node)}")

    def _constant(self, node: ast.Constant) -> _Evaluate:
        value = node.value
        if not isinstance(value, (int, float, str, type(None))):
            raise self.error(node, f"is not allowed: {_RULE}")
        if isinstance(value, float) and math.isinf(value):
            raise self.error(node, "is too large for a number")
        return lambda values: value

    def _named(self, node: ast.expr) -> str:
        name = name_of(node)
        if name is None:
            raise self.error(node, f"is not allowed: {_RULE}")
        self._names.setdefault(name, node)
        return name

    def _comparison(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> _Evaluate:
        if isinstance(sign, _IN):
            return _membership(self._built(left), self._listed(right), negated=isinstance(sign, ast.NotIn))
        compare = {**_EQUAL, **ORDER}.get(type(sign))
        if compare is None:
            raise self.error(right, "follows `is`, which is not allowed: write == or !=")
        if _is_none(left) or _is_none(right):
            one, other = self._built(left), self._built(right)
            wanted = isinstance(sign, ast.Eq)
            return lambda values: (one(values) is None and other(values) is None) is wanted
        return _lifted(compare, self._built(left), self._built(right))

    def _listed(self, node: ast.expr) -> list[Any]:
        if not isinstance(node, (ast.List, ast.Tuple)) or not node.elts:
            raise self.error(node, 'follows `in`, so it must be a list of values: in [1, 2], in ["a", "b"]')
        parts = [self._built(part) for part in node.elts]
        if any(isinstance(inner, ast.Name) for part in node.elts for inner in ast.walk(part)):
            raise self.error(node, "must be a list of values, without names; compare names with ==")
        return [part({}) for part in parts]

    # -- errors ------------------------------------------------------------------------------------------------

    def error(self, node: ast.expr, message: str) -> ExpressionError:
        """Returns an error about a part of the expression, with its place.

        Args:
            node: The part.
            message: What is wrong with it.
        """
        line, column = node.lineno, node.col_offset
        if self._lines:
            column -= 1 if line == 1 else 0
            at = f"line {line}, character"
            source = self.text.split("\n")[line - 1]
        else:
            source, at = self.text.lstrip(), "character"
        # `ast` counts bytes.
        place = len(source.encode()[:column].decode(errors="ignore")) + 1
        place += 0 if self._lines else len(self.text) - len(self.text.lstrip())
        return ExpressionError(f"{self.text!r}: {ast.unparse(node)} ({at} {place}) {message}")


def name_of(node: ast.expr) -> str | None:
    """Returns the dotted name that a part is; None if it is no name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def _lifted(function: Callable[..., Any], *parts: _Evaluate) -> _Evaluate:
    """Returns a function of parts that is missing if one of them is."""
    if len(parts) == 1:
        (one,) = parts
        return lambda values: None if (value := one(values)) is None else function(value)
    left, right = parts

    def evaluate(values: Mapping[str, Any]) -> Any:
        one, other = left(values), right(values)
        return None if one is None or other is None else function(one, other)

    return evaluate


def _all(parts: list[_Evaluate]) -> _Evaluate:
    """Returns ``and``: False if a part is, otherwise missing if one is; parts after a false one are not evaluated."""
    if len(parts) == 1:
        return parts[0]
    return _decided(parts, False)


def _any(parts: list[_Evaluate]) -> _Evaluate:
    """Returns ``or``: True if a part is, otherwise missing if a part is; parts after a true one are not evaluated."""
    return _decided(parts, True)


def _decided(parts: list[_Evaluate], by: bool) -> _Evaluate:
    def evaluate(values: Mapping[str, Any]) -> bool | None:
        missing = False
        for part in parts:
            value = part(values)
            if value is None:
                missing = True
            elif bool(value) is by:
                return by
        return None if missing else not by

    return evaluate


def _membership(left: _Evaluate, listed: list[Any], *, negated: bool) -> _Evaluate:
    def evaluate(values: Mapping[str, Any]) -> bool | None:
        value = left(values)
        if value is None and None not in listed:
            return None
        return (value in listed) is not negated

    return evaluate


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _other(node: ast.expr) -> str:
    """Returns what to write in place of a part of another language."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
        return "; write ** for a power"
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
        return "; write and, or"
    return ""
