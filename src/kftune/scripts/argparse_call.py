"""Reads one call of `add_argument`."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kftune.scripts.module import Module
from kftune.scripts.script import UNKNOWN, Kind, Reading, ScriptArgument, Switch

# configargparse has the same methods, and reads files and variables too.
_CONFIGURED = ("ArgumentParser", "ArgParser", "Parser")
PARSERS = frozenset({"argparse.ArgumentParser", *(f"configargparse.{name}" for name in _CONFIGURED)})
SUPPRESS = "argparse.SUPPRESS"
_BOTH = "argparse.BooleanOptionalAction"
_SWITCHES: dict[str, Switch] = {
    **{"store_true": "true", "store_false": "false", "both": "both"},
    **dict.fromkeys(("store_const", "append_const", "count"), "other"),
}
# Texts that argparse puts into a help text; the class says its default itself.
_WITHOUT_DEFAULT = re.compile(r"(?<!\s)\s*+[(\[]?\s*+(?:default\s*+[:=]?\s*+)?%\([a-z]+\)[sdrif](?:\s*+[)\]])?", re.I)
_LISTS = frozenset({"append", "extend"})
_ANSWERS = frozenset({"help", "version"})
_KINDS: dict[str, Kind] = {
    "int": "int",
    "float": "float",
    "str": "text",
    "bool": "truthy",
    "json.loads": "json",
    "ast.literal_eval": "literal",
    "pathlib.Path": "text",
    "dict": "dict",
    **dict.fromkeys(("list", "tuple", "set", "frozenset"), "characters"),
}


def declared(module: Module, node: ast.Call, flags: Sequence[str], *, conditional: bool) -> ScriptArgument | None:
    """Returns the argument that a call declares; None for one that prints something and ends the script.

    Args:
        module: The file of the call.
        node: The call.
        flags: Its flags, or the name of a position.
        conditional: Whether the call depends on a condition.
    """
    named, is_complete = _named(module, node)
    is_option = flags[0].startswith("-")
    action = str(module.literal(named.get("action", ast.Constant("store"))))
    if action in _ANSWERS:
        return None
    off: tuple[str, ...] = ()
    if module.name(named.get("action")) == _BOTH:
        off = tuple(f"--no-{flag[2:]}" for flag in flags if flag.startswith("--"))
        action = "both"
    argument = ScriptArgument(
        flags=(*flags, *off) if is_option else (),
        place=module.place(node),
        off=off,
        help=_help(module, named),
        position="" if is_option else flags[0],
    )
    if not is_complete:
        return argument
    wanted = module.literal(named["required"]) is True if "required" in named else not is_option
    optional = module.literal(named.get("nargs")) in ("?", "*") or (not is_option and "nargs" in named)
    required = wanted and not conditional and not optional
    return replace(_typed(module, argument, named, action), required=required)


def _named(module: Module, node: ast.Call) -> tuple[dict[str, ast.expr], bool]:
    """Returns the keywords of a call, with those of `**` that the source shows, and whether these are all."""
    named: dict[str, ast.expr] = {}
    is_complete = True
    for keyword in node.keywords:
        more = module.constant(keyword.value) if keyword.arg is None else None
        if keyword.arg is not None:
            named[keyword.arg] = keyword.value
        elif isinstance(more, ast.Call) and module.name(more.func) == "dict" and not more.args:
            named.update({each.arg: each.value for each in more.keywords if each.arg})
        elif isinstance(more, ast.Dict) and all(isinstance(key, ast.Constant) for key in more.keys):
            named.update({str(module.literal(k)): v for k, v in zip(more.keys, more.values, strict=True)})
        else:
            is_complete = False
    return named, is_complete


def _help(module: Module, named: dict[str, ast.expr]) -> str:
    text = module.literal(named.get("help"))
    return _WITHOUT_DEFAULT.sub("", text).replace("%%", "%").strip() if isinstance(text, str) else ""


def _kind(module: Module, converter: ast.expr) -> Kind:
    """Returns how a converter reads a text."""
    name = module.name(converter)
    if module.members(name):
        return "text"
    if name in _KINDS:
        return _KINDS[name]
    where = module.where(name)
    function = where and where[0].functions.get(where[1])
    return "unknown" if _uses_kftune(module, converter, *(function.body if function else ())) else "code"


def _typed(module: Module, argument: ScriptArgument, named: dict[str, ast.expr], action: str) -> ScriptArgument:
    """Returns the argument with its reading and its default."""
    given = named.get("default")
    default = None if given is None or module.name(given) == SUPPRESS else module.literal(given)
    if action in _SWITCHES:
        implied = {"store_true": False, "store_false": True, "both": None}.get(action, UNKNOWN)
        argument = replace(argument, reading=Reading("flag"), switch=_SWITCHES[action])
        return replace(argument, default=implied if given is None else default)
    many = module.literal(named.get("nargs", ast.Constant("?"))) != "?" or action in _LISTS
    if action != "store" and action not in _LISTS:
        return replace(argument, reading=Reading(many=many))
    kind: Kind = _kind(module, named["type"]) if "type" in named else "text"
    if isinstance(default, str) and kind in ("int", "float"):
        default = _converted(default, kind)
    choices = module.literal(named["choices"]) if "choices" in named else None
    known = tuple(choices) if isinstance(choices, (list, tuple, set, dict)) else None
    members = module.members(module.name(named.get("type")))
    if members:
        known = tuple(members.values())
    elif choices is UNKNOWN:
        known = (UNKNOWN,)
    return replace(argument, reading=Reading(kind, known, many), default=default)


def _uses_kftune(module: Module, *nodes: ast.AST) -> bool:
    """Returns whether code may decode values as a hyperparameter class does: with a leaf of it, or with kftune.

    Args:
        module: Where the code is.
        nodes: The code.
    """
    inner = [each for node in nodes for each in ast.walk(node)]
    return any(isinstance(each, ast.Attribute) and each.attr == "leaf" for each in inner) or any(
        module.name(each).startswith("kftune.") for each in inner if isinstance(each, (ast.Name, ast.Attribute))
    )


def _converted(text: str, kind: str) -> Any:
    """Converts a default that is text, as argparse does."""
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        return UNKNOWN
