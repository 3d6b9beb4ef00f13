"""Imports only the parts of kfp that a render needs."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from kftune.errors import MissingExtraError

# Source: kfp 2.17, kfp/__init__.py.
_WITHOUT_CLIENT = "_KFP_RUNTIME"


def import_without_clients() -> None:
    """Imports kfp without its API client and Kubernetes' client, which take most of the time.

    `kfp.Client` is then missing, so only programs that just render call this. The parts of the Kubernetes client are
    loaded on first use. kfp defines the environment variable for the containers of its components. A render also works
    without this function, only slower.

    Raises:
        MissingExtraError: kfp is not installed.
    """
    if "kfp" in sys.modules:
        return
    try:
        _import_kfp()
        lazy = _LazyKubernetes()
        sys.meta_path.insert(0, lazy)
        try:
            import_module("kfp.kubernetes")
        finally:
            sys.meta_path.remove(lazy)
    except ImportError as error:
        raise MissingExtraError("kfp", error.name or "kfp") from error


def _import_kfp() -> None:
    before = os.environ.get(_WITHOUT_CLIENT)
    os.environ[_WITHOUT_CLIENT] = "true"
    try:
        import_module("kfp")
    finally:
        del os.environ[_WITHOUT_CLIENT]
        if before is not None:
            os.environ[_WITHOUT_CLIENT] = before


class _LazyKubernetes(MetaPathFinder, Loader):
    """Finds the parts of the package `kubernetes`, and loads each one on the first use of a name.

    `importlib.util.LazyLoader` would load them when ``__file__`` is read: kfp makes `inspect` look for the source of
    its caller, which reads it from all modules.
    """

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        package, _, part = name.partition(".")
        if package != "kubernetes" or not part or "." in part:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None:
            spec.loader_state, spec.loader = spec.loader, self
        return spec

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = _Unloaded


class _Unloaded(ModuleType):
    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        assert spec is not None  # noqa: S101  # `_LazyKubernetes` has made it
        spec.loader = self.__loader__ = spec.loader_state
        self.__class__ = ModuleType  # type: ignore[assignment]  # what it was made as
        spec.loader.exec_module(self)
        return getattr(self, name)
