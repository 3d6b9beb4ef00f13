"""A Python file as its source tells it: imports, constants, functions and classes; nothing of it is run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from kftune.lint.drift.script import UNKNOWN, Kind

_KINDS: dict[str, Kind] = {"int": "int", "float": "float", "str": "text", "bool": "bool"}
_LONGEST_SOURCE = 1_000_000
_MOST_MODULES = 100


class SourceError(Exception):
    """A file that cannot be read as Python; the text says why."""


class Module:
    """One Python file.

    Args:
        file: The file.
        folders: Where the modules that it imports are looked for.
        modules: Those that have been read already.

    Raises:
        SourceError: The file is no Python, or cannot be read.
    """

    def __init__(self, file: Path, folders: Sequence[Path], modules: dict[Path, Module | None] | None = None) -> None:
        self.file = file
        self.folders = folders
        self._modules: dict[Path, Module | None] = {file: self} if modules is None else modules
        self._homes: dict[str, Module | None] = {}
        try:
            text = file.read_bytes()
            if len(text) > _LONGEST_SOURCE:
                raise SourceError(f"{file} has more than {_LONGEST_SOURCE:,} bytes")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise SourceError(f"{file}:{getattr(error, 'lineno', None) or 1}: not Python: {error}") from None
        except OSError as error:
            raise SourceError(f"{file}: {error.strerror}") from None

    @cached_property
    def imported(self) -> dict[str, str]:
        """Local name -> what it stands for, as `module.name`."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    found[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                home = "." * node.level + (node.module or "")
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{home}.{alias.name}" if node.module else home + alias.name
        return found

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
        """The functions of the module itself."""
        return {node.name: node for node in self.tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """The classes of the module itself."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def _constants(self) -> dict[str, ast.expr]:
        """Names that the module sets exactly once."""
        found: dict[str, ast.expr] = {}
        stored: list[str] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                stored.append(node.id)
        for statement in self.tree.body:
            target, value = _assigned(statement)
            if target and value is not None and stored.count(target) == 1:
                found[target] = value
        return found

    def name(self, node: ast.AST | None) -> str:
        """What a name or an attribute stands for, as `module.name`; empty for other expressions."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            owner = self.name(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return ""

    def literal(self, node: ast.expr | None) -> Any:
        """The value of a literal, or of a name set to one; UNKNOWN for other expressions."""
        if isinstance(node, ast.Name) and node.id in self._constants:
            node = self._constants[node.id]
        if node is None:
            return UNKNOWN
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return UNKNOWN

    def kind(self, node: ast.expr | None) -> tuple[Kind, tuple[Any, ...] | None, bool]:
        """What an annotation asks for: the kind of value, the choices, and whether it is a list of them."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value, mode="eval").body
            except SyntaxError:
                return "unknown", None, False
        name = self.name(node)
        if name in _KINDS:
            return _KINDS[name], None, False
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            sides = [side for side in (node.left, node.right) if not _is_none(side)]
            return self.kind(sides[0]) if len(sides) == 1 else ("unknown", None, False)
        if isinstance(node, ast.Subscript):
            return self._subscripted(self.name(node.value).rpartition(".")[2], node.slice)
        return "unknown", None, False

    def _subscripted(self, outer: str, inner: ast.expr) -> tuple[Kind, tuple[Any, ...] | None, bool]:
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if outer == "Optional":
            return self.kind(inner)
        if outer == "Literal":
            values = tuple(self.literal(part) for part in parts)
            return (
                ("text", values, False) if all(isinstance(value, str) for value in values) else ("unknown", None, False)
            )
        if outer in ("list", "List", "Sequence", "tuple", "Tuple"):
            return (*self.kind(parts[0])[:2], True)
        if outer == "Annotated":
            return self.kind(parts[0])
        return "unknown", None, False

    def where(self, name: str) -> tuple[Module, str] | None:
        """The file of the user's own that has what `module.name` stands for, and the name in it."""
        home, _, attribute = name.rpartition(".")
        if not home or not attribute:
            return (self, name) if name in self.functions or name in self.classes else None
        if home not in self._homes:
            self._homes[home] = self._home(home)
        found = self._homes[home]
        return None if found is None else (found, attribute)

    def _home(self, name: str) -> Module | None:
        file = self._file_of(name)
        if file is None or len(self._modules) >= _MOST_MODULES:
            return None
        if file not in self._modules:
            try:
                self._modules[file] = Module(file, self.folders, self._modules)
            except SourceError:
                self._modules[file] = None
        return self._modules[file]

    def _file_of(self, module: str) -> Path | None:
        dots = len(module) - len(module.lstrip("."))
        if not dots:
            return module_file(module, self.folders)
        folder = self.file.resolve().parent
        for _ in range(dots - 1):
            folder = folder.parent
        return module_file(module.lstrip("."), [folder])


def module_file(module: str, folders: Sequence[Path], *, run: bool = False) -> Path | None:
    """The file of a module in one of the folders.

    Args:
        module: Its dotted name.
        folders: Where to look, in order.
        run: Whether it is run with `python -m`, which takes a package's `__main__`.
    """
    for folder in folders:
        place = folder.joinpath(*filter(None, module.split(".")))
        inside = place / ("__main__.py" if run else "__init__.py")
        for file in (place.with_suffix(".py") if module else inside, inside):
            if file.is_file():
                return file
    return None


def statements(nodes: Sequence[ast.AST]) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes below some, in the order of the text, and whether a condition or a loop stands above each."""
    waiting = [(node, False) for node in reversed(nodes)]
    while waiting:
        node, conditional = waiting.pop()
        yield node, conditional
        below = conditional or (
            not _asks_for_main(node) if isinstance(node, ast.If) else isinstance(node, (ast.For, ast.While, ast.Try))
        )
        waiting += [(child, below) for child in reversed(list(ast.iter_child_nodes(node)))]


def spelled(node: ast.AST) -> str:
    """`a.b` for a name or an attribute; empty for other expressions."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = spelled(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def _asks_for_main(node: ast.If) -> bool:
    """`if __name__ == "__main__":`."""
    return (
        isinstance(node.test, ast.Compare) and isinstance(node.test.left, ast.Name) and node.test.left.id == "__name__"
    )


def _assigned(statement: ast.stmt) -> tuple[str, ast.expr | None]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, statement.value
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    return "", None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
