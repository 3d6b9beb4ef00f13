"""Lets a trial on this machine push metrics by Katib's unchanged `report_metrics`. Python runs this when it starts.

The SDK takes the address of Katib's database manager from a constant, and the namespace from a file that only pods
have. Both are replaced when the SDK is imported; everything else stays.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # pathlib would slow down every trial's start


def _constants(module: ModuleType) -> None:
    module.DEFAULT_DB_MANAGER_ADDRESS = os.environ["KATIB_DB_MANAGER_ADDRESS"]  # type: ignore[attr-defined]


def _utils(module: ModuleType) -> None:
    module.get_current_k8s_namespace = lambda: os.environ["KATIB_NAMESPACE"]  # type: ignore[attr-defined]


_CHANGES = {"kubeflow.katib.constants.constants": _constants, "kubeflow.katib.utils.utils": _utils}


class _Finder:
    """Finds the two modules as Python does, and changes them after their import."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name in _CHANGES else None
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                _CHANGES[name](module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _run_hidden() -> None:
    """Runs the sitecustomize that this one hides."""
    folders = [folder for folder in sys.path if os.path.abspath(folder) != _HERE]  # noqa: PTH100
    spec = PathFinder.find_spec("sitecustomize", folders)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if "KATIB_DB_MANAGER_ADDRESS" in os.environ and "KATIB_NAMESPACE" in os.environ:
    sys.meta_path.insert(0, _Finder)
_run_hidden()
