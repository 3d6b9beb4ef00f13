"""The outputs that training and evaluation share: metrics, single values, and a page with the losses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune import outputs
from kftune.errors import HparamsError, UsageError
from kftune.files import write_text
from kftune.hparams import Hparams
from kftune.training.about import about_of
from kftune.training.folder import read_json
from kftune.training.page import ABOUT_TRAINING, model_page

VALUES = ("train_loss", "val_loss", "val_mae", "val_char_accuracy", "val_seq_accuracy")
TEST_VALUES = ("val_loss", "val_mae", "test_loss", "test_char_accuracy", "test_seq_accuracy")
NAMES = ("metrics", *VALUES, "report", "executor-output")
"""The arguments that name the files to write after a training."""
TEST_NAMES = ("metrics", *TEST_VALUES, "report", "executor-output")
"""The same after an evaluation."""

_LOSSES = {"train/loss": "train_loss", "validation/loss": "val_loss"}
"""What typed models call the losses -> their names on the page."""


def check_outputs(given: Mapping[str, str]) -> None:
    """Checks what the command line asks for, before any work.

    Args:
        given: Path by name.

    Raises:
        UsageError: The file for KFP's page is asked for without the artifact that it is about.
    """
    if "executor-output" in given and "metrics" not in given:
        raise UsageError(
            f"--executor-output={given['executor-output']} is about the artifact of --metrics; give --metrics=FILE too"
        )


def write_outputs(given: Mapping[str, str], metrics: Mapping[str, float], **page: Any) -> None:
    """Writes what the command line asks for.

    Args:
        given: Path by name, of `NAMES`.
        metrics: Name -> value.
        **page: The other arguments of `model_page`.

    Raises:
        HparamsError: The model has no such metric.
        OSError: A file cannot be written.
    """
    values = [name for name in {*VALUES, *TEST_VALUES} if name in given]
    lacking = min((name for name in values if name not in metrics), default=None)
    if lacking is not None:
        raise HparamsError(f"--{lacking} must be a metric of this model, which has: {', '.join(metrics)}")
    if "metrics" in given:
        outputs.write_metrics(given["metrics"], metrics, given.get("executor-output"))
    for name in values:
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
    if not metrics:
        raise HparamsError(
            f"{path if returned is None else 'what the training returns'} must have the metrics of a finished epoch, "
            f"but has no epoch"
        )
    history = [{_LOSSES.get(name, name): epoch[name] for name in epoch} for epoch in summary.get("history", [])]
    write_outputs(
        given,
        metrics,
        title=f"Training of {about_of(summary).subject({'experiment_name': type(hparams).__name__, **summary})}",
        about=ABOUT_TRAINING,
        hparams=hparams.to_dict(),
        summary={**summary, "history": history},
    )
