"""Reads a Python file without running it: imports, constants, functions and classes."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from kftune.scripts.script import UNKNOWN, Kind, Reading
from kftune.scripts.values import value_of

_KINDS: dict[str, Kind] = {
    **{"int": "int", "float": "float", "str": "text", "bool": "bool"},
    **dict.fromkeys(("pathlib.Path", "os.PathLike"), "text"),
}
_ENUMERATIONS = frozenset({"Enum", "StrEnum", "IntEnum"})
_CHANGES = frozenset({"append", "extend", "insert", "remove", "add", "update", "setdefault", "pop", "popitem", "clear"})
_LONGEST_SOURCE = 1_000_000
_MOST_MODULES = 100


class SourceError(Exception):
    """A file that cannot be read as Python."""


class Module:
    """One Python file.

    Args:
        file: The file.
        folders: Where to find the modules that it imports.
        modules: The modules that have been read already, by file; None for unreadable ones.

    Raises:
        SourceError: The file is not Python, or cannot be read.
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
            self._lines = text.splitlines()
        except SyntaxError as error:
            raise SourceError(f"{file}:{error.lineno or 1}: not Python: {error.msg}") from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise SourceError(f"{file}: not Python: {error}") from None
        except OSError as error:
            raise SourceError(f"{file}: {error.strerror}") from None

    def comment(self, node: ast.AST) -> str:
        """Returns the comment at the end of the line on which a node ends; empty if there is none."""
        end = getattr(node, "end_lineno", None)
        if end is None:
            return ""
        rest = self._lines[end - 1][getattr(node, "end_col_offset", 0) :].decode(errors="replace").strip()
        return rest.lstrip("#").strip() if rest.startswith("#") else ""

    def place(self, node: ast.AST) -> str:
        """Returns the file and line of a node."""
        return f"{self.file}:{getattr(node, 'lineno', 1)}"

    @cached_property
    def imported(self) -> dict[str, str]:
        """Local name -> the imported name, as `module.name`."""
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
        """The functions at the top level, by name."""
        return {node.name: node for node in self.tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """The classes at the top level, by name."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def constants(self) -> dict[str, ast.expr]:
        """Names that are assigned exactly once, never changed, and no parameters, with their values."""
        nodes = list(ast.walk(self.tree))
        stored = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        stored.update(node.arg for node in nodes if isinstance(node, ast.arg))
        stored.update(name for name in map(_changed, nodes) if name)
        assigned = (_assigned(node) for node in nodes if isinstance(node, (ast.Assign, ast.AnnAssign)))
        return {target: value for target, value in assigned if value is not None and stored[target] == 1}

    def name(self, node: ast.AST | None) -> str:
        """Returns what a name or an attribute refers to, as `module.name`; empty for other expressions."""
        root, dot, rest = spelled(node).partition(".")
        return f"{self.imported.get(root, root)}{dot}{rest}"

    def constant(self, node: ast.expr | None) -> ast.expr | None:
        """Returns what a name was assigned, if it is assigned once; other expressions unchanged."""
        seen = set()
        while isinstance(node, ast.Name) and node.id in self.constants and node.id not in seen:
            seen.add(node.id)
            node = self.constants[node.id]
        return node

    def literal(self, node: ast.expr | None) -> Any:
        """Returns the value of a literal, of a constant, or of simple arithmetic; UNKNOWN for other expressions."""
        return UNKNOWN if node is None else value_of(node, self)

    def reading(self, node: ast.expr | None) -> Reading:
        """Returns how an argument with an annotation is read."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value, mode="eval").body
            except SyntaxError:
                return Reading()
        name = self.name(node)
        if name in _KINDS:
            return Reading(_KINDS[name])
        members = self.members(name)
        if members:
            return Reading("text", tuple(members.values()))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            sides = [side for side in (node.left, node.right) if ast.unparse(side) != "None"]
            return self.reading(sides[0]) if len(sides) == 1 else Reading()
        if isinstance(node, ast.Subscript):
            return self._subscripted(self.name(node.value).rpartition(".")[2], node.slice)
        return Reading()

    def _subscripted(self, outer: str, inner: ast.expr) -> Reading:
        parts = (isinstance(inner, ast.Tuple) and inner.elts) or [inner]  # `tuple[()]` has no parts
        if outer in ("Optional", "Annotated"):
            return self.reading(parts[0])
        if outer == "Literal":
            values = tuple(self.literal(part) for part in parts)
            kinds: dict[type, Kind] = {str: "text", int: "int", float: "float"}
            same = {type(value) for value in values}
            return Reading(kinds[same.pop()], values) if len(same) == 1 and same <= kinds.keys() else Reading()
        if outer in ("list", "List", "Sequence", "tuple", "Tuple"):
            return self.reading(parts[0])._replace(many=True)
        return Reading()

    def members(self, name: str) -> dict[str, Any]:
        """Returns the members of an enumeration that the user defines, by name; none for other names."""
        home, inner = self.where(name) or (self, "")
        node = home.classes.get(inner)
        if node is None or not any(home.name(base).rpartition(".")[2] in _ENUMERATIONS for base in node.bases):
            return {}
        assigned = (_assigned(each) for each in node.body)
        return {target: home.literal(value) for target, value in assigned if value is not None}

    def where(self, name: str) -> tuple[Module, str] | None:
        """Returns the user's module that defines what a name refers to, and the name in it; None if there is none."""
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
    """Returns the file of a module; None if no folder has it.

    Args:
        module: Its dotted name.
        folders: Where to look, in order.
        run: Whether it is run with `python -m`, which runs a package's `__main__`.
    """
    for folder in folders:
        place = folder.joinpath(*filter(None, module.split(".")))
        inside = place / ("__main__.py" if run else "__init__.py")
        for file in (place.with_suffix(".py") if module else inside, inside):
            if file.is_file():
                return file
    return None


def statements(nodes: Sequence[ast.AST]) -> Iterator[tuple[ast.AST, bool]]:
    """Yields all nodes below the given ones, in the order of the text, and whether each depends on a condition."""
    waiting = [(node, False) for node in reversed(nodes)]
    while waiting:
        node, conditional = waiting.pop()
        yield node, conditional
        # `if __name__ == "__main__":` is true in a script.
        is_main = (
            isinstance(node, ast.If) and isinstance(node.test, ast.Compare) and spelled(node.test.left) == "__name__"
        )
        below = conditional or (isinstance(node, (ast.If, ast.For, ast.While, ast.Try)) and not is_main)
        waiting += [(child, below) for child in reversed(list(ast.iter_child_nodes(node)))]


def spelled(node: ast.AST | None) -> str:
    """Returns `a.b` for a name or an attribute; empty for other expressions."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = spelled(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def _changed(node: ast.AST) -> str:
    """Returns the name of the list or mapping that a node changes in place; empty if it changes none."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
        return spelled(node.func.value)
    is_item = isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load)
    return spelled(node.value) if is_item and isinstance(node, ast.Subscript) else ""


def _assigned(statement: ast.AST) -> tuple[str, ast.expr | None]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, statement.value
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    return "", None
