"""The page of a training or an evaluation: metrics, the losses as a picture, and the hyperparameters."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from kftune.html_page import HEIGHT, LEFT, RIGHT, TOP, WIDTH, html_page, level, svg, table, x_at, y_at

_CURVES = {"train_loss": "#8a8f98", "val_loss": "#1f6feb"}
_MEANING = {
    "train_loss": "mean squared error in squared spreads, while training",
    "val_loss": "mean squared error in squared spreads",
    "val_mae": "mean absolute error in litres per second",
    "baseline_loss": "val_loss of the best prediction without a model",
}
ABOUT_TRAINING = "The metrics of the epoch that was kept."
ABOUT_EVALUATION = (
    "The newest readings, which are kept for validation: no weight was learned from them, but they chose the epoch to "
    "keep and, in a study, the hyperparameters."
)


def model_page(
    title: str,
    about: str,
    metrics: Mapping[str, float],
    hparams: Mapping[str, object],
    history: Sequence[Mapping[str, float]],
) -> str:
    """Returns the HTML page of a training or an evaluation.

    Args:
        title: Its heading.
        about: What the metrics are, such as `ABOUT_TRAINING`.
        metrics: Name -> value.
        hparams: Name -> value.
        history: One mapping per epoch: ``epoch``, ``train_loss``, ``val_loss``; the page has no picture without these.
    """
    rows = [[name, f"{value:.4g}", _MEANING.get(name, "")] for name, value in metrics.items()]
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in hparams.items()}
    return html_page(
        title,
        [
            f"<p>{about}</p>",
            table(["metric", "value", "meaning"], rows),
            *_losses(history),
            "<h2>Hyperparameters</h2>",
            table(["name", "value"], values.items()),
        ],
    )


def _losses(history: Sequence[Mapping[str, float]]) -> list[str]:
    if not history or not all({"epoch", *_CURVES} <= epoch.keys() for epoch in history):
        return []
    best = min(history, key=lambda epoch: epoch["val_loss"])
    about = f"<h2>Loss by epoch</h2>\n<p>The kept model is that of epoch {best['epoch']:g}.</p>"
    return [about, loss_curve(history)]


def loss_curve(history: Sequence[Mapping[str, float]]) -> str:
    """Returns the losses of all epochs as SVG, with a dot at the smallest val_loss.

    Args:
        history: One mapping per epoch, at least one: ``epoch``, ``train_loss``, ``val_loss``.
    """
    last = history[-1]["epoch"]
    highest = max(epoch[name] for epoch in history for name in _CURVES) or 1.0
    step = _round_step(highest, 4)
    top = step * math.ceil(highest / step)

    def x(epoch: float) -> float:
        return x_at((epoch - 1) / (last - 1) if last > 1 else 0.5)

    parts = [level(index * step / top, index * step) for index in range(round(top / step) + 1)]
    every = max(1, round(_round_step(last, 8)))
    for epoch in sorted({1, *range(every, round(last) + 1, every)}):
        parts.append(f'<text x="{x(epoch):.1f}" y="{HEIGHT - 24}" text-anchor="middle">{epoch}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 5}" text-anchor="middle">epoch</text>')
    for index, (name, colour) in enumerate(_CURVES.items()):
        points = " ".join(f"{x(epoch['epoch']):.1f},{y_at(epoch[name] / top):.1f}" for epoch in history)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        key = TOP + 12 + 18 * index
        parts.append(f'<path d="M{WIDTH - 120} {key - 4}h22" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{WIDTH - 92}" y="{key}">{name}</text>')
    best = min(history, key=lambda epoch: epoch["val_loss"])
    dot = f'class="best" cx="{x(best["epoch"]):.1f}" cy="{y_at(best["val_loss"] / top):.1f}" r="4"'
    parts.append(f"<circle {dot}><title>epoch {best['epoch']:g}: {best['val_loss']:.4g}</title></circle>")
    return svg("Loss by epoch", parts)


def _round_step(high: float, parts: int) -> float:
    """Returns a step of 1, 2 or 5 times a power of ten that divides 0 to `high` into about `parts`."""
    rough = high / parts
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
