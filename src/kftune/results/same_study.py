"""Whether a study is the one whose results are stored, and what has changed if it is not."""

from __future__ import annotations

from typing import Any

from kftune.errors import StoreError
from kftune.results.layout import RunFolder
from kftune.results.records import Meta
from kftune.results.tables import to_json


def check_same_study(stored: Meta, meta: Meta, folder: RunFolder) -> None:
    """Checks that results are those of a study.

    Args:
        stored: The study of the results.
        meta: The study that goes on.
        folder: Where they are.

    Raises:
        StoreError: It is another study.
    """
    if stored.identity == meta.identity:
        return
    # Results of earlier versions store fewer parts; the others cannot be compared.
    kept = {key: value for key, value in meta.compared.items() if key in stored.compared}
    found = _changes(stored.compared, kept)
    if not found and stored.compared.keys() < meta.compared.keys():
        return
    changes = "\n".join(f"  {change}" for change in found)
    what = "list" if meta.trial_names else "study" if meta.experiment is None else "Experiment"
    option = "--output-dir" if meta.trial_names else "--dir"
    raise StoreError(
        f"all results of a study must come from the same space, objective and command, but since these were written "
        f"the {what} {meta.name!r} has changed:\n{changes}\n"
        f"Undo the change, keep both in another folder ({option}), or start again (--fresh moves these results aside)",
        str(folder.path),
    )


def _changes(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """Returns one line for each difference between two nested mappings."""
    lines = []
    for key in dict.fromkeys((*before, *now)):
        name, old, new = f"{prefix}{key}", before.get(key), now.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict) and not prefix:
            lines += _changes(old, new, f"{name}.")
        else:
            lines.append(f"{name}: was {_shown(old)}, is {_shown(new)}")
    return lines


def _shown(value: object) -> str:
    return "not there" if value is None else to_json(value)
