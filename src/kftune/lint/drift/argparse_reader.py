"""The arguments of a script that uses argparse, or has them read by a hyperparameter class."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from kftune.lint.drift.module import Module, spelled, statements
from kftune.lint.drift.script import UNKNOWN, Argument, Kind, Script

_PARSER = "argparse.ArgumentParser"
_NO_VALUE = frozenset({"store_true", "store_false", "store_const", "append_const", "count"})
_LISTS = frozenset({"append", "extend"})
_ANSWERS = frozenset({"help", "version"})
_PARSING = frozenset({"parse_args", "parse_known_args", "parse_intermixed_args", "parse_known_intermixed_args"})
_KINDS: dict[str, Kind] = {"int": "int", "float": "float", "str": "text", "bool": "truthy"}
# What a parser may be given to without getting more arguments.
_HARMLESS = frozenset({"argcomplete.autocomplete", "print", "isinstance", "id", "repr", "vars"})
_CONVERTERS = frozenset({"int", "float", "bool", "eval", "json.loads", "ast.literal_eval", "decimal.Decimal"})
_MOST_FUNCTIONS = 50


def argparse_script(module: Module) -> Script | None:
    """What a script takes; None when it neither makes a parser of argparse nor calls `from_args` of a class."""
    reader = _Reader(module)
    reader.follow()
    if reader.class_that_reads:
        return Script(str(module.file), "kftune", hparams=reader.class_that_reads)
    return reader.script() if reader.makes_parser else None


class _Reader:
    """Collects arguments from a script and from the functions of the user's own that it calls."""

    def __init__(self, module: Module) -> None:
        self.makes_parser = False
        self.class_that_reads = ""
        self._main = module
        self._open: list[tuple[Module, Sequence[ast.AST]]] = [(module, module.tree.body)]
        self._seen: set[tuple[str, str]] = set()
        self._arguments: list[Argument] = []
        self._unclear: list[str] = []
        self._parsed: set[str] = set()
        self._abbreviates = True
        self._defaults: dict[str, Any] = {}
        self._all_defaults_known = True
        self._converted: set[str] = set()
        self._hparams = ""

    def follow(self) -> None:
        """Reads all that belongs to the script."""
        while self._open and len(self._seen) < _MOST_FUNCTIONS:
            _Scope(self, *self._open.pop(0)).read()

    def script(self) -> Script:
        """What was found."""
        if not self._parsed:
            self._unclear.append(f"{self._main.file} makes a parser, and nothing there parses with it")
        known = {"parse_known_args", "parse_known_intermixed_args"}
        if self._parsed & known and self._parsed - known:
            self._unclear.append(f"{self._main.file} parses more than once")
        return Script(
            str(self._main.file),
            "argparse",
            _merged(self._with_defaults()),
            tuple(dict.fromkeys(self._unclear)),
            ignores_unknown=bool(self._parsed & known),
            abbreviates=self._abbreviates,
            hparams=self._hparams,
        )

    def _with_defaults(self) -> Iterator[Argument]:
        for argument in self._arguments:
            name = argument.name.lstrip("-").replace("-", "_")
            if argument.kind == "text" and name in self._converted:
                argument = argument._replace(kind="unknown")
            if not self._all_defaults_known:
                yield argument._replace(default=UNKNOWN)
            else:
                yield argument._replace(default=self._defaults.get(name, argument.default))

    # -- what scopes tell ----------------------------------------------------------------------------------

    def add(self, argument: Argument) -> None:
        self._arguments.append(argument)

    def doubt(self, module: Module, node: ast.AST, why: str) -> None:
        self._unclear.append(f"{module.file}:{getattr(node, 'lineno', 1)}: {why}")

    def parses(self, how: str) -> None:
        self._parsed.add(how)

    def takes_class(self, name: str) -> None:
        self._hparams = name

    def without_abbreviations(self) -> None:
        self._abbreviates = False

    def default(self, name: str, value: Any) -> None:
        self._defaults[name] = value

    def converts(self, name: str) -> None:
        self._converted.add(name)

    def defaults_unknown(self) -> None:
        self._all_defaults_known = False

    def calls(self, module: Module, name: str) -> bool:
        """Reads a function of the user's own later; False when there is none of that name."""
        found = module.where(name)
        function = found and found[0].functions.get(found[1])
        if found is None or function is None:
            return False
        key = (str(found[0].file), found[1])
        is_read = found[0].file == self._main.file  # the script is read whole
        if key not in self._seen and not is_read:
            self._seen.add(key)
            self._open.append((found[0], function.body))
        return True


