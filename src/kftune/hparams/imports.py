"""Imports a module from the folder of a study. Its modules find each other first, as Python does for a script.

kftune and its dependencies do not find them: a file there may have the name of a package that they import later, such
as ``optuna.py``, or try to import, such as ``cuda.py``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType, ModuleType


class Imports:
    """What happens, while a block runs, to the modules that files name.

    Args:
        refused: Whether none is imported, except kftune's own.

    Attributes:
        modules: The modules that were imported, with their files, in order.
        read: The modules of which a class was read from the source instead.
        unread: Why other classes are not known.
    """

    def __init__(self, *, refused: bool) -> None:
        self.refused = refused
        self.modules: dict[str, str] = {}
        self.read: list[str] = []
        self.unread: list[str] = []

    def forbids(self, module: str) -> bool:
        """Whether a module must not be imported."""
        top, *inner = module.split(".")
        return self.refused and (top != "kftune" or "__main__" in inner)  # a program runs when it is imported

    def note(self, module: ModuleType) -> None:
        """Notes that a module was imported."""
        if not f"{module.__name__}.".startswith("kftune."):
            self.modules.setdefault(module.__name__, getattr(module, "__file__", None) or "")


_watching: ContextVar[Imports | None] = ContextVar("watching", default=None)


@contextmanager
def watched_imports(*, refused: bool = False) -> Iterator[Imports]:
    """Notes which modules are imported that files name, and can refuse to import them.

    Args:
        refused: Whether to import none, except kftune's own.
    """
    watch = Imports(refused=refused)
    token = _watching.set(watch)
    try:
        yield watch
    finally:
        _watching.reset(token)


def watching() -> Imports | None:
    """Returns what notes imports now; None if nothing does."""
    return _watching.get()


def import_from(folder: Path, name: str) -> ModuleType:
    """Returns the module of that name in a folder.

    While it is imported, the folder is also at the end of the import path, for packages that import by name.

    Args:
        folder: The folder.
        name: The dotted name.

    Raises:
        Exception: Whatever the module raises.
    """
    place = str(folder)
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    if place not in _Finder.folders:
        _Finder.folders.append(place)
    _Finder.asked = name.partition(".")[0], place
    sys.path.append(place)
    try:
        return importlib.import_module(name)
    finally:
        _Finder.asked = "", ""
        if place in sys.path:  # a module may change the path
            del sys.path[len(sys.path) - 1 - sys.path[::-1].index(place)]


class _Finder:
    """Finds top modules for those that come from a known folder."""

    folders: list[str] = []  # noqa: RUF012  # one for the process, as sys.path
    asked = "", ""
    """The module that is imported from a folder, and the folder."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns where a module is; None if it is not in the folder of the module that imports it."""
        if path is not None:  # it is in a package, which knows its place
            return None
        if name == cls.asked[0]:
            return PathFinder.find_spec(name, [cls.asked[1]], target)
        importer = _importer(sys._getframe(1))
        folder = next((folder for folder in cls.folders if _is_in(importer, folder)), None)
        return None if folder is None else PathFinder.find_spec(name, [folder], target)


def _importer(frame: FrameType | None) -> str:
    """Returns the top package of the module that imports something."""
    while frame is not None:
        top = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if top not in ("importlib", "_frozen_importlib", "_frozen_importlib_external"):
            return top
        frame = frame.f_back
    return ""


def _is_in(top: str, folder: str) -> bool:
    """Whether the package or module of that name comes from a folder."""
    module = sys.modules.get(top)
    places = (getattr(module, "__file__", None) or "", *getattr(module, "__path__", ()))
    return any(place in (f"{folder}/{top}", f"{folder}/{top}.py", f"{folder}/{top}/__init__.py") for place in places)
