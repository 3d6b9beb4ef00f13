"""Reads the arguments of a script that uses argparse, or a hyperparameter class that reads the command line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from kftune.scripts.module import Module, spelled, statements
from kftune.scripts.script import UNKNOWN, Kind, Reading, Script, ScriptArgument, Switch
from kftune.scripts.unrolling import unrolled

_PARSER = "argparse.ArgumentParser"
_SWITCHES: dict[str, Switch] = {
    **{"store_true": "true", "store_false": "false", "both": "both"},
    **dict.fromkeys(("store_const", "append_const", "count"), "other"),
}
# Texts that argparse puts into a help text; the class says its default itself.
_WITHOUT_DEFAULT = re.compile(r"\s*[(\[]?\s*(?:default\s*[:=]?\s*)?%\([a-z]+\)[sdrif]\s*[)\]]?", re.I)
_LISTS = frozenset({"append", "extend"})
_ANSWERS = frozenset({"help", "version"})
_PARSING_KNOWN = frozenset({"parse_known_args", "parse_known_intermixed_args"})
_PARSING = _PARSING_KNOWN | {"parse_args", "parse_intermixed_args"}
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
# Functions that may be called with a parser, and add no arguments to it.
_HARMLESS = frozenset({"argcomplete.autocomplete", "print", "isinstance", "id", "repr", "vars"})
_CONVERTERS = frozenset({"int", "float", "bool", "eval", "json.loads", "ast.literal_eval", "decimal.Decimal"})
_MOST_FUNCTIONS = 50


def argparse_script(module: Module, command: str = "") -> Script | None:
    """Returns what a script takes; None if it has no argparse parser and no class with `from_args`.

    Args:
        module: The script.
        command: The subcommand to read, if there are several.
    """
    reader = _Reader(module, command)
    reader.follow()
    if reader.class_that_reads:
        return Script(file=str(module.file), hparams=reader.class_that_reads)
    return reader.script() if reader.makes_parser else None


class _Reader:
    """Collects arguments from a script and from the user's functions that it calls."""

    def __init__(self, module: Module, command: str) -> None:
        self.makes_parser = False
        self.class_that_reads = ""
        self._main = self._module = module
        self._command = command
        self._open: list[tuple[Module, Sequence[ast.AST]]] = [(module, unrolled(module))]
        self._seen: set[tuple[str, str]] = set()
        self._parsers: set[str] = set()
        """The variables that hold a parser, in the function that is read."""
        self._subparsers: dict[str, str] = {}
        """The variables that hold the parser of a subcommand, with its name."""
        self._commands: list[str] = []
        self._adders: set[str] = set()
        """The variables that hold a parser's method `add_argument`."""
        self._arguments: list[ScriptArgument] = []
        self._unclear: list[str] = []
        self._parsed: set[str] = set()
        """The methods that parse the command line."""
        self._abbreviates = True
        self._defaults: dict[str, Any] = {}
        self._defaults_are_known = True
        self._converted: set[str] = set()
        """Attributes that the script converts after parsing."""
        self._hparams = ""

    def follow(self) -> None:
        """Reads the script and the functions that it calls."""
        while self._open and len(self._seen) < _MOST_FUNCTIONS:
            self._module, nodes = self._open.pop(0)
            self._parsers, self._subparsers, self._adders = set(), {}, set()
            self._read(list(statements(nodes)))

    def script(self) -> Script:
        """Returns what was found."""
        file = str(self._main.file)
        if self._commands and self._command not in self._commands:
            self._unclear.append(f"{file}: there are subcommands: {', '.join(self._commands)}")
        if not self._parsed:
            self._unclear.append(f"{file} makes a parser but does not parse with it")
        if self._parsed & _PARSING_KNOWN and self._parsed - _PARSING_KNOWN:
            self._unclear.append(f"{file} parses more than once")
        return Script(
            file=file,
            arguments=_merged(map(self._with_default, self._arguments)),
            unclear=tuple(dict.fromkeys(self._unclear)),
            ignores_unknown=bool(self._parsed & _PARSING_KNOWN),
            abbreviates=self._abbreviates,
            hparams=self._hparams,
            library="argparse",
            start=(self._command,) if self._command in self._commands else (),
            commands=tuple(self._commands),
        )

    def _with_default(self, argument: ScriptArgument) -> ScriptArgument:
        name = argument.name.lstrip("-").replace("-", "_")
        default = self._defaults.get(name, argument.default) if self._defaults_are_known else UNKNOWN
        is_converted = argument.reading.kind == "text" and name in self._converted
        reading = argument.reading._replace(kind="unknown") if is_converted else argument.reading
        return replace(argument, default=default, reading=reading)

    def _doubt(self, node: ast.AST, why: str) -> None:
        """Records why there may be more arguments."""
        self._unclear.append(f"{self._module.place(node)}: {why}")

    def _calls(self, name: str) -> bool:
        """Queues a function of the user to be read; returns whether there is one of that name."""
        if self._module is self._main and self._is_method(name):
            return True  # the script is read as a whole
        found = self._module.where(name)
        function = found and found[0].functions.get(found[1])
        if found is None or function is None:
            return False
        key = (str(found[0].file), found[1])
        if key not in self._seen and found[0].file != self._main.file:  # the script is read as a whole
            self._seen.add(key)
            self._open.append((found[0], function.body))
        return True

    def _is_method(self, name: str) -> bool:
        """Returns whether a name is that of a method of a class in the script."""
        owner, _, method = name.rpartition(".")
        known = self._module.classes
        homes = known.values() if owner in ("self", "cls") else [known[owner]] if owner in known else []
        return any(isinstance(each, ast.FunctionDef) and each.name == method for home in homes for each in home.body)

    def _read(self, nodes: Sequence[tuple[ast.AST, bool]]) -> None:
        for node, _ in nodes:
            if isinstance(node, ast.ClassDef) and any(self._module.name(base) == _PARSER for base in node.bases):
                self.makes_parser = True
                self._doubt(node, "the parser is of a derived class")
            if isinstance(node, ast.Assign):
                self._assigned(node)
        for node, conditional in nodes:
            if isinstance(node, ast.Assign):
                self._assigned_command(node)
            if isinstance(node, ast.Call):
                self._called(node, conditional=conditional)

    def _assigned(self, node: ast.Assign) -> None:
        call = node.value
        names = {spelled(target) for target in node.targets} - {""}
        if isinstance(call, ast.Attribute) and call.attr == "add_argument":
            self._adders |= names
        if not isinstance(call, ast.Call):
            return
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if self._module.name(call.func) == _PARSER or method in ("add_argument_group", "add_mutually_exclusive_group"):
            self._parsers |= names

    def _assigned_command(self, node: ast.Assign) -> None:
        """Reads which variable holds the parser of a subcommand; one variable may hold several, one after another."""
        call = node.value
        names = {spelled(target) for target in node.targets} - {""}
        method = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
        owner = spelled(call.func.value) if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
        if isinstance(call, ast.Call) and method == "add_parser":
            name = self._module.literal(call.args[0]) if call.args else UNKNOWN
            self._subparsers.update(dict.fromkeys(names, name if isinstance(name, str) else ""))
        elif owner in self._subparsers and method in ("add_argument_group", "add_mutually_exclusive_group"):
            self._subparsers.update(dict.fromkeys(names, self._subparsers[owner]))

    def _called(self, node: ast.Call, *, conditional: bool) -> None:
        name = self._module.name(node.func)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        owner = spelled(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if name == _PARSER:
            self._parser(node)
        elif method == "add_argument" or name in self._adders:
            if self._subparsers.get(owner, self._command) == self._command:
                self._argument(node, conditional=conditional)
        elif method in _PARSING:
            self._parses(node, method)
        elif method and self._configured(node, method, owner):
            return
        elif name in _CONVERTERS:
            self._converted |= {each.attr for each in node.args if isinstance(each, ast.Attribute)}
        elif not self._calls(name) and name not in _HARMLESS:
            self._given_away(node, owner)

    def _configured(self, node: ast.Call, method: str, owner: str) -> bool:
        """Reads a call that configures the parser, or uses a hyperparameter class; returns whether it is one."""
        if method == "add_parser":
            name = self._module.literal(node.args[0]) if node.args else UNKNOWN
            if isinstance(name, str):
                self._commands.append(name)
            else:
                self._doubt(node, "the name of a subcommand is unknown")
        elif method == "add_subparsers":
            pass
        elif method == "set_defaults":
            self._set_defaults(node)
        elif method == "from_args" and owner:
            self.class_that_reads = self._module.name(node.func).split(".")[-2]
        elif method == "add_to_argparse" and owner:
            self._hparams = self._module.name(node.func).split(".")[-2]
        else:
            return False
        return True

    def _parser(self, node: ast.Call) -> None:
        self.makes_parser = True
        for keyword in node.keywords:
            if keyword.arg == "allow_abbrev" and self._module.literal(keyword.value) is not True:
                self._abbreviates = False
            elif keyword.arg == "parents":
                parents = keyword.value.elts if isinstance(keyword.value, ast.List) else None
                if parents is None or not all(spelled(parent) in self._parsers for parent in parents):
                    self._doubt(node, "the parser has parents from elsewhere")
            elif keyword.arg in (None, "prefix_chars"):
                self._doubt(node, "the parser has settings that kftune cannot read")
            elif keyword.arg == "argument_default":
                self._defaults_are_known = False

    def _parses(self, node: ast.Call, method: str) -> None:
        given = node.args[0] if node.args else next((each.value for each in node.keywords if each.arg == "args"), None)
        if not isinstance(given, (ast.List, ast.Tuple)):
            self._parsed.add(method)

    def _set_defaults(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            if keyword.arg is None:
                self._defaults_are_known = False
            else:
                self._defaults[keyword.arg] = self._module.literal(keyword.value)

    def _given_away(self, node: ast.Call, owner: str) -> None:
        """Records a call that passes a parser to code that kftune does not read, which may add arguments."""
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if owner not in self._parsers and any(spelled(each) in self._parsers for each in given):
            self._doubt(node, f"{ast.unparse(node.func)} may add arguments to the parser")

    def _argument(self, node: ast.Call, *, conditional: bool) -> None:
        flags = [self._module.literal(each) for each in node.args]
        if not flags or not all(isinstance(flag, str) for flag in flags):
            self._doubt(node, "the name of an argument is unknown")
            return
        named, is_complete = self._named(node)
        is_option = flags[0].startswith("-")
        action = str(self._module.literal(named.get("action", ast.Constant("store"))))
        if action in _ANSWERS:
            return
        off: tuple[str, ...] = ()
        if self._module.name(named.get("action")) == "argparse.BooleanOptionalAction":
            off = tuple(f"--no-{flag[2:]}" for flag in flags if flag.startswith("--"))
            action = "both"
        argument = ScriptArgument(
            flags=(*flags, *off) if is_option else (), place=self._module.place(node), off=off, help=self._help(named)
        )
        if is_complete:
            wanted = self._module.literal(named["required"]) is True if "required" in named else not is_option
            optional = self._module.literal(named.get("nargs")) in ("?", "*") or (not is_option and "nargs" in named)
            required = wanted and not conditional and not optional
            argument = replace(self._typed(argument, named, action), required=required)
        if not is_option:
            argument = replace(argument, position=flags[0])
        self._arguments.append(argument)

    def _named(self, node: ast.Call) -> tuple[dict[str, ast.expr], bool]:
        """Returns the keywords of a call, with those of `**` that the source shows, and whether these are all."""
        named: dict[str, ast.expr] = {}
        is_complete = True
        for keyword in node.keywords:
            more = self._module.constant(keyword.value) if keyword.arg is None else None
            if keyword.arg is not None:
                named[keyword.arg] = keyword.value
            elif isinstance(more, ast.Call) and self._module.name(more.func) == "dict" and not more.args:
                named.update({each.arg: each.value for each in more.keywords if each.arg})
            elif isinstance(more, ast.Dict) and all(isinstance(key, ast.Constant) for key in more.keys):
                named.update({str(self._module.literal(k)): v for k, v in zip(more.keys, more.values, strict=True)})
            else:
                is_complete = False
        return named, is_complete

    def _help(self, named: dict[str, ast.expr]) -> str:
        text = self._module.literal(named.get("help"))
        return _WITHOUT_DEFAULT.sub("", text).replace("%%", "%").strip() if isinstance(text, str) else ""

    def _kind(self, converter: ast.expr) -> Kind:
        """Returns how a converter reads a text."""
        name = self._module.name(converter)
        if self._module.members(name):
            return "text"
        if name in _KINDS:
            return _KINDS[name]
        where = self._module.where(name)
        function = where and where[0].functions.get(where[1])
        return "unknown" if _uses_kftune(self._module, converter, *(function.body if function else ())) else "code"

    def _typed(self, argument: ScriptArgument, named: dict[str, ast.expr], action: str) -> ScriptArgument:
        """Returns the argument with its reading and its default."""
        default = self._module.literal(named["default"]) if "default" in named else None
        if action in _SWITCHES:
            implied = {"store_true": False, "store_false": True, "both": None}.get(action, UNKNOWN)
            argument = replace(argument, reading=Reading("flag"), switch=_SWITCHES[action])
            return replace(argument, default=default if "default" in named else implied)
        many = self._module.literal(named.get("nargs", ast.Constant("?"))) != "?" or action in _LISTS
        if action != "store" and action not in _LISTS:
            return replace(argument, reading=Reading(many=many))
        kind: Kind = self._kind(named["type"]) if "type" in named else "text"
        if isinstance(default, str) and kind in ("int", "float"):
            default = _converted(default, kind)
        choices = self._module.literal(named["choices"]) if "choices" in named else None
        if isinstance(choices, dict):
            choices = list(choices)
        known = tuple(choices) if isinstance(choices, (list, tuple, set, range)) else None
        members = self._module.members(self._module.name(named.get("type")))
        if members:
            known = tuple(members.values())
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


def _merged(arguments: Iterable[ScriptArgument]) -> tuple[ScriptArgument, ...]:
    """Returns each argument once; with its name only if it is declared in two ways."""
    found: dict[tuple[str, ...], ScriptArgument] = {}
    for argument in arguments:
        other = found.get(argument.flags)
        if argument.flags and other is not None and replace(other, place=argument.place) != argument:
            argument = ScriptArgument(flags=argument.flags, place=argument.place)
        found[argument.flags or (argument.place,)] = argument
    return tuple(found.values())
