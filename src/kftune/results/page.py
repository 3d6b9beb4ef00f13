"""All trials of a study on one HTML page: a picture of the objective, and a table. It loads nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from kftune.results.reading import Results

_WIDTH, _HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 16, 20, 44

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1c2128; background: #fff; margin: 2rem }}
table {{ border-collapse: collapse }}
th, td {{ text-align: left; padding: .2rem .75rem; border-bottom: 1px solid #d0d7de }}
td {{ font-variant-numeric: tabular-nums }}
tr.best {{ background: #e7f0ff; font-weight: 600 }}
svg {{ display: block; margin: 1rem 0; max-width: 100%; height: auto }}
svg text {{ font: 12px system-ui, sans-serif; fill: #57606a }}
circle {{ fill: #8a8f98 }} circle.best {{ fill: #1f6feb }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{summary}</p>
{picture}
<table>
<tr>{head}</tr>
{rows}
</table>
</body>
</html>
"""


class Row(NamedTuple):
    """One trial on the page."""

    name: str
    state: str
    shown: str
    """The objective's value as text; empty where there is none."""
    objective: float | None
    """The same as a number; only a finite one is in the picture."""
    values: Mapping[str, str]
    """Hyperparameter -> value."""


def results_page(results: Results) -> str:
    """The page of a study's results; nothing in it changes when the same study runs again."""
    meta, trials, best = results.meta, results.trials(), results.best()
    found = "no trial has succeeded" if best is None else f"the best is {_text(best.objective)}, of {best.name}"
    return trials_page(
        meta.name,
        f"{meta.direction} {meta.objective.name} by {meta.algorithm} with seed {meta.seed}: {found}, "
        f"of {len(trials)} trials",
        meta.objective.name,
        [*meta.space],
        [Row(trial.name, trial.state, _text(trial.objective), trial.objective, trial.assignment) for trial in trials],
        best and best.name,
    )


def trials_page(
    title: str, summary: str, metric: str, names: Sequence[str], rows: Sequence[Row], best: str | None
) -> str:
    """The page.

    Args:
        title: Its heading.
        summary: A sentence below it.
        metric: The objective's name.
        names: The hyperparameters, a column each.
        rows: The trials, in the order of their start.
        best: The name of the best of them; None when there is none.
    """
    head = ["trial", "state", metric, *names]
    return _PAGE.format(
        title=escape(title),
        summary=escape(summary),
        picture=_picture(metric, rows, best),
        head="".join(f"<th>{escape(name)}</th>" for name in head),
        rows="\n".join(_line(row, names, row.name == best) for row in rows),
    )


def _text(objective: float | None) -> str:
    return "" if objective is None else f"{objective:.6g}"


def _line(row: Row, names: Sequence[str], is_best: bool) -> str:
    cells = [row.name, row.state, row.shown, *(row.values.get(name, "") for name in names)]
    return f"<tr{_mark(is_best)}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _mark(is_best: bool) -> str:
    return ' class="best"' if is_best else ""


def _picture(metric: str, rows: Sequence[Row], best: str | None) -> str:
    """The objective of each trial."""
    known = [
        (place, row, row.objective)
        for place, row in enumerate(rows)
        if row.objective is not None and math.isfinite(row.objective)
    ]
    if not known:
        return ""
    low, high = min(value for _, _, value in known), max(value for _, _, value in known)
    floor, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT

    def x(place: int) -> float:
        return _LEFT + (right - _LEFT) * (place / (len(rows) - 1) if len(rows) > 1 else 0.5)

    def y(value: float) -> float:
        return floor - (floor - _TOP) * ((value - low) / (high - low) if high > low else 0.5)

    levels = [
        f'<path d="M{_LEFT - 8} {y(level):.1f}H{right}" stroke="#d0d7de"/>'
        f'<text x="{_LEFT - 14}" y="{y(level) + 4:.1f}" text-anchor="end">{level:.4g}</text>'
        for level in sorted({low, high})
    ]
    dots = [
        f'<circle{_mark(row.name == best)} cx="{x(place):.1f}" cy="{y(value):.1f}" r="5">'
        f"<title>{escape(row.name)}: {escape(row.shown)}</title></circle>"
        for place, row, value in known
    ]
    label = escape(f"{metric} of each trial")
    return "\n".join(
        [
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" aria-label="{label}">',
            *levels,
            *dots,
            f'<text x="{_LEFT}" y="{_HEIGHT - 10}">{label}, in the order of their start</text>',
            "</svg>",
        ]
    )
