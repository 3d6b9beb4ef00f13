"""The arguments of scripts that make them from signatures: click, typer, tyro, pydantic-settings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from kftune.lint.drift.module import Module
from kftune.lint.drift.script import UNKNOWN, Argument, Kind, Script

_Function = ast.FunctionDef | ast.AsyncFunctionDef

_CLICK_KINDS: dict[str, Kind] = {
    **{"int": "int", "float": "float", "bool": "bool", "str": "text"},
    **{"click.INT": "int", "click.FLOAT": "float", "click.BOOL": "bool", "click.STRING": "text"},
}
_SETTINGS = "pydantic_settings"
_DEEPEST = 8


def signature_script(module: Module) -> Script | None:
    """What a script takes; None when it uses none of these libraries."""
    for reader in (_click, _typer, _tyro, _settings):
        script = reader(module)
        if script is not None:
            return script
    return None


def _calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield node, module.name(node.func)


def _functions(module: Module) -> list[_Function]:
    return [node for node in ast.walk(module.tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def _keywords(call: ast.Call) -> dict[str | None, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords}


# -- click -------------------------------------------------------------------------------------------------


def _click(module: Module) -> Script | None:
    commands = []
    for function in _functions(module):
        names = [_decorator(module, decorator) for decorator in function.decorator_list]
        below_group = any(name.endswith(".command") and name != "click.command" for name in names)
        if "click.group" in names or (below_group and any(name.startswith("click.") for name in names)):
            return Script(str(module.file), "click", unclear=(f"{module.file}: there are subcommands",))
        if "click.command" in names:
            commands.append(function)
    if len(commands) > 1:
        return Script(str(module.file), "click", unclear=(f"{module.file}: there are {len(commands)} commands",))
    return _click_command(module, commands[0]) if commands else None


def _click_command(module: Module, function: _Function) -> Script:
    unclear: list[str] = []
    arguments = []
    for decorator in function.decorator_list:
        name = _decorator(module, decorator)
        if name == "click.option" and isinstance(decorator, ast.Call):
            arguments.append(_click_option(module, decorator))
        elif name == "click.argument" and isinstance(decorator, ast.Call):
            arguments.append(_click_argument(module, decorator))
        elif name == "click.command":
            settings = _keywords(decorator) if isinstance(decorator, ast.Call) else {}
            if not settings.keys().isdisjoint({None, "context_settings", "cls"}):
                unclear.append(f"{module.file}:{decorator.lineno}: the command has settings of its own")
        elif name not in ("click.pass_context", "click.version_option", "click.help_option"):
            unclear.append(f"{module.file}:{decorator.lineno}: {ast.unparse(decorator)[:40]} may add options")
    return Script(str(module.file), "click", tuple(arguments), tuple(unclear))


def _decorator(module: Module, decorator: ast.expr) -> str:
    return module.name(decorator.func if isinstance(decorator, ast.Call) else decorator)


def _click_option(module: Module, call: ast.Call) -> Argument:
    given = _keywords(call)
    flags: list[str] = []
    for each in call.args:
        text = module.literal(each)
        flags += (
            [part.strip() for part in text.split("/") if part.strip().startswith("-")] if isinstance(text, str) else []
        )
    place = (str(module.file), call.lineno)
    if None in given or not flags:
        return Argument(tuple(flags), *place)
    switch = any(isinstance(module.literal(each), str) and "/" in str(module.literal(each)) for each in call.args)
    default = module.literal(given["default"]) if "default" in given else None
    required = module.literal(given["required"]) is True if "required" in given else False
    if switch or "is_flag" in given or "count" in given or "flag_value" in given:
        return Argument(tuple(flags), *place, "flag", default, None, required)
    kind, choices = _click_kind(module, given.get("type"), default)
    many = "multiple" in given or "nargs" in given
    return Argument(tuple(flags), *place, kind, default, choices, required, many)


def _click_kind(module: Module, given: ast.expr | None, default: Any) -> tuple[Kind, tuple[Any, ...] | None]:
    if given is None:
        if default is UNKNOWN:
            return "unknown", None
        kinds: dict[type, Kind] = {bool: "bool", int: "int", float: "float"}
        return kinds.get(type(default), "text"), None
    if isinstance(given, ast.Call) and module.name(given.func) == "click.Choice" and not given.keywords:
        values = module.literal(given.args[0]) if given.args else UNKNOWN
        return ("text", tuple(values)) if isinstance(values, (list, tuple)) else ("unknown", None)
    return _CLICK_KINDS.get(module.name(given), "unknown"), None


def _click_argument(module: Module, call: ast.Call) -> Argument:
    given = _keywords(call)
    free = {None, "default", "required", "nargs", "envvar"} & set(given)
    return Argument((), str(module.file), call.lineno, required=not free)


# -- typer -------------------------------------------------------------------------------------------------


def _typer(module: Module) -> Script | None:
    found: list[_Function] = []
    used = False
    for call, name in _calls(module):
        if name in ("typer.run", "typer.Typer"):
            used = True
        if name == "typer.run" and call.args and isinstance(call.args[0], ast.Name):
            function = module.functions.get(call.args[0].id)
            found += [function] if function else []
    apps = {
        ast.unparse(target)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if module.name(node.value.func) == "typer.Typer"
    }
    has_callback = False
    for function in _functions(module):
        for decorator in function.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(called, ast.Attribute) and ast.unparse(called.value) in apps:
                found += [function] if called.attr == "command" else []
                has_callback = has_callback or called.attr == "callback"
    if not used:
        return None
    if len(found) != 1 or has_callback:
        why = (f"{module.file}: which function takes the arguments is not told",)
        return Script(str(module.file), "typer", unclear=why)
    return Script(str(module.file), "typer", tuple(_typer_arguments(module, found[0])))


def _typer_arguments(module: Module, function: _Function) -> Iterator[Argument]:
    for parameter, default in _parameters(function):
        if module.name(parameter.annotation).rpartition(".")[2] == "Context":
            continue
        place = (str(module.file), parameter.lineno)
        annotation, about = parameter.annotation, default if isinstance(default, ast.Call) else None
        if isinstance(annotation, ast.Subscript) and module.name(annotation.value).endswith("Annotated"):
            parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else []
            about = next((part for part in parts[1:] if isinstance(part, ast.Call)), about)
        style = module.name(about.func) if about else ""
        kind, choices, many = module.kind(annotation)
        value = _typer_default(module, default, about)
        if style == "typer.Argument" or (not style and default is None):
            yield Argument((), *place, required=value is _REQUIRED)
            continue
        if about is not None and style != "typer.Option":
            yield Argument((f"--{parameter.arg.replace('_', '-')}",), *place)
            continue
        flags = _typer_flags(module, about) or (f"--{parameter.arg.replace('_', '-')}",)
        if kind == "bool":
            kind = "flag"
            flags += () if _typer_flags(module, about) else (f"--no-{flags[0][2:]}",)
        known = UNKNOWN if value is _REQUIRED else value
        yield Argument(flags, *place, kind, known, choices, value is _REQUIRED, many)


_REQUIRED = object()


def _typer_default(module: Module, default: ast.expr | None, about: ast.Call | None) -> Any:
    if default is not None and default is about:  # `lr: float = typer.Option(0.1)`
        default = about.args[0] if about.args else _keywords(about).get("default")
    if default is None or (isinstance(default, ast.Constant) and default.value is ...):
        return _REQUIRED
    return module.literal(default)


def _typer_flags(module: Module, about: ast.Call | None) -> tuple[str, ...]:
    texts = [module.literal(each) for each in about.args] if about is not None else []
    flags = [text for text in texts if isinstance(text, str) and text.startswith("-")]
    return tuple(part for flag in flags for part in flag.split("/") if part.startswith("-"))


def _parameters(function: _Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    missing: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults))
    yield from zip(plain, [*missing, *given.defaults], strict=True)
    yield from zip(given.kwonlyargs, given.kw_defaults, strict=True)


# -- tyro and pydantic-settings -----------------------------------------------------------------------------


def _tyro(module: Module) -> Script | None:
    for call, name in _calls(module):
        if name == "tyro.cli":
            unclear: list[str] = []
            if len(call.args) != 1 or call.keywords:
                unclear.append(f"{module.file}:{call.lineno}: tyro.cli is called with settings")
            arguments = list(_tyro_arguments(module, call.args[0] if call.args else None, unclear))
            return Script(str(module.file), "tyro", tuple(arguments), tuple(unclear), swaps_dashes=True)
    return None


def _tyro_arguments(module: Module, given: ast.expr | None, unclear: list[str]) -> Iterator[Argument]:
    found = module.where(module.name(given))
    home, name = found or (module, "")
    if name in home.classes:
        yield from _fields(home, home.classes[name], "", unclear, 0)
    elif name in home.functions:
        for parameter, default in _parameters(home.functions[name]):
            yield _field(home, parameter.arg, parameter.annotation, default, parameter.lineno)
    else:
        unclear.append(f"{module.file}: what tyro makes arguments of is not told")


def _settings(module: Module) -> Script | None:
    for name, node in module.classes.items():
        bases = [module.name(base) for base in node.bases]
        if f"{_SETTINGS}.BaseSettings" not in bases or not _parses_arguments(module, name, node):
            continue
        unclear = [] if len(bases) == 1 else [f"{module.file}:{node.lineno}: {name} has other bases"]
        if b"cli_kebab_case" in module.file.read_bytes() or b"alias" in module.file.read_bytes():
            unclear.append(f"{module.file}:{node.lineno}: {name} gives its arguments other names")
        arguments = [
            # An explicit true or false is taken, and a list as JSON.
            argument._replace(kind="bool" if argument.kind == "flag" else "unknown" if argument.many else argument.kind)
            for argument in _fields(module, node, "", unclear, 0)
        ]
        return Script(str(module.file), "pydantic", tuple(arguments), tuple(unclear))
    return None


def _parses_arguments(module: Module, name: str, node: ast.ClassDef) -> bool:
    text = ast.unparse(node)
    if "cli_parse_args=True" in text or "'cli_parse_args': True" in text:
        return True
    for call, called in _calls(module):
        if called == f"{_SETTINGS}.CliApp.run" and call.args and ast.unparse(call.args[0]) == name:
            return True
        if called == name and module.literal(_keywords(call).get("_cli_parse_args")) is True:
            return True
    return False


def _fields(module: Module, node: ast.ClassDef, prefix: str, unclear: list[str], level: int) -> Iterator[Argument]:
    if level > _DEEPEST:
        return
    for base in node.bases:
        found = module.where(module.name(base))
        if found is not None and found[1] in found[0].classes:
            yield from _fields(found[0], found[0].classes[found[1]], prefix, unclear, level + 1)
        elif module.name(base) not in ("object", "pydantic.BaseModel", f"{_SETTINGS}.BaseSettings"):
            unclear.append(f"{module.file}:{node.lineno}: the fields of {ast.unparse(base)} are not told")
    for statement in node.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        name = f"{prefix}{statement.target.id}"
        if module.name(statement.annotation).startswith("typing.ClassVar") or "ClassVar" in ast.unparse(
            statement.annotation
        ):
            continue
        inner = module.where(module.name(statement.annotation))
        if inner is not None and inner[1] in inner[0].classes:
            yield from _fields(inner[0], inner[0].classes[inner[1]], f"{name}.", unclear, level + 1)
        else:
            yield _field(module, name, statement.annotation, statement.value, statement.lineno)


def _field(module: Module, name: str, annotation: ast.expr | None, default: ast.expr | None, line: int) -> Argument:
    kind, choices, many = module.kind(annotation)
    value = module.literal(default)
    if isinstance(default, ast.Call):
        value = module.literal(_keywords(default).get("default"))
    if kind == "bool":
        kind = "unknown" if default is None else "flag"
    required = default is None
    return Argument((f"--{name}",), str(module.file), line, kind, value, choices, required, many)
