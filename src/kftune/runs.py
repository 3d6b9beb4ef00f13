"""The folder ``runs`` with the results of the files beside it: its mark, and a search for files that passes it over."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from kftune.errors import StoreError

RUNS = "runs"
"""Its name."""

YAML_SUFFIXES = (".yaml", ".yml")
"""How the names of YAML files end, for that search and for everything that tells files by their names."""

# Git ignores the folder, and `files_below` too.
_MARK = ".gitignore"
_TEXT = "# The results of kftune run.\n*\n"


def make_results_folder(folder: Path) -> None:
    """Makes a folder for results. A folder ``runs`` that is made for it gets a mark.

    Args:
        folder: The folder; it may be there.

    Raises:
        StoreError: It cannot be made.
    """
    runs = folder.parent
    is_new = runs.name == RUNS and not runs.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if is_new:
            (runs / _MARK).write_text(_TEXT, encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"results go here, but this folder cannot be made: {error.strerror}; give another one (--dir)", str(folder)
        ) from error


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Returns the files below a folder, sorted, without those in hidden folders and among results.

    Args:
        folder: The folder.
        suffixes: The ends of their names, such as ``.yaml``.

    Raises:
        PermissionError: The folder, or one below it, cannot be read.
    """
    found = []
    for place, folders, names in os.walk(folder, onerror=_refuse_unreadable):
        here = Path(place)
        folders[:] = [name for name in folders if not name.startswith(".") and not _is_marked(here / name)]
        found += [here / name for name in names if Path(name).suffix in suffixes and not name.startswith(".")]
    return sorted(path for path in found if path.is_file())


def _refuse_unreadable(error: OSError) -> None:
    if isinstance(error, PermissionError):
        raise error


def _is_marked(folder: Path) -> bool:
    if folder.name != RUNS:
        return False
    try:
        mark = folder / _MARK
        return mark.is_file() and mark.read_text(encoding="utf-8") == _TEXT
    except (OSError, ValueError):
        return False
