"""The page of a training or an evaluation: metrics, the losses as a picture, and the hyperparameters."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from kftune.html_page import HEIGHT, LEFT, RIGHT, WIDTH, html_page, level, svg, table, x_at, y_at
from kftune.training.about import about_of

_COLOURS = ("#8a8f98", "#1f6feb")
ABOUT_TRAINING = "The metrics of the epoch that was kept."


def model_page(
    title: str,
    about: str,
    metrics: Mapping[str, float],
    hparams: Mapping[str, object],
    summary: Mapping[str, Any],
) -> str:
    """Returns the HTML page of a training or an evaluation.

    Args:
        title: Its heading.
        about: What the metrics are, such as `ABOUT_TRAINING`.
        metrics: Name -> value.
        hparams: Name -> value.
        summary: The summary of the training, as far as there is one.
    """
    model = about_of(summary)
    rows = [[name, f"{value:.4g}", model.meanings.get(name, "")] for name, value in metrics.items()]
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in hparams.items()}
    return html_page(
        title,
        [
            f"<p>{about}</p>",
            table(["metric", "value", "meaning"], rows),
            *_curves(summary),
            "<h2>Hyperparameters</h2>",
            table(["name", "value"], values.items()),
        ],
    )


def _curves(summary: Mapping[str, Any]) -> list[str]:
    """Returns the pictures of a training whose epochs are known."""
    history, kept = summary.get("history") or [], (summary.get("best") or {}).get("epoch", math.nan)
    drawn = {
        heading: names
        for heading, names in about_of(summary).curves.items()
        if all({"epoch", *names} <= epoch.keys() for epoch in history)
    }
    if not drawn or kept not in [epoch["epoch"] for epoch in history if "epoch" in epoch]:
        return []
    pictures = [f"<h2>{heading}</h2>\n{curves(heading, history, names, kept)}" for heading, names in drawn.items()]
    return [f"<p>The kept model is that of epoch {kept:g}.</p>", *pictures]


def curves(heading: str, history: Sequence[Mapping[str, float]], names: Sequence[str], kept: float) -> str:
    """Returns metrics of all epochs as SVG, with a dot at the epoch that was kept.

    Args:
        heading: What they are.
        history: One mapping per epoch, at least one: ``epoch`` and metrics.
        names: The metrics to show, at most two; the dot is on the last one.
        kept: The epoch that was kept.
    """
    last = history[-1]["epoch"]
    highest = max(epoch[name] for epoch in history for name in names) or 1.0
    step = _round_step(highest, 4)
    top = step * math.ceil(highest / step)

    def x(epoch: float) -> float:
        return x_at((epoch - 1) / (last - 1) if last > 1 else 0.5)

    parts = [level(index * step / top, index * step) for index in range(round(top / step) + 1)]
    every = max(1, round(_round_step(last, 8)))
    for epoch in sorted({1, *range(every, round(last) + 1, every)}):
        parts.append(f'<text x="{x(epoch):.1f}" y="{HEIGHT - 24}" text-anchor="middle">{epoch}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 5}" text-anchor="end">epoch</text>')
    key = LEFT
    for name, colour in zip(names, _COLOURS, strict=False):
        points = " ".join(f"{x(epoch['epoch']):.1f},{y_at(epoch[name] / top):.1f}" for epoch in history)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        # Below the curves, which may be anywhere above.
        parts.append(f'<path d="M{key} {HEIGHT - 9}h22" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{key + 28}" y="{HEIGHT - 5}">{name}</text>')
        key += 48 + 7 * len(name)
    best = next(epoch[names[-1]] for epoch in history if epoch["epoch"] == kept)
    dot = f'class="best" cx="{x(kept):.1f}" cy="{y_at(best / top):.1f}" r="4"'
    parts.append(f"<circle {dot}><title>epoch {kept:g}: {best:.4g}</title></circle>")
    return svg(heading, parts)


def _round_step(high: float, parts: int) -> float:
    """Returns a step of 1, 2 or 5 times a power of ten that divides 0 to `high` into about `parts`."""
    rough = high / parts
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
