"""What the readers of scripts ask of calls, decorators and functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from kftune.scripts.module import Module
from kftune.scripts.script import UNKNOWN, Script, ScriptArgument

Function = ast.FunctionDef | ast.AsyncFunctionDef
_BOUNDS = {
    "ge": "ge",
    "gt": "gt",
    "le": "le",
    "lt": "lt",
    "min": "ge",
    "max": "le",
    "lower_bound": "ge",
    "upper_bound": "le",
}


def unclear_script(module: Module, library: str, why: str, commands: tuple[str, ...] = ()) -> Script:
    """Returns a script of which no argument is known.

    Args:
        module: The script.
        library: What reads its command line.
        why: Why nothing is known.
        commands: The subcommands to choose from.
    """
    return Script(file=str(module.file), unclear=(f"{module.file}: {why}",), library=library, commands=commands)


def found_script(
    module: Module, library: str, arguments: Iterator[ScriptArgument], unclear: list[str], *, swaps_dashes: bool = False
) -> Script:
    """Returns a script.

    Args:
        module: The script.
        library: What reads its command line.
        arguments: What it takes; to go through them may add to `unclear`.
        unclear: Why there may be more.
        swaps_dashes: Whether it accepts - and _ for each other.
    """
    found = tuple(arguments)
    return Script(
        file=str(module.file), arguments=found, unclear=tuple(unclear), swaps_dashes=swaps_dashes, library=library
    )


def calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """Yields each call of a file, with the name of what is called."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield node, module.name(node.func)


def functions(module: Module) -> list[Function]:
    """Returns all functions of a file, also those inside others."""
    return [node for node in ast.walk(module.tree) if isinstance(node, Function)]


def callee(node: ast.expr) -> ast.expr:
    """Returns what a decorator names, with or without its arguments."""
    return node.func if isinstance(node, ast.Call) else node


def keywords(call: ast.expr | None) -> dict[str | None, ast.expr]:
    """Returns the keywords of a call; None stands for `**`."""
    return {keyword.arg: keyword.value for keyword in call.keywords} if isinstance(call, ast.Call) else {}


def named(call: ast.expr | None, *order: str) -> dict[str | None, ast.expr]:
    """Returns the arguments of a call by name.

    Args:
        call: The call.
        order: The names of its positional arguments.
    """
    found: dict[str | None, ast.expr] = dict(zip(order, call.args if isinstance(call, ast.Call) else (), strict=False))
    return found | keywords(call)


def texts(module: Module, call: ast.Call | None) -> list[str]:
    """Returns the texts among the positional arguments of a call.

    Args:
        module: The script.
        call: The call; None has none.
    """
    values = [module.literal(each) for each in call.args] if call is not None else []
    return [value for value in values if isinstance(value, str)]


def flags_in(declared: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the flags in the texts that declare an option, such as `--on/--off`: all of them, and those for off."""
    found, off = [], []
    for text in declared:
        for index, part in enumerate(text.split("/")):
            if part.strip().startswith("-"):
                found.append(part.strip())
                off += [part.strip()] if index else []
    return tuple(found), tuple(off)


def text_of(module: Module, given: dict[str | None, ast.expr], *names: str) -> str:
    """Returns the first text among some keywords; empty if there is none.

    Args:
        module: The script.
        given: The keywords of a call.
        names: Which of them, in order.
    """
    values = (module.literal(given[name]) for name in names if name in given)
    return next((value for value in values if isinstance(value, str)), "")


def bounds_of(module: Module, given: dict[str | None, ast.expr]) -> tuple[tuple[str, float], ...]:
    """Returns the limits of a number that the keywords of a call declare, as pydantic, typer and click do.

    Args:
        module: The script.
        given: The keywords.
    """
    values = {_BOUNDS[name]: module.literal(value) for name, value in given.items() if name in _BOUNDS}
    return tuple((name, value) for name, value in values.items() if type(value) in (int, float))


def parameters(function: Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Yields the parameters of a function with their defaults; None for one without."""
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    missing: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults))
    yield from zip(plain, [*missing, *given.defaults], strict=True)
    yield from zip(given.kwonlyargs, given.kw_defaults, strict=True)


def described(function: Function) -> dict[str, str]:
    """Returns what a function's docstring says about its parameters, in Google's style or Sphinx's."""
    found: dict[str, str] = {}
    for line in (ast.get_docstring(function) or "").splitlines():
        head, colon, text = line.strip().removeprefix(":param ").partition(":")
        name = head.partition(" (")[0].strip()
        if colon and name.isidentifier() and text.strip():
            found.setdefault(name, text.strip())
    return found


def default_of(module: Module, node: ast.expr | None) -> Any:
    """Returns the default that an expression declares, also inside `field(default=…)` and `Field(…)`.

    Args:
        module: The script.
        node: The expression.
    """
    if isinstance(node, ast.Call) and module.name(node.func).rpartition(".")[2] in ("field", "Field"):
        given = keywords(node)
        if "default" in given or node.args:
            return module.literal(given.get("default", node.args[0] if node.args else None))
        made = given.get("default_factory")
        if isinstance(made, ast.Lambda):
            return module.literal(made.body)
        empty: dict[str, Any] = {"list": [], "dict": {}, "tuple": ()}
        return empty.get(module.name(made), UNKNOWN)
    return module.literal(node)
