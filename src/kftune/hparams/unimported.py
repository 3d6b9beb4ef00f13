"""Reads a hyperparameter class from its source, and runs nothing of it: for files that nobody has looked at yet.

A class whose fields have plain types, literal defaults and kftune's domains is made anew, without its methods: what a
validator would refuse is not refused. Any other class cannot be read.
"""

from __future__ import annotations

import ast
import importlib
import types
import typing
from collections.abc import Mapping, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

from kftune import domains
from kftune.errors import NotImportedError
from kftune.hparams.model import Hparam, Hparams
from kftune.scripts.calls import keywords
from kftune.scripts.module import Module, SourceError
from kftune.scripts.script import UNKNOWN

_BASES = frozenset({"kftune.Hparams", "kftune.hparams.Hparams", "kftune.hparams.ModelHyperparameters"})
_PLAIN: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool, "None": None, "typing.Any": Any}
_GENERIC: dict[str, Any] = {"list": list, "tuple": tuple, "dict": dict, "typing.Optional": typing.Optional}
_DOMAINS = {name: value for name, value in vars(domains).items() if isinstance(value, type)}
_HOMES = ("kftune", "kftune.domains")
_DECLARES = ("kftune.Hparam", "kftune.hparams.Hparam")
_FACTORIES: dict[str, Any] = {"list": list, "dict": dict, "tuple": tuple}
_SHOWN = {"Hparams", "Hparam", *_DOMAINS}
_OWN = ("kftune.hparams.models", "kftune.training")
_DEEPEST = 20


def read_class(module_path: str, class_name: str, folders: Sequence[Path]) -> type[Hparams]:
    """Returns a class like the one in a file, without its methods.

    Args:
        module_path: The dotted name of its module.
        class_name: Its name.
        folders: Where the module is looked for. Installed packages are not read.

    Raises:
        NotImportedError: It is not there, or its source does not show all of it.
    """
    parts = module_path.split(".")
    places = [Path(folder, *parts) for folder in folders]
    files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]
    if not files:
        raise NotImportedError(module_path, "it is not in a file beside the study")
    try:
        return _Reader(module_path).made(Module(files[0], tuple(folders)), class_name)
    except NotImportedError:
        raise
    except SourceError as error:
        raise NotImportedError(module_path, str(error)) from error
    except Exception as error:  # it may declare anything, and pydantic has many errors
        message = f"{class_name} of {files[0]} is invalid: {type(error).__name__}: {error}"
        raise NotImportedError(module_path, message.partition("\n")[0]) from error


