"""The page of a training or an evaluation: one HTML file with the losses as a picture in it, and nothing to load."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 680, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 16, 16, 40
_CURVES = {"train_loss": "#8a8f98", "val_loss": "#1f6feb"}
_MEANING = {
    "train_loss": "mean squared error in squared spreads, while training",
    "val_loss": "mean squared error in squared spreads",
    "val_mae": "mean absolute error in litres per second",
    "baseline_loss": "val_loss of the best prediction without a model",
}

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1c2128; background: #fff; margin: 2rem; max-width: 44rem }}
h1 {{ font-size: 1.4rem }} h2 {{ font-size: 1.1rem; margin-top: 2rem }}
table {{ border-collapse: collapse }} td, th {{ text-align: left; padding: .15rem 1.2rem .15rem 0 }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums }}
svg {{ width: 100%; height: auto }} svg text {{ font: 12px system-ui, sans-serif; fill: #57606a }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def evaluation_page(
    circuit: str,
    metrics: Mapping[str, float],
    hparams: Mapping[str, object],
    history: Sequence[Mapping[str, float]],
) -> str:
    """The HTML of an evaluation.

    Args:
        circuit: Whose readings the model predicts.
        metrics: ``val_loss``, ``val_mae``, ``baseline_loss``.
        hparams: Name -> value.
        history: One mapping an epoch: ``epoch``, ``train_loss``, ``val_loss``.
    """
    about = (
        "The newest readings, which are kept for validation: no weight was learned from them, but they chose the "
        "epoch to keep and, in a study, the hyperparameters."
    )
    return _page(f"Evaluation of {circuit}", about, metrics, hparams, history)


def training_page(
    circuit: str,
    metrics: Mapping[str, float],
    hparams: Mapping[str, object],
    history: Sequence[Mapping[str, float]],
) -> str:
    """The HTML of a training.

    Args:
        circuit: Whose readings the model predicts.
        metrics: Those of the kept epoch: ``train_loss``, ``val_loss``, ``val_mae``.
        hparams: Name -> value.
        history: One mapping an epoch: ``epoch``, ``train_loss``, ``val_loss``.
    """
    return _page(f"Training of {circuit}", "The metrics of the epoch that was kept.", metrics, hparams, history)


def _page(
    title: str,
    about: str,
    metrics: Mapping[str, float],
    hparams: Mapping[str, object],
    history: Sequence[Mapping[str, float]],
) -> str:
    rows = [[name, f"{value:.4g}", _MEANING.get(name, "")] for name, value in metrics.items()]
    best = min(history, key=lambda epoch: epoch["val_loss"])
    body = [
        f"<p>{about}</p>",
        _table(rows),
        f"<h2>Loss by epoch</h2>\n<p>The kept model is that of epoch {best['epoch']:g}.</p>",
        loss_curve(history),
        "<h2>Hyperparameters</h2>",
        _table([[name, value if isinstance(value, str) else json.dumps(value), ""] for name, value in hparams.items()]),
    ]
    return _PAGE.format(title=escape(title), body="\n".join(body))


def loss_curve(history: Sequence[Mapping[str, float]]) -> str:
    """The losses of all epochs as SVG, with a dot at the smallest val_loss.

    Args:
        history: One mapping an epoch, at least one: ``epoch``, ``train_loss``, ``val_loss``.
    """
    last = history[-1]["epoch"]
    highest = max(epoch[name] for epoch in history for name in _CURVES) or 1.0
    step = _round_step(highest, 4)
    top = step * math.ceil(highest / step)

    def x(epoch: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * ((epoch - 1) / (last - 1) if last > 1 else 0.5)

    def y(loss: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - loss / top)

    parts = []
    for index in range(round(top / step) + 1):
        level = y(index * step)
        parts.append(f'<path d="M{_LEFT} {level:.1f}H{_WIDTH - _RIGHT}" stroke="#e3e6ea"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{level + 4:.1f}" text-anchor="end">{index * step:.4g}</text>')
    every = max(1, round(_round_step(last, 8)))
    for epoch in sorted({1, *range(every, round(last) + 1, every)}):
        parts.append(f'<text x="{x(epoch):.1f}" y="{_HEIGHT - 22}" text-anchor="middle">{epoch}</text>')
    parts.append(f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:.0f}" y="{_HEIGHT - 5}" text-anchor="middle">epoch</text>')
    for index, (name, colour) in enumerate(_CURVES.items()):
        points = " ".join(f"{x(epoch['epoch']):.1f},{y(epoch[name]):.1f}" for epoch in history)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        key = _TOP + 12 + 18 * index
        parts.append(f'<path d="M{_WIDTH - 120} {key - 4}h22" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{_WIDTH - 92}" y="{key}">{name}</text>')
    best = min(history, key=lambda epoch: epoch["val_loss"])
    dot = f'cx="{x(best["epoch"]):.1f}" cy="{y(best["val_loss"]):.1f}" r="4" fill="{_CURVES["val_loss"]}"'
    parts.append(f"<circle {dot}><title>epoch {best['epoch']:g}: {best['val_loss']:.4g}</title></circle>")
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Loss by epoch">{"".join(parts)}</svg>'


def _round_step(high: float, parts: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that divides 0 to `high` into about `parts`."""
    rough = high / parts
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [
        f'<tr><th>{escape(name)}</th><td class="number">{escape(value)}</td><td>{escape(meaning)}</td></tr>'
        for name, value, meaning in rows
    ]
    return "\n".join(["<table>", *lines, "</table>"])
