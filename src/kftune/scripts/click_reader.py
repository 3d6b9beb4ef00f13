"""Reads the options of a click command."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kftune.scripts.calls import (
    Function,
    bounds_of,
    callee,
    flags_in,
    found_script,
    functions,
    keywords,
    named,
    text_of,
    texts,
    unclear_script,
)
from kftune.scripts.module import Module, spelled
from kftune.scripts.script import UNKNOWN, Kind, Reading, Script, ScriptArgument

_KINDS: dict[str, Kind] = {
    **{"int": "int", "float": "float", "bool": "bool", "str": "text"},
    **{"click.INT": "int", "click.FLOAT": "float", "click.BOOL": "bool", "click.STRING": "text"},
    **{"click.IntRange": "int", "click.FloatRange": "float", "click.Path": "text", "pathlib.Path": "text"},
}


# Settings of a command that do not change what its options read.
_HARMLESS_SETTINGS = frozenset({"show_default", "help_option_names", "max_content_width", "terminal_width"})


def click_script(module: Module, command: str = "") -> Script | None:
    """Returns what a script takes; None if it does not use click.

    Args:
        module: The script.
        command: The subcommand to read, if there are several.
    """
    alone: list[Function] = []
    below: dict[str, Function] = {}
    for function in functions(module):
        for decorator in function.decorator_list:
            name = module.name(callee(decorator))
            if name == "click.command":
                alone.append(function)
            elif _is_below(module, function, decorator):
                below[_command_name(module, function, decorator)] = function
    if below and command not in below:
        return unclear_script(module, "click", f"there are subcommands: {', '.join(below)}", tuple(below))
    if len(alone) > 1 and not below:
        return unclear_script(module, "click", f"there are {len(alone)} commands")
    if not alone and not below:
        return unclear_script(module, "click", "there are subcommands") if _groups(module) else None
    unclear: list[str] = []
    script = found_script(module, "click", _arguments(module, below.get(command) or alone[0], unclear), unclear)
    return replace(script, start=(command,), commands=tuple(below)) if below else script


def _decorated(module: Module, function: Function, *names: str) -> bool:
    return any(module.name(callee(each)) in names for each in function.decorator_list)


def _groups(module: Module) -> set[str]:
    """Returns the names of the functions that are groups of commands."""
    return {found.name for found in functions(module) if _decorated(module, found, "click.group")}


def _is_below(module: Module, function: Function, decorator: ast.expr) -> bool:
    """Returns whether a decorator makes a function a command of a group of click."""
    named = callee(decorator)
    if not isinstance(named, ast.Attribute) or named.attr != "command":
        return False
    return spelled(named.value) in _groups(module) or _decorated(module, function, "click.option", "click.argument")


def _command_name(module: Module, function: Function, decorator: ast.expr) -> str:
    """Returns the name of a subcommand: as given, or that of its function with dashes."""
    given = texts(module, decorator) if isinstance(decorator, ast.Call) else []
    named = text_of(module, keywords(decorator), "name") if isinstance(decorator, ast.Call) else ""
    return (given and given[0]) or named or function.name.replace("_", "-")


def _arguments(module: Module, function: Function, unclear: list[str]) -> Iterator[ScriptArgument]:
    for decorator in function.decorator_list:
        name = module.name(callee(decorator))
        if name == "click.option" and isinstance(decorator, ast.Call):
            yield _option(module, decorator)
        elif name == "click.argument" and isinstance(decorator, ast.Call):
            optional = {None, "default", "required", "nargs", "envvar"} & set(keywords(decorator))
            position = next(iter(texts(module, decorator)), "")
            yield ScriptArgument(place=module.place(decorator), required=not optional, position=position)
        elif name == "click.command" or name.endswith(".command"):
            given = keywords(decorator)
            settings = module.literal(given.get("context_settings", ast.Dict([], [])))
            plain = isinstance(settings, dict) and settings.keys() <= _HARMLESS_SETTINGS
            if not plain or not given.keys().isdisjoint({None, "cls"}):
                unclear.append(f"{module.place(decorator)}: the command has settings that kftune cannot read")
        elif name not in ("click.pass_context", "click.pass_obj", "click.version_option", "click.help_option"):
            unclear.append(f"{module.place(decorator)}: {ast.unparse(decorator)[:40]} may add options")


def _option(module: Module, call: ast.Call) -> ScriptArgument:
    given = keywords(call)
    declared = texts(module, call)
    flags, off = flags_in(declared)
    place = module.place(call)
    if not flags and not given.keys() - {"help"} and declared:  # click makes the flag from the name
        flags = tuple(f"--{text.replace('_', '-')}" for text in declared)
    if None in given or not flags:
        return ScriptArgument(flags=flags, place=place)
    default = module.literal(given["default"]) if "default" in given else None
    argument = ScriptArgument(flags=flags, place=place, default=default, help=text_of(module, given, "help"))
    if off:
        return replace(argument, reading=Reading("flag"), switch="both", off=off, default=default or False)
    if {"is_flag", "count", "flag_value"} & set(given):
        plain = module.literal(given.get("is_flag")) is True and "flag_value" not in given
        default = False if plain and default is None else default
        return replace(argument, reading=Reading("flag"), switch="true" if plain else "other", default=default)
    reading = _reading(module, given.get("type"), default)
    reading = reading._replace(many=bool({"multiple", "nargs"} & set(given)))
    required = "required" in given and module.literal(given["required"]) is True
    return replace(argument, reading=reading, required=required, bounds=_bounds(module, given.get("type")))


def _bounds(module: Module, node: ast.expr | None) -> tuple[tuple[str, float], ...]:
    """Returns the limits of `IntRange(1, 10, max_open=True)`."""
    if not isinstance(node, ast.Call) or module.name(node.func) not in ("click.IntRange", "click.FloatRange"):
        return ()
    given = named(node, "min", "max")
    opened = {"ge": "gt" if "min_open" in given else "ge", "le": "lt" if "max_open" in given else "le"}
    return tuple((opened[name], value) for name, value in bounds_of(module, given))


def _reading(module: Module, given: ast.expr | None, default: Any) -> Reading:
    if given is None:
        kinds: dict[type, Kind] = {bool: "bool", int: "int", float: "float"}
        return Reading("unknown" if default is UNKNOWN else kinds.get(type(default), "text"))
    if isinstance(given, ast.Call) and module.name(given.func) == "click.Choice":
        values = module.literal(given.args[0]) if given.args else UNKNOWN
        if isinstance(values, (list, tuple)) and len(given.keywords) <= 1:
            return Reading("text", tuple(values))
        return Reading()
    return Reading(_KINDS.get(module.name(callee(given)), "unknown"))
