"""Draws what searches find over their trials: one small picture a problem, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

_COLUMNS, _WIDE, _HIGH, _GAP = 4, 220, 150, 28
_TOP = 44
_COLOURS = ("#0969da", "#d1242f", "#8250df", "#9a6700", "#57606a")
_DASHES = ("", "5 4", "", "", "2 3")
_STYLE = """
    text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
    text { font-size: 11px; }
    .legend { font-size: 13px; }
    .axis { fill: #59636e; font-size: 9px; }
    .frame { fill: none; stroke: #d1d9e0; }
    .curve { fill: none; stroke-width: 1.6; }
  """


def picture(lines: Sequence[Mapping[str, Any]]) -> str:
    """Returns the picture.

    Args:
        lines: Rows with `what` and `curves`: side -> the median distance to the optimum after each trial.
    """
    rows = math.ceil(len(lines) / _COLUMNS)
    wide, high = _COLUMNS * (_WIDE + _GAP) + _GAP, _TOP + rows * (_HIGH + 2 * _GAP)
    sides = list(lines[0]["curves"])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" role="img" '
        f'aria-label="The median distance to the optimum after each trial, on a logarithmic scale">',
        f"  <style>{_STYLE}</style>",
        f'  <rect width="{wide}" height="{high}" fill="#ffffff"/>',
        *_legend(sides),
    ]
    for number, line in enumerate(lines):
        left = _GAP + number % _COLUMNS * (_WIDE + _GAP)
        top = _TOP + number // _COLUMNS * (_HIGH + 2 * _GAP) + 18
        parts += _panel(line, left, top)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(sides: Sequence[str]) -> Iterator[str]:
    left = float(_GAP)
    for index, side in enumerate(sides):
        yield f'  <line x1="{left}" y1="22" x2="{left + 26}" y2="22" {_stroke(index)}/>'
        yield f'  <text class="legend" x="{left + 32}" y="26">{escape(side)}</text>'
        left += 60 + 7.2 * len(side)


def _panel(line: Mapping[str, Any], left: int, top: int) -> Iterator[str]:
    curves: Mapping[str, Sequence[float]] = line["curves"]
    values = [value for curve in curves.values() for value in curve if value > 0]
    low, high = math.log10(min(values)), math.log10(max(values))
    scale = (_HIGH - 8) / (high - low or 1.0)
    count = len(next(iter(curves.values())))
    yield f'  <text x="{left}" y="{top - 6}">{escape(line["what"])}</text>'
    yield f'  <rect class="frame" x="{left}" y="{top}" width="{_WIDE}" height="{_HIGH}"/>'
    for index, curve in enumerate(curves.values()):
        points = " ".join(
            f"{left + _WIDE * number / count:.1f},{top + 4 + (high - math.log10(max(value, 10**low))) * scale:.1f}"
            for number, value in enumerate(curve, start=1)
        )
        yield f'  <polyline class="curve" {_stroke(index)} points="{points}"/>'
    yield f'  <text class="axis" x="{left + 3}" y="{top + 11}">{10**high:.2g}</text>'
    yield f'  <text class="axis" x="{left + 3}" y="{top + _HIGH - 4}">{10**low:.2g}</text>'
    yield f'  <text class="axis" x="{left + _WIDE}" y="{top + _HIGH + 11}" text-anchor="end">trial {count}</text>'


def _stroke(index: int) -> str:
    dashes = f' stroke-dasharray="{_DASHES[index]}"' if _DASHES[index] else ""
    return f'stroke="{_COLOURS[index]}"{dashes}'
