"""What the parts of a constraint may be: numbers, texts, true or false. Operations that do not fit are errors."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from kftune.study.expression import ORDER, Expression, name_of

Kinds = frozenset[str]
"""What a part may be: number, text, bool, null."""

NUMBER, TEXT, BOOL, NULL = (frozenset({kind}) for kind in ("number", "text", "bool", "null"))
_NUMERIC = NUMBER | BOOL


def kind_of(value: object) -> Kinds:
    """Returns what a JSON-able value is; empty for a list or a mapping."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOL
    return NUMBER if isinstance(value, (int, float)) else TEXT if isinstance(value, str) else frozenset()


def check_kinds(expression: Expression, kinds: Mapping[str, Kinds], takes: Callable[[str, str], str]) -> None:
    """Checks that the operations of an expression fit what its names may be.

    Args:
        expression: The expression.
        kinds: What each name may be.
        takes: Returns why a name cannot be a text; empty if it can.

    Raises:
        ExpressionError: They do not.
    """
    found = _Check(expression, kinds, takes).kinds(expression.tree)
    if not found <= BOOL | NULL:
        raise expression.error(expression.tree, f"must be a comparison, but is {_worded(found)}")


class _Check:
    def __init__(self, expression: Expression, kinds: Mapping[str, Kinds], takes: Callable[[str, str], str]) -> None:
        self._error, self._known, self._takes = expression.error, kinds, takes

    def kinds(self, node: ast.expr) -> Kinds:
        """Returns what a part may be, and checks its parts."""
        if isinstance(node, ast.Constant):
            return kind_of(node.value)
        name = name_of(node)
        if name is not None:
            return self._known[name]
        if isinstance(node, ast.BoolOp):
            for part in node.values:
                self._expect(part, self.kinds(part), BOOL, "true or false")
            return BOOL
        if isinstance(node, ast.UnaryOp):
            wanted = BOOL if isinstance(node.op, ast.Not) else _NUMERIC
            found = self.kinds(node.operand)
            self._expect(node.operand, found, wanted, "true or false" if wanted is BOOL else "a number")
            return BOOL if wanted is BOOL else NUMBER | (found & NULL)
        if isinstance(node, ast.BinOp):
            found = NUMBER
            for part in (node.left, node.right):
                one = self.kinds(part)
                self._expect(part, one, _NUMERIC, "a number")
                found |= one & NULL
            return found
        assert isinstance(node, ast.Compare)  # noqa: S101  # `_built` has refused all others
        lefts = [node.left, *node.comparators]
        for left, sign, right in zip(lefts, node.ops, node.comparators, strict=False):
            self._check_link(left, sign, right)
            self._check_texts(left, right)
        return BOOL

    def _check_link(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> None:
        """Checks one comparison of a chain."""
        one = self.kinds(left)
        others = right.elts if isinstance(right, (ast.List, ast.Tuple)) else [right]
        for part in others:
            other = self.kinds(part)
            if type(sign) in ORDER:
                for side, found in ((left, one), (part, other)):
                    self._expect(side, found, _NUMERIC, "a number (texts are compared with ==, != and in)")
                    if found == NULL:
                        raise self._error(side, "has no order; ask for it with == or !=")
            elif NULL not in (one, other) and not _widened(one) & _widened(other):
                words = f"{_worded(one)}, and {ast.unparse(part)} is {_worded(other)}"
                raise self._error(left, f"is {words}, so they are never equal")

    def _check_texts(self, left: ast.expr, right: ast.expr) -> None:
        """Checks that a name which is compared with a text can be that text."""
        others = right.elts if isinstance(right, (ast.List, ast.Tuple)) else [right]
        for one, other in [(left, part) for part in others] + [(part, left) for part in others]:
            name = name_of(one)
            if name is not None and isinstance(other, ast.Constant) and isinstance(other.value, str):
                why = self._takes(name, other.value)
                if why:
                    raise self._error(other, f"is never the value of {name}: {why}")

    def _expect(self, node: ast.expr, found: Kinds, wanted: Kinds, words: str) -> None:
        if not found <= wanted | NULL:
            raise self._error(node, f"must be {words}, but may be {_worded(found - wanted)}")


def _widened(kinds: Kinds) -> Kinds:
    """Returns kinds without null, with true and false as the numbers 1 and 0."""
    return (kinds - NULL) | (NUMBER if kinds & _NUMERIC else frozenset())


def _worded(kinds: Kinds) -> str:
    words = {"number": "a number", "text": "a text", "bool": "true or false", "null": "null"}
    return " or ".join(words[kind] for kind in words if kind in kinds)
