"""Checksums of what is stored: a disk may change a value, and neither SQLite nor JSON notices that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

# Columns that SQLite stores as floating point: it gives back 2.0 for 2, and 0.0 for -0.0.
_REAL = (6, 9, 13)
_NUMBER, _STATE, _OBJECTIVE = 0, 1, 6
_BITS = 32


def of_row(*row: Any) -> int:
    """Returns the checksum of a row of trials: of what decides which trial is the best, and of everything.

    Args:
        row: All other columns, in their order.
    """
    values = [*row]
    for index in _REAL:
        value = values[index]
        # SQLite stores nan as NULL.
        values[index] = None if value is None or value != value else value + 0.0
    key = of_key(values[_NUMBER], values[_STATE], values[_OBJECTIVE])
    return key << _BITS | crc32("\x1f".join(map(str, values)).encode())


def of_key(number: int, state: str, objective: float | None) -> int:
    """Returns the part of a row's checksum that is enough to find the best trial.

    Args:
        number: The trial.
        state: Its state.
        objective: Its value.
    """
    return crc32(f"{number} {state} {objective}".encode()) >> 1


def changed_keys(rows: Iterable[tuple[int, str, float | None, int]]) -> list[int]:
    """Returns the numbers of the trials whose number, state or objective is not as it was stored.

    Args:
        rows: These three, and the checksum of the row.
    """
    # As in `of_key`: this runs for thousands of rows, and a call takes longer than the checksum.
    return [
        number
        for number, state, objective, checksum in rows
        if checksum >> _BITS != crc32(f"{number} {state} {objective}".encode()) >> 1
    ]


def of_text(*texts: str) -> int:
    """Returns the checksum of texts."""
    return crc32("\x1f".join(texts).encode())
