"""Finds what a module imports before any other code of its project runs. It reads the project's code and runs none."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

SLOW = frozenset({"torch", "torchvision", "torchaudio", "lightning", "pytorch_lightning"})
"""Packages whose import takes so long that trials share it without being asked."""

DECLARED = "__warm_imports__"
"""The variable of a module that names what it imports later and can share: a tuple of texts."""

_MOST_FILES = 300
_LOADERS: Any = ((ExtensionFileLoader, EXTENSION_SUFFIXES), (SourceFileLoader, SOURCE_SUFFIXES))
_MAIN = ast.dump(ast.parse('__name__ == "__main__"', mode="eval").body)
_CHANGES = frozenset({"setdefault", "update", "pop", "popitem", "clear", "putenv", "unsetenv"})
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)

Imports = list[tuple[str, list[str]]]
"""Modules in the order of their import, each with the names that are imported from it."""


@dataclass
class FoundImports:
    """What a module imports.

    Attributes:
        imports: Installed modules, which are imported before any statement that may change what an import does.
        changed_at: The file and line of the first such statement; empty if there is none.
        late: The first slow package that is imported only after it, and not before; empty if there is none.
        is_slow: Whether these imports are worth sharing.
    """

    imports: Imports = field(default_factory=list)
    changed_at: str = ""
    late: str = ""
    is_slow: bool = False


def find_imports(module: str, path: Sequence[str]) -> FoundImports:
    """Finds what ``python -m MODULE`` imports, in the order of their import.

    Modules of the project are read and not imported: only installed packages, Python's own modules and kftune's are.
    Imports inside functions and under conditions do not count.

    Args:
        module: The module.
        path: The folders in which modules are found.
    """
    walk = _Walk(module, path)
    walk.run_as_main()
    return walk.found


class _Walk:
    """Reads modules in the order in which Python runs them."""

    def __init__(self, module: str, path: Sequence[str]) -> None:
        self.found = FoundImports()
        self._main = module
        self._path = path
        self._finders: dict[str, FileFinder] = {}
        self._specs: dict[str, ModuleSpec | None] = {}
        self._seen: set[str] = set()
        self._installed = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]

    def run_as_main(self) -> None:
        spec = self._spec(self._main)
        name = self._main
        if spec is not None and spec.submodule_search_locations is not None:
            name = f"{name}.__main__"
            spec = self._spec(name)
        self._import_parents(name)
        if spec is not None and name not in self._seen:
            self._read(spec, is_main=True)

    def imports(self, name: str, names: Sequence[str] = ()) -> None:
        """Does what an import statement does."""
        top = name.partition(".")[0]
        if not self._is_project(top):
            self.record(name, names)
            return
        self._import_parents(name)
        self._import_own(name)
        for each in names:
            self._import_own(f"{name}.{each}")

    def _import_parents(self, name: str) -> None:
        parts = name.split(".")
        for count in range(1, len(parts)):
            parent = ".".join(parts[:count])
            if parent.partition(".")[0] == "kftune":
                self.record(parent, ())
            else:
                self._import_own(parent)

    def _import_own(self, name: str) -> None:
        if name in self._seen:
            return
        self._seen.add(name)
        spec = self._spec(name)
        if spec is not None:
            self._read(spec, is_main=False)

    def record(self, name: str, names: Sequence[str]) -> None:
        top = name.partition(".")[0]
        if not self.found.changed_at:
            self.found.imports.append((name, [*names]))
            self.found.is_slow = self.found.is_slow or top in SLOW
        elif top in SLOW and not self.found.late and not self.found.is_slow:
            self.found.late = top

    def _is_project(self, top: str) -> bool:
        if top == "kftune":
            return False
        if top == self._main.partition(".")[0]:
            return True
        spec = self._spec(top)
        if spec is None:
            return False
        places = [spec.origin] if spec.origin else [*(spec.submodule_search_locations or ())]
        return not any(
            Path(place).is_relative_to(folder) or {"site-packages", "dist-packages"} & {*Path(place).parts}
            for place in places
            for folder in self._installed
        )

    def _spec(self, name: str) -> ModuleSpec | None:
        if name not in self._specs:
            parent, _, _ = name.rpartition(".")
            above = self._spec(parent) if parent else None
            places = self._path if not parent else above and above.submodule_search_locations
            self._specs[name] = self._find(name, places or ())
        return self._specs[name]

    def _find(self, name: str, places: Iterable[str]) -> ModuleSpec | None:
        """Finds a module in folders, as Python does, but needs no parent that is imported."""
        parts = []
        for place in places:
            if place not in self._finders:
                self._finders[place] = FileFinder(place, *_LOADERS)
            spec = self._finders[place].find_spec(name)
            if spec is not None and spec.loader is not None:
                return spec
            parts += (spec.submodule_search_locations or []) if spec is not None else []
        if not parts:
            return None
        found = ModuleSpec(name, None, is_package=True)
        found.submodule_search_locations = parts
        return found

    def _read(self, spec: ModuleSpec, *, is_main: bool) -> None:
        if not spec.origin or not spec.origin.endswith(".py"):
            return
        if len(self._seen) > _MOST_FILES:
            self.change(spec.origin, 1)
            return
        try:
            tree = ast.parse(Path(spec.origin).read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError):
            self.change(spec.origin, 1)
            return
        _Module(self, spec, is_main).run(tree.body)

    def change(self, file: str, line: int) -> None:
        self.found.changed_at = self.found.changed_at or f"{file}:{line}"


class _Module:
    """The statements of one module."""

    def __init__(self, walk: _Walk, spec: ModuleSpec, is_main: bool) -> None:
        self._walk = walk
        self._file = spec.origin or ""
        self._package = spec.name if spec.submodule_search_locations is not None else spec.name.rpartition(".")[0]
        self._is_main = is_main

    def run(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            match statement:
                case ast.Import():
                    for alias in statement.names:
                        self._walk.imports(alias.name)
                case ast.ImportFrom():
                    self._import_from(statement)
                case ast.If():
                    self._run_if(statement)
                case ast.Try() | ast.TryStar():
                    self.run(statement.body)
                    self._look_for_changes([each for handler in statement.handlers for each in handler.body])
                    self.run(statement.orelse)
                    self.run(statement.finalbody)
                case ast.With():
                    self.run(statement.body)
                case ast.Assign(targets=[ast.Name(id=name)]) if name == DECLARED and self._is_main:
                    self._declare(statement)
                case _:
                    self._look_for_changes([statement])

    def _import_from(self, statement: ast.ImportFrom) -> None:
        name = "." * statement.level + (statement.module or "")
        try:
            name = resolve_name(name, self._package) if statement.level else name
        except ImportError:
            return
        if name != "__future__":
            self._walk.imports(name, [alias.name for alias in statement.names])

    def _run_if(self, statement: ast.If) -> None:
        test = ast.dump(statement.test)
        if test == _MAIN:
            self.run(statement.body if self._is_main else statement.orelse)
        elif "TYPE_CHECKING" in test and isinstance(statement.test, (ast.Name, ast.Attribute)):
            self.run(statement.orelse)
        else:
            self._look_for_changes([statement])

    def _declare(self, statement: ast.Assign) -> None:
        try:
            names = ast.literal_eval(statement.value)
        except ValueError:
            return
        for name in names:
            self._walk.record(str(name), ())
            self._walk.found.is_slow = True

    def _look_for_changes(self, statements: Sequence[ast.stmt]) -> None:
        for node in _within(statements):
            if _may_change(node):
                self._walk.change(self._file, getattr(node, "lineno", 1))
                return


def _within(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yields nodes and what is in them, without bodies of functions and classes."""
    for node in nodes:
        if not isinstance(node, _SCOPES):
            yield node
            yield from _within([*ast.iter_child_nodes(node)])


def _may_change(node: ast.AST) -> bool:
    """Whether code is there for its effect, which may be on what a later import does."""
    match node:
        case ast.Expr(value=ast.Call()):
            return True
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return any(isinstance(each, (ast.Attribute, ast.Subscript)) for each in targets)
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            return isinstance(target, (ast.Attribute, ast.Subscript))
        case ast.Call(func=ast.Attribute(attr=name, value=value)):
            return (name in _CHANGES and "environ" in ast.dump(value)) or name in ("putenv", "unsetenv", "load_dotenv")
    return False
