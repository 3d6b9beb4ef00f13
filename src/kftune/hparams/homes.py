"""The name by which another process imports a class or a function."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def home_of(found: Any) -> str:
    """Returns where a class or function is, as ``module:name``.

    What a script defines is in the module ``__main__`` of that process only; another process finds it under the name
    of the script's file. In a notebook, or in text that Python reads from elsewhere, it stays ``__main__``.

    Args:
        found: The class or function.
    """
    module = found.__module__
    return f"{main_name() or module if module == '__main__' else module}:{found.__qualname__}"


def main_name() -> str:
    """Returns the name by which another process imports the script that runs; empty if there is no file of it."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    path = Path(getattr(main, "__file__", None) or "")
    return path.stem if path.suffix == ".py" else ""