class _Reader:
    """Makes the classes of one module, and of those that it imports from.

    Args:
        module_path: The module, for the errors.
    """

    def __init__(self, module_path: str) -> None:
        self._module_path = module_path
        self._level = 0

    def made(self, module: Module, name: str) -> type[Hparams]:
        """Returns a class of a file, made anew."""
        node = module.classes.get(name)
        if node is None:
            raise self._unread(f"{module.file} has no class {name}")
        self._level += 1
        if self._level > _DEEPEST:
            raise self._unread(f"{module.place(node)}: classes refer to each other")
        if node.keywords or node.decorator_list:
            raise self._unread(f"{module.place(node)}: {name} has settings")
        bases = tuple(self._base(module, each) for each in node.bases)
        body = self._body(module, node)
        self._level -= 1
        made: type[Hparams] = types.new_class(name, bases, exec_body=lambda namespace: namespace.update(body))
        return made

    def _base(self, module: Module, node: ast.expr) -> type[Hparams]:
        return Hparams if _name(module, node) in _BASES else self._class(module, node)

    def _class(self, module: Module, node: ast.expr) -> type[Hparams]:
        """Returns the class that an expression names."""
        place, _, own = _name(module, node).rpartition(".")
        if place.startswith(_OWN) and "__main__" not in place:  # kftune's own modules may be imported
            found: object = getattr(importlib.import_module(place), own, None)
            if isinstance(found, type) and issubclass(found, Hparams):
                return found
        home, name = module.where(module.name(node)) or (module, "")
        if name not in home.classes:
            raise self._unread(f"{module.place(node)}: {ast.unparse(node)} is not a class of these files")
        return self.made(home, name)

    def _body(self, module: Module, node: ast.ClassDef) -> dict[str, Any]:
        annotations: dict[str, Any] = {}
        body: dict[str, Any] = {
            "__module__": self._module_path,
            "__qualname__": node.name,
            "__doc__": ast.get_docstring(node),
            "__annotations__": annotations,
        }
        for each, following in zip(node.body, [*node.body[1:], ast.Pass()], strict=True):
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                name, about = each.target.id, cleandoc(_text(following)) or None
                annotations[name] = self._type(module, each.annotation)
                if each.value is not None or about is not None:
                    body[name] = self._declared(module, each.value, about)
            elif not (isinstance(each, (ast.FunctionDef, ast.Pass)) or _text(each)):
                raise self._unread(f"{module.place(each)}: {node.name} has more than fields and methods")
        return body

    def _type(self, module: Module, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = self._parsed(module, node, node.value)
        name = _name(module, node)
        if isinstance(node, ast.Constant) and node.value is None:
            return None
        if name in _PLAIN:
            return _PLAIN[name]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return typing.Union[self._type(module, node.left), self._type(module, node.right)]  # noqa: UP007  # of values
        if isinstance(node, ast.Subscript):
            return self._subscripted(module, node)
        return self._class(module, node)

    def _parsed(self, module: Module, node: ast.expr, text: str) -> ast.expr:
        try:
            return ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError):
            raise self._unread(f"{module.place(node)}: {text[:80]!r} is no type") from None

    def _subscripted(self, module: Module, node: ast.Subscript) -> Any:
        outer = _name(module, node.value)
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if outer == "typing.Literal":
            return typing.Literal[tuple(self._literal(module, each) for each in inner)]
        if outer not in _GENERIC:
            raise self._unread(f"{module.place(node)}: the type {ast.unparse(node)} cannot be read")
        of = [
            ... if isinstance(each, ast.Constant) and each.value is ... else self._type(module, each) for each in inner
        ]
        return _GENERIC[outer][of[0] if len(of) == 1 else tuple(of)]

    def _declared(self, module: Module, node: ast.expr | None, about: str | None) -> Any:
        """Returns what a field is set to: the declaration with default, bounds, meaning and domain."""
        if node is None:
            return Hparam(description=about)
        if not (isinstance(node, ast.Call) and _name(module, node.func) in _DECLARES):
            return Hparam(self._value(module, node), description=about)
        named = keywords(node)
        factory = named.pop("default_factory", None)
        given = {"description": about, **self._named(module, named)}
        if factory is not None:
            given["default_factory"] = _FACTORIES.get(_name(module, factory)) or self._class(module, factory)
        return Hparam(*self._values(module, node), **given)

    def _value(self, module: Module, node: ast.expr) -> Any:
        """Returns a literal, a domain of literals and domains, or the defaults of a group."""
        if not isinstance(node, ast.Call):
            return self._literal(module, node)
        home, _, name = _name(module, node.func).rpartition(".")
        made = _DOMAINS.get(name) if home in _HOMES else self._class(module, node.func)
        if made is None:
            raise self._unread(f"{module.place(node)}: {ast.unparse(node.func)} is called")
        return made(*self._values(module, node), **self._named(module, keywords(node)))

    def _values(self, module: Module, node: ast.Call) -> list[Any]:
        return [self._value(module, each) for each in node.args]

    def _named(self, module: Module, given: Mapping[str | None, ast.expr]) -> dict[str, Any]:
        if None in given:
            raise self._unread(f"{module.place(given[None])}: ** hides the names")
        return {str(name): self._value(module, value) for name, value in given.items()}

    def _literal(self, module: Module, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and node.value is ...:
            return ...
        found = module.literal(node)
        if found is UNKNOWN:
            raise self._unread(f"{module.place(node)}: {ast.unparse(node)[:80]} is no literal")
        return found

    def _unread(self, why: str) -> NotImportedError:
        return NotImportedError(self._module_path, why)


def _name(module: Module, node: ast.AST) -> str:
    """Returns what an expression refers to, as ``module.name``; also after ``from kftune import *``."""
    name = module.name(node)
    hidden = name in _SHOWN and name not in module.classes and module.imported.get("*") == "kftune.*"
    return f"kftune.{name}" if hidden else name


def _text(node: ast.stmt) -> str:
    """Returns the text that a statement is; empty if it is another one."""
    value = node.value if isinstance(node, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
