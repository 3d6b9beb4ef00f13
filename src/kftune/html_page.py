"""HTML pages that load nothing: the page around a body, tables, and the frame of a picture."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from html import escape
from typing import NamedTuple

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
base-uri 'none'; form-action 'none'">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1c2128; background: #fff; margin: 2rem }}
h1 {{ font-size: 1.4rem }} h2 {{ font-size: 1.1rem; margin-top: 2rem }}
table {{ border-collapse: collapse }}
th, td {{ text-align: left; padding: .2rem .75rem; border-bottom: 1px solid #d0d7de }}
td {{ font-variant-numeric: tabular-nums }} td:first-child {{ white-space: nowrap }}
tr.best {{ background: #e7f0ff; font-weight: 600 }}
svg {{ display: block; margin: 1rem 0; max-width: 100%; height: auto }}
svg text {{ font: 12px system-ui, sans-serif; fill: #57606a }}
circle {{ fill: #8a8f98 }} circle.best {{ fill: #1f6feb }}
polyline {{ fill: none; stroke: #8a8f98; stroke-opacity: .5 }}
polyline.best {{ stroke: #1f6feb; stroke-opacity: 1; stroke-width: 2 }}
path.stopped {{ stroke: #cf222e; stroke-width: 1.5 }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""
WIDTH, HEIGHT = 720, 280
LEFT, RIGHT, TOP, BOTTOM = 80, 16, 16, 44
"""Pixels between the edges of a picture and its plot."""
_FACTOR_OF_A_LOG_SCALE = 100


class Scale(NamedTuple):
    """Where values are along one side of a plot."""

    low: float
    high: float
    is_log: bool
    """Whether equal distances mean equal factors."""

    @classmethod
    def of(cls, values: Iterable[float]) -> Scale:
        """Returns the scale from the lowest to the highest value.

        Args:
            values: Finite numbers, at least one. Positive ones that are orders of magnitude apart get a logarithmic
                scale, on which the low ones differ too.
        """
        ordered = sorted(values)
        low, high = ordered[0], ordered[-1]
        return cls(low, high, is_log=low > 0 and high / low >= _FACTOR_OF_A_LOG_SCALE)

    def share(self, value: float) -> float:
        """Returns where a value is, from 0 (lowest) to 1 (highest); one outside is at the edge.

        Args:
            value: The value.
        """
        if self.low == self.high and value == self.low:
            return 0.5
        if value <= self.low or value >= self.high:
            return float(value >= self.high)
        if self.is_log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        # Halves, because the difference of two finite numbers may be infinite.
        return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)

    def levels(self) -> list[str]:
        """Returns horizontal lines at the lowest and the highest value."""
        return [level(self.share(value), value) for value in sorted({self.low, self.high})]

    @property
    def note(self) -> str:
        """What a reader should know of the scale; empty for a linear one."""
        return " (logarithmic)" if self.is_log else ""


def html_page(title: str, body: Iterable[str]) -> str:
    """Returns a page.

    Args:
        title: Its heading; escaped here.
        body: The parts below the heading, as HTML.
    """
    return _PAGE.format(title=escape(title), body="\n".join(body))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], best: Collection[str] = ()) -> str:
    """Returns a table; all texts are escaped here.

    Args:
        head: The names of the columns.
        rows: The texts of each row.
        best: The first texts of the rows to highlight.
    """
    lines = [f"<tr{marked(row[0] in best)}>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows]
    return "\n".join(
        ["<table>", f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>", *lines, "</table>"]
    )


def marked(is_best: bool) -> str:
    """Returns the attribute that highlights a best trial; empty for others."""
    return ' class="best"' if is_best else ""


def x_at(share: float) -> float:
    """Returns the horizontal position in a picture, from 0 (left end of the plot) to 1 (right end)."""
    return LEFT + (WIDTH - LEFT - RIGHT) * share


def y_at(share: float) -> float:
    """Returns the vertical position in a picture, from 0 (bottom of the plot) to 1 (top)."""
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def level(share: float, value: float) -> str:
    """Returns a horizontal line with its value at the left.

    Args:
        share: Its height, from 0 to 1.
        value: The value to show.
    """
    y = y_at(share)
    return (
        f'<path d="M{LEFT - 8} {y:.1f}H{WIDTH - RIGHT}" stroke="#d0d7de"/>'
        f'<text x="{LEFT - 14}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'
    )


def svg(label: str, parts: Iterable[str]) -> str:
    """Returns a picture.

    Args:
        label: Its description for screen readers; escaped here.
        parts: Its elements, as SVG.
    """
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{escape(label)}">'
    return "\n".join([head, *parts, "</svg>"])
