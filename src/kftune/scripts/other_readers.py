"""Reads arguments of absl flags and fire, and the variables that a configurator such as nanoGPT's overrides."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from kftune.scripts.calls import bounds_of, calls, described, found_script, named, parameters, text_of, unclear_script
from kftune.scripts.fields_reader import members
from kftune.scripts.module import Module
from kftune.scripts.script import UNKNOWN, Kind, Reading, Script, ScriptArgument

_ABSL: dict[str, Kind] = {
    **{"integer": "int", "float": "float", "string": "text", "bool": "bool", "boolean": "bool", "enum": "text"},
}
# TensorFlow 1 has the same flags, as tf.app.flags.
_WITH_FLAGS = frozenset({"absl", "tensorflow"})
_MARKS = re.compile(r"\.mark_flags?_as_required$")
_NO_PLAIN_VALUE = (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)
_PLAIN: dict[type, Kind] = {int: "int", float: "float", str: "text"}


def other_script(module: Module) -> Script | None:
    """Returns what a script takes; None if it uses none of these.

    Args:
        module: The script.
    """
    for reader in (_absl, _fire, _configurator):
        script = reader(module)
        if script is not None:
            return script
    return None


def _absl(module: Module) -> Script | None:
    found = [(call, name.rpartition("DEFINE_")[2]) for call, name in calls(module) if ".DEFINE_" in name]
    if not found or not any(name.partition(".")[0] in _WITH_FLAGS for name in module.imported.values()):
        return None
    unclear: list[str] = []
    required = _marked(module)
    flags = (
        replace(each, required=True, default=UNKNOWN) if each.name.removeprefix("--") in required else each
        for each in _absl_flags(module, found, unclear)
    )
    return found_script(module, "absl", flags, unclear)


def _marked(module: Module) -> set[str]:
    """Returns the flags that a script marks as required."""
    marked = [call.args[0] for call, name in calls(module) if _MARKS.search(name) and call.args]
    values = map(module.literal, marked)
    return {name for each in values if each is not UNKNOWN for name in ([each] if isinstance(each, str) else each)}


def _absl_flags(module: Module, found: list[tuple[ast.Call, str]], unclear: list[str]) -> Iterator[ScriptArgument]:
    for call, kind in found:
        order = ("name", "default", *(("enum_values", "help") if kind == "enum" else ("help",)))
        given = named(call, *order)
        name = module.literal(given.get("name"))
        if not isinstance(name, str):
            unclear.append(f"{module.place(call)}: the name of an argument is unknown")
            continue
        if kind.startswith("config_"):  # of ml_collections: each key of the file is an argument
            unclear.append(f"{module.place(call)}: the keys of what --{name} names are arguments, --{name}.KEY")
        values = module.literal(given.get("enum_values"))
        choices = tuple(values) if isinstance(values, (list, tuple)) else None
        yield ScriptArgument(
            flags=(f"--{name}",),
            place=module.place(call),
            reading=Reading(_ABSL.get(kind, "unknown"), choices),
            default=module.literal(given.get("default")),
            help=text_of(module, given, "help"),
            required=module.literal(given.get("required")) is True,
            bounds=bounds_of(module, given),
        )


def _fire(module: Module) -> Script | None:
    call = next((call for call, name in calls(module) if name == "fire.Fire"), None)
    if call is None:
        return None
    home, name = (call.args and module.where(module.name(call.args[0]))) or (module, "")
    if name not in home.functions:
        return unclear_script(module, "fire", "what fire calls is no function of this file")
    about = described(home.functions[name])
    unclear: list[str] = []
    untyped = {each.arg for each, _ in parameters(home.functions[name]) if each.annotation is None}
    found = members(module, call.args[0], unclear)
    return found_script(module, "fire", (_as_fire(each, untyped, about) for each in found), unclear)


def _as_fire(argument: ScriptArgument, untyped: set[str], about: dict[str, str]) -> ScriptArgument:
    """Returns the argument as fire reads it: a Python literal, so true and false stay texts."""
    name = argument.flags[0].removeprefix("--")
    kind = _PLAIN.get(type(argument.default), "unknown") if name in untyped else argument.reading.kind
    if kind == "bool" or isinstance(argument.default, bool):
        kind = "literal"
    return ScriptArgument(
        flags=argument.flags,
        place=argument.place,
        reading=Reading(kind),
        default=argument.default,
        required=argument.required,
        help=about.get(name, ""),
    )


def _configurator(module: Module) -> Script | None:
    """Reads the variables of a script that runs `exec(open("configurator.py").read())`, which overrides them."""
    runs = [call for call, name in calls(module) if name == "exec" and "open(" in ast.unparse(call)]
    if not runs or "config" not in ast.unparse(runs[0]):
        return None
    found: dict[str, ScriptArgument] = {}
    for statement in module.tree.body:
        if statement.lineno >= runs[0].lineno:
            break
        if (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
        ):
            name, value = statement.targets[0].id, module.literal(statement.value)
            if name.startswith("_") or isinstance(statement.value, _NO_PLAIN_VALUE):
                continue
            if value is not UNKNOWN and not isinstance(value, (int, float, str)):
                continue
            kind = "literal" if isinstance(value, bool) else _PLAIN.get(type(value), "unknown")
            found[name] = ScriptArgument(
                flags=(f"--{name}",),
                place=module.place(statement),
                reading=Reading(kind),
                default=value,
                help=module.comment(statement),
            )
    return found_script(module, "its configurator", iter(found.values()), [])
