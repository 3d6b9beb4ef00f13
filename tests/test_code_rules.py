"""Rules of CONTRIBUTING about the code that no linter holds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

SOURCES = sorted((ROOT / "src" / "kftune").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
MOST_LINES = 400
MOST_POSITIONAL = 5


def trees(paths: list[Path]) -> Iterator[tuple[str, ast.Module]]:
    for path in paths:
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def public_functions(node: ast.AST) -> Iterator[ast.FunctionDef]:
    """The functions and methods that another module may call; those inside functions are not among them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef) and not child.name.startswith("_"):
            yield child
        elif isinstance(child, (ast.If, ast.Try)) or (isinstance(child, ast.ClassDef) and child.name[0] != "_"):
            yield from public_functions(child)


def parameters_of(function: ast.FunctionDef) -> list[str]:
    given = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return [each.arg for each in given if each.arg not in ("self", "cls")]


def test_a_public_function_with_several_parameters_explains_them():
    # Only a method that its base class describes may lack a docstring; ruff checks that.
    lacking = [
        f"{file}:{function.lineno} {function.name}"
        for file, tree in trees(SOURCES)
        for function in public_functions(tree)
        if len(parameters_of(function)) > 1 and "Args:" not in (ast.get_docstring(function) or "Args:")
    ]
    assert lacking == []


def test_a_call_with_many_arguments_names_them():
    many = [
        f"{file}:{node.lineno} {ast.unparse(node.func)}"
        for file, tree in trees(SOURCES)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and len(node.args) > MOST_POSITIONAL
        and not any(isinstance(argument, ast.Starred) for argument in node.args)
    ]
    assert many == []


def test_no_module_is_too_long_to_have_one_job():
    lines = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert {file: count for file, count in lines.items() if count > MOST_LINES} == {}


@pytest.mark.parametrize("kind", [ast.If, ast.Try, ast.Match], ids=["if", "try", "match"])
def test_a_test_has_no_branches(kind: type[ast.stmt]):
    """A loop over recorded cases is fine; what a test checks must not depend on the case."""
    found = [
        f"{file}:{node.lineno} {function.name}"
        for file, tree in trees(TESTS)
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
        for node in ast.walk(function)
        if isinstance(node, kind)
    ]
    assert found == []