class _Scope:
    """One stretch of code: the script, or a function that it calls."""

    def __init__(self, reader: _Reader, module: Module, nodes: Sequence[ast.AST]) -> None:
        self._reader = reader
        self._module = module
        self._nodes = list(statements(nodes))
        self._parsers: set[str] = set()
        self._subparsers: set[str] = set()

    def read(self) -> None:
        for node, _ in self._nodes:
            if isinstance(node, ast.ClassDef) and any(self._module.name(base) == _PARSER for base in node.bases):
                self._reader.makes_parser = True
                self._reader.doubt(self._module, node, "the parser is of a class of its own")
            if isinstance(node, ast.Assign):
                self._assigned(node)
        for node, conditional in self._nodes:
            if isinstance(node, ast.Call):
                self._called(node, conditional=conditional)

    def _assigned(self, node: ast.Assign) -> None:
        call = node.value
        if not isinstance(call, ast.Call):
            return
        names = {spelled(target) for target in node.targets} - {""}
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if self._module.name(call.func) == _PARSER or method in ("add_argument_group", "add_mutually_exclusive_group"):
            self._parsers |= names
        elif method in ("add_parser", "add_subparsers"):
            self._subparsers |= names

    def _called(self, node: ast.Call, *, conditional: bool) -> None:
        name = self._module.name(node.func)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        owner = spelled(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if name == _PARSER:
            self._parser(node)
        elif method == "add_argument":
            if owner not in self._subparsers:
                self._argument(node, conditional=conditional)
        elif method in _PARSING:
            self._parses(node, method)
        elif method and self._configured(node, method, owner):
            return
        elif name in _CONVERTERS:
            for each in node.args:
                self._reader.converts(each.attr if isinstance(each, ast.Attribute) else "")
        elif not self._reader.calls(self._module, name) and name not in _HARMLESS:
            self._given_away(node, owner)

    def _configured(self, node: ast.Call, method: str, owner: str) -> bool:
        """Takes in a call that says more of the parser, or of the class that reads; False when it is none."""
        if method in ("add_parser", "add_subparsers"):
            self._reader.doubt(self._module, node, "there are subcommands")
        elif method == "set_defaults":
            self._set_defaults(node)
        elif method == "from_args" and owner:
            self._reader.class_that_reads = self._module.name(node.func).split(".")[-2]
        elif method == "add_to_argparse" and owner:
            self._reader.takes_class(self._module.name(node.func).split(".")[-2])
        else:
            return False
        return True

    def _parser(self, node: ast.Call) -> None:
        self._reader.makes_parser = True
        for keyword in node.keywords:
            if keyword.arg == "allow_abbrev" and self._module.literal(keyword.value) is not True:
                self._reader.without_abbreviations()
            elif keyword.arg == "parents":
                parents = keyword.value.elts if isinstance(keyword.value, ast.List) else None
                if parents is None or not all(spelled(parent) in self._parsers for parent in parents):
                    self._reader.doubt(self._module, node, "the parser has parents from elsewhere")
            elif keyword.arg in (None, "prefix_chars"):
                self._reader.doubt(self._module, node, "how the parser is made is not told")
            elif keyword.arg == "argument_default":
                self._reader.defaults_unknown()

    def _parses(self, node: ast.Call, method: str) -> None:
        given = node.args[0] if node.args else next((each.value for each in node.keywords if each.arg == "args"), None)
        if isinstance(given, (ast.List, ast.Tuple)):
            return
        self._reader.parses(method)

    def _set_defaults(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            if keyword.arg is None:
                self._reader.defaults_unknown()
            else:
                self._reader.default(keyword.arg, self._module.literal(keyword.value))

    def _given_away(self, node: ast.Call, owner: str) -> None:
        """A parser that goes where nobody can follow may come back with more arguments."""
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if owner not in self._parsers and any(spelled(each) in self._parsers for each in given):
            called = ast.unparse(node.func)
            self._reader.doubt(self._module, node, f"{called} may add arguments to the parser")

    def _argument(self, node: ast.Call, *, conditional: bool) -> None:
        flags = [self._module.literal(each) for each in node.args]
        if not flags or not all(isinstance(flag, str) for flag in flags):
            self._reader.doubt(self._module, node, "the name of an argument is not told")
            return
        named = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        place = (str(self._module.file), node.lineno)
        is_option = flags[0].startswith("-")
        if None in [keyword.arg for keyword in node.keywords]:
            self._reader.add(Argument(tuple(flags) if is_option else (), *place))
            return
        action = self._module.literal(named.get("action", ast.Constant("store")))
        if action in _ANSWERS:
            return
        if self._module.name(named.get("action")) == "argparse.BooleanOptionalAction":
            flags += [f"--no-{flag[2:]}" for flag in flags if flag.startswith("--")]
            action = "store_const"
        argument = self._typed(Argument(tuple(flags) if is_option else (), *place), named, action)
        wanted = self._module.literal(named["required"]) is True if "required" in named else not is_option
        optional = self._module.literal(named.get("nargs")) in ("?", "*") or (not is_option and "nargs" in named)
        self._reader.add(argument._replace(required=wanted and not conditional and not optional))

    def _typed(self, argument: Argument, named: dict[str, ast.expr], action: object) -> Argument:
        """The argument with what becomes of its text."""
        many = self._module.literal(named.get("nargs", ast.Constant("?"))) != "?" or action in _LISTS
        default = self._module.literal(named["default"]) if "default" in named else None
        if action in _NO_VALUE:
            implied = {"store_true": False, "store_false": True}.get(str(action), UNKNOWN)
            return argument._replace(kind="flag", default=default if "default" in named else implied)
        if action != "store" and action not in _LISTS:
            return argument._replace(many=many)
        kind: Kind = _KINDS.get(self._module.name(named["type"]), "unknown") if "type" in named else "text"
        if isinstance(default, str) and kind in ("int", "float"):
            default = _converted(default, kind)
        choices = self._module.literal(named["choices"]) if "choices" in named else None
        known = tuple(choices) if isinstance(choices, (list, tuple, set, range)) else None
        return argument._replace(kind=kind, default=default, choices=known, many=many)


def _converted(text: str, kind: str) -> Any:
    """argparse converts a default that is text."""
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        return UNKNOWN


def _merged(arguments: Iterator[Argument]) -> tuple[Argument, ...]:
    """Each argument once; of one that is declared in two ways, only its name is known."""
    found: dict[tuple[str, ...], Argument] = {}
    for argument in arguments:
        other = found.get(argument.flags)
        if argument.flags and other is not None and other[3:] != argument[3:]:
            argument = Argument(argument.flags, argument.file, argument.line)
        found[argument.flags or (argument.place,)] = argument
    return tuple(found.values())
