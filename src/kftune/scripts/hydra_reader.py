"""Reads the configuration of a Hydra application: its YAML files, or the class that a ConfigStore holds."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kftune import yaml_text
from kftune.errors import KftuneError
from kftune.runs import YAML_SUFFIXES
from kftune.scripts.calls import callee, calls, found_script, functions, keywords, named, unclear_script
from kftune.scripts.fields_reader import fields
from kftune.scripts.module import Module
from kftune.scripts.script import UNKNOWN, Kind, Reading, Script, ScriptArgument

_KINDS: dict[type, Kind] = {bool: "bool", int: "int", float: "float", str: "text", list: "json"}
_MISSING = "???"
_MOST_FILES = 100


def hydra_script(module: Module) -> Script | None:
    """Returns what a script takes; None if it does not use Hydra.

    Args:
        module: The script.
    """
    decorators = [each for found in functions(module) for each in found.decorator_list]
    decorator = next((each for each in decorators if module.name(callee(each)) == "hydra.main"), None)
    if decorator is None:
        return None
    given = keywords(decorator)
    name, path = module.literal(given.get("config_name")), module.literal(given.get("config_path"))
    if not isinstance(name, str):
        return unclear_script(module, "Hydra", "the name of its configuration is unknown")
    unclear: list[str] = []
    stored = _stored(module, name)
    if stored is not None:
        found = _from_class(module, stored, unclear)
    else:
        folder = module.file.parent / (path if isinstance(path, str) else ".")
        file = folder / (name if name.endswith(YAML_SUFFIXES) else f"{name}.yaml")
        found = iter(list(_Config(folder, unclear).read(file, "")))
    return replace(found_script(module, "Hydra", found, unclear), form="name=value")


def _stored(module: Module, name: str) -> ast.expr | None:
    """Returns the class or instance that a ConfigStore holds under a name."""
    for call, _ in calls(module):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "store":
            given = named(call, "name", "node")
            if module.literal(given.get("name")) == name and "group" not in given:
                return given.get("node")
    return None


def _from_class(module: Module, node: ast.expr, unclear: list[str]) -> Iterator[ScriptArgument]:
    home, name = module.where(module.name(callee(node))) or (module, "")
    if name not in home.classes:
        unclear.append(f"{module.place(node)}: the fields of {ast.unparse(node)} are unknown")
        return
    for each in fields(home, home.classes[name], unclear):
        required = each.required or each.default == _MISSING
        reading = Reading("json") if each.reading.many else each.reading
        default = UNKNOWN if required else each.default
        flags = tuple(flag.removeprefix("--") for flag in each.flags)
        yield replace(each, flags=flags, required=required, reading=reading, default=default)


class _Config:
    """Reads configuration files.

    Args:
        folder: The folder of the configuration.
        unclear: Gets a line for each part that is unknown.
    """

    def __init__(self, folder: Path, unclear: list[str]) -> None:
        self._folder = folder
        self._unclear = unclear
        self._read: set[Path] = set()

    def read(self, file: Path, prefix: str, *, optional: bool = False) -> list[ScriptArgument]:
        """Returns the values of a file, with those of the files in its defaults list.

        Args:
            file: The file.
            prefix: What the names begin with.
            optional: Whether the file may be missing.
        """
        if file in self._read or len(self._read) >= _MOST_FILES:
            return []
        self._read.add(file)
        if optional and not file.is_file():
            return []
        if not file.is_file():
            self._unclear.append(f"{file}: there is no such file")
            return []
        try:
            text = file.read_text(encoding="utf-8")
            data = yaml_text.load(text, file=str(file))
        except (OSError, UnicodeDecodeError, KftuneError) as error:
            self._unclear.append(f"{file}: {getattr(error, 'strerror', None) or error}")
            return []
        if not isinstance(data, dict):
            return []
        entries = data.pop("defaults", None)
        below = [each for entry in entries or [] for each in self._default(entry, prefix)]
        own = self._values(data, prefix, (), (file, text))
        return list({each.flags[0]: each for each in (*below, *own)}.values())

    def _default(self, entry: Any, prefix: str) -> list[ScriptArgument]:
        """Returns the values of an entry of a defaults list."""
        if isinstance(entry, str):
            name = entry.partition("@")[0]
            is_own = entry == "_self_"
            return [] if is_own else self.read(self._folder / f"{name}.yaml", f"{prefix}{_package(name)}")
        found: list[ScriptArgument] = []
        for key, choice in entry.items() if isinstance(entry, Mapping) else ():
            group = str(key).removeprefix("optional ").removeprefix("override ").partition("@")
            if str(key).startswith("override ") or not isinstance(choice, str) or "/" in group[2]:
                continue
            folder = self._folder / group[0].lstrip("/")
            others = sorted(each.stem for each in folder.glob("*.yaml"))
            package = prefix if group[2] == "_global_" else f"{prefix}{group[2] or group[0].replace('/', '.')}."
            optional = str(key).startswith("optional ")
            found += self.read(folder / f"{choice.removesuffix('.yaml')}.yaml", package, optional=optional)
            if len(others) > 1:
                self._unclear.append(
                    f"{folder}: {group[0]}={'|'.join(others)} chooses a file; kftune searches values only"
                )
        return found

    def _values(
        self, data: Mapping[Any, Any], prefix: str, path: tuple[str, ...], source: tuple[Path, str]
    ) -> Iterator[ScriptArgument]:
        for key, value in data.items():
            inner = (*path, str(key))
            if isinstance(value, dict) and value:
                if inner != ("hydra",) or prefix:
                    yield from self._values(value, prefix, inner, source)
                continue
            place = f"{source[0]}:{yaml_text.locate(source[1], inner)[0]}"
            required = value == _MISSING
            computed = isinstance(value, str) and "${" in value
            kind = "text" if computed or required else _KINDS.get(type(value), "unknown")
            yield ScriptArgument(
                flags=(f"{prefix}{'.'.join(inner)}",),
                place=place,
                reading=Reading(kind),
                default=UNKNOWN if required or computed else value,
                required=required,
            )


def _package(name: str) -> str:
    """Returns the names that the values of a file begin with: those of its folders."""
    return "".join(f"{part}." for part in name.split("/")[:-1] if part)
