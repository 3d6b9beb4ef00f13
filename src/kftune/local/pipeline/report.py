"""The report of a tune step: one HTML page with every trial, the objective as a picture, and nothing to load."""

from __future__ import annotations

from html import escape

from kftune.results import Results, Trial

_WIDTH, _HEIGHT, _EDGE = 640, 220, 24

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1c2128; margin: 2rem }}
table {{ border-collapse: collapse }} td, th {{ text-align: left; padding: .15rem 1rem .15rem 0 }}
.best {{ font-weight: 600 }} circle {{ fill: #8a8f98 }} circle.best {{ fill: #1f6feb }}
svg {{ border: 1px solid #d0d7de; margin: 1rem 0; max-width: 100% }}
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


def report_page(results: Results) -> str:
    """The page of a study's results; nothing in it changes when the same study runs again."""
    meta, trials, best = results.meta, results.trials(), results.best()
    names = [*meta.space]
    head = ["trial", "state", meta.objective.name, *names]
    shown = "no trial has succeeded" if best is None else f"the best is {best.objective:.6g}, of {best.name}"
    return _PAGE.format(
        title=escape(meta.name),
        summary=escape(
            f"{meta.direction} {meta.objective.name} by {meta.algorithm} with seed {meta.seed}: {shown}, "
            f"of {len(trials)} trials"
        ),
        picture=_picture(trials, best),
        head="".join(f"<th>{escape(name)}</th>" for name in head),
        rows="\n".join(_row(trial, names, trial.name == (best and best.name)) for trial in trials),
    )


def _row(trial: Trial, names: list[str], is_best: bool) -> str:
    objective = "" if trial.objective is None else f"{trial.objective:.6g}"
    cells = [trial.name, trial.state, objective, *(trial.assignment.get(name, "") for name in names)]
    mark = ' class="best"' if is_best else ""
    return f"<tr{mark}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _picture(trials: list[Trial], best: Trial | None) -> str:
    """The objective of each trial, in the order of their numbers."""
    scored = [(trial.number, trial.objective) for trial in trials if trial.objective is not None]
    if not scored:
        return ""
    low, high = min(value for _, value in scored), max(value for _, value in scored)
    last = max(number for number, _ in scored)
    dots = []
    for number, value in scored:
        x = _EDGE + (_WIDTH - 2 * _EDGE) * ((number - 1) / (last - 1) if last > 1 else 0.5)
        y = _HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * ((value - low) / (high - low) if high > low else 0.5)
        mark = ' class="best"' if best is not None and number == best.number else ""
        dots.append(
            f'<circle{mark} cx="{x:.1f}" cy="{y:.1f}" r="5"><title>trial {number}: {value:.6g}</title></circle>'
        )
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img">{"".join(dots)}</svg>'
