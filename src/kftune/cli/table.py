"""Plain text tables."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a table with columns as wide as their widest cells. Line breaks in cells become spaces.

    Args:
        header: The names of the columns.
        rows: The cells; `str` makes their text.
    """
    cells = [[" ".join(str(cell).split()) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(lines)


def fitted(header: Sequence[str], rows: Sequence[Sequence[object]], whole_format: str = "csv") -> str:
    """Returns a table that is no wider than the terminal: shorter numbers, cut texts, fewer columns.

    A last line names the columns that are left out; one without any text is not missed. In a file or a
    pipe the table is whole, unless COLUMNS is set.

    Args:
        header: The names of the columns.
        rows: The cells; `str` makes their text.
        whole_format: The --format that has all columns.
    """
    whole = table(header, rows)
    width = _terminal_width()
    if width is None or max(map(len, whole.splitlines())) <= width:
        return whole
    used = [column for column in range(len(header)) if any(str(row[column]) for row in rows)]
    header = [header[column] for column in used]
    shorter = [[_shorter(str(row[column])) for column in used] for row in rows]
    widths = [max(len(row[column]) for row in (header, *shorter)) for column in range(len(header))]
    count = len(header)
    while count > 1 and sum(widths[:count]) + 2 * (count - 1) > width:
        count -= 1
    shown = table(header[:count], [row[:count] for row in shorter])
    left_out = list(header[count:])
    if not left_out:
        return shown
    return f"{shown}\nno room for: {', '.join(left_out)} (--format {whole_format} has every column)"


# A whole number, or a hash such as 12e456, keeps its digits.
_FRACTION = re.compile(r"-?\d+\.\d+(e[+-]?\d+)?")
_LONGEST = 24
_DIGITS = 6


def _shorter(text: str) -> str:
    if _FRACTION.fullmatch(text):
        number = f"{float(text):.{_DIGITS}g}"
        return number if len(number) < len(text) else text
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _terminal_width() -> int | None:
    """Returns how many characters a line has; None if what is printed does not go to a terminal."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS", "").isdigit():
        return None
    return shutil.get_terminal_size().columns


def indented(text: str) -> str:
    """Returns a text with two spaces before each line."""
    return "\n".join(f"  {line}" for line in text.splitlines())
