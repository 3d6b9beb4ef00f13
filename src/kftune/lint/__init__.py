"""Predicts, offline, what a cluster does with a Katib Experiment.

`check` and `fix` read files as `kftune lint` does. Their names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kftune.lint.checker import check, fix
    from kftune.lint.options import LintOptions
    from kftune.lint.report import LintFinding, LintReport

__all__ = ["LintFinding", "LintOptions", "LintReport", "check", "fix"]

_MODULES = {"check": "checker", "fix": "checker", "LintOptions": "options"}


def __getattr__(name: str) -> Any:
    """Imports a public name (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'report')}"), name)
