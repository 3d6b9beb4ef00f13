"""Reads the arguments of a script that uses argparse, or a hyperparameter class that reads the command line."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from kftune.scripts.argparse_call import PARSERS, SUPPRESS, declared
from kftune.scripts.module import Module, spelled, statements
from kftune.scripts.script import UNKNOWN, Script, ScriptArgument
from kftune.scripts.unrolling import unrolled

_PARSING_KNOWN = frozenset({"parse_known_args", "parse_known_intermixed_args"})
_PARSING = _PARSING_KNOWN | {"parse_args", "parse_intermixed_args"}
# Functions that may be called with a parser, and add no arguments to it.
_HARMLESS = frozenset({"argcomplete.autocomplete", "print", "isinstance", "id", "repr", "vars"})
_CONVERTERS = frozenset({"int", "float", "bool", "eval", "json.loads", "ast.literal_eval", "decimal.Decimal"})
_GROUPS = frozenset({"add_argument_group", "add_mutually_exclusive_group"})
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
        self._inherited: set[str] = set()
        """The variables that hold a parent of a subcommand's parser."""
        self._given: set[int] = set()
        """The calls of methods of what a function is given, which may be any parser."""
        self._alternatives: dict[str, str] = {}
        """The variables that hold a group of which one argument must be given, with its place."""
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
        early = argument.early and self._command in self._commands
        return replace(argument, default=default, reading=reading, early=early)

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
            if isinstance(node, ast.ClassDef) and any(self._module.name(base) in PARSERS for base in node.bases):
                self.makes_parser = True
                self._doubt(node, "the parser is of a derived class")
            if isinstance(node, ast.Assign):
                self._assigned(node)
            self._scoped(node)
        for node, conditional in nodes:
            if isinstance(node, ast.Assign):
                self._assigned_command(node)
            if isinstance(node, ast.Call):
                self._called(node, conditional=conditional)

    def _scoped(self, node: ast.AST) -> None:
        """Records which parsers belong to a subcommand, and which calls go to a parser that a function is given."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_parser":
            self._inherited |= {spelled(parent) for parent in _parents(node)}
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            given = {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
            inner = (each for each in ast.walk(node) if isinstance(each, ast.Call))
            self._given |= {id(each) for each in inner if spelled(each.func).partition(".")[0] in given}

    def _is_early(self, node: ast.Call, owner: str) -> bool:
        """Returns whether an argument has to come before the subcommand, if there are any."""
        own = owner in self._subparsers or owner in self._inherited or id(node) in self._given
        return owner in self._parsers and not own

    def _assigned(self, node: ast.Assign) -> None:
        call = node.value
        names = {spelled(target) for target in node.targets} - {""}
        if isinstance(call, ast.Attribute) and call.attr == "add_argument":
            self._adders |= names
        if not isinstance(call, ast.Call):
            return
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if self._module.name(call.func) in PARSERS or method in _GROUPS:
            self._parsers |= names
        required = next((each.value for each in call.keywords if each.arg == "required"), None)
        if method == "add_mutually_exclusive_group" and self._module.literal(required) is True:
            self._alternatives.update(dict.fromkeys(names, self._module.place(call)))

    def _assigned_command(self, node: ast.Assign) -> None:
        """Reads which variable holds the parser of a subcommand; one variable may hold several, one after another."""
        call = node.value
        names = {spelled(target) for target in node.targets} - {""}
        method = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
        owner = spelled(call.func.value) if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
        if isinstance(call, ast.Call) and method == "add_parser":
            name = self._module.literal(call.args[0]) if call.args else UNKNOWN
            self._subparsers.update(dict.fromkeys(names, name if isinstance(name, str) else ""))
        elif owner in self._subparsers and method in _GROUPS:
            self._subparsers.update(dict.fromkeys(names, self._subparsers[owner]))

    def _called(self, node: ast.Call, *, conditional: bool) -> None:
        name = self._module.name(node.func)
        method, owner = node.func.attr if isinstance(node.func, ast.Attribute) else "", _owner(node)
        if name in PARSERS:
            self._parser(node)
        elif method == "add_argument" or name in self._adders:
            if self._subparsers.get(owner, self._command) == self._command:
                self._argument(node, owner, conditional=conditional)
        elif method in _PARSING:
            self._parses(node, method)
        elif method and self._configured(node, method, owner, conditional=conditional):
            return
        elif name in _CONVERTERS:
            self._converted |= {each.attr for each in node.args if isinstance(each, ast.Attribute)}
        elif not self._calls(name) and name not in _HARMLESS:
            self._given_away(node, owner)

    def _configured(self, node: ast.Call, method: str, owner: str, *, conditional: bool) -> bool:
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
            self._set_defaults(node, conditional=conditional)
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
                parents = _parents(node)
                if not parents or not all(map(self._is_read, parents)):
                    self._doubt(node, "the parser has parents from elsewhere")
            elif keyword.arg in (None, "prefix_chars"):
                self._doubt(node, "the parser has settings that kftune cannot read")
            elif keyword.arg == "argument_default" and self._module.name(keyword.value) != SUPPRESS:
                self._defaults_are_known = False

    def _is_read(self, parent: ast.expr) -> bool:
        """Returns whether the arguments of a parent are read too: it is made here, or by a function of the user."""
        made = self._module.name(parent.func) if isinstance(parent, ast.Call) else ""
        return spelled(parent) in self._parsers or (bool(made) and self._calls(made))

    def _parses(self, node: ast.Call, method: str) -> None:
        given = node.args[0] if node.args else next((each.value for each in node.keywords if each.arg == "args"), None)
        if not isinstance(given, (ast.List, ast.Tuple)):
            self._parsed.add(method)

    def _set_defaults(self, node: ast.Call, *, conditional: bool) -> None:
        """Reads new defaults; those of a file that the user may give hold only if it is given."""
        for keyword in node.keywords:
            if keyword.arg is not None:
                self._defaults[keyword.arg] = UNKNOWN if conditional else self._module.literal(keyword.value)
            elif not conditional:
                self._defaults_are_known = False

    def _given_away(self, node: ast.Call, owner: str) -> None:
        """Records a call that passes a parser to code that kftune does not read, which may add arguments."""
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if owner not in self._parsers and any(spelled(each) in self._parsers for each in given):
            self._doubt(node, f"{ast.unparse(node.func)} may add arguments to the parser")

    def _argument(self, node: ast.Call, owner: str, *, conditional: bool) -> None:
        flags = [self._module.literal(each) for each in node.args]
        if not flags or not all(isinstance(flag, str) for flag in flags):
            self._doubt(node, "the name of an argument is unknown")
            return
        argument = declared(self._module, node, flags, conditional=conditional)
        if argument is not None:
            early, alternative = self._is_early(node, owner), self._alternatives.get(owner, "")
            self._arguments.append(replace(argument, alternative=alternative, early=early))


def _owner(call: ast.Call) -> str:
    """Returns the variable whose method is called, also as `parser.add_argument_group("x").add_argument(…)`."""
    if not isinstance(call.func, ast.Attribute):
        return ""
    owner = call.func.value
    grouped = isinstance(owner, ast.Call) and isinstance(owner.func, ast.Attribute) and owner.func.attr in _GROUPS
    return _owner(owner) if grouped and isinstance(owner, ast.Call) else spelled(owner)


def _parents(call: ast.Call) -> list[ast.expr]:
    """Returns the parents of a parser, as a list in the call has them."""
    given = [each.value for each in call.keywords if each.arg == "parents"]
    return [parent for each in given if isinstance(each, (ast.List, ast.Tuple)) for parent in each.elts]


def _merged(arguments: Iterable[ScriptArgument]) -> tuple[ScriptArgument, ...]:
    """Returns each argument once; with its name only if it is declared in two ways."""
    found: dict[tuple[str, ...], ScriptArgument] = {}
    for argument in arguments:
        other = found.get(argument.flags)
        if argument.flags and other is not None and replace(other, place=argument.place) != argument:
            argument = ScriptArgument(flags=argument.flags, place=argument.place)
        found[argument.flags or (argument.place,)] = argument
    return tuple(found.values())
