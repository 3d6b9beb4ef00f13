"""The picture of what trials reported over time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from html import escape
from typing import NamedTuple

from kftune.html_page import HEIGHT, LEFT, Scale, marked, svg, x_at, y_at
from kftune.metrics.curves import Curve, thinned

_MOST_POINTS = 20_000
"""In the picture. Each is about ten bytes of the page."""
_MOST_OF_A_TRIAL = 200
_FEWEST_OF_A_TRIAL = 8


class TrialCurve(NamedTuple):
    """The curve of one trial."""

    name: str
    curve: Curve
    stopped: str = ""
    """Why the trial stopped early; empty if it did not."""
    counts: bool = True
    """Whether the trial has a result. The scale is that of trials with one, so a trial that diverged hides no other."""


def drawn(curve: Curve, trials: int) -> Curve:
    """Returns the points of a curve that are drawn.

    Args:
        curve: The curve.
        trials: How many curves there are.
    """
    return thinned(curve, max(_FEWEST_OF_A_TRIAL, min(_MOST_OF_A_TRIAL, _MOST_POINTS // max(trials, 1))))


def curves_picture(metric: str, curves: Sequence[TrialCurve], best: Collection[str]) -> Iterator[str]:
    """Yields the picture; nothing when no trial reported twice.

    Args:
        metric: The metric.
        curves: What is drawn.
        best: The names of the best trials, which are drawn last.
    """
    if all(len(each.curve.values) < 2 for each in curves):
        return
    counted = [each for each in curves if each.counts] or curves
    scale = Scale.of(value for each in counted for value in each.curve.values)
    steps = [step for each in curves for step in (each.curve.steps[0], each.curve.steps[-1])]
    first, last = min(steps), max(steps)
    across = Scale(first, last, is_log=False)
    parts = scale.levels()
    for each in sorted(curves, key=lambda one: one.name in best):
        points = [
            (x_at(across.share(step)), y_at(scale.share(value)))
            for step, value in zip(each.curve.steps, each.curve.values, strict=True)
        ]
        title = f"<title>{escape(each.name)}{escape(f': {each.stopped}' if each.stopped else '')}</title>"
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline{marked(each.name in best)} points="{line}">{title}</polyline>')
        if each.stopped:
            x, y = points[-1]
            cross = f"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"
            parts.append(f'<path class="stopped" d="{cross}">{title}</path>')
    stopped = "; a cross marks an early stop" if any(each.stopped for each in curves) else ""
    beyond = any(min(each.curve.values) < scale.low or max(each.curve.values) > scale.high for each in curves)
    edge = "; at the edge: no result" if beyond else ""
    label = f"{metric} by step"
    note = f"{label}, from {first} to {last}{scale.note}{stopped}{edge}"
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 10}">{escape(note)}</text>')
    yield svg(label, parts)
