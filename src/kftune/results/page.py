"""All trials of a study on one HTML page: pictures of the objectives and their curves, and a table."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

from kftune.html_page import HEIGHT, LEFT, Scale, html_page, marked, svg, table, x_at, y_at
from kftune.results.curve_picture import TrialCurve, curves_picture, drawn
from kftune.results.origins import cells, chosen_by, differing, short
from kftune.results.records import TrackedObjective, Trial
from kftune.results.trials import Trials


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
    others: Mapping[str, float | None] = {}
    """Further objective -> value."""
    message: str = ""
    """Why it was stopped or failed, on one line."""


def results_page(results: Trials) -> str:
    """Returns the page of a study's results; running the same study again gives the same page."""
    meta, trials = results.meta, results.trials()
    objectives = meta.objectives
    origins = [{name: short(name, text) for name, text in cells(trial).items()} for trial in trials]
    by = " and ".join(dict.fromkeys(chosen_by(each["origin.algorithm"], each["origin.seed"]) for each in origins))
    best = [trial for trial in (results.pareto() if len(objectives) > 1 else [results.best()]) if trial is not None]
    sought = " and ".join(f"{objective.direction} {objective.name}" for objective in objectives)
    return trials_page(
        title=meta.name,
        summary=f"{sought} by {by or meta.algorithm}: {_found(best, results)}, of {len(trials)} trials",
        metric=meta.objective.name,
        names=[*meta.space, *differing(origins)],
        rows=[
            TrialRow(
                name=trial.name,
                state=trial.state,
                shown=_text(trial.objective),
                objective=trial.objective,
                values={**{name: trial.shown(name) for name in meta.space}, **origin},
                others={each.name: _number(trial, each) for each in objectives[1:]},
                message=_first_line(trial.message),
            )
            for trial, origin in zip(trials, origins, strict=True)
        ],
        best=[trial.name for trial in best],
        others=[objective.name for objective in objectives[1:]],
        curves=_drawings(results, trials),
    )


def _found(best: Sequence[Trial], results: Trials) -> str:
    if not best:
        return "no trial has succeeded"
    if results.meta.more_objectives:
        return f"the Pareto set has {len(best)}"
    return f"the best is {_text(best[0].objective)}, of {best[0].name}"


def _number(trial: Trial, objective: TrackedObjective) -> float | None:
    values = trial.metrics.get(objective.name)
    return None if values is None else values.number(objective.reduce)


def _drawings(results: Trials, trials: Sequence[Trial]) -> list[TrialCurve]:
    by_number = {trial.number: trial for trial in trials}
    drawings = []
    for number, _, curve in results.all_curves(results.meta.objective.name):
        trial = by_number.get(number)
        if trial is not None:
            stopped = _first_line(trial.message) if trial.state == "EarlyStopped" else ""
            counts = trial.objective is not None
            drawings.append(TrialCurve(trial.name, drawn(curve, len(trials)), stopped, counts))
    return drawings


def _first_line(message: str) -> str:
    return message.partition("\n")[0]


def trials_page(
    *,
    title: str,
    summary: str,
    metric: str,
    names: Sequence[str],
    rows: Sequence[TrialRow],
    best: Collection[str],
    others: Sequence[str] = (),
    curves: Sequence[TrialCurve] = (),
) -> str:
    """Returns the page.

    Args:
        title: Its heading.
        summary: A sentence below the heading.
        metric: The objective's name.
        names: The hyperparameters, one column each.
        rows: The trials, in the order of their start.
        best: The names of the best trials.
        others: The names of further objectives.
        curves: What trials reported of the first objective over time.
    """
    told = any(row.message for row in rows)
    lines = [
        [
            row.name,
            row.state,
            row.shown,
            *(_text(row.others.get(name)) for name in others),
            *(row.values.get(name, "") for name in names),
            *([row.message] if told else []),
        ]
        for row in rows
    ]
    listed = table(["trial", "state", metric, *others, *names, *(["message"] if told else [])], lines, best)
    pictures = [part for other in others for part in _trade_off(metric, other, rows, best)]
    pictures = pictures or [*_picture(metric, rows, best)]
    return html_page(title, [f"<p>{escape(summary)}</p>", *pictures, *curves_picture(metric, curves, best), listed])


def _text(objective: float | None) -> str:
    return "" if objective is None else f"{objective:.6g}"


def _picture(metric: str, rows: Sequence[TrialRow], best: Collection[str]) -> Iterator[str]:
    """Yields the picture of each trial's objective; nothing when no trial has a finite one."""
    known = [
        (place / (len(rows) - 1) if len(rows) > 1 else 0.5, row, row.objective)
        for place, row in enumerate(rows)
        if row.objective is not None and math.isfinite(row.objective)
    ]
    if not known:
        return
    scale = Scale.of(value for *_, value in known)
    dots = [
        f'<circle{marked(row.name in best)} cx="{x_at(share):.1f}" cy="{y_at(scale.share(value)):.1f}" r="5">'
        f"<title>{escape(row.name)}: {escape(row.shown)}</title></circle>"
        for share, row, value in known
    ]
    label = f"{metric} of each trial"
    note = f'<text x="{LEFT}" y="{HEIGHT - 10}">{escape(label)}, in the order of their start{scale.note}</text>'
    yield svg(label, [*scale.levels(), *dots, note])


def _trade_off(metric: str, other: str, rows: Sequence[TrialRow], best: Collection[str]) -> Iterator[str]:
    """Yields the picture of two objectives, one dot for each trial; nothing when no trial has both."""
    known = [
        (row, row.objective, value)
        for row in rows
        if row.objective is not None and (value := row.others.get(other)) is not None
    ]
    if not known:
        return
    across, up = Scale.of(x for _, x, _ in known), Scale.of(y for *_, y in known)
    # The best trials last, so that they are in front.
    dots = [
        f'<circle{marked(row.name in best)} cx="{x_at(across.share(x)):.1f}" '
        f'cy="{y_at(up.share(y)):.1f}" r="5">'
        f"<title>{escape(row.name)}: {escape(metric)} {_text(x)}, {escape(other)} {_text(y)}</title></circle>"
        for row, x, y in sorted(known, key=lambda each: each[0].name in best)
    ]
    note = (
        f"across: {metric}, from {_text(across.low)} to {_text(across.high)}{across.note}; up: {other}{up.note}; "
        f"in colour: the Pareto set"
    )
    text = f'<text x="{LEFT}" y="{HEIGHT - 10}">{escape(note)}</text>'
    yield svg(f"{other} and {metric} of each trial", [*up.levels(), *dots, text])
