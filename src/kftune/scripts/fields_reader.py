"""Reads arguments that are the fields of a class, or the parameters of a function, apart from those of typer.

tyro, pydantic-settings, transformers' HfArgumentParser, simple-parsing, jsonargparse and LightningCLI.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from kftune.scripts.calls import (
    Function,
    bounds_of,
    calls,
    default_of,
    described,
    found_script,
    keywords,
    named,
    parameters,
    text_of,
)
from kftune.scripts.module import Module, spelled
from kftune.scripts.script import UNKNOWN, Reading, Script, ScriptArgument

_DEEPEST = 8
_PLAIN_BASES = frozenset({"object", "pydantic.BaseModel", "pydantic_settings.BaseSettings", "typing.Protocol"})
_HF = frozenset({"transformers.HfArgumentParser", "trl.TrlParser", "transformers.hf_argparser.HfArgumentParser"})
_JSONARGPARSE = frozenset({"jsonargparse.CLI", "jsonargparse.auto_cli", "lightning.pytorch.cli.LightningCLI"})
_LIGHTNING = frozenset(
    {
        "lightning.pytorch.cli.LightningCLI",
        "pytorch_lightning.cli.LightningCLI",
        "pytorch_lightning.utilities.cli.LightningCLI",
    }
)


def fields_script(module: Module) -> Script | None:
    """Returns what a script takes; None if it uses none of these libraries.

    Args:
        module: The script.
    """
    for reader in (_tyro, _hf, _simple_parsing, _lightning, _jsonargparse, _settings):
        script = reader(module)
        if script is not None:
            return script
    return None


def _first(module: Module, *names: str) -> ast.Call | None:
    return next((call for call, name in calls(module) if name in names), None)


def _tyro(module: Module) -> Script | None:
    call = _first(module, "tyro.cli")
    if call is None:
        return None
    unclear: list[str] = []
    if len(call.args) != 1 or set(keywords(call)) - {"description"}:
        unclear.append(f"{module.place(call)}: tyro.cli is called with settings")
    arguments = members(module, call.args[0] if call.args else None, unclear)
    return found_script(module, "tyro", map(_as_tyro, arguments), unclear, swaps_dashes=True)


def _as_tyro(argument: ScriptArgument) -> ScriptArgument:
    """Returns the argument as tyro reads it: a boolean with a default has two flags."""
    if argument.reading.kind != "bool":
        return argument
    if argument.required:
        return replace(argument, reading=argument.reading._replace(kind="unknown"))
    group, dot, name = argument.flags[0].removeprefix("--").rpartition(".")
    off = (f"--{group}{dot}no-{name}",)
    flags = (*argument.flags, *off)
    return replace(argument, flags=flags, off=off, switch="both", reading=Reading("flag"))


def _hf(module: Module) -> Script | None:
    call = _first(module, *_HF)
    if call is None:
        return None
    given = call.args[0] if call.args else keywords(call).get("dataclass_types")
    found = module.constant(given)
    classes = found.elts if isinstance(found, (ast.Tuple, ast.List)) else [given]
    unclear: list[str] = []
    arguments = (each for one in classes for each in members(module, one, unclear))
    return found_script(module, "transformers' HfArgumentParser", map(_both_spellings, arguments), unclear)


def _both_spellings(argument: ScriptArgument) -> ScriptArgument:
    dashed = tuple(flag[:2] + flag[2:].replace("_", "-") for flag in argument.flags)
    return replace(argument, flags=tuple(dict.fromkeys((*argument.flags, *dashed))))


def _simple_parsing(module: Module) -> Script | None:
    parse = _first(module, "simple_parsing.parse")
    if _first(module, "simple_parsing.ArgumentParser") is None and parse is None:
        return None
    unclear: list[str] = []
    methods = [(call, call.func.attr) for call, _ in calls(module) if isinstance(call.func, ast.Attribute)]
    added = [call for call, method in methods if method == "add_arguments"]
    given = [call.args[0] for call in (*added, *([parse] if parse else [])) if call.args]
    if "add_argument" in {method for _, method in methods}:
        unclear.append(f"{module.file}: the parser has more arguments than those of its classes")
    arguments = (each for one in given for each in members(module, one, unclear))
    return found_script(module, "simple-parsing", map(_flat, arguments), unclear)


def _flat(argument: ScriptArgument) -> ScriptArgument:
    """Returns the argument without the names of the groups that it is in."""
    return replace(argument, flags=tuple(f"--{flag.removeprefix('--').rpartition('.')[2]}" for flag in argument.flags))


def _lightning(module: Module) -> Script | None:
    call = _first(module, *_LIGHTNING)
    if call is None:
        return None
    unclear = [f"{module.place(call)}: the arguments of the trainer, such as --trainer.max_epochs, are Lightning's"]
    parts = named(call, "model_class", "datamodule_class")
    found: list[ScriptArgument] = []
    for key, prefix in (("model_class", "model."), ("datamodule_class", "data.")):
        if key in parts:
            found += members(module, parts[key], unclear, prefix)
    script = found_script(module, "LightningCLI", map(_as_json, found), unclear)
    return replace(script, start=() if "run" in keywords(call) else ("fit",))


def _jsonargparse(module: Module) -> Script | None:
    call = _first(module, *_JSONARGPARSE)
    if call is None:
        return None
    unclear: list[str] = []
    given = call.args[0] if call.args else keywords(call).get("components")
    arguments = (
        replace(each, flags=(), position=each.name.removeprefix("--")) if each.required else each
        for each in members(module, given, unclear)
    )
    return found_script(module, "jsonargparse", map(_as_json, arguments), unclear)


def _as_json(argument: ScriptArgument) -> ScriptArgument:
    """Returns the argument as jsonargparse reads it: lists as JSON."""
    return replace(argument, reading=Reading("json")) if argument.reading.many else argument


def _settings(module: Module) -> Script | None:
    for name, node in module.classes.items():
        bases = [module.name(base) for base in node.bases]
        if "pydantic_settings.BaseSettings" not in bases or not _parses_arguments(module, name, node):
            continue
        unclear = [] if len(bases) == 1 else [f"{module.place(node)}: {name} has other bases"]
        source = module.file.read_bytes()
        if b"cli_kebab_case" in source or b"alias" in source:
            unclear.append(f"{module.place(node)}: {name} renames its arguments")
        return found_script(module, "pydantic-settings", map(_as_json, fields(module, node, unclear)), unclear)
    return None


def _parses_arguments(module: Module, name: str, node: ast.ClassDef) -> bool:
    text = ast.unparse(node)
    if "cli_parse_args=True" in text or "'cli_parse_args': True" in text:
        return True
    for call, called in calls(module):
        if called == "pydantic_settings.CliApp.run" and call.args and ast.unparse(call.args[0]) == name:
            return True
        if called == name and module.literal(keywords(call).get("_cli_parse_args")) is True:
            return True
    return False


def members(module: Module, given: ast.expr | None, unclear: list[str], prefix: str = "") -> Iterator[ScriptArgument]:
    """Yields the fields of a class, the parameters of its `__init__`, or those of a function.

    Args:
        module: The script.
        given: The expression that names it.
        unclear: Gets a line for what is unknown.
        prefix: What the names begin with.
    """
    home, name = module.where(module.name(given)) or (module, "")
    if name in home.functions:
        yield from _of_function(home, home.functions[name], prefix)
    elif name in home.classes:
        node = home.classes[name]
        made = next((each for each in node.body if isinstance(each, Function) and each.name == "__init__"), None)
        yield from _of_function(home, made, prefix) if made else fields(home, node, unclear, prefix)
    else:
        unclear.append(
            f"{module.file}: the fields of {ast.unparse(given) if given else 'an unknown class'} are unknown"
        )


def _of_function(module: Module, function: Function, prefix: str) -> Iterator[ScriptArgument]:
    about = described(function)
    for parameter, default in parameters(function):
        if parameter.arg not in ("self", "cls"):
            field = _field(module, parameter, f"{prefix}{parameter.arg}", parameter.annotation, default)
            yield replace(field, help=field.help or about.get(parameter.arg, ""))


def fields(
    module: Module, node: ast.ClassDef, unclear: list[str], prefix: str = "", level: int = 0
) -> Iterator[ScriptArgument]:
    """Yields the fields of a class, with dotted names for those of the classes in it.

    Args:
        module: The file of the class.
        node: The class.
        unclear: Gets a line for each base that is unknown.
        prefix: What the names begin with.
        level: How many classes this one is in.
    """
    if level > _DEEPEST:
        return
    own = {spelled(each.target) for each in node.body if isinstance(each, ast.AnnAssign)}
    for base in node.bases:
        home, name = module.where(module.name(base)) or (module, "")
        if name in home.classes:
            above = fields(home, home.classes[name], unclear, prefix, level + 1)
            yield from (each for each in above if each.name.removeprefix(f"--{prefix}") not in own)
        elif module.name(base) not in _PLAIN_BASES:
            unclear.append(f"{module.place(node)}: the fields of {ast.unparse(base)} are unknown")
    for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if "ClassVar" in ast.unparse(statement.annotation) or statement.target.id == "model_config":
            continue
        name = f"{prefix}{statement.target.id}"
        home, inner = module.where(module.name(statement.annotation)) or (module, "")
        if inner in home.classes and not home.members(inner):
            inside = fields(home, home.classes[inner], unclear, f"{name}.", level + 1)
            yield from _made(module, inside, f"--{name}.", statement.value)
        else:
            field = _field(module, statement, name, statement.annotation, statement.value)
            yield replace(field, help=field.help or _docstring(following) or module.comment(statement))


def _made(
    module: Module, inside: Iterator[ScriptArgument], prefix: str, value: ast.expr | None
) -> Iterator[ScriptArgument]:
    """Yields the fields of an inner class with the defaults of the instance that the outer class has.

    Args:
        module: The file of the outer class.
        inside: The fields, with the defaults of their class.
        prefix: What their flags begin with.
        value: The default of the outer class.
    """
    about = keywords(value) if isinstance(value, ast.Call) else {}
    given = about.get("default_factory", about.get("default", value))
    made = given.body if isinstance(given, ast.Lambda) else given
    known = keywords(made) if isinstance(made, ast.Call) else {}
    unknown = isinstance(made, ast.Call) and (bool(made.args) or None in known)
    for each in inside:
        name = each.name.removeprefix(prefix)
        changed = module.literal(known[name]) if name in known else UNKNOWN if unknown else each.default
        yield each if changed is each.default else replace(each, default=changed, required=False)


def _docstring(node: ast.stmt | None) -> str:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return node.value.value.strip() if is_text else ""  # type: ignore[union-attr]  # checked above


def _field(
    module: Module, node: ast.AST, name: str, annotation: ast.expr | None, default: ast.expr | None
) -> ScriptArgument:
    about = _about(module, annotation, default)
    value: Any = default_of(module, default)
    required = default is None or value is ... or module.name(default) == "omegaconf.MISSING"
    if isinstance(default, ast.Call) and module.name(default.func).rpartition(".")[2] in ("field", "Field"):
        required = value is ... or not (default.args or keywords(default).keys() & {"default", "default_factory"})
    reading = module.reading(annotation)
    choices = module.literal(about.get("choices"))
    if isinstance(choices, (list, tuple)):  # as HfArgumentParser and simple-parsing read a field's metadata
        reading = reading._replace(choices=tuple(choices))
    return ScriptArgument(
        flags=(f"--{name}",),
        place=module.place(node),
        reading=reading,
        default=value,
        required=required,
        help=text_of(module, about, "help", "description"),
        bounds=bounds_of(module, about),
    )


def _about(module: Module, annotation: ast.expr | None, default: ast.expr | None) -> dict[str | None, ast.expr]:
    """Returns what is said about a field: in `Field(…)`, in `field(metadata={…})`, and in `Annotated`."""
    found: dict[str | None, ast.expr] = dict(keywords(default))
    if isinstance(annotation, ast.Subscript) and module.name(annotation.value).endswith("Annotated"):
        parts: Sequence[ast.expr] = annotation.slice.elts[1:] if isinstance(annotation.slice, ast.Tuple) else ()
        for part in parts:
            found.update(keywords(part))
    metadata = found.get("metadata")
    if isinstance(metadata, ast.Dict):
        for key, value in zip(metadata.keys, metadata.values, strict=True):
            found[str(module.literal(key))] = value
    return found
