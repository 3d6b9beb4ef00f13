"""Reads the options of a typer command."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kftune.scripts.calls import (
    Function,
    bounds_of,
    callee,
    calls,
    described,
    flags_in,
    found_script,
    functions,
    keywords,
    parameters,
    text_of,
    texts,
    unclear_script,
)
from kftune.scripts.module import Module
from kftune.scripts.script import UNKNOWN, Script, ScriptArgument

_REQUIRED = object()


def typer_script(module: Module, command: str = "") -> Script | None:
    """Returns what a script takes; None if it does not use typer.

    Args:
        module: The script.
        command: The subcommand to read, if there are several.
    """
    found = list(calls(module))
    if not any(name in ("typer.run", "typer.Typer") for _, name in found):
        return None
    run = [ast.unparse(call.args[0]) for call, name in found if name == "typer.run" and call.args]
    named, has_callback = _commands(module)
    for name in run:
        if name in module.functions:
            named[name] = module.functions[name]
    if len(named) == 1 and not has_callback:
        [function] = named.values()
        return found_script(module, "typer", _arguments(module, function), [])
    if command in named:
        script = found_script(module, "typer", _arguments(module, named[command]), [])
        return replace(script, start=(command,), commands=tuple(named))
    why = f"there are subcommands: {', '.join(named)}" if named else "the function that takes the arguments is unknown"
    return unclear_script(module, "typer", why, tuple(named))


def _commands(module: Module) -> tuple[dict[str, Function], bool]:
    """Returns the functions that are commands of an app, by name, and whether an app has a callback."""
    apps = {
        ast.unparse(target)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if module.name(node.value.func) == "typer.Typer"
    }
    named: dict[str, Function] = {}
    has_callback = False
    for function in functions(module):
        for decorator in function.decorator_list:
            how = callee(decorator)
            if not isinstance(how, ast.Attribute) or ast.unparse(how.value) not in apps:
                continue
            if how.attr == "command":
                given = texts(module, decorator) if isinstance(decorator, ast.Call) else []
                given += [text_of(module, keywords(decorator), "name")]
                named[given[0] or function.name.replace("_", "-")] = function
            has_callback = has_callback or how.attr == "callback"
    return named, has_callback


def _arguments(module: Module, function: Function) -> Iterator[ScriptArgument]:
    about_parameters = described(function)
    for parameter, default in parameters(function):
        annotation, about = parameter.annotation, _declaration(module, default)
        if module.name(annotation).rpartition(".")[2] == "Context":
            continue
        if isinstance(annotation, ast.Subscript) and module.name(annotation.value).endswith("Annotated"):
            parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else []
            about = next((part for part in parts[1:] if isinstance(part, ast.Call)), about)
        style = module.name(about.func) if about else ""
        given = keywords(about)
        value = _default(module, default, about)
        argument = ScriptArgument(
            place=module.place(parameter),
            required=value is _REQUIRED,
            help=text_of(module, given, "help") or about_parameters.get(parameter.arg, ""),
        )
        if style == "typer.Argument" or (not style and default is None):
            yield replace(argument, position=parameter.arg)
            continue
        named = (f"--{parameter.arg.replace('_', '-')}",)
        if about is not None and style != "typer.Option":
            yield ScriptArgument(flags=named, place=argument.place)
            continue
        declared, off = flags_in(texts(module, about))
        flags, reading = declared or named, module.reading(annotation)
        if reading.kind == "bool":
            reading = reading._replace(kind="flag")
            off = off if declared else (f"--no-{named[0][2:]}",)
            flags = declared or (*named, *off)
            argument = replace(argument, switch="both" if off else "true", off=off)
        default_value = UNKNOWN if argument.required else value
        yield replace(argument, flags=flags, reading=reading, default=default_value, bounds=bounds_of(module, given))


def _declaration(module: Module, default: ast.expr | None) -> ast.Call | None:
    """Returns the call that declares a parameter, if its default is one and no value: `Option(…)`, not `Path(…)`."""
    is_value = not isinstance(default, ast.Call) or module.literal(default) is not UNKNOWN
    return None if is_value or not isinstance(default, ast.Call) else default


def _default(module: Module, default: ast.expr | None, about: ast.Call | None) -> Any:
    if default is not None and default is about:  # `lr: float = typer.Option(0.1)`
        default = about.args[0] if about.args else keywords(about).get("default")
    if default is None or (isinstance(default, ast.Constant) and default.value is ...):
        return _REQUIRED
    return module.literal(default)
