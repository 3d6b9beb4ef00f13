"""The outputs that training and evaluation share: metrics, single values, and a page with the losses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune import outputs
from kftune.errors import HparamsError
from kftune.files import write_text
from kftune.hparams import Hparams
from kftune.training.folder import read_json
from kftune.training.page import ABOUT_TRAINING, model_page

VALUES = ("train_loss", "val_loss", "val_mae")
NAMES = ("metrics", *VALUES, "report", "executor-output")
"""The arguments that name the files to write."""

_LOSSES = {"train/loss": "train_loss", "validation/loss": "val_loss"}
"""What typed models call the losses -> their names on the page."""


def write_outputs(given: Mapping[str, str], metrics: Mapping[str, float], **page: Any) -> None:
    """Writes what the command line asks for.

    Args:
        given: Path by name, of `NAMES`.
        metrics: Name -> value.
        **page: The other arguments of `model_page`.

    Raises:
        OSError: A file cannot be written.
    """
    if "metrics" in given:
        outputs.write_metrics(given["metrics"], metrics, given.get("executor-output"))
    for name in VALUES:
        if name in given:
            outputs.write(given[name], metrics[name])
    if "report" in given:
        write_text(Path(given["report"]), model_page(metrics=metrics, **page))


def write_training_outputs(
    given: Mapping[str, str], folder: Path, hparams: Hparams, returned: Mapping[str, float] | None = None
) -> None:
    """Writes what the command line of a training asks for.

    Args:
        given: Path by name, of `NAMES`.
        folder: What the training wrote.
        hparams: What it was trained with.
        returned: The metrics that it returned; None for those in ``summary.json``.

    Raises:
        HparamsError: The training has not ended, or reports no such metric.
        OSError: A file cannot be written.
    """
    path = folder / "summary.json"
    summary = read_json(path) if returned is None or path.is_file() else {}
    best = summary.get("best") or {} if returned is None else returned
    metrics = {name: value for name, value in best.items() if name != "epoch"}
    lacking = next((name for name in VALUES if name in given and name not in metrics), None)
    if lacking is not None or not metrics:
        raise HparamsError(
            f"{path if returned is None else 'what the training returns'} must have the metrics of a finished epoch, "
            f"but has no {lacking or 'epoch'}; it has: {', '.join(metrics) or 'none'}"
        )
    write_outputs(
        given,
        metrics,
        title=f"Training of {summary.get('circuit') or summary.get('experiment_name') or type(hparams).__name__}",
        about=ABOUT_TRAINING,
        hparams=hparams.to_dict(),
        history=[{_LOSSES.get(name, name): epoch[name] for name in epoch} for epoch in summary.get("history", [])],
    )
