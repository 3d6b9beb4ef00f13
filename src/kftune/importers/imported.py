"""What an import takes from the user, and what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from kftune.importers.spaces import Bounds

Kind = Literal["exact", "converted", "lost"]
REQUIRED: Any = object()
"""The default of a field that has none."""


@dataclass(frozen=True)
class Options:
    """What the user decides about an import."""

    log_bounds: Bounds | None = None
    """How bounds of logarithmic ranges are read, in systems where they are exponents; None as the system does."""
    pick: str = ""
    """Which one, if the file has several."""
    command: tuple[str, ...] = ()
    """The command line of a trial; empty to take that of the file."""
    image: str = ""
    """The image; empty to take that of the file."""


class Note(NamedTuple):
    """What became of one part of the file."""

    kind: Kind
    """`exact`; `converted`: it means the same in another form; `lost`: it means something else here, or nothing."""
    where: str
    line: int | None
    text: str


class Open(NamedTuple):
    """What the user has to write or to check."""

    key: str
    """The key of the study."""
    text: str


class Field(NamedTuple):
    """A field of the class."""

    annotation: str
    default: Any = REQUIRED


@dataclass
class Imported:
    """What an import gives."""

    name: str
    """The study's name."""
    study: dict[str, Any]
    """The study, without `name` and `hparams`."""
    fields: dict[str, Field]
    """The fields of the class, by dotted name."""
    notes: list[Note]
    open: list[Open]


def lines_of(notes: Sequence[Note], kind: Kind) -> list[Note]:
    """Returns the notes of one kind.

    Args:
        notes: The notes of an import.
        kind: The kind.
    """
    return [note for note in notes if note.kind == kind]
