"""The report of an import: what is carried exactly, what is converted, what has no equivalent, and what to fill in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from kftune.importers.imported import Imported, Kind, Note, Open

FORMAT = "kftune.import/1"
_HEADS: dict[Kind, str] = {
    "exact": "carried exactly",
    "converted": "converted, with the same meaning",
    "lost": "no equivalent, or not the same",
}


class Reported(Protocol):
    """An import, or an export."""

    notes: list[Note]
    open: list[Open]


def report_text(imported: Reported) -> str:
    """Returns the report for people.

    Args:
        imported: The import, or the export.
    """
    lines: list[str] = []
    for kind, head in _HEADS.items():
        notes = [note for note in imported.notes if note.kind == kind]
        if notes:
            lines += [f"{head} ({len(notes)}):", *map(_line, notes)]
    if imported.open:
        lines += [f"fill in or check ({len(imported.open)}):"]
        lines += [f"  {each.key}: {each.text}" for each in imported.open]
    return "\n".join(lines) + "\n"


def report_json(imported: Imported, system: str, file: str, written: Sequence[str]) -> dict[str, Any]:
    """Returns the report for programs.

    Args:
        imported: The import.
        system: The other system.
        file: The file that was read.
        written: The files that were written.
    """
    return {
        "format": FORMAT,
        "system": system,
        "file": file,
        "name": imported.name,
        "written": list(written),
        **notes_json(imported),
    }


def notes_json(imported: Reported) -> dict[str, Any]:
    """Returns what the report of an import, or of an export, says of each part."""
    return {
        "counts": {kind: sum(note.kind == kind for note in imported.notes) for kind in _HEADS},
        "notes": [note._asdict() for note in imported.notes],
        "fill_in": [each._asdict() for each in imported.open],
    }


def losses(imported: Reported) -> list[Note]:
    """Returns the notes about what has no equivalent."""
    return [note for note in imported.notes if note.kind == "lost"]


def _line(note: Note) -> str:
    place = note.where if note.line is None else f"{note.where} (line {note.line})"
    return f"  {place}: {note.text}"
