"""Finds the hyperparameter class that a wrong name in a study probably means, without importing anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from kftune.near import meant

_CLASS = re.compile(r"^class\s+(\w+)\s*\(([^)]*)\)\s*:", re.MULTILINE)
_INNER = re.compile(r"\[[^][]*\]")
_MOST_FILES = 200


def class_hint(name: str, registered: Sequence[str], folders: Sequence[Path]) -> str:
    """Returns what to write instead of a name that is no class, or the known names.

    Args:
        name: The unknown name, such as ``hp.py:Toy``, ``Toy``, ``hp`` or ``hp.Toy``.
        registered: The names of the registry.
        folders: Where modules are looked for.
    """
    found = {each: each.partition(":")[2] for each in dict.fromkeys(_classes(folders))}
    parts = re.split("[.:]+", re.sub(r"\.py\b", "", name).replace("/", ".").strip(".:"))
    given = ".".join(parts)
    near = [each for each in found if given in (each.replace(":", "."), each.partition(":")[0])]
    if not near:
        close = meant(parts[-1], [*found.values(), *registered])
        near = [each for word in close for each in ([full for full in found if found[full] == word] or [word])]
    if not near and len(parts) > 1:
        modules = [path.stem for folder in folders for path in folder.glob("*.py")]
        near = [f"{module}:{parts[-1]}" for module in meant(parts[0], modules)]
    if near:
        hint = f"did you mean {' or '.join(map(repr, near[:3]))}?"
    else:
        hint = f"known: {', '.join([*found, *sorted(registered)][:20])}"
    return f"a class is written module:Class, as in an import, or as its name in the registry; {hint}"


def _classes(folders: Sequence[Path]) -> Iterator[str]:
    """Yields the classes of hyperparameters in the Python files of folders and one level below, as module:Class."""
    for folder in folders:
        files = (path for depth in ("*.py", "[!.]*/*.py") for path in sorted(folder.glob(depth)))
        for path in islice(files, _MOST_FILES):
            classes = set()
            for name, bases in _CLASS.findall(_text(path)):
                words = re.findall(r"\w+", _INNER.sub("", bases))
                if any(word.endswith("Hparams") or word in classes for word in words):
                    classes.add(name)
                    yield f"{'.'.join(path.relative_to(folder).with_suffix('').parts)}:{name}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
