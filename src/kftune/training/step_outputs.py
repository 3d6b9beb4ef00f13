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


def write_training_outputs(given: Mapping[str, str], folder: Path, hparams: Hparams) -> None:
    """Writes what the command line of a training asks for.

    Args:
        given: Path by name, of `NAMES`.
        folder: What the training wrote.
        hparams: What it was trained with.

    Raises:
        HparamsError: The training has not ended, or reports no such metric.
        OSError: A file cannot be written.
    """
    summary = read_json(folder / "summary.json")
    metrics = {name: value for name, value in (summary.get("best") or {}).items() if name != "epoch"}
    lacking = next((name for name in VALUES if name in given and name not in metrics), None)
    if lacking is not None or not metrics:
        raise HparamsError(
            f"{folder}/summary.json must have the metrics of a finished epoch, but has no {lacking or 'epoch'}; "
            f"it has: {', '.join(metrics) or 'none'}"
        )
    write_outputs(
        given,
        metrics,
        title=f"Training of {summary.get('circuit', summary.get('experiment_name'))}",
        about=ABOUT_TRAINING,
        hparams=hparams.to_dict(),
        history=summary["history"],
    )
