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

from kftune.errors import KftuneError

_LONGEST = 1000
_MOST_PARTS = 200
# The bits of the greatest whole number that a power may have.
_MOST_BITS = 4096

Kinds = frozenset[str]
"""What an expression may be: number, text, bool, null."""

NUMBER, TEXT, BOOL, NULL = (frozenset({kind}) for kind in ("number", "text", "bool", "null"))
_NUMERIC = NUMBER | BOOL

_Evaluate = Callable[[Mapping[str, Any]], Any]


class ExpressionError(KftuneError, ValueError):
    """Text that is no expression of this language."""


class NoValueError(KftuneError, ValueError):
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
_ORDER: Mapping[type, Callable[[Any, Any], bool]] = {
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

    Raises:
        ExpressionError: The text is no expression of this language.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = "\n" in text
        tree = self._parsed()
        self._names: dict[str, ast.expr] = {}
        self._evaluate = self._built(tree)
        self._tree = tree
        self.names = tuple(self._names)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Returns whether the condition is not violated.

        Args:
            values: The value of each name; None, or no entry, for one that is missing.

        Raises:
            NoValueError: The expression has no value.
        """
        try:
            return self._evaluate(values) is not False
        except ZeroDivisionError as error:
            raise NoValueError("it divides by zero") from error
        except ArithmeticError as error:
            raise NoValueError(f"it has no value: {error}") from error

    def check(self, kinds: Mapping[str, Kinds], takes: Callable[[str, str], str]) -> None:
        """Checks that the operations fit what the names may be.

        Args:
            kinds: What each name may be.
            takes: Returns why a name cannot be a text; empty if it can.

        Raises:
            ExpressionError: They do not.
        """
        found = self._kinds(self._tree, kinds, takes)
        if not found <= BOOL | NULL:
            raise self._error(self._tree, f"must be a comparison, but is {_worded(found)}")

    def unknown(self, name: str, hint: str) -> ExpressionError:
        """Returns the error for a name that is not known.

        Args:
            name: One of `names`.
            hint: What to do.
        """
        return self._error(self._names[name], f"is no hyperparameter; {hint}")

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
            return ExpressionError(f"{text!r} is no comparison: write {_HINTS[other]} for {other}")
        if _ONE_EQUAL.search(text):
            return ExpressionError(f"{text!r} is no comparison: write == for =")
        why = f": {error.msg}" if isinstance(error, SyntaxError) else ""
        at = ""
        if isinstance(error, SyntaxError) and error.offset and not self._lines:
            at = f" at character {min(error.offset + len(text) - len(text.lstrip()), len(text))}"
        return ExpressionError(f"{text!r} is no comparison{at}{why}; {_RULE}")

    def _built(self, node: ast.expr) -> _Evaluate:
        """Returns the function that evaluates a part; None stands for a value that is missing."""
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = self._name(node)
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
        raise self._error(node, f"is not allowed: {_RULE}{_other(node)}")

    def _constant(self, node: ast.Constant) -> _Evaluate:
        value = node.value
        if not isinstance(value, (int, float, str, type(None))):
            raise self._error(node, f"is not allowed: {_RULE}")
        if isinstance(value, float) and math.isinf(value):
            raise self._error(node, "is too large for a number")
        return lambda values: value

    def _name(self, node: ast.expr) -> str:
        parts, inner = [], node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            raise self._error(node, f"is not allowed: {_RULE}")
        name = ".".join([inner.id, *reversed(parts)])
        self._names.setdefault(name, node)
        return name

    def _comparison(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> _Evaluate:
        if isinstance(sign, _IN):
            return _membership(self._built(left), self._listed(right), negated=isinstance(sign, ast.NotIn))
        compare = {**_EQUAL, **_ORDER}.get(type(sign))
        if compare is None:
            raise self._error(right, "follows `is`, which is not allowed: write == or !=")
        if _is_none(left) or _is_none(right):
            one, other = self._built(left), self._built(right)
            wanted = isinstance(sign, ast.Eq)
            return lambda values: (one(values) is None and other(values) is None) is wanted
        return _lifted(compare, self._built(left), self._built(right))

    def _listed(self, node: ast.expr) -> list[Any]:
        if not isinstance(node, (ast.List, ast.Tuple)) or not node.elts:
            raise self._error(node, 'follows `in`, so it must be a list of values: in [1, 2], in ["a", "b"]')
        parts = [self._built(part) for part in node.elts]
        if any(isinstance(inner, ast.Name) for part in node.elts for inner in ast.walk(part)):
            raise self._error(node, "must be a list of values, without names; compare names with ==")
        return [part({}) for part in parts]

    # -- kinds -------------------------------------------------------------------------------------------------

    def _kinds(self, node: ast.expr, kinds: Mapping[str, Kinds], takes: Callable[[str, str], str]) -> Kinds:
        """Returns what a part may be, and checks its parts."""
        if isinstance(node, ast.Constant):
            return kind_of(node.value)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return kinds[self._name(node)]
        if isinstance(node, ast.BoolOp):
            for part in node.values:
                self._expect(part, self._kinds(part, kinds, takes), BOOL, "true or false")
            return BOOL
        if isinstance(node, ast.UnaryOp):
            wanted = BOOL if isinstance(node.op, ast.Not) else _NUMERIC
            found = self._kinds(node.operand, kinds, takes)
            self._expect(node.operand, found, wanted, "true or false" if wanted is BOOL else "a number")
            return BOOL if wanted is BOOL else NUMBER | (found & NULL)
        if isinstance(node, ast.BinOp):
            found = NUMBER
            for part in (node.left, node.right):
                one = self._kinds(part, kinds, takes)
                self._expect(part, one, _NUMERIC, "a number")
                found |= one & NULL
            return found
        assert isinstance(node, ast.Compare)  # noqa: S101  # `_built` has refused all others
        lefts = [node.left, *node.comparators]
        for left, sign, right in zip(lefts, node.ops, node.comparators, strict=False):
            self._check_link(left, sign, right, lambda part: self._kinds(part, kinds, takes))
            self._check_texts(left, right, takes)
        return BOOL

    def _check_link(
        self, left: ast.expr, sign: ast.cmpop, right: ast.expr, kinds_of: Callable[[ast.expr], Kinds]
    ) -> None:
        """Checks one comparison of a chain."""
        one = kinds_of(left)
        others = right.elts if isinstance(right, (ast.List, ast.Tuple)) else [right]
        for part in others:
            other = kinds_of(part)
            if type(sign) in _ORDER:
                for side, found in ((left, one), (part, other)):
                    self._expect(side, found, _NUMERIC, "a number (texts are compared with ==, != and in)")
                    if found == NULL:
                        raise self._error(side, "has no order; ask for it with == or !=")
            elif NULL not in (one, other) and not _widened(one) & _widened(other):
                words = f"{_worded(one)}, and {self._shown(part)} is {_worded(other)}"
                raise self._error(left, f"is {words}, so they are never equal")

    def _check_texts(self, left: ast.expr, right: ast.expr, takes: Callable[[str, str], str]) -> None:
        """Checks that a name which is compared with a text can be that text."""
        others = right.elts if isinstance(right, (ast.List, ast.Tuple)) else [right]
        for one, other in [(left, part) for part in others] + [(part, left) for part in others]:
            if isinstance(one, (ast.Name, ast.Attribute)) and isinstance(other, ast.Constant):
                why = takes(self._name(one), other.value) if isinstance(other.value, str) else ""
                if why:
                    raise self._error(other, f"is never the value of {self._name(one)}: {why}")

    def _expect(self, node: ast.expr, found: Kinds, wanted: Kinds, words: str) -> None:
        if not found <= wanted | NULL:
            raise self._error(node, f"must be {words}, but may be {_worded(found - wanted)}")

    # -- errors ------------------------------------------------------------------------------------------------

    def _shown(self, node: ast.expr) -> str:
        return ast.unparse(node)

    def _error(self, node: ast.expr, message: str) -> ExpressionError:
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
        return ExpressionError(f"{self.text!r}: {self._shown(node)} ({at} {place}) {message}")


def kind_of(value: object) -> Kinds:
    """Returns what a JSON-able value is; empty for a list or a mapping."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOL
    return NUMBER if isinstance(value, (int, float)) else TEXT if isinstance(value, str) else frozenset()


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
    """Returns ``and``: False if a part is, else missing if a part is; parts after a false one are not evaluated."""
    if len(parts) == 1:
        return parts[0]
    return _decided(parts, False)


def _any(parts: list[_Evaluate]) -> _Evaluate:
    """Returns ``or``: True if a part is, else missing if a part is; parts after a true one are not evaluated."""
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


def _widened(kinds: Kinds) -> Kinds:
    """Returns kinds without null, with true and false as the numbers 1 and 0."""
    return (kinds - NULL) | (NUMBER if kinds & _NUMERIC else frozenset())


def _worded(kinds: Kinds) -> str:
    words = {"number": "a number", "text": "a text", "bool": "true or false", "null": "null"}
    return " or ".join(words[kind] for kind in ("number", "text", "bool", "null") if kind in kinds)


def _other(node: ast.expr) -> str:
    """Returns what to write in place of a part of another language."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
        return "; write ** for a power"
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
        return "; write and, or"
    return ""
