"""Computes the values of simple expressions: literals, constants, arithmetic, f-strings. Nothing is called."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from kftune.scripts.script import UNKNOWN

_LONGEST = 10_000
_DEEPEST = 50
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_MOST = 100
_COLLECTED: dict[str, Callable[[Any], Any]] = {"list": list, "tuple": tuple, "sorted": sorted}
# `"%999999999d" % 1` is a text that fills the memory.
_WIDE = re.compile(r"%[^%a-zA-Z]*(\d{3}|\*)")
_METHODS = frozenset({"replace", "lower", "upper", "strip", "lstrip", "rstrip"})


class Names(Protocol):
    """What a file says about its names."""

    @property
    def constants(self) -> Mapping[str, ast.expr]:
        """Names that are assigned once."""

    @property
    def classes(self) -> Mapping[str, ast.ClassDef]:
        """The classes of the file."""

    def name(self, node: ast.AST | None) -> str:
        """What a name or an attribute refers to."""


class _UnknownError(Exception):
    """The source does not show a value."""


def value_of(node: ast.expr, names: Names) -> Any:
    """Returns the value of an expression; UNKNOWN if the source does not show it.

    Args:
        node: The expression.
        names: What the file says about its names.
    """
    try:
        return _value(node, names, 0)
    except (_UnknownError, ArithmeticError, ValueError, TypeError, LookupError, RecursionError):
        return UNKNOWN


def _value(node: ast.expr | None, names: Names, level: int) -> Any:
    if level > _DEEPEST or node is None:
        raise _UnknownError
    level += 1
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        made = {ast.Tuple: tuple, ast.List: list, ast.Set: set}[type(node)]
        return made(_value(each, names, level) for each in node.elts)
    if isinstance(node, ast.Dict):
        return {_value(k, names, level): _value(v, names, level) for k, v in zip(node.keys, node.values, strict=True)}
    return _composed(node, names, level)


def _composed(node: ast.expr, names: Names, level: int) -> Any:
    """Returns the value of an expression other than a literal."""
    if isinstance(node, ast.Name):
        return _value(names.constants.get(node.id), names, level)
    if isinstance(node, ast.UnaryOp):
        return _negated(node, _value(node.operand, names, level))
    if isinstance(node, ast.BinOp):
        return _computed(node.op, _value(node.left, names, level), _value(node.right, names, level))
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(each, names, level) for each in node.values)
    if isinstance(node, ast.Subscript):
        return _value(node.value, names, level)[_value(node.slice, names, level)]
    if isinstance(node, ast.Attribute):
        return _value(_attribute(node, names), names, level)
    return _called(node, names, level) if isinstance(node, ast.Call) else _unknown()


def _unknown() -> Any:
    raise _UnknownError


def _negated(node: ast.UnaryOp, value: Any) -> Any:
    if isinstance(node.op, ast.Not):
        return not value
    return -value if isinstance(node.op, ast.USub) else +value if isinstance(node.op, ast.UAdd) else _unknown()


def _computed(op: ast.operator, left: Any, right: Any) -> Any:
    numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
    joined = isinstance(op, ast.Add) and type(left) is type(right) and isinstance(left, (str, list, tuple))
    formatted = isinstance(op, ast.Mod) and isinstance(left, str) and not _WIDE.search(left)
    if not (numbers or joined or formatted):
        raise _UnknownError
    if isinstance(op, ast.Pow) and (abs(right) > 64 or abs(left) > 1e6):
        raise _UnknownError
    found = _OPERATORS[type(op)](left, right)
    if isinstance(found, (int, float)) and not isinstance(found, complex) and abs(found) < 1e300:
        return found
    return found if isinstance(found, (str, list, tuple)) and len(found) < _LONGEST else _unknown()


def _text(node: ast.expr, names: Names, level: int) -> str:
    """Returns a part of an f-string."""
    if isinstance(node, ast.FormattedValue):
        if node.conversion != -1 or node.format_spec is not None:
            raise _UnknownError
        return str(_value(node.value, names, level))
    return str(_value(node, names, level))


def _attribute(node: ast.Attribute, names: Names) -> ast.expr | None:
    """Returns what a class of the file, or the only instance of one, holds under a name."""
    owner = node.value
    if isinstance(owner, ast.Name) and isinstance(names.constants.get(owner.id), ast.Call):
        made = names.constants[owner.id]
        if isinstance(made, ast.Call) and not made.args and not made.keywords:
            owner = made.func
    home = names.classes.get(owner.id) if isinstance(owner, ast.Name) else None
    for each in home.body if home else ():
        if isinstance(each, ast.Assign) and any(isinstance(t, ast.Name) and t.id == node.attr for t in each.targets):
            return each.value
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.target.id == node.attr:
            return each.value
    raise _UnknownError


def _called(node: ast.Call, names: Names, level: int) -> Any:
    """Returns the value of a call with a plain result: a text's method, a path, or float("inf")."""
    values = [_value(each, names, level) for each in node.args]
    if names.name(node.func) == "dict" and not values:
        return {each.arg or _unknown(): _value(each.value, names, level) for each in node.keywords}
    if node.keywords:
        raise _UnknownError
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("keys", "values") and not values:
        owner = _value(node.func.value, names, level)
        return list(getattr(owner, node.func.attr)()) if isinstance(owner, dict) else _unknown()
    if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        owner = _value(node.func.value, names, level)
        return getattr(owner, node.func.attr)(*values) if isinstance(owner, str) else _unknown()
    called = names.name(node.func)
    if called == "pathlib.Path" and len(values) == 1 and isinstance(values[0], str):
        return values[0]
    if called == "float" and len(values) == 1 and isinstance(values[0], (str, int, float)):
        return float(values[0])
    if called == "range" and all(type(each) is int for each in values) and len(range(*values)) <= _MOST:
        return list(range(*values))
    if called in _COLLECTED and len(values) == 1 and isinstance(values[0], (list, tuple, set, dict)):
        return _COLLECTED[called](values[0])
    return _unknown()
