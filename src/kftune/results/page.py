"""All trials of a study on one HTML page: pictures of the objective and of its curves, and a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

from kftune.html_page import HEIGHT, LEFT, html_page, level, marked, svg, table, x_at, y_at
from kftune.results.curve_picture import TrialCurve, curves_picture, drawn
from kftune.results.origins import cells, differing, short
from kftune.results.reading import Results
from kftune.results.records import Trial


class TrialRow(NamedTuple):
    """One trial on the page."""

    name: str
    state: str
    shown: str
    """The objective's value as text; empty when there is none."""
    objective: float | None
    """The same as a number; only a finite one is in the picture."""
    values: Mapping[str, str]
    """Hyperparameter -> value."""


def results_page(results: Results) -> str:
    """Returns the page of a study's results; running the same study again gives the same page."""
    meta, trials, best = results.meta, results.trials(), results.best()
    drawings = _drawings(results, trials)
    origins = [{name: short(name, text) for name, text in cells(trial).items()} for trial in trials]
    by = " and ".join(dict.fromkeys(f"{each['origin.algorithm']} with seed {each['origin.seed']}" for each in origins))
    found = "no trial has succeeded" if best is None else f"the best is {_text(best.objective)}, of {best.name}"
    return trials_page(
        title=meta.name,
        summary=f"{meta.direction} {meta.objective.name} by {by or meta.algorithm}: {found}, of {len(trials)} trials",
        metric=meta.objective.name,
        names=[*meta.space, *differing(origins)],
        rows=[
            TrialRow(
                trial.name,
                trial.state,
                _text(trial.objective),
                trial.objective,
                {**{name: trial.text(name) for name in meta.space}, **origin},
            )
            for trial, origin in zip(trials, origins, strict=True)
        ],
        best=best and best.name,
        curves=drawings,
    )


def _drawings(results: Results, trials: Sequence[Trial]) -> list[TrialCurve]:
    by_number = {trial.number: trial for trial in trials}
    drawings = []
    for number, _, curve in results.all_curves(results.meta.objective.name):
        trial = by_number.get(number)
        if trial is not None:
            stopped = trial.message.partition("\n")[0] if trial.state == "EarlyStopped" else ""
            drawings.append(TrialCurve(trial.name, drawn(curve, len(trials)), stopped))
    return drawings


def trials_page(
    *,
    title: str,
    summary: str,
    metric: str,
    names: Sequence[str],
    rows: Sequence[TrialRow],
    best: str | None,
    curves: Sequence[TrialCurve] = (),
) -> str:
    """Returns the page.

    Args:
        title: Its heading.
        summary: A sentence below the heading.
        metric: The objective's name.
        names: The hyperparameters, one column each.
        rows: The trials, in the order of their start.
        best: The name of the best trial; None when there is none.
        curves: What trials reported of the objective over time.
    """
    lines = [[row.name, row.state, row.shown, *(row.values.get(name, "") for name in names)] for row in rows]
    listed = table(["trial", "state", metric, *names], lines, best)
    return html_page(
        title,
        [f"<p>{escape(summary)}</p>", *_picture(metric, rows, best), *curves_picture(metric, curves, best), listed],
    )


def _text(objective: float | None) -> str:
    return "" if objective is None else f"{objective:.6g}"


def _picture(metric: str, rows: Sequence[TrialRow], best: str | None) -> Iterator[str]:
    """Yields the picture of each trial's objective; nothing when no trial has a finite one."""
    known = [
        (place / (len(rows) - 1) if len(rows) > 1 else 0.5, row, row.objective)
        for place, row in enumerate(rows)
        if row.objective is not None and math.isfinite(row.objective)
    ]
    if not known:
        return
    low, high = min(value for *_, value in known), max(value for *_, value in known)

    def height(value: float) -> float:
        return (value - low) / (high - low) if high > low else 0.5

    dots = [
        f'<circle{marked(row.name == best)} cx="{x_at(share):.1f}" cy="{y_at(height(value)):.1f}" r="5">'
        f"<title>{escape(row.name)}: {escape(row.shown)}</title></circle>"
        for share, row, value in known
    ]
    label = f"{metric} of each trial"
    note = f'<text x="{LEFT}" y="{HEIGHT - 10}">{escape(label)}, in the order of their start</text>'
    yield svg(label, [*(level(height(value), value) for value in sorted({low, high})), *dots, note])
