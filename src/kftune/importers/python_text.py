"""Reads values from Python text without running it.

Literals, simple arithmetic, `math.log` and names that the text assigns become values; other calls become a `Call`, and
what is known only when the text runs becomes a `Code`.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kftune.errors import ForeignFileError

_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: getattr(math, name) for name in ("log", "log10", "log2", "exp", "sqrt")},
    "float": float,
    "int": int,
    "str": str,
    "list": list,
    "tuple": list,
    "dict": dict,
    "OrderedDict": dict,
}
_MOST_ITEMS = 10_000


class Lined(dict[str, Any]):
    """A mapping that knows the line of each of its keys."""

    lines: dict[str, int]


@dataclass(frozen=True)
class Call:
    """A call that was read, not made."""

    name: str
    """The last part of the function's name."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    line: int

    def __repr__(self) -> str:
        given = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        return f"{self.name}({', '.join(given)})"


@dataclass(frozen=True)
class Code:
    """An expression with a value that is known only when the text runs."""

    text: str
    line: int

    def __repr__(self) -> str:
        return self.text


@dataclass
class PythonText:
    """What a text assigns and calls."""

    values: dict[str, Any] = field(default_factory=dict)
    """Name -> the last value assigned to it, anywhere in the text."""
    lines: dict[str, int] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    """In the order of the text."""

    def last_call(self, *names: str) -> Call | None:
        """Returns the last call of a function with one of these names."""
        return next((call for call in reversed(self.calls) if call.name in names), None)

    def add(self, other: PythonText) -> None:
        """Adds what a later part of the text assigns and calls."""
        self.values |= other.values
        self.lines |= other.lines
        self.calls += other.calls


def read_python(text: str, file: str, offset: int = 0, known: Mapping[str, Any] | None = None) -> PythonText:
    """Returns what a Python text assigns and calls.

    Args:
        text: The text.
        file: The file, for messages.
        offset: How many lines of the file come before the text.
        known: Values of names that earlier parts of the file assign.

    Raises:
        ForeignFileError: It is not Python.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        problem = getattr(error, "msg", None) or str(error)
        raise ForeignFileError(f"the Python text cannot be read: {problem}", file, line + offset) from error
    reader = _Reader(offset, dict(known or {}))
    try:
        reader.visit(tree)
    except RecursionError as error:
        raise ForeignFileError("the Python text cannot be read: it is nested too deeply", file) from error
    return reader.found


class _Reader(ast.NodeVisitor):
    def __init__(self, offset: int, known: dict[str, Any]) -> None:
        self.found = PythonText()
        self._offset = offset
        self._known = known
        self._listable = _MOST_ITEMS
        """How many more items comprehensions may have, those inside each other together."""

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self._assign(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        if node.value is not None:
            self._assign(node.target, node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        # Defaults and annotations are evaluated by Python; they hold no settings.
        for statement in node.body:
            self.visit(statement)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        value = self._value(node)
        if isinstance(value, Call):
            self.found.calls.append(value)
            self._update(node, value)

    def _update(self, node: ast.Call, call: Call) -> None:
        """Adds what `parameters.update({…})` adds to a mapping of the text."""
        if call.name == "update" and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            held = self._known.get(node.func.value.id)
            for other in (*call.args, call.kwargs):
                if isinstance(held, Lined) and isinstance(other, Mapping):
                    held.update(other)
                    held.lines |= getattr(other, "lines", dict.fromkeys(other, call.line))

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.found.values[target.id] = self._known[target.id] = self._value(value)
            self.found.lines[target.id] = value.lineno + self._offset
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            # config["lr"] = tune.uniform(0, 1)
            held, key = self._known.get(target.value.id), self._value(target.slice)
            if isinstance(held, Lined) and isinstance(key, str):
                held[key] = self._value(value)
                held.lines[key] = value.lineno + self._offset

    def _value(self, node: ast.expr) -> Any:
        code = Code(_shown(node), node.lineno + self._offset)
        match node:
            case ast.Constant(value=value):
                return value if isinstance(value, str | int | float | bool | None) else code
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return [self._value(item) for item in items]
            case ast.Dict():
                return self._mapping(node, code)
            case ast.Name(id=name):
                return self._known.get(name, code)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = self._value(operand)
                return -value if isinstance(value, int | float) else code
            case ast.BinOp():
                return self._computed(node, code)
            case ast.Attribute(attr="pi" | "e" as name):
                return getattr(math, name)
            case ast.ListComp(generators=[ast.comprehension(target=ast.Name(id=name), iter=over, ifs=[])]):
                return self._listed(node.elt, name, self._value(over), code)
            case ast.Call():
                return self._call(node, code)
        return code

    def _listed(self, item: ast.expr, name: str, over: Any, code: Code) -> Any:
        """Returns the items of a list that is written as an expression for each item of another."""
        if not isinstance(over, list) or len(over) > _MOST_ITEMS:
            return code
        hidden, found = self._known.get(name), []
        self._listable -= len(over)
        if self._listable < 0:
            return code
        for value in over:
            self._known[name] = value
            found.append(self._value(item))
        self._known[name] = hidden
        return found

    def _mapping(self, node: ast.Dict, code: Code) -> Any:
        found = Lined()
        found.lines = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:  # **other
                other = self._value(value)
                if not isinstance(other, Mapping):
                    return code
                found |= other
                found.lines |= getattr(other, "lines", {})
                continue
            name = self._value(key)
            if not isinstance(name, str | int | float):
                return code
            found[str(name)] = self._value(value)
            found.lines[str(name)] = key.lineno + self._offset
        return found

    def _computed(self, node: ast.BinOp, code: Code) -> Any:
        left, right = self._value(node.left), self._value(node.right)
        numbers = all(isinstance(each, int | float) for each in (left, right))
        try:
            if numbers and isinstance(node.op, ast.Pow) and abs(left) < 1e6 and abs(right) < 400:
                return left**right
            if numbers and type(node.op) in _OPERATORS:
                return _OPERATORS[type(node.op)](left, right)
        except (ArithmeticError, ValueError):
            return code
        return code

    def _call(self, node: ast.Call, code: Code) -> Any:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if name is None or any(isinstance(each, ast.Starred) for each in node.args):
            return code
        args = [self._value(each) for each in node.args]
        kwargs = {each.arg: self._value(each.value) for each in node.keywords if each.arg is not None}
        if name == "range" and all(isinstance(each, int) for each in args) and args and not kwargs:
            numbers = range(*args[:3]) if len(args) < 3 or args[2] else range(0)
            return list(numbers) if len(numbers) <= _MOST_ITEMS else code
        if name in ("dict", "OrderedDict") and not args:
            found = Lined(kwargs)
            found.lines = {each.arg: each.value.lineno + self._offset for each in node.keywords if each.arg}
            return found
        plain = not any(isinstance(each, Call | Code) for each in (*args, *kwargs.values()))
        if name in _FUNCTIONS and plain:
            try:
                return _FUNCTIONS[name](*args, **kwargs)
            except (ArithmeticError, TypeError, ValueError):
                return code
        return Call(name, tuple(args), kwargs, node.lineno + self._offset)


def _shown(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:57]}..."
