"""Reads the arguments of scripts that use click, typer, tyro or pydantic-settings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kftune.scripts.module import Module
from kftune.scripts.script import UNKNOWN, Kind, Reading, Script, ScriptArgument

_Function = ast.FunctionDef | ast.AsyncFunctionDef

_CLICK_KINDS: dict[str, Kind] = {
    **{"int": "int", "float": "float", "bool": "bool", "str": "text"},
    **{"click.INT": "int", "click.FLOAT": "float", "click.BOOL": "bool", "click.STRING": "text"},
}
_DEEPEST = 8


def signature_script(module: Module) -> Script | None:
    """Returns what a script takes; None if it uses none of these libraries."""
    for reader in (_click, _typer, _tyro, _settings):
        script = reader(module)
        if script is not None:
            return script
    return None


def _script(
    module: Module, arguments: Iterator[ScriptArgument], unclear: list[str], *, swaps_dashes: bool = False
) -> Script:
    """Returns a script; `arguments` may add to `unclear`."""
    found = tuple(arguments)
    return Script(file=str(module.file), arguments=found, unclear=tuple(unclear), swaps_dashes=swaps_dashes)


def _unclear(module: Module, why: str) -> Script:
    return Script(file=str(module.file), unclear=(f"{module.file}: {why}",))


def _calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield node, module.name(node.func)


def _functions(module: Module) -> list[_Function]:
    return [node for node in ast.walk(module.tree) if isinstance(node, _Function)]


def _callee(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _keywords(call: ast.expr) -> dict[str | None, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords} if isinstance(call, ast.Call) else {}


def _click(module: Module) -> Script | None:
    commands = []
    for function in _functions(module):
        names = [module.name(_callee(decorator)) for decorator in function.decorator_list]
        below_group = any(name.endswith(".command") and name != "click.command" for name in names)
        if "click.group" in names or (below_group and any(name.startswith("click.") for name in names)):
            return _unclear(module, "there are subcommands")
        if "click.command" in names:
            commands.append(function)
    if len(commands) > 1:
        return _unclear(module, f"there are {len(commands)} commands")
    unclear: list[str] = []
    return _script(module, _click_arguments(module, commands[0], unclear), unclear) if commands else None


def _click_arguments(module: Module, function: _Function, unclear: list[str]) -> Iterator[ScriptArgument]:
    for decorator in function.decorator_list:
        name = module.name(_callee(decorator))
        if name == "click.option" and isinstance(decorator, ast.Call):
            yield _click_option(module, decorator)
        elif name == "click.argument" and isinstance(decorator, ast.Call):
            optional = {None, "default", "required", "nargs", "envvar"} & set(_keywords(decorator))
            yield ScriptArgument(place=module.place(decorator), required=not optional)
        elif name == "click.command":
            if not _keywords(decorator).keys().isdisjoint({None, "context_settings", "cls"}):
                unclear.append(f"{module.place(decorator)}: the command has settings that kftune cannot read")
        elif name not in ("click.pass_context", "click.version_option", "click.help_option"):
            unclear.append(f"{module.place(decorator)}: {ast.unparse(decorator)[:40]} may add options")


def _click_option(module: Module, call: ast.Call) -> ScriptArgument:
    given = _keywords(call)
    texts = _texts(module, call)
    flags = _flags(texts)
    if None in given or not flags:
        return ScriptArgument(flags=flags, place=module.place(call))
    default = module.literal(given["default"]) if "default" in given else None
    if any("/" in text for text in texts) or {"is_flag", "count", "flag_value"} & set(given):
        reading = Reading("flag")
    else:
        reading = _click_reading(module, given.get("type"), default)
        reading = reading._replace(many=bool({"multiple", "nargs"} & set(given)))
    required = "required" in given and module.literal(given["required"]) is True
    return ScriptArgument(flags=flags, place=module.place(call), reading=reading, default=default, required=required)


def _click_reading(module: Module, given: ast.expr | None, default: Any) -> Reading:
    if given is None:
        kinds: dict[type, Kind] = {bool: "bool", int: "int", float: "float"}
        return Reading("unknown" if default is UNKNOWN else kinds.get(type(default), "text"))
    if isinstance(given, ast.Call) and module.name(given.func) == "click.Choice" and not given.keywords:
        values = module.literal(given.args[0]) if given.args else UNKNOWN
        return Reading("text", tuple(values)) if isinstance(values, (list, tuple)) else Reading()
    return Reading(_CLICK_KINDS.get(module.name(given), "unknown"))


def _texts(module: Module, call: ast.Call | None) -> list[str]:
    values = [module.literal(each) for each in call.args] if call is not None else []
    return [value for value in values if isinstance(value, str)]


def _flags(texts: list[str]) -> tuple[str, ...]:
    """Returns the flags in the texts that declare an option, such as `--on/--off`."""
    return tuple(part.strip() for text in texts for part in text.split("/") if part.strip().startswith("-"))


def _typer(module: Module) -> Script | None:
    calls = list(_calls(module))
    if not any(name in ("typer.run", "typer.Typer") for _, name in calls):
        return None
    run = [ast.unparse(call.args[0]) for call, name in calls if name == "typer.run" and call.args]
    apps = {
        ast.unparse(target)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if module.name(node.value.func) == "typer.Typer"
    }
    decorated = [(function, _callee(each)) for function in _functions(module) for each in function.decorator_list]
    registered = [
        (function, callee.attr)
        for function, callee in decorated
        if isinstance(callee, ast.Attribute) and ast.unparse(callee.value) in apps
    ]
    found = [module.functions[name] for name in run if name in module.functions]
    found += [function for function, how in registered if how == "command"]
    if len(found) != 1 or any(how == "callback" for _, how in registered):
        return _unclear(module, "the function that takes the arguments is unknown")
    return _script(module, _typer_arguments(module, found[0]), [])


def _typer_arguments(module: Module, function: _Function) -> Iterator[ScriptArgument]:
    for parameter, default in _parameters(function):
        annotation, about = parameter.annotation, default if isinstance(default, ast.Call) else None
        if module.name(annotation).rpartition(".")[2] == "Context":
            continue
        place = module.place(parameter)
        if isinstance(annotation, ast.Subscript) and module.name(annotation.value).endswith("Annotated"):
            parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else []
            about = next((part for part in parts[1:] if isinstance(part, ast.Call)), about)
        style = module.name(about.func) if about else ""
        value = _typer_default(module, default, about)
        required = value is _REQUIRED
        if style == "typer.Argument" or (not style and default is None):
            yield ScriptArgument(place=place, required=required)
            continue
        named = (f"--{parameter.arg.replace('_', '-')}",)
        if about is not None and style != "typer.Option":
            yield ScriptArgument(flags=named, place=place)
            continue
        given = _flags(_texts(module, about))
        flags, reading = given or named, module.reading(annotation)
        if reading.kind == "bool":
            reading = reading._replace(kind="flag")
            flags = given or (*named, f"--no-{named[0][2:]}")
        default_value = UNKNOWN if required else value
        yield ScriptArgument(flags=flags, place=place, reading=reading, default=default_value, required=required)


_REQUIRED = object()


def _typer_default(module: Module, default: ast.expr | None, about: ast.Call | None) -> Any:
    if default is not None and default is about:  # `lr: float = typer.Option(0.1)`
        default = about.args[0] if about.args else _keywords(about).get("default")
    if default is None or (isinstance(default, ast.Constant) and default.value is ...):
        return _REQUIRED
    return module.literal(default)


def _parameters(function: _Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    missing: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults))
    yield from zip(plain, [*missing, *given.defaults], strict=True)
    yield from zip(given.kwonlyargs, given.kw_defaults, strict=True)


def _tyro(module: Module) -> Script | None:
    call = next((call for call, name in _calls(module) if name == "tyro.cli"), None)
    if call is None:
        return None
    unclear: list[str] = []
    if len(call.args) != 1 or call.keywords:
        unclear.append(f"{module.place(call)}: tyro.cli is called with settings")
    arguments = _tyro_arguments(module, call.args[0] if call.args else None, unclear)
    return _script(module, arguments, unclear, swaps_dashes=True)


def _tyro_arguments(module: Module, given: ast.expr | None, unclear: list[str]) -> Iterator[ScriptArgument]:
    home, name = module.where(module.name(given)) or (module, "")
    if name in home.classes:
        yield from _fields(home, home.classes[name], unclear)
    elif name in home.functions:
        for parameter, default in _parameters(home.functions[name]):
            yield _field(home, parameter, parameter.arg, parameter.annotation, default)
    else:
        unclear.append(f"{module.file}: what tyro reads the arguments from is unknown")


def _settings(module: Module) -> Script | None:
    for name, node in module.classes.items():
        bases = [module.name(base) for base in node.bases]
        if "pydantic_settings.BaseSettings" not in bases or not _parses_arguments(module, name, node):
            continue
        unclear = [] if len(bases) == 1 else [f"{module.place(node)}: {name} has other bases"]
        source = module.file.read_bytes()
        if b"cli_kebab_case" in source or b"alias" in source:
            unclear.append(f"{module.place(node)}: {name} renames its arguments")
        return _script(module, map(_as_settings, _fields(module, node, unclear)), unclear)
    return None


def _as_settings(argument: ScriptArgument) -> ScriptArgument:
    """Returns the argument as pydantic-settings reads it: with true or false, and lists as JSON."""
    reading = argument.reading
    kind: Kind = "bool" if reading.kind == "flag" else "unknown" if reading.many else reading.kind
    return replace(argument, reading=reading._replace(kind=kind))


def _parses_arguments(module: Module, name: str, node: ast.ClassDef) -> bool:
    text = ast.unparse(node)
    if "cli_parse_args=True" in text or "'cli_parse_args': True" in text:
        return True
    for call, called in _calls(module):
        if called == "pydantic_settings.CliApp.run" and call.args and ast.unparse(call.args[0]) == name:
            return True
        if called == name and module.literal(_keywords(call).get("_cli_parse_args")) is True:
            return True
    return False


def _fields(
    module: Module, node: ast.ClassDef, unclear: list[str], prefix: str = "", level: int = 0
) -> Iterator[ScriptArgument]:
    if level > _DEEPEST:
        return
    for base in node.bases:
        home, name = module.where(module.name(base)) or (module, "")
        if name in home.classes:
            yield from _fields(home, home.classes[name], unclear, prefix, level + 1)
        elif module.name(base) not in ("object", "pydantic.BaseModel", "pydantic_settings.BaseSettings"):
            unclear.append(f"{module.place(node)}: the fields of {ast.unparse(base)} are unknown")
    for statement in node.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if "ClassVar" in module.name(statement.annotation) + ast.unparse(statement.annotation):
            continue
        name = f"{prefix}{statement.target.id}"
        home, inner = module.where(module.name(statement.annotation)) or (module, "")
        if inner in home.classes:
            yield from _fields(home, home.classes[inner], unclear, f"{name}.", level + 1)
        else:
            yield _field(module, statement, name, statement.annotation, statement.value)


def _field(
    module: Module, node: ast.AST, name: str, annotation: ast.expr | None, default: ast.expr | None
) -> ScriptArgument:
    reading = module.reading(annotation)
    if reading.kind == "bool":
        reading = reading._replace(kind="unknown" if default is None else "flag")
    value = module.literal(_keywords(default).get("default") if isinstance(default, ast.Call) else default)
    return ScriptArgument(
        flags=(f"--{name}",), place=module.place(node), reading=reading, default=value, required=default is None
    )
