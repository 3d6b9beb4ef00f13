"""Plain text tables."""

from __future__ import annotations

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


def indented(text: str) -> str:
    """Returns a text with two spaces before each line."""
    return "\n".join(f"  {line}" for line in text.splitlines())
