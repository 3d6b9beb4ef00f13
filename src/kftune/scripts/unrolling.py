"""Writes out loops over literals, and calls of small helper functions, so that each call adds one argument.

for name, kind in (("lr", float), ("units", int)):        parser.add_argument("--lr", type=float)
    parser.add_argument(f"--{name}", type=kind)      ->   parser.add_argument("--units", type=int)
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from copy import deepcopy

from kftune.scripts.module import Module
from kftune.scripts.script import UNKNOWN

_MOST = 1000
_ADDS = "add_argument"


def unrolled(module: Module) -> list[ast.stmt]:
    """Returns the statements of a file, with loops and helpers that add arguments written out as far as possible.

    Args:
        module: The file.
    """
    if not any(isinstance(node, ast.Attribute) and node.attr == _ADDS for node in ast.walk(module.tree)):
        return module.tree.body
    return _Unroller(module).body(module.tree.body)


class _Unroller(ast.NodeTransformer):
    def __init__(self, module: Module) -> None:
        self._module = module
        self._left = _MOST
        self._helpers = {name: node for name, node in module.functions.items() if _names_by_parameter(node)}
        self._inlined: set[str] = set()
        self._kept: set[str] = set()
        """The helpers with a call that could not be written out."""
        self._open: set[str] = set()
        """The helpers that are written out at the moment, which may call themselves."""

    def body(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        made = [self.visit(deepcopy(each)) for each in statements]
        flat = [one for each in made for one in (each if isinstance(each, list) else [each])]
        return [
            each for each in flat if not (isinstance(each, ast.FunctionDef) and each.name in self._inlined - self._kept)
        ]

    def visit_For(self, node: ast.For) -> ast.AST | list[ast.AST]:
        elements = _elements(node.iter, self._module)
        bound = [_bound(node.target, element) for element in elements or ()]
        plain = not any(isinstance(each, (ast.Break, ast.Continue)) for each in ast.walk(node))
        if not elements or None in bound or not _adds(node, self._helpers) or not plain or len(bound) > self._left:
            return self.generic_visit(node)
        self._left -= len(bound)
        copies = [_Named(each).visit(deepcopy(one)) for each in bound if each is not None for one in node.body]
        return self._visited(copies)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.AST]:
        call = node.value
        helper = (
            self._helpers.get(call.func.id) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None
        )
        given = _given(helper, call) if helper is not None and isinstance(call, ast.Call) else None
        if helper is None or given is None or self._left <= 0 or helper.name in self._open:
            return self.generic_visit(node)
        self._left -= 1
        self._inlined.add(helper.name)
        copies = [_Named(*given).visit(deepcopy(one)) for one in helper.body]
        for inner in (each for copy in copies for each in ast.walk(copy)):
            if hasattr(inner, "lineno"):
                ast.copy_location(inner, node)
        self._open.add(helper.name)
        visited = self._visited(copies)
        self._open.discard(helper.name)
        return visited

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self._kept |= {_called(node)} & self._helpers.keys()
        return self.generic_visit(node)

    def _visited(self, nodes: Sequence[ast.AST]) -> list[ast.AST]:
        made = [self.visit(each) for each in nodes]
        return [one for each in made for one in (each if isinstance(each, list) else [each])]


class _Named(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, names: Mapping[str, ast.expr], rest: tuple[str, Sequence[ast.keyword]] = ("", ())) -> None:
        self._names = names
        self._rest = rest

    def visit_Name(self, node: ast.Name) -> ast.AST:
        found = self._names.get(node.id) if isinstance(node.ctx, ast.Load) else None
        return node if found is None else ast.copy_location(deepcopy(found), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name, keywords = self._rest
        kept: list[ast.keyword] = []
        for each in node.keywords:
            is_rest = each.arg is None and isinstance(each.value, ast.Name) and each.value.id == name
            kept += deepcopy(list(keywords)) if is_rest else [each]
        node.keywords = kept
        return self.generic_visit(node)


def _adds(node: ast.AST, helpers: Mapping[str, ast.AST]) -> bool:
    return any(
        isinstance(each, ast.Call)
        and ((isinstance(each.func, ast.Attribute) and each.func.attr == _ADDS) or _called(each) in helpers)
        for each in ast.walk(node)
    )


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _names_by_parameter(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Returns whether the name of an argument that a function adds depends on its parameters."""
    given = function.args
    parameters = {each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == _ADDS:
            used = {each.id for flag in call.args for each in ast.walk(flag) if isinstance(each, ast.Name)}
            if used & parameters:
                return True
    return False


def _given(
    function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call
) -> tuple[dict[str, ast.expr], tuple[str, Sequence[ast.keyword]]] | None:
    """Returns what a call gives the parameters of a function, and its further keywords; None if that is unclear."""
    spec = function.args
    plain = [*spec.posonlyargs, *spec.args]
    names = [each.arg for each in (*plain, *spec.kwonlyargs)]
    if spec.vararg or any(isinstance(each, ast.Starred) for each in call.args) or len(call.args) > len(plain):
        return None
    found: dict[str, ast.expr] = {}
    for parameter, default in zip(plain[len(plain) - len(spec.defaults) :], spec.defaults, strict=True):
        found[parameter.arg] = default
    for parameter, given in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        if given is not None:
            found[parameter.arg] = given
    found.update(zip((each.arg for each in plain), call.args, strict=False))
    found.update({each.arg: each.value for each in call.keywords if each.arg in names})
    rest = [each for each in call.keywords if each.arg not in names]
    if (rest and not spec.kwarg) or set(names) - found.keys():
        return None
    return found, (spec.kwarg.arg if spec.kwarg else "", rest)


def _elements(node: ast.expr, module: Module) -> list[ast.expr] | None:
    """Returns what a loop runs over, as expressions; None if the source does not show it."""
    found = module.constant(node)
    if isinstance(found, (ast.List, ast.Tuple, ast.Set)):
        return found.elts
    if isinstance(found, ast.Call) and module.name(found.func) == "range":
        numbers = module.literal(found)
        return None if numbers is UNKNOWN else [ast.Constant(number) for number in numbers]
    method = ""
    if isinstance(found, ast.Call) and isinstance(found.func, ast.Attribute) and not found.args:
        method, found = found.func.attr, module.constant(found.func.value)
    if isinstance(found, ast.Call) and module.name(found.func) == "dict" and not found.args:
        names = [ast.Constant(each.arg) for each in found.keywords if each.arg is not None]
        found = ast.Dict([*names], [each.value for each in found.keywords if each.arg is not None])
    if isinstance(found, ast.Dict) and None not in found.keys:
        keys = [key for key in found.keys if key is not None]
        if method == "items":
            return [ast.Tuple([key, value], ast.Load()) for key, value in zip(keys, found.values, strict=True)]
        return {"": keys, "keys": keys, "values": found.values}.get(method)
    return None


def _bound(target: ast.expr, element: ast.expr) -> dict[str, ast.expr] | None:
    """Returns what the variables of a loop are for one element; None if that is unclear."""
    if isinstance(target, ast.Name):
        return {target.id: element}
    if not isinstance(target, ast.Tuple) or not isinstance(element, (ast.Tuple, ast.List)):
        return None
    if len(target.elts) != len(element.elts) or any(isinstance(each, ast.Starred) for each in element.elts):
        return None
    found: dict[str, ast.expr] = {}
    for inner, part in zip(target.elts, element.elts, strict=True):
        bound = _bound(inner, part)
        if bound is None:
            return None
        found |= bound
    return found
