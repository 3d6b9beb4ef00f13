"""All trials of an Experiment on one HTML page: a picture of the objective, and a table. It loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from kftune.launcher.reading import assignments, condition_of, number_of, objective_value

_WIDTH, _HEIGHT, _MARGIN = 720, 260, 40

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2rem; color: #1b1f24; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; padding: .25rem .75rem; border-bottom: 1px solid #d8dee4; }}
td {{ font-variant-numeric: tabular-nums; }}
tr.best {{ background: #e6f4ea; font-weight: 600; }}
svg {{ display: block; margin: 1rem 0; }}
</style>
<h1>{title}</h1>
<p>{summary}</p>
{picture}
<table>
<tr>{head}</tr>
{rows}
</table>
</html>
"""


def report_page(experiment: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> str:
    """The page.

    Args:
        experiment: The Experiment, succeeded.
        trials: Its trials.
    """
    objective = experiment["spec"]["objective"]
    metric = str(objective["objectiveMetricName"])
    optimal = experiment["status"]["currentOptimalTrial"]
    best = str(optimal["bestTrialName"])
    ordered = sorted(trials, key=lambda trial: str(trial["metadata"].get("creationTimestamp", "")))
    judged = [(trial, objective_value(trial.get("status", {}).get("observation"), objective)) for trial in ordered]
    names = [str(parameter["name"]) for parameter in experiment["spec"].get("parameters", [])]
    head = ["trial", "state", metric, *names]
    rows = []
    for trial, value in judged:
        given = assignments(trial["spec"].get("parameterAssignments", []))
        name = str(trial["metadata"]["name"])
        cells = [
            name,
            str(condition_of(trial).get("type", "Pending")),
            "" if value is None else value,
            *(given.get(each, "") for each in names),
        ]
        mark = ' class="best"' if name == best else ""
        rows.append(f"<tr{mark}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    found = objective_value(optimal.get("observation"), objective)
    return _PAGE.format(
        title=escape(str(experiment["metadata"]["name"])),
        summary=escape(f"{metric}, {objective['type']}d: the best is {found}, of {best}, among {len(ordered)} trials"),
        picture=_picture(metric, [(str(trial["metadata"]["name"]), number_of(value)) for trial, value in judged]),
        head="".join(f"<th>{escape(name)}</th>" for name in head),
        rows="\n".join(rows),
    )


def _picture(metric: str, trials: Sequence[tuple[str, float | None]]) -> str:
    """The objective of each trial, in the order in which they were made."""
    known = [value for _, value in trials if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    floor, right = _HEIGHT - _MARGIN, _WIDTH - _MARGIN
    across = (right - _MARGIN) / max(len(trials) - 1, 1)
    up = (floor - _MARGIN) / ((high - low) or 1.0)
    dots = [
        f'<circle cx="{_MARGIN + index * across:.1f}" cy="{floor - (value - low) * up:.1f}" r="4" fill="#1a73e8">'
        f"<title>{escape(name)}: {value:g}</title></circle>"
        for index, (name, value) in enumerate(trials)
        if value is not None
    ]
    return "\n".join(
        [
            f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{escape(metric)} of each trial">',
            f'<line x1="{_MARGIN}" y1="{floor}" x2="{right}" y2="{floor}" stroke="#8c959f"/>',
            f'<text x="2" y="{_MARGIN + 4}" font-size="11">{high:.4g}</text>',
            f'<text x="2" y="{floor + 4}" font-size="11">{low:.4g}</text>',
            f'<text x="{_MARGIN}" y="{_HEIGHT - 10}" font-size="11">trials in the order of their start</text>',
            *dots,
            "</svg>",
        ]
    )
